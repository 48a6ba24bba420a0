"""How well a router does on labelled prompts: counts and curves of scores, nothing else.

Imports nothing of ours. Scores are probabilities that thinking pays, labels whether it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BINS = 10


class Judged(Struct, frozen=True):
    """One labelled prompt and what the router said of it."""

    think: bool
    chosen_think: bool
    score: float
    groups: dict[str, str] = {}


class Figures(Struct, frozen=True):
    """What is told of a set of prompts; shares are from 0 to 1, None where there is nothing to say.

    `recall` is the share of hard prompts that are thought about, `wasted` the share of easy ones
    that are, `calibration_error` the expected one over ten bins (Naeini et al. 2015). `confusion`
    counts prompts by what they need and what was chosen.
    """

    prompts: int
    accuracy: float
    macro_f1: float
    recall: float | None
    wasted: float | None
    ranking: float | None
    calibration_error: float
    confusion: dict[str, dict[str, int]]


def figures(judged: Sequence[Judged]) -> Figures:
    """Return the figures of a set that is not empty."""
    hard = [one.chosen_think for one in judged if one.think]
    easy = [one.chosen_think for one in judged if not one.think]
    return Figures(
        prompts=len(judged),
        accuracy=_share(one.think == one.chosen_think for one in judged) or 0.0,
        macro_f1=macro_f1(judged),
        recall=_share(hard),
        wasted=_share(easy),
        ranking=ranking(judged),
        calibration_error=calibration_error(judged),
        confusion=confusion(judged),
    )


def confusion(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """Return how many prompts there are by the mode they need and, inside, the one chosen."""
    names = {True: "think", False: "no_think"}
    found = {needed: dict.fromkeys(names.values(), 0) for needed in names.values()}
    for one in judged:
        found[names[one.think]][names[one.chosen_think]] += 1
    return found


def macro_f1(judged: Sequence[Judged]) -> float:
    """Return the mean of both modes' F1; a mode that is neither needed nor chosen is left out."""
    scores = []
    for mode in (True, False):
        both = sum(one.think is mode and one.chosen_think is mode for one in judged)
        either = sum((one.think is mode) + (one.chosen_think is mode) for one in judged)
        if either:
            scores.append(2 * both / either)
    return sum(scores) / max(1, len(scores))


def ranking(judged: Sequence[Judged]) -> float | None:
    """Return how often a hard prompt scores above an easy one (the area under the ROC curve)."""
    places = _places([one.score for one in judged])
    hard = [place for place, one in zip(places, judged, strict=True) if one.think]
    easy = len(judged) - len(hard)
    if not hard or not easy:
        return None
    return (sum(hard) - len(hard) * (len(hard) + 1) / 2) / (len(hard) * easy)


def calibration_error(judged: Sequence[Judged]) -> float:
    """Return how far, on the mean, scores are from the share of hard prompts that have them."""
    return sum(abs(mean - share) * count for mean, share, count in reliability(judged)) / max(
        1, len(judged)
    )


def reliability(judged: Sequence[Judged]) -> list[tuple[float, float, int]]:
    """Return for each tenth of the scores their mean, the share of hard prompts, and how many."""
    bins: list[list[Judged]] = [[] for _ in range(BINS)]
    for one in judged:
        bins[min(int(one.score * BINS), BINS - 1)].append(one)
    return [
        (
            sum(one.score for one in held) / len(held),
            sum(one.think for one in held) / len(held),
            len(held),
        )
        for held in bins
        if held
    ]


def by_group(judged: Iterable[Judged], key: str) -> dict[str, list[Judged]]:
    """Return the prompts apart by one of their groups, by name."""
    found: dict[str, list[Judged]] = {}
    for one in judged:
        if key in one.groups:
            found.setdefault(one.groups[key], []).append(one)
    return dict(sorted(found.items()))


def _share(of: Iterable[bool]) -> float | None:
    given = list(of)
    return sum(given) / len(given) if given else None


def _places(scores: Sequence[float]) -> list[float]:
    """Return each score's place in the order, counted from 1; equal ones share their mean."""
    order = sorted(range(len(scores)), key=scores.__getitem__)
    places = [0.0] * len(scores)
    begin = 0
    while begin < len(order):
        end = begin
        while end < len(order) and scores[order[end]] == scores[order[begin]]:
            end += 1
        for at in order[begin:end]:
            places[at] = (begin + 1 + end) / 2
        begin = end
    return places

"""Marks and weights in the user's words; pure text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHOWN = 8
"""Features listed in a verdict: as many as fit a screen and a head."""

SAYS = "says "
"""What the phrase of a word begins with, which speaks for itself."""

FAINT = 25
"""Weights below this many units, a sixth of calibrated log odds, explain nothing."""

NAMED = 2
"""Features named in the one sentence."""

REFERENCE = "goes on from what was asked before"
"""The feature of a message that leans on earlier ones."""

SITE = "is like what was judged here before"
"""The feature of what a site has taught the router."""

_FORM = {
    "#code": "contains code",
    "#rows": "contains a table",
    "#arithmetic": "contains a calculation",
    "#setting": "gives a time or a setting",
    "#money": "gives a price",
    "#latex": "contains a formula",
    "#variable": "contains a variable",
    "#options": "gives answers to choose from",
    "#asks": "ends with a question",
    "#asked": "contains a question",
    "#asks&0": "asks, without numbers",
    "#asks&1": "asks, with a number",
    "#asks&2": "asks, with numbers",
    "#says&0": "states or wishes, without numbers",
    "#says&1": "states or wishes, with a number",
    "#says&2": "states or wishes, with numbers",
    "#lists": "asks for an entry of a list",
    "#material": "comes with a text to work on",
    "#parted": "has a part that is set off",
}
_SIZES = {
    "#words": ((3, "is very short"), (13, "is short"), (36, "is of some length"), (101, "is long")),
    "#numbers": ((1, "has no numbers"), (2, "has one number"), (5, "has a few numbers")),
    "#lines": ((2, "is one line"), (9, "has a few lines")),
    "#sentences": ((2, "is one sentence"), (5, "has a few sentences")),
}
"""What is said of a bin that begins below each number; of a later one, the words below."""

_LARGEST = {
    "#words": "is very long",
    "#numbers": "has many numbers",
    "#lines": "has many lines",
    "#sentences": "has many sentences",
}


def in_words(
    weighed: Mapping[str, int], phrases: Mapping[str, str], *, per_log_odds: float
) -> tuple[tuple[str, float], ...]:
    """Return the strongest features as (phrase, log odds), marks of one phrase added up.

    Args:
        weighed: Marks and their weights, as `Classifier.weigh` gives them.
        phrases: The user's words for the marks that explain anything, as `phrases_of` gives them.
        per_log_odds: Units of weight to one of calibrated log odds.

    """
    summed: dict[str, int] = {}
    phrase_of, sum_of = phrases.get, summed.get
    for mark, weight in weighed.items():
        # A comparison is quicker than a look-up, and half of the marks are faint.
        if (weight >= FAINT or weight <= -FAINT) and (said := phrase_of(mark)) is not None:
            summed[said] = sum_of(said, 0) + weight
    # Only what can be among the strongest is put in order by its words too.
    least = sorted(map(abs, summed.values()))[-SHOWN:][0] if summed else 0
    strongest = sorted(
        [(-abs(total), said) for said, total in summed.items() if total >= least or total <= -least]
    )[:SHOWN]
    return tuple(
        [(said, round(summed[said] / per_log_odds, 2)) for sum_, said in strongest if sum_]
    )


def with_feature(
    features: tuple[tuple[str, float], ...], phrase: str, weight: float
) -> tuple[tuple[str, float], ...]:
    """Return the features and one more in its place, strongest first."""
    more = (*features, (phrase, round(weight, 2)))
    return tuple(sorted(more, key=lambda feature: -abs(feature[1])))


def phrases_of(weights: Mapping[str, int], concepts: Mapping[str, str]) -> dict[str, str]:
    """Return the user's words for each mark that weighs enough; a word speaks for itself."""
    return {
        mark: _phrase(mark, concepts)
        for mark, weight in weights.items()
        if weight >= FAINT or weight <= -FAINT
    }


def _phrase(mark: str, concepts: Mapping[str, str]) -> str:
    if mark[0] == "|" and mark[1:]:
        return f"comes with a text that {_phrase(mark[1:], concepts)}"
    bare = mark[1:] if mark[:2] in ("^@", "$@") else mark
    if len(bare) > 1 and bare[0] == "@":
        return _of_concepts(bare, concepts)
    if len(bare) > 1 and bare[0] == "#":
        return _of_form(bare)
    word = mark[1:] if mark[0] in "^$" and mark[1:] else mark
    return f"{SAYS}“{word.replace('*', '…')}”"


def _of_concepts(mark: str, concepts: Mapping[str, str]) -> str:
    """Return the user's words for one concept, or two that come together."""
    names = mark[1:].split("~", maxsplit=1)[0].split("&", maxsplit=1)[0].split("+")
    return " and ".join([concepts[name] for name in names])


def _of_form(mark: str) -> str:
    """Return the user's words for a trait of form."""
    trait, _, begins = mark.partition(":")
    if trait not in _SIZES:
        return _FORM[trait]
    return next((words for end, words in _SIZES[trait] if int(begins) < end), _LARGEST[trait])


def sentence(features: Sequence[tuple[str, float]], *, thinks: bool) -> str:
    """Return one sentence that names what spoke for the mode chosen."""
    speaking = [phrase for phrase, weight in features if (weight > 0) == thinks]
    speaking.sort(key=lambda phrase: phrase.startswith(SAYS))
    opening = "Thinking pays" if thinks else "No need to think"
    if not speaking:
        return f"{opening}: nothing in the message speaks strongly for either."
    return f"{opening}: the message {' and '.join(speaking[:NAMED])}."

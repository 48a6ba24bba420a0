"""Marks and weights in the user's words; pure text."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHOWN = 8
"""Features listed in a verdict: as many as fit a screen and a head."""

READ = 24
"""Marks looked at for them: the weaker ones carry nothing."""

NAMED = 2
"""Features named in the one sentence."""

REFERENCE = "goes on from what was asked before"
"""The feature of a message that leans on earlier ones."""

_FORM = {
    "#words": "is about this long",
    "#numbers": "has this many numbers",
    "#lines": "has this many lines",
    "#sentences": "has this many sentences",
    "#code": "contains code",
    "#rows": "contains a table",
    "#fence": "contains code",
    "#arithmetic": "contains a calculation",
    "#setting": "gives a time or a setting",
    "#money": "gives a price",
    "#latex": "contains a formula",
    "#variable": "contains a variable",
    "#options": "gives answers to choose from",
    "#asks": "ends with a question",
    "#asked": "contains a question",
    "#material": "comes with a text to work on",
    "#documents": "comes with documents",
    "#readings": "comes with readings",
    "#schema": "wants a strict form",
}
_ABSENT = {"#numbers:0": "has no numbers", "#words:0": "is very short", "#words:3": "is short"}


def in_words(
    weighed: Mapping[str, int], phrases: Mapping[str, str], *, per_log_odds: float
) -> tuple[tuple[str, float], ...]:
    """Return the strongest features as (phrase, log odds), marks of one phrase added up.

    Args:
        weighed: Marks and their weights, as `Classifier.weigh` gives them.
        phrases: The user's words for each concept.
        per_log_odds: Units of weight to one of calibrated log odds.

    """
    strongest = heapq.nlargest(READ, weighed.items(), key=_strength)
    summed: defaultdict[str, int] = defaultdict(int)
    for mark, weight in strongest:
        summed[_phrase(mark, phrases)] += weight
    ranked = sorted(summed.items(), key=_strength, reverse=True)
    return tuple((phrase, round(w / per_log_odds, 2)) for phrase, w in ranked[:SHOWN] if w)


def sentence(features: Sequence[tuple[str, float]], *, thinks: bool) -> str:
    """Return one sentence that names what spoke for the mode chosen."""
    speaking = [phrase for phrase, weight in features if (weight > 0) == thinks]
    speaking.sort(key=lambda phrase: phrase.startswith("says "))
    opening = "Thinking pays" if thinks else "No need to think"
    if not speaking:
        return f"{opening}: nothing in the message speaks strongly for either."
    return f"{opening}: the message {' and '.join(speaking[:NAMED])}."


def _strength(item: tuple[str, int]) -> tuple[int, str]:
    return abs(item[1]), item[0]


def _phrase(mark: str, phrases: Mapping[str, str]) -> str:
    if mark in _ABSENT:
        return _ABSENT[mark]
    bare = mark.lstrip("^$") or mark
    if bare[0] == "@" and len(bare) > 1:
        return phrases[bare[1:].split("~")[0]]
    if bare[0] == "#" and len(bare) > 1:
        return _FORM[bare.split(":")[0]]
    return f"says “{bare.replace('*', '…')}”"

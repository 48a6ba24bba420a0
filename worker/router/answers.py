"""Whether two answers to one question say the same; a rough judgement, pure.

Compared is what a user would act on: JSON by value, else the last number, else the words.
"""

from __future__ import annotations

import json
import re
from difflib import SequenceMatcher

ALIKE = 0.6
"""Share of words in common, in order, from which two texts are the same answer."""

_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*")
_WORD = re.compile(r"\w+")


def differ(one: str, other: str) -> bool:
    """Tell whether two answers say different things."""
    values = [_json(text) for text in (one, other)]
    if all(value is not None for value in values):
        return bool(values[0] != values[1])
    numbers = [_NUMBER.findall(text) for text in (one, other)]
    if all(numbers):
        return bool(numbers[0][-1] != numbers[1][-1])
    words, others = (_WORD.findall(text.lower()) for text in (one, other))
    return SequenceMatcher(None, words, others, autojunk=False).ratio() < ALIKE


def _json(text: str) -> object | None:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        found: object = json.loads(text)
    except ValueError:
        return None
    return found

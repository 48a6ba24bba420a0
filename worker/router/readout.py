"""Look-ups in a list that the text itself gives: like entries, and a question that names one.

"Boiler 71 °C, tank 48 °C, outlet 63 °C. What does the tank read?" has the numbers of a problem and
needs none of the work: the answer stands beside the word that is asked about.
"""

from __future__ import annotations

import re

_ENTRIES = re.compile(r"[,;.:|](?=\s)|[，、；。：\n]")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_PART = re.compile(r"[^\W_]+")
_WORD = re.compile(r"[^\W\d_]{3,}")

LEAST_ENTRIES = 3
LONGEST_ENTRY = 6
"""Words, or pairs of Chinese characters; what has longer ones tells a story."""

ALIKE = 1
"""Words by which the lengths of like entries may differ."""

SMALL_WORDS = frozenset({
    "the", "for", "and", "are", "you", "one", "how", "many", "have", "has", "der", "die", "das",
    "den", "ist", "les", "des", "est", "los", "las", "del", "que",
})  # fmt: skip
"""Words of three letters and more that name nothing."""


def reads_off(told: str, asked: str) -> bool:
    """Tell whether a text is a list of like entries and a question names just one of them.

    Args:
        told: What is before the question, in small letters.
        asked: The question, in small letters.

    """
    entries = [entry for entry in _ENTRIES.split(told) if entry.strip()]
    if len(entries) < LEAST_ENTRIES:
        return False
    parts: list[set[str]]
    if _UNSPACED.search(asked):
        parts = [_pairs(entry) for entry in entries]
        names = _pairs(asked)
        sizes = [len(entry) // 2 for entry in entries]
    else:
        parts = [set(_PART.findall(entry)) for entry in entries]
        names = set(_WORD.findall(asked)) - SMALL_WORDS
        sizes = [len(words) for words in parts]
    middle = sorted(sizes)[len(sizes) // 2]
    like = [abs(size - middle) <= ALIKE for size in sizes].count(True)
    # One entry may be different: the heading of the list.
    if middle > LONGEST_ENTRY or like < max(LEAST_ENTRIES, len(entries) - 1):
        return False
    holders = [[at for at, words in enumerate(parts) if name in words] for name in names]
    return len({held[0] for held in holders if len(held) == 1}) == 1


def _pairs(text: str) -> set[str]:
    return {text[at : at + 2] for at in range(len(text) - 1)}

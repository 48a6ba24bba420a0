r"""Expands the prompt grammars of `data/grammar.*.txt`; the same seed gives the same prompts.

A grammar is lines under headings. `[[slot name]]` lists what `{name}` may stand for; a heading
`[category think 3]` or `[category no_think]` starts prompts of that category and label, each line
written out as often as the number says (default 1; lines without slots are written once).
`(a|b|)` chooses, `{n:2-40}` is a number, `\n` a new line. `#` starts a comment.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADING = re.compile(r"^\[(\w+) (think|no_think)(?: (\d+))?\]$")
_SLOT_HEADING = re.compile(r"^\[\[(\w+)\]\]$")
_CHOICE = re.compile(r"\(((?:[^()|]|\([^()|]*\))*\|(?:[^()]|\([^()|]*\))*)\)")
_SLOT = re.compile(r"\{(\w+)(?::(\d+)-(\d+))?\}")


def expand(source: str, *, seed: int) -> Iterator[tuple[str, bool, str, str]]:
    """Yield (text, think, category, line it was written from) for each prompt, no repeats."""
    slots, prompts = _parse(source)
    seen: set[str] = set()
    for line, think, category, times in prompts:
        chooser = random.Random(f"{seed}:{line}")
        open_ended = _SLOT.search(line) or _CHOICE.search(line)
        for _ in range(times if open_ended else 1):
            text = _write(line, slots, chooser)
            if text not in seen:
                seen.add(text)
                yield text, think, category, line


def _parse(source: str) -> tuple[dict[str, list[str]], list[tuple[str, bool, str, int]]]:
    slots: dict[str, list[str]] = {}
    prompts: list[tuple[str, bool, str, int]] = []
    slot: list[str] | None = None
    category, think, times = "", False, 1
    for raw in source.splitlines():
        line = raw.strip()
        if not line or line.startswith("# "):
            continue
        if named := _SLOT_HEADING.match(line):
            slot = slots.setdefault(named[1], [])
        elif heading := _HEADING.match(line):
            slot = None
            category, think, times = heading[1], heading[2] == "think", int(heading[3] or 1)
        elif slot is not None:
            slot.extend(part.strip() for part in line.split(" / "))
        else:
            prompts.append((line, think, category, times))
    return slots, prompts


def _write(line: str, slots: dict[str, list[str]], chooser: random.Random) -> str:
    text = line
    for _ in range(40):
        step = _CHOICE.sub(lambda m: chooser.choice(m[1].split("|")), text, count=1)
        if step == text:
            step = _SLOT.sub(lambda m: _fill(m, slots, chooser), text, count=1)
        if step == text:
            break
        text = step
    return text.replace("\\n", "\n").strip()


def _fill(slot: re.Match[str], slots: dict[str, list[str]], chooser: random.Random) -> str:
    if slot[2]:
        return str(chooser.randint(int(slot[2]), int(slot[3])))
    return chooser.choice(slots[slot[1]])

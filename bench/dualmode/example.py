"""What one training example or held-out task is, and how sides are kept apart; no randomness here.

A generator is a function of a `random.Random` and a `Side`; what may be asked on one side is never
asked on the other: names and wordings come from disjoint lists, and a question whose hash falls
into the held-out tenth is only asked there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeVar

from msgspec import Struct


def _words_of(path: Path) -> list[str]:
    found = set(re.findall(r"(?<![\w'-])[a-z]{4,9}(?![\w'-])", path.read_text("utf-8")))
    return sorted(found)


WORDS = _words_of(Path(__file__).with_name("talk.jsonl"))
"""Ordinary English words: as names of rooms and machines they can't be learned, only copied."""


class Side(StrEnum):
    """What an example is for."""

    TRAIN = "train"
    HELD_OUT = "held_out"


class Example(Struct, frozen=True, kw_only=True):
    """A question, the thought that leads to its answer, the answer, and how to check one.

    `check` says how an answer is compared: `number` the last number in it, `json` as values,
    `words` that each of `expected`, parted by commas, and no other of `choices` is named. `schema`
    is what a client would bind the answer to, nothing that a model is told.
    """

    category: str
    kind: str
    question: str
    thought: str
    answer: str
    expected: str = ""
    check: Literal["number", "json", "words", "none"] = "number"
    choices: tuple[str, ...] = ()
    system: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    history: tuple[tuple[str, str], ...] = ()
    calls: tuple[dict[str, Any], ...] = ()
    schema: dict[str, Any] | None = None


Item = TypeVar("Item")
Generator = Callable[[Random, Side], Example]


def pick(rng: Random, side: Side, items: list[Item]) -> Item:
    """Choose one of the items that belong to a side: every fourth one is held out."""
    return rng.choice(of_side(side, items))


def of_side(side: Side, items: list[Item]) -> list[Item]:
    """Return the items of a list that belong to a side."""
    held = side is Side.HELD_OUT
    return [item for index, item in enumerate(items) if (index % 4 == 3) == held]


def belongs(example: Example, side: Side) -> bool:
    """Tell whether the question's own hash allows it on that side."""
    text = f"{example.system}\n{example.question}".encode()
    held = hashlib.sha256(text).digest()[0] < 26
    return held == (side is Side.HELD_OUT)


def drawn(rng: Random, side: Side, generators: list[tuple[Generator, int]]) -> Example:
    """Return one example of a side, from one of the generators by their weights."""
    makers, weights = zip(*generators, strict=True)
    while True:
        example = rng.choices(makers, weights)[0](rng, side)
        if belongs(example, side) or example.category == "talk":
            return example


def number(
    category: str, kind: str, question: str, thought: str, value: object, answer: str = ""
) -> Example:
    """Return an example whose answer is a number."""
    return Example(
        category=category,
        kind=kind,
        question=question,
        thought=thought + ".",
        answer=answer or str(value),
        expected=str(value),
    )


def words(
    category: str,
    kind: str,
    question: str,
    thought: str,
    answer: str,
    choices: list[str] | None = None,
    expected: str = "",
) -> Example:
    """Return an example whose answer is words, those of `choices` that are right or its whole text."""
    return Example(
        category=category,
        kind=kind,
        question=question,
        thought=thought + ".",
        answer=answer,
        expected=expected or answer,
        check="words",
        choices=tuple(choices or ()),
    )

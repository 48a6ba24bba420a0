"""Makes one question of a conversation, and says how far a message leans on earlier ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from worker.domain.messages import Lane
from worker.domain.thinking import strip_switches
from worker.router.judge import Question

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from worker.domain.messages import Json, Message

EARLIER_TURNS = 6
"""User messages kept as `earlier`: what is further back is seldom what "it" means."""

BRIEF_WORDS = 14
"""A longer message states its own task."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_COUNTED_CHARS = 20_000
"""Characters of the documents that numbers are counted in; more changes nothing."""

_OWN_WISH = frozenset({"@translate", "@summarize", "@rewrite", "@extract", "@chat", "@weather"})
_OWN_WORK = frozenset({"@prove", "@solve", "@implement", "@plan", "@compare", "@debug"})


def question_of(
    messages: Sequence[Message],
    *,
    context: Mapping[str, Json] | None = None,
    has_tools: bool = False,
    wants_schema: bool = False,
    lane: Lane = Lane.STANDARD,
) -> Question:
    """Return what the router judges of a request; system and tool messages are not the question."""
    asked = [strip_switches(m.content) for m in messages if m.role == "user" and m.content]
    answers = [m.content for m in messages if m.role == "assistant" and m.content]
    chars, numbers = _size_of(context) if context else (0, 0)
    return Question(
        text=asked[-1] if asked else "",
        earlier=tuple(asked[-1 - EARLIER_TURNS : -1]),
        last_answer=answers[-1] if answers else "",
        documents_chars=chars,
        documents_numbers=numbers,
        has_tools=has_tools,
        wants_schema=wants_schema,
        lane=lane,
    )


def leaning(marks: Collection[str]) -> float:
    """Return how far a message's task lies in the messages before it, from 0 to 1.

    "why?" is all reference, "and now prove it" brings half a task along, "translate that" is a
    wish of its own whatever "that" was about.
    """
    words = next((int(m.rsplit(":", 1)[1]) for m in marks if m.startswith("#words:")), 0)
    if words >= BRIEF_WORDS or not _OWN_WISH.isdisjoint(marks):
        return 0.0
    refers = "@refer" in marks
    if not _OWN_WORK.isdisjoint(marks):
        return 0.3 if refers else 0.0
    if refers:
        return 0.75
    return 0.4 if words == 0 else 0.0


def _size_of(value: Json) -> tuple[int, int]:
    """Return the characters of the texts in a JSON value, and the numbers in and among them."""
    chars, numbers = 0, 0
    waiting: list[Json] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            chars += len(item)
            numbers += len(_NUMBER.findall(item[:_COUNTED_CHARS]))
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif isinstance(item, int | float) and not isinstance(item, bool):
            numbers += 1
    return chars, numbers

"""Makes one question of a conversation, and says how far a message leans on earlier ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from worker.domain.messages import Lane
from worker.domain.thinking import strip_switches
from worker.router.judge import Question

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from worker.domain.messages import Json, Message

EARLIER_TURNS = 6
"""User messages kept as `earlier`: what is further back is seldom what "it" means."""

BRIEF_WORDS = 14
"""A longer message states its own task."""

MANY_READINGS = 8
"""Numbers in the documents that make a table of them."""

A_LITTLE = 0.6
"""Log odds: from one half to about two thirds."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_COUNTED_CHARS = 20_000
"""Characters of the documents that numbers are counted in; more changes nothing."""

_OWN_WISH = frozenset({"@translate", "@summarize", "@rewrite", "@extract", "@chat", "@weather"})
_OWN_WORK = frozenset({"@prove", "@solve", "@implement", "@plan", "@compare", "@debug"})
_OWN_ERRAND = frozenset({"@operate", "@device", "@media", "@assistant", "@state"})

VERY_SHORT = 5
"""Words (of the bin that begins there); what is shorter seldom is a whole wish."""

_FOLLOWS = re.compile(
    r"^\W*(?:and|but|then|so|now|or|again|also|why|how come|what if|und|aber|dann|jetzt|oder|noch"
    r"|warum|wieso|woran|et|mais|alors|donc|maintenant|ou|encore|celle|celui|pourquoi|d'où|y|pero"
    r"|entonces|ahora|o|otra|la del|el del|por qué|de qué)\b"
    r"|^\W*(?:那|要是|如果|换成|改成|也|再|还|不对|为什么|怎么回事|你确定"
    r"|もし|じゃ|では|それ|でも|あと|やっぱり|なぜ|どうして|途中|本当|違う|追加)"
    r"|\b(?:check (?:it|that|again)|(?:that|it)'?s (?:not right|wrong)|not right|another|instead"
    r"|still|step by step|go (?:on|ahead)|what about|without|it only|only in|stimmt nicht|rechne"
    r"|nochmal|sicher\?|refais|sûr|n'est pas juste|sans|seguro|vuelve a|no está bien|sin)\b"
    r"|(?:呢|再算|重新|一遍|不用|もう一度|だったら|使わずに|たら)\W*"
)
"""How a message begins, or what it says, that goes on from the one before."""


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


def leaning(marks: Collection[str], text: str) -> float:
    """Return how far a message's task lies in the messages before it, from 0 to 1.

    "why?" is all reference, "and now prove it" brings half a task along, "translate that" is a
    wish of its own whatever "that" was about.

    Args:
        marks: What the classifier knows of the message.
        text: The message.

    """
    words = next((int(m.rsplit(":", 1)[1]) for m in marks if m.startswith("#words:")), 0)
    if words >= BRIEF_WORDS or not _OWN_WISH.isdisjoint(marks):
        return 0.0
    follows = _FOLLOWS.search(text.lower()) is not None
    if not _OWN_WORK.isdisjoint(marks):
        return 0.3 if follows or "@refer" in marks else 0.0
    if not _OWN_ERRAND.isdisjoint(marks):
        return 0.3 if follows else 0.0
    if follows:
        return 0.85
    if "@refer" in marks:
        return 0.6
    return 0.3 if words < VERY_SHORT else 0.0


def beside(question: Question, marks: Collection[str]) -> Iterator[tuple[str, float]]:
    """Yield what comes with a message, in the user's words, and how far it moves the log odds.

    Readings make a question about them harder, but not a wish to pass them on; who sends tools or
    a schema mostly wants something filled in. No labelled data tells how much, so it is little.
    """
    passes_on = not _OWN_WISH.isdisjoint(marks) or not _OWN_ERRAND.isdisjoint(marks)
    if question.documents_numbers >= MANY_READINGS and not passes_on:
        yield "comes with readings", A_LITTLE
    elif question.documents_chars:
        yield "comes with documents", -A_LITTLE / 2
    if question.has_tools:
        yield "comes with tools", -A_LITTLE / 2
    if question.wants_schema:
        yield "wants a strict form", -A_LITTLE / 2


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

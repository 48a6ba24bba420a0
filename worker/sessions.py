"""Conversations: whose they are, how they grow, what is dropped when they get too long; pure.

A session is trimmed because the model's context ends: a conversation that went on past it would
get `context_too_long` for ever after. It is the oldest turns that go, whole, so that no tool's
result stands without its call, and the system message stays, because it says who the assistant is.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from worker.domain.errors import NotYourSession
from worker.domain.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.domain.messages import Message, Mode

__all__ = ["HistoryLimits", "Session", "open_session", "trimmed", "with_turn"]


class HistoryLimits(Struct, frozen=True):
    """How long a history may grow before it is trimmed.

    60,000 characters are 15,000 to 20,000 tokens of English, about half of Qwen3-4B's native
    context of 32,768; the other half is the next turn's, its documents and its thought.
    """

    messages: int = 200
    characters: int = 60_000


def open_session(existing: Session | None, name: str, client: str) -> Session:
    """Return the session `name` for `client`: the recorded one, or a new one.

    Raises:
        NotYourSession: Another client opened it.

    """
    if existing is None:
        return Session(name, client)
    if existing.client != client:
        raise NotYourSession(
            f"session: {name!r} was opened by another client; choose another name", field="session"
        )
    return existing


def with_turn(
    session: Session,
    new_messages: Sequence[Message],
    answer: Message,
    mode_to_remember: Mode | None = None,
    limits: HistoryLimits | None = None,
) -> Session:
    """Return the session after one more turn.

    Args:
        session: As it was when the turn began.
        new_messages: What the request brought. A system message replaces the session's.
        answer: What the assistant said, without the thought that led to it.
        mode_to_remember: The mode of a soft switch; None leaves what was remembered.
        limits: When to trim.

    """
    systems = [message for message in new_messages if message.role == "system"]
    kept = [message for message in session.messages if not systems or message.role != "system"]
    turn = [message for message in new_messages if message.role != "system"]
    return replace(
        session,
        mode=session.mode if mode_to_remember is None else mode_to_remember,
        messages=trimmed((*systems, *kept, *turn, answer), limits or HistoryLimits()),
    )


def trimmed(messages: Sequence[Message], limits: HistoryLimits) -> tuple[Message, ...]:
    """Return the history within its limits: system messages, and the latest whole turns.

    A history that is too long is cut to half of its limits at once: every cut costs the session
    its prefix cache, and so the next many turns need none. The last turn always stays.
    """
    if _within(messages, limits.messages, limits.characters):
        return tuple(messages)
    systems = [message for message in messages if message.role == "system"]
    turns = list(_turns([message for message in messages if message.role != "system"]))
    while len(turns) > 1:
        del turns[0]
        kept = (*systems, *itertools.chain.from_iterable(turns))
        if _within(kept, limits.messages // 2, limits.characters // 2):
            break
    return (*systems, *itertools.chain.from_iterable(turns))


def _within(messages: Sequence[Message], count: int, characters: int) -> bool:
    return len(messages) <= count and sum(map(_characters, messages)) <= characters


def _characters(message: Message) -> int:
    calls = sum(
        len(call.function.name) + len(call.function.arguments) for call in message.tool_calls
    )
    return len(message.content or "") + calls


def _turns(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Split a history where a user begins to speak."""
    turn: list[Message] = []
    for message in messages:
        if message.role == "user" and turn:
            yield turn
            turn = []
        turn.append(message)
    if turn:
        yield turn

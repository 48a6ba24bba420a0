"""What users say of the router's choices: examples that `thinkq router tune` learns from.

An example outlives its request's record, as it is worth nothing after a day; `forget` takes it
with everything else of its client. Nothing is learned from it before an operator says so.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, Struct

from worker.domain.messages import Mode
from worker.journal.records import decode_messages, decode_reply, decode_request, encode

if TYPE_CHECKING:
    import sqlite3

    from worker.domain.messages import Message

EXAMPLES_LIMIT = 5_000
"""Kept in all; the oldest go first."""


class Verdict(StrEnum):
    """What is said of the mode that a request got: by a user, or by trying the other one."""

    GOOD = "good"
    SHOULD_HAVE_THOUGHT = "should_have_thought"
    NEED_NOT_HAVE = "need_not_have"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


TRIED = frozenset({Verdict.CHANGED, Verdict.UNCHANGED})
"""Not a user's word: the worker has tried the other mode, and the answer changed or did not."""


class Example(Struct, frozen=True):
    """A question and whether it needs thinking.

    `messages` are the user's own of the conversation, oldest first; the last one is the question.
    """

    client: str
    messages: tuple[str, ...]
    think: bool
    verdict: Verdict


def note(
    connection: sqlite3.Connection, client: str, key: bytes, verdict: Verdict, now: float
) -> bool:
    """Keep a verdict on an answered request; a later one on the same replaces it.

    Returns:
        Whether there is a record of such a request with an answer that says its mode.

    """
    row = connection.execute(
        "SELECT record.id, request.body, reply.body FROM record"
        " JOIN request ON request.record = number JOIN reply ON reply.record = number"
        " WHERE client = ? AND key = ?",
        (client, key),
    ).fetchone()
    if row is None:
        return False
    request_id, request, reply = row[0], decode_request(row[1]), decode_reply(row[2])
    if reply.mode is UNSET:
        return False
    asked = _asked(request.messages)
    if request.session is not None:
        asked = _earlier(connection, client, request.session, asked) + asked
    think = _needs_thinking(verdict, reply.mode)
    # What was tried never takes the place of a user's word.
    conflict = (
        "NOTHING"
        if verdict in TRIED
        else ("UPDATE SET at = excluded.at, think = excluded.think, verdict = excluded.verdict")
    )
    connection.execute(
        "INSERT INTO example (client, id, session, at, messages, think, verdict)"  # noqa: S608
        f" VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (client, id) DO {conflict}",
        (client, request_id, request.session, now, encode(asked), think, verdict),
    )
    connection.execute(
        "DELETE FROM example WHERE number <= (SELECT max(number) FROM example) - ?",
        (EXAMPLES_LIMIT,),
    )
    return True


def examples(connection: sqlite3.Connection) -> list[Example]:
    """Return all examples, oldest first."""
    rows = connection.execute(
        "SELECT client, messages, think, verdict FROM example ORDER BY number"
    )
    return [
        Example(
            client,
            msgspec.msgpack.decode(asked, type=tuple[str, ...]),
            bool(think),
            Verdict(verdict),
        )
        for client, asked, think, verdict in rows
    ]


def _needs_thinking(verdict: Verdict, mode: Mode) -> bool:
    if verdict is Verdict.GOOD:
        return mode is Mode.THINK
    return verdict in (Verdict.SHOULD_HAVE_THOUGHT, Verdict.CHANGED)


def _asked(messages: tuple[Message, ...]) -> tuple[str, ...]:
    return tuple(message.content or "" for message in messages if message.role == "user")


def _earlier(
    connection: sqlite3.Connection, client: str, session: str, asked: tuple[str, ...]
) -> tuple[str, ...]:
    """Return what was asked in a session before these messages; nothing where it went on since."""
    row = connection.execute(
        "SELECT messages FROM session WHERE name = ? AND client = ?", (session, client)
    ).fetchone()
    said = () if row is None else _asked(decode_messages(row[0]))
    return said[: -len(asked)] if asked and said[-len(asked) :] == asked else ()

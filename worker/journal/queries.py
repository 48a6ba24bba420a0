"""What is read from the journal; each function takes any connection to it and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog
from msgspec import Struct

from worker.domain.messages import Mode, Usage
from worker.domain.session import Session
from worker.journal.records import (
    Event,
    Pending,
    State,
    Stats,
    Summary,
    Tail,
    Undelivered,
    decode_lengths,
    decode_messages,
    decode_reply,
    decode_request,
    decode_route,
    decode_tail,
    stream_parts,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from worker.domain.messages import Kind, Reply, ReplyRoute, Request

_SUMMARY = (
    "SELECT client, id, state, session, attempts, reason, accepted_at, updated_at, size_bytes"
    " FROM record"
)

REPLAYED = "replayed"
"""The event of a dead request that is to run again."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)


class _Used(Struct):
    """What of a reply is read to count tokens: a fraction of decoding it whole."""

    usage: Usage = Usage()


_usage_decoder = msgspec.msgpack.Decoder(_Used)

_log = structlog.get_logger(__name__)


def number_and_state(
    connection: sqlite3.Connection, client: str, key: bytes
) -> tuple[int, State] | None:
    """Return a record's number and state, None without a record."""
    row = connection.execute(
        "SELECT number, state FROM record WHERE client = ? AND key = ?", (client, key)
    ).fetchone()
    return None if row is None else (row[0], State(row[1]))


def reply_of(connection: sqlite3.Connection, number: int) -> Reply | None:
    """Return a record's final reply, None where there is none."""
    row = connection.execute("SELECT body FROM reply WHERE record = ?", (number,)).fetchone()
    return None if row is None else decode_reply(row[0])


def routes_of(
    connection: sqlite3.Connection, number: int, *, pending_only: bool = False
) -> tuple[ReplyRoute, ...]:
    """Return where a record's reply goes, the request's own route first.

    Args:
        connection: The journal's.
        number: The record's.
        pending_only: Leave out where the reply has arrived.

    """
    rows = connection.execute(
        "SELECT route FROM route WHERE record = ? AND pending >= ? ORDER BY position",
        (number, int(pending_only)),
    )
    return tuple(decode_route(route) for (route,) in rows)


def backlog(connection: sqlite3.Connection) -> list[Pending]:
    """Return every request without an answer, in order of arrival."""
    return _pending(connection, "state IN ('accepted', 'running')")


def replayed(connection: sqlite3.Connection) -> list[Pending]:
    """Return those that an operator has called back from the dead and nobody has begun yet."""
    last = (
        "(SELECT event FROM event WHERE event.record = record.number"
        " ORDER BY event.number DESC LIMIT 1)"
    )
    return _pending(connection, f"state = 'accepted' AND {last} = '{REPLAYED}'")


def _pending(connection: sqlite3.Connection, which: str) -> list[Pending]:
    rows = connection.execute(
        "SELECT record.number, body, attempts FROM record JOIN request"  # noqa: S608 - our own words
        f" ON request.record = record.number WHERE {which} ORDER BY record.number"
    ).fetchall()
    found = []
    for number, body, attempts in rows:
        try:
            routes, tail = routes_of(connection, number), _tail_of(connection, number)
            found.append(Pending(decode_request(body), routes, attempts, tail, len(body)))
        except _UNREADABLE as error:
            # One record that can't be read must not keep the others from being answered.
            _log.error("unreadable_request", record=number, error=str(error))
    return found


def _tail_of(connection: sqlite3.Connection, number: int) -> Tail:
    """Return what a request had come to, as far as it is whole."""
    pieces = connection.execute(
        "SELECT position, body FROM tail WHERE record = ? ORDER BY position", (number,)
    )
    tail = Tail()
    for expected, (position, body) in enumerate(pieces):
        if position != expected:
            break
        try:
            tail += decode_tail(body)
        except _UNREADABLE as error:
            _log.error("unreadable_tail", record=number, error=str(error))
            break
    return tail


def left_over(connection: sqlite3.Connection) -> set[tuple[str, bytes]]:
    """Return client and key of all that is not answered, or whose reply may not be out."""
    rows = connection.execute(
        "SELECT client, key FROM record WHERE state IN ('accepted', 'running')"
        " OR EXISTS (SELECT 1 FROM route WHERE route.record = number AND pending)"
    )
    return {(client, key) for client, key in rows}


def undelivered(connection: sqlite3.Connection) -> list[Undelivered]:
    """Return every final reply that the broker has not confirmed, in order of arrival."""
    rows = connection.execute(
        "SELECT number, client, key, body FROM record JOIN reply ON record = number"
        " WHERE state IN ('answered', 'dead')"
        " AND EXISTS (SELECT 1 FROM route WHERE route.record = number AND pending)"
        " ORDER BY number"
    ).fetchall()
    found = []
    for number, client, key, body in rows:
        try:
            routes = routes_of(connection, number, pending_only=True)
            found.append(Undelivered(client, key, decode_reply(body), routes))
        except _UNREADABLE as error:
            _log.error("unreadable_reply", record=number, error=str(error))
    return found


def tokens_spent(
    connection: sqlite3.Connection, now: float, last_s: float
) -> list[tuple[str, int, float]]:
    """Return client, tokens read and written, and seconds ago of each answer, oldest first."""
    rows = connection.execute(
        "SELECT client, updated_at, body FROM record JOIN reply ON record = number"
        " WHERE updated_at > ? ORDER BY updated_at",
        (now - last_s,),
    )
    found = []
    for client, updated_at, body in rows:
        usage = _usage_decoder.decode(body).usage
        found.append((client, usage.prompt_tokens + usage.completion_tokens, now - updated_at))
    return found


def parts(
    connection: sqlite3.Connection, client: str, key: bytes
) -> tuple[Reply, dict[Kind, list[str]]] | None:
    """Return a final reply and the parts it was streamed in, None where there is none."""
    row = connection.execute(
        "SELECT body, stream FROM record JOIN reply ON record = number"
        " WHERE client = ? AND key = ?",
        (client, key),
    ).fetchone()
    if row is None:
        return None
    reply = decode_reply(row[0])
    return reply, stream_parts(reply, decode_lengths(row[1]))


def session(connection: sqlite3.Connection, name: str) -> Session | None:
    """Return a session, whoever's it is; None where there is none."""
    row = connection.execute(
        "SELECT client, mode, messages, updated_at FROM session WHERE name = ?", (name,)
    ).fetchone()
    if row is None:
        return None
    client, mode, messages, updated_at = row
    remembered = None if mode is None else Mode(mode)
    return Session(name, client, remembered, decode_messages(messages), updated_at)


def summaries(
    connection: sqlite3.Connection, *, state: State | None = None, client: str | None = None
) -> Iterator[Summary]:
    """Yield records without their texts, oldest first, all or those of a state or a client."""
    rows = connection.execute(
        f"{_SUMMARY} WHERE state = coalesce(?, state) AND client = coalesce(?, client)"
        " ORDER BY number",
        (state, client),
    )
    for row in rows:
        yield _summary(row)


def one(
    connection: sqlite3.Connection, client: str, request_id: str
) -> tuple[Summary, Request, Reply | None, list[Event]] | None:
    """Return all that is known of one request, None where there is no record."""
    row = connection.execute(
        "SELECT number, body FROM record JOIN request ON record = number"
        " WHERE client = ? AND id = ?",
        (client, request_id),
    ).fetchone()
    if row is None:
        return None
    number, body = row
    summary = connection.execute(f"{_SUMMARY} WHERE number = ?", (number,)).fetchone()
    return (
        _summary(summary),
        decode_request(body),
        reply_of(connection, number),
        history_of(connection, number),
    )


def history_of(connection: sqlite3.Connection, number: int) -> list[Event]:
    """Return what happened to a record, in order."""
    rows = connection.execute(
        "SELECT at, event FROM event WHERE record = ? ORDER BY number", (number,)
    )
    return [Event(*row) for row in rows]


def stats(connection: sqlite3.Connection) -> Stats:
    """Count records by state and by client, sessions, and bytes."""
    record_bytes, oldest_at = connection.execute(
        "SELECT coalesce(sum(size_bytes), 0), min(accepted_at) FROM record"
    ).fetchone()
    (sessions,) = connection.execute("SELECT count(*) FROM session").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    return Stats(
        states=dict(connection.execute("SELECT state, count(*) FROM record GROUP BY state")),
        clients=dict(connection.execute("SELECT client, count(*) FROM record GROUP BY client")),
        sessions=sessions,
        record_bytes=record_bytes,
        file_bytes=pages * page_size,
        oldest_at=oldest_at,
    )


def _summary(row: tuple[str, str, str, str | None, int, str | None, float, float, int]) -> Summary:
    client, request_id, state, session_name, attempts, reason, accepted_at, updated_at, size = row
    return Summary(
        client=client,
        id=request_id,
        state=State(state),
        session=session_name,
        attempts=attempts,
        reason=reason,
        accepted_at=accepted_at,
        updated_at=updated_at,
        size_bytes=size,
    )

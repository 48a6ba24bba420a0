"""What is written to the journal; each function is one operation of the writer's transaction.

The states: accepted, running, answered, delivered, and dead. A record with an answer never gets
another one, and what was forgotten is not written again by work that was still under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.journal.queries import REPLAYED, number_and_state, reply_of, routes_of
from worker.journal.records import Answered, Dead, Joined, New, State, encode

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from worker.domain.messages import Reply, ReplyRoute, Request
    from worker.domain.session import Session
    from worker.journal.records import Admission, StreamLengths

ROUTES_LIMIT = 16
"""Reply routes kept for one request: a client can name a new one in every duplicate."""

_UNANSWERED = (State.ACCEPTED, State.RUNNING)


def accept(
    connection: sqlite3.Connection, request: Request, stored: bytes, now: float
) -> Admission:
    """Record a request, or say what is known of it.

    Args:
        connection: The writer's.
        request: What came.
        stored: Its bytes on disk.
        now: Unix time in seconds, as in all of these.

    """
    known = number_and_state(connection, request.client, request.key)
    if known is None:
        _insert(connection, request, stored, now)
        return New()
    number, state = known
    _expect_reply(connection, number, request.reply_to)
    if state in _UNANSWERED:
        return Joined(state)
    reply = reply_of(connection, number)
    routes = routes_of(connection, number)
    if state is State.DEAD or reply is None:
        (reason,) = connection.execute(
            "SELECT reason FROM record WHERE number = ?", (number,)
        ).fetchone()
        return Dead(reason or "", reply, routes)
    # It is to be sent once more, over a crash too.
    _set_state(connection, number, State.ANSWERED, now)
    return Answered(reply, routes)


def run(connection: sqlite3.Connection, client: str, key: bytes, attempts: int, now: float) -> None:
    """Note that a request goes to the engine, and how many went down with it before."""
    known = number_and_state(connection, client, key)
    if known is None or known[1] not in _UNANSWERED:
        return
    number, _ = known
    _set_state(connection, number, State.RUNNING, now)
    connection.execute("UPDATE record SET attempts = ? WHERE number = ?", (attempts, number))
    _note(connection, number, now, f"running, {attempts} engines lost before")


def keep(connection: sqlite3.Connection, pieces: Sequence[tuple[str, bytes, bytes]]) -> None:
    """Add to what running requests have come to.

    Args:
        connection: The writer's.
        pieces: Client, key and the bytes of a `Tail` of each.

    """
    for client, key, piece in pieces:
        known = number_and_state(connection, client, key)
        if known is not None and known[1] in _UNANSWERED:
            connection.execute(
                "INSERT INTO tail (record, position, body)"
                " SELECT :record, coalesce(max(position) + 1, 0), :body"
                " FROM tail WHERE record = :record",
                {"record": known[0], "body": piece},
            )


def answer(
    connection: sqlite3.Connection,
    client: str,
    key: bytes,
    reply: Reply,
    stream: StreamLengths,
    *,
    session: Session | None,
    now: float,
) -> None:
    """Record the final reply, and the session's turn with it: both or neither."""
    known = number_and_state(connection, client, key)
    if known is None or known[1] not in _UNANSWERED:
        return
    number, _ = known
    _insert_reply(connection, number, reply, stream)
    connection.execute("DELETE FROM tail WHERE record = ?", (number,))
    _set_state(connection, number, State.ANSWERED, now)
    _note(connection, number, now, "answered" if reply.status == "ok" else "answered, an error")
    if session is not None:
        _put_session(connection, session, now)


def deliver(
    connection: sqlite3.Connection,
    client: str,
    key: bytes,
    routes: Sequence[ReplyRoute] | None,
    now: float,
) -> None:
    """Note that the broker has the reply, on all of its routes or on those named."""
    known = number_and_state(connection, client, key)
    if known is None or known[1] in _UNANSWERED:
        return
    number, state = known
    if routes is None:
        connection.execute("UPDATE route SET pending = 0 WHERE record = ?", (number,))
    else:
        connection.executemany(
            "UPDATE route SET pending = 0 WHERE record = ? AND route = ?",
            [(number, encode(route)) for route in routes],
        )
    if state is State.ANSWERED and not routes_of(connection, number, pending_only=True):
        _set_state(connection, number, State.DELIVERED, now)
        _note(connection, number, now, "delivered")


def bury(
    connection: sqlite3.Connection,
    client: str,
    key: bytes,
    reason: str,
    reply: Reply | None,
    *,
    history: Sequence[str],
    now: float,
    instead: bool = False,
) -> None:
    """Give up on a request: record why, what happened to it, and what its client is told.

    `instead` puts that in the place of an answer which could not be sent.
    """
    known = number_and_state(connection, client, key)
    if known is None or (known[1] not in _UNANSWERED and not instead):
        return
    number, _ = known
    connection.execute("DELETE FROM reply WHERE record = ?", (number,))
    if reply is not None:
        _insert_reply(connection, number, reply, {})
    connection.execute("DELETE FROM tail WHERE record = ?", (number,))
    _set_state(connection, number, State.DEAD, now)
    connection.execute("UPDATE record SET reason = ? WHERE number = ?", (reason, number))
    for event in history:
        _note(connection, number, now, event)
    _note(connection, number, now, f"dead, {reason}")


def release(connection: sqlite3.Connection, client: str, key: bytes) -> None:
    """Let go of a request of which nobody has an answer from us: another worker has it."""
    known = number_and_state(connection, client, key)
    if known is None or known[1] is State.DEAD:
        return
    # An answer that may have gone out is kept: asked again, the same must come.
    connection.execute(
        "DELETE FROM record WHERE number = ? AND (state != ? OR NOT EXISTS"
        " (SELECT 1 FROM route WHERE route.record = number AND NOT pending))",
        (known[0], State.ANSWERED),
    )


def replay(connection: sqlite3.Connection, client: str, request_id: str, now: float) -> bool:
    """Let a dead request run again as if it had just come; tell whether there was one."""
    row = connection.execute(
        "SELECT number FROM record JOIN request ON record = number"
        " WHERE client = ? AND id = ? AND state = ?",
        (client, request_id, State.DEAD),
    ).fetchone()
    if row is None:
        return False
    (number,) = row
    connection.execute("DELETE FROM reply WHERE record = ?", (number,))
    connection.execute("UPDATE route SET pending = 1 WHERE record = ?", (number,))
    connection.execute("UPDATE record SET attempts = 0, reason = NULL WHERE number = ?", (number,))
    _set_state(connection, number, State.ACCEPTED, now)
    _note(connection, number, now, REPLAYED)
    return True


def purge(
    connection: sqlite3.Connection, *, client: str | None, request_id: str | None, before: float
) -> int:
    """Delete dead requests that changed last before a time; return how many.

    Args:
        connection: A writing one.
        client: Only this client's.
        request_id: Only the one of this id.
        before: Unix time in seconds.

    """
    return connection.execute(
        "DELETE FROM record WHERE state = ? AND updated_at < ?"
        " AND client = coalesce(?, client) AND id = coalesce(?, id)",
        (State.DEAD, before, client, request_id),
    ).rowcount


def _insert(connection: sqlite3.Connection, request: Request, stored: bytes, now: float) -> None:
    cursor = connection.execute(
        "INSERT INTO record (client, key, id, session, state, accepted_at, updated_at, size_bytes)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request.client,
            request.key,
            request.id,
            request.of_session,
            State.ACCEPTED,
            now,
            now,
            len(stored),
        ),
    )
    number = cursor.lastrowid
    connection.execute("INSERT INTO request (record, body) VALUES (?, ?)", (number, stored))
    connection.execute(
        "INSERT INTO route (record, position, route, pending) VALUES (?, 0, ?, 1)",
        (number, encode(request.reply_to)),
    )
    connection.execute(
        "INSERT INTO event (record, at, event) VALUES (?, ?, 'accepted')", (number, now)
    )


def _expect_reply(connection: sqlite3.Connection, number: int, route: ReplyRoute) -> None:
    """Have the reply sent to a duplicate's route, a new one or one of those known."""
    stored = encode(route)
    known = connection.execute(
        "UPDATE route SET pending = 1 WHERE record = ? AND route = ?", (number, stored)
    )
    if known.rowcount == 0:
        connection.execute(
            "INSERT INTO route (record, position, route, pending)"
            " SELECT :record, known, :route, 1"
            " FROM (SELECT count(*) AS known FROM route WHERE record = :record)"
            " WHERE known < :limit",
            {"record": number, "route": stored, "limit": ROUTES_LIMIT},
        )


def _insert_reply(
    connection: sqlite3.Connection, number: int, reply: Reply, stream: StreamLengths
) -> None:
    body, lengths = encode(reply), encode(stream)
    connection.execute(
        "INSERT INTO reply (record, body, stream) VALUES (?, ?, ?)", (number, body, lengths)
    )
    connection.execute(
        "UPDATE record SET size_bytes = size_bytes + ? WHERE number = ?",
        (len(body) + len(lengths), number),
    )


def _put_session(connection: sqlite3.Connection, session: Session, now: float) -> None:
    # Two clients may have opened a free name at the same time: it is the first one's.
    connection.execute(
        "INSERT INTO session (name, client, mode, created_at, updated_at, messages)"
        " VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET mode = excluded.mode,"
        " updated_at = excluded.updated_at, messages = excluded.messages"
        " WHERE client = excluded.client",
        (session.name, session.client, session.mode, now, now, encode(session.messages)),
    )


def _set_state(connection: sqlite3.Connection, number: int, state: State, now: float) -> None:
    connection.execute(
        "UPDATE record SET state = ?, updated_at = ? WHERE number = ?", (state, now, number)
    )


def _note(connection: sqlite3.Connection, number: int, now: float, event: str) -> None:
    connection.execute(
        "INSERT INTO event (record, at, event) VALUES (?, ?, ?)", (number, now, event)
    )

"""The journal: every accepted request and its answer, on disk before anybody is told.

All writing goes through one thread with group commit (`writer`); what is awaited here is done
when it is durable. A crash before `accept` returns leaves the request to the broker, which sends
it again; after it the request is in `backlog`. A crash before `answer` returns makes it run again;
after it the reply is in `undelivered`. Between a reply's PUBACK and `delivered` lies the one window
in which the same bytes can go out twice.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog

from worker.journal import changes, feedback, queries, retention
from worker.journal.records import (
    Admission,
    Answered,
    Dead,
    Joined,
    New,
    Pending,
    State,
    Stats,
    StreamLengths,
    Tail,
    Undelivered,
    encode,
    encode_request,
)
from worker.journal.reserve import Reserve
from worker.journal.retention import Retention
from worker.journal.salvage import set_aside
from worker.journal.storage import JournalError, let_go, open_for_reading, open_for_writing
from worker.journal.writer import Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from worker.domain.messages import Kind, Reply, ReplyRoute, Request
    from worker.domain.session import Session
    from worker.journal.feedback import Verdict

__all__ = [
    "Admission",
    "Answered",
    "Dead",
    "Joined",
    "Journal",
    "JournalError",
    "New",
    "Pending",
    "Retention",
    "State",
    "Stats",
    "StreamLengths",
    "Tail",
    "Undelivered",
]

T = TypeVar("T")

_RESERVE_AGAIN_S = 0.5
"""Between two looks whether there is room on the disk again."""

_log = structlog.get_logger(__name__)


class Journal:
    """The requests of one data folder. Get one from `Journal.open`.

    The methods are called on the event loop. Each raises `JournalError` when the disk does not
    take the change; it may then be tried again.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        lock: int,
        retention_: Retention,
        now: Callable[[], float],
    ) -> None:
        self._path = path
        self._lock: int | None = lock
        self._retention = retention_
        self._now = now
        self._writer = Writer(connection)
        self._reserve = Reserve(path)
        self._reserve.keep()
        self._looked_at = 0.0

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        retention_s: float = 86_400,
        session_retention_s: float = 30 * 86_400,
        max_bytes: int = 256 * 1024**2,
        now: Callable[[], float] = time.time,
    ) -> Journal:
        """Open the journal, or make one; blocks, so call it before the loop has work.

        Args:
            path: Its file; `-wal`, `-shm` and `.lock` stand beside it.
            retention_s: Seconds that a record is kept after its end.
            session_retention_s: Seconds that a session is kept after its last turn.
            max_bytes: Of requests and replies, before the oldest that are over go early.
            now: Unix time in seconds.

        Raises:
            JournalError: Another daemon has it, it is from a newer thinkq, or it can't be used.

        """
        connection, lock = open_for_writing(path)
        limits = Retention(
            records_s=retention_s, sessions_s=session_retention_s, max_bytes=max_bytes
        )
        return cls(path, connection, lock, limits, now)

    async def close(self) -> None:
        """Finish what waits, close the file, let go of the lock."""
        await self._writer.close()
        if self._lock is not None:
            let_go(self._path, self._lock)
            self._lock = None

    @property
    def commits(self) -> int:
        """How many transactions were committed since it was opened."""
        return self._writer.commits

    # The way of a request ------------------------------------------------------------------

    async def accept(self, request: Request) -> Admission:
        """Make a request durable, or say what is known of it; acknowledge only after this.

        Raises:
            BadRequest: It holds a value that can't be written.

        """
        stored = encode_request(request)
        now = self._now()
        await self._see_to_the_reserve()
        return await self._writer.submit(
            lambda connection: changes.accept(connection, request, stored, now)
        )

    async def running(self, client: str, key: bytes, attempts: int) -> None:
        """Note that a request goes to the engine; `attempts` engines went down with it before."""
        now = self._now()
        await self._insist(lambda connection: changes.run(connection, client, key, attempts, now))

    async def keep(self, pieces: Sequence[tuple[str, bytes, Tail]]) -> None:
        """Add to what running requests (client, key) have come to; stream it only after this."""
        stored = [(client, key, encode(tail)) for client, key, tail in pieces]
        await self._writer.submit(lambda connection: changes.keep(connection, stored))

    async def answer(
        self,
        client: str,
        key: bytes,
        reply: Reply,
        *,
        stream: StreamLengths,
        session: Session | None = None,
    ) -> None:
        """Record the final reply, together with the session's turn; publish only after this.

        Where there is an answer already, or the record was forgotten, nothing is written.

        Args:
            client: Whose request it is.
            key: The request's, within its client's.
            reply: The final reply.
            stream: The characters of each part of each kind, so that it can be resumed.
            session: The session after this turn, if the request has one.

        """
        now = self._now()
        await self._insist(
            lambda connection: changes.answer(
                connection, client, key, reply, stream, session=session, now=now
            )
        )

    async def delivered(
        self, client: str, key: bytes, routes: Sequence[ReplyRoute] | None = None
    ) -> None:
        """Note that the broker has the reply: on `routes`, or on all there are."""
        now = self._now()
        await self._insist(lambda connection: changes.deliver(connection, client, key, routes, now))

    async def dead(
        self,
        client: str,
        key: bytes,
        reason: str,
        reply: Reply | None = None,
        *,
        history: Sequence[str] = (),
        instead: bool = False,
    ) -> None:
        """Give up on a request: why, what its client is told, and what led to it.

        `instead` gives up on an answer too, which nobody has got and nobody can get.
        """
        now = self._now()
        await self._insist(
            lambda connection: changes.bury(
                connection, client, key, reason, reply, history=history, instead=instead, now=now
            )
        )

    async def release(self, client: str, key: bytes) -> None:
        """Let go of a request that another worker has now, unless a reply of ours is out."""
        await self._writer.submit(lambda connection: changes.release(connection, client, key))

    async def feedback(self, client: str, key: bytes, verdict: Verdict) -> bool:
        """Keep what a user says of a request's mode; False without a record of it."""
        now = self._now()
        return await self._writer.submit(
            lambda connection: feedback.note(connection, client, key, verdict, now)
        )

    async def _insist(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Write what was promised, in the room kept for it where there is no other."""
        try:
            return await self._writer.submit(work)
        except JournalError as error:
            if not self._reserve.there:
                raise
            self._reserve.spend()
            _log.error("disk_full", why=str(error), accepting=False)
            return await self._writer.submit(work)

    async def _see_to_the_reserve(self) -> None:
        """Accept nothing new while there is no room for the answers."""
        if self._reserve.there:
            return
        if time.monotonic() - self._looked_at >= _RESERVE_AGAIN_S:
            self._looked_at = time.monotonic()
            if await self._writer.submit(lambda _: self._reserve.keep(), alone=True):
                _log.info("disk_has_room", accepting=True)
                return
        raise JournalError("the disk is full: what room there is is for answers")

    # Questions -----------------------------------------------------------------------------

    def backlog(self) -> list[Pending]:
        """Return every request without an answer, in order of arrival; blocks, for the start."""
        with open_for_reading(self._path) as connection:
            return queries.backlog(connection)

    def replayed(self) -> list[Pending]:
        """Return dead requests that an operator wants run again; blocks, shortly."""
        with open_for_reading(self._path) as connection:
            return queries.replayed(connection)

    def left_over(self) -> set[tuple[str, bytes]]:
        """Return client and key of all that is not over; blocks, for the start."""
        with open_for_reading(self._path) as connection:
            return queries.left_over(connection)

    def undelivered(self) -> list[Undelivered]:
        """Return every reply that the broker has not confirmed; blocks, for the start."""
        with open_for_reading(self._path) as connection:
            return queries.undelivered(connection)

    def tokens_spent(self, last_s: float) -> list[tuple[str, int, float]]:
        """Return client, tokens and seconds ago of each answer since, oldest first; blocks."""
        with open_for_reading(self._path) as connection:
            return queries.tokens_spent(connection, self._now(), last_s)

    async def find(self, client: str, key: bytes) -> State | None:
        """Return how far a request has come, None where there is no record of it."""
        known = await self._writer.submit(partial(queries.number_and_state, client=client, key=key))
        return None if known is None else known[1]

    async def parts(self, client: str, key: bytes) -> tuple[Reply, dict[Kind, list[str]]] | None:
        """Return a final reply and its stream's parts from 0, None where there is no answer."""
        return await self._writer.submit(partial(queries.parts, client=client, key=key))

    async def session(self, name: str) -> Session | None:
        """Return a session, whoever's it is: the caller asks whether it may."""
        return await self._writer.submit(partial(queries.session, name=name))

    async def stats(self) -> Stats:
        """Count what is kept."""
        return await self._writer.submit(queries.stats)

    # Letting go ----------------------------------------------------------------------------

    async def forget(self, client: str, session: str | None = None) -> int:
        """Delete all of a client, or of one of its sessions; return how many entries went.

        Afterwards no byte of them is in the file or its log: the file is written anew, and
        everybody waits that long. Damaged journals that were set aside are deleted with it. While
        somebody reads the journal, or the disk is full, that can't be done; `expire` does it
        later, after a restart too.
        """
        elsewhere = bool(set_aside(self._path))
        forgotten = await self._writer.submit(
            partial(
                retention.forget,
                client=client,
                session=session,
                now=self._now(),
                elsewhere=elsewhere,
            )
        )
        if forgotten or elsewhere:
            await self._erase_traces()
        return forgotten

    async def expire(self) -> int:
        """Delete what is too old or too much; return how many entries went."""
        removed = 0
        while gone := await self._insist(
            partial(retention.expire, retention=self._retention, now=self._now())
        ):
            removed += gone
            if not self._reserve.there:
                await self._writer.submit(retention.empty_log, alone=True)
        if removed:
            while await self._writer.submit(retention.give_back_pages):
                pass
            await self._writer.submit(retention.empty_log, alone=True)
        try:
            retention.expire_copies(self._path, self._retention, self._now())
        except OSError as error:
            _log.warning("journal_traces_left", why=str(error))
        await self._erase_traces()
        return removed

    async def _erase_traces(self) -> None:
        # What was deleted stays deleted whatever happens here, so nobody is told of a failure.
        try:
            erase = partial(retention.erase_traces, path=self._path)
            erased = await self._writer.submit(erase, alone=True)
        except (JournalError, OSError) as error:
            _log.warning("journal_traces_left", why=str(error))
        else:
            if not erased:
                _log.warning("journal_traces_left", why="somebody reads the journal")

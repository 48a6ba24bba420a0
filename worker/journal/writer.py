"""The journal's one writing thread: group commit for the event loop; knows no table.

Operations queue up while a commit is being flushed to the disk, and the next commit takes all of
them: the flush, by far the most expensive step, is shared by as many as wait for it.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import sqlite3
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from worker.crash_points import CrashPoint, reach
from worker.journal.storage import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

QUEUE_LIMIT = 20_000
"""Operations that may wait. The broker's receive maximum keeps the number far below."""

BATCH_LIMIT = 512
"""Operations in one commit: more gain nothing, and everyone waits for the last of them."""

T = TypeVar("T")

_OWN_FAULTS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)
"""SQLite's errors that lie in one operation; all others are the disk's and strike the batch."""


class _Operation(NamedTuple):
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    alone: bool


class _Outcome(NamedTuple):
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class Writer:
    """Runs operations on a connection that nobody else uses.

    Args:
        connection: In autocommit mode, free to be used on another thread. Closed at the end.

    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._queue: queue.Queue[_Operation] = queue.Queue(QUEUE_LIMIT)
        self._closing = False
        self._stopped = False
        self.commits = 0
        # A daemon thread, so that a program that ends without `close` does end; what was
        # committed is on disk, and nothing else was promised.
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def submit(
        self, work: Callable[[sqlite3.Connection], T], *, alone: bool = False
    ) -> asyncio.Future[T]:
        """Queue an operation; call it on the event loop that awaits the future.

        Operations are carried out in order, each wholly or not at all, and the future is done
        once the commit is on disk.

        Args:
            work: Called on the writer's thread with the connection.
            alone: Run it outside any transaction, as `VACUUM` and checkpoints want it.

        Raises:
            JournalError: It is closed, or too much waits. From the future: the disk failed; the
                next batch is tried anew.

        """
        if self._closing:
            raise JournalError("the journal is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait(_Operation(work, future, alone))
        except queue.Full:
            raise JournalError(f"{QUEUE_LIMIT} operations wait for the journal") from None
        return future

    async def close(self) -> None:
        """Carry out what waits, then end the thread and close the connection."""
        if not self._closing:
            self._closing = True
            future = asyncio.get_running_loop().create_future()
            self._queue.put(_Operation(self._stop, future, alone=True))
            await future
        self._thread.join()

    def _stop(self, connection: sqlite3.Connection) -> None:
        self._stopped = True
        connection.close()

    def _run(self) -> None:
        while not self._stopped:
            batch = [self._queue.get()]
            with suppress(queue.Empty):
                while len(batch) < BATCH_LIMIT:
                    batch.append(self._queue.get_nowait())
            for alone, operations in itertools.groupby(batch, lambda one: one.alone):
                carry_out = self._outside if alone else self._committed
                _hand_back(carry_out(list(operations)))

    def _outside(self, operations: Sequence[_Operation]) -> list[_Outcome]:
        return [self._one(operation) for operation in operations]

    def _committed(self, operations: Sequence[_Operation]) -> list[_Outcome]:
        try:
            # At once the one that writes: what a command commits beside us after an operation has
            # read would else be the end of the whole batch at its first change.
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._within_savepoint(operation) for operation in operations]
            reach(CrashPoint.COMMITTING)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            return [
                _Outcome(one.future, error=JournalError(f"the journal can't be written: {error}"))
                for one in operations
            ]
        reach(CrashPoint.COMMITTED)
        self.commits += 1
        return outcomes

    def _within_savepoint(self, operation: _Operation) -> _Outcome:
        """Carry out one of many, so that its own fault undoes nothing of the others."""
        self._connection.execute("SAVEPOINT operation")
        try:
            outcome = _Outcome(operation.future, operation.work(self._connection))
        except Exception as error:
            if isinstance(error, sqlite3.Error) and not isinstance(error, _OWN_FAULTS):
                raise
            self._connection.execute("ROLLBACK TO operation")
            outcome = _Outcome(operation.future, error=error)
        self._connection.execute("RELEASE operation")
        return outcome

    def _one(self, operation: _Operation) -> _Outcome:
        try:
            return _Outcome(operation.future, operation.work(self._connection))
        except sqlite3.Error as error:
            failed = JournalError(f"the journal can't be written: {error}")
            return _Outcome(operation.future, error=failed)
        except Exception as error:  # noqa: BLE001 - a bug is raised where the caller awaits it
            return _Outcome(operation.future, error=error)

    def _roll_back(self) -> None:
        # SQLite has rolled back by itself after some errors, a full disk among them.
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _hand_back(outcomes: Sequence[_Outcome]) -> None:
    """Wake the event loop once for the whole batch."""
    # A loop that has ended has nobody left who waits.
    with suppress(RuntimeError):
        outcomes[0].future.get_loop().call_soon_threadsafe(_resolve, outcomes)


def _resolve(outcomes: Sequence[_Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():
            continue  # whoever awaited it was cancelled
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

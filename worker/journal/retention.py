"""What leaves the journal: by age, by bytes, and for a client who wants to be forgotten.

Only what is over leaves by itself: an unanswered request and an undelivered reply stay whatever
their age.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from msgspec import Struct

from worker.journal.salvage import set_aside, set_aside_at

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from pathlib import Path

CHUNK = 500
"""Records deleted in one transaction: others wait no longer than for a batch of their own."""

CHUNK_BYTES = 1024 * 1024
"""Of their texts: what is overwritten goes through the log, for which a full disk has no room."""

_PAGES = 2000
"""Given back in one transaction: 8 MiB, a few milliseconds."""


_log = structlog.get_logger(__name__)


class Retention(Struct, frozen=True, kw_only=True):
    """How long and how much is kept.

    `records_s` is how many seconds a record lives after its last change, `sessions_s` a
    conversation after its last turn. `max_bytes` is what requests and replies may take together
    before the oldest go early.
    """

    records_s: float = 86_400
    sessions_s: float = 30 * 86_400
    max_bytes: int = 256 * 1024**2


def expire(connection: sqlite3.Connection, retention: Retention, now: float) -> int:
    """Delete the next `CHUNK` of what is too old or too much; return how many were deleted."""
    old = connection.execute(
        "DELETE FROM record WHERE number IN (SELECT number FROM"
        " (SELECT number, sum(size_bytes) OVER (ORDER BY number) - size_bytes AS before FROM"
        " (SELECT number, size_bytes FROM finished WHERE updated_at < ? LIMIT ?))"
        " WHERE before < ?)",
        (now - retention.records_s, CHUNK, CHUNK_BYTES),
    )
    idle = connection.execute(
        "DELETE FROM session WHERE name IN (SELECT name FROM session WHERE updated_at < ? LIMIT ?)",
        (now - retention.sessions_s, CHUNK),
    )
    return old.rowcount + idle.rowcount or _expire_by_bytes(connection, retention.max_bytes)


def _expire_by_bytes(connection: sqlite3.Connection, max_bytes: int) -> int:
    (held,) = connection.execute("SELECT coalesce(sum(size_bytes), 0) FROM record").fetchone()
    excess = min(held - max_bytes, CHUNK_BYTES)
    going = []
    if excess > 0:
        oldest = connection.execute(
            "SELECT number, size_bytes FROM finished ORDER BY updated_at LIMIT ?", (CHUNK,)
        )
        for number, size_bytes in oldest:
            going.append((number,))
            excess -= size_bytes
            if excess <= 0:
                break
    connection.executemany("DELETE FROM record WHERE number = ?", going)
    return len(going)


def forget(
    connection: sqlite3.Connection,
    client: str,
    session: str | None,
    now: float,
    *,
    elsewhere: bool = False,
) -> int:
    """Delete a client's records, sessions and examples, all or a session's; return how many.

    `erase_traces` has to follow. `elsewhere`: there may be more of them than this file knows.
    """
    # NULL stands for all of them.
    forgotten = 0
    for table, column in (("record", "session"), ("session", "name"), ("example", "session")):
        forgotten += connection.execute(
            f"DELETE FROM {table} WHERE client = ?1 AND (?2 IS NULL OR {column} = ?2)",  # noqa: S608
            (client, session),
        ).rowcount
    if forgotten or elsewhere:
        connection.execute("INSERT INTO erasure (asked_at) VALUES (?)", (now,))
    return forgotten


def erase_traces(connection: sqlite3.Connection, path: Path) -> bool:
    """Leave no byte of what was forgotten in the file or its log; call it outside a transaction.

    Nor in a damaged journal that was set aside: it goes as a whole, as it can't be told what of it
    is whose.

    `secure_delete` overwrites the cells it frees, but not the copies that the balancing of a
    B-tree leaves in the free middle of a page: forgotten texts were found there in 3 of 12 runs
    of a random history. So the whole file is written anew.

    Returns:
        Whether it could be done: not while somebody reads the journal.

    Raises:
        OSError: A journal that was set aside can't be deleted.

    """
    (asked,) = connection.execute("SELECT count(*) FROM erasure").fetchone()
    if not asked:
        return True
    delete_copies(set_aside(path), "somebody was forgotten")
    connection.execute("VACUUM")
    if not empty_log(connection):
        return False
    connection.execute("DELETE FROM erasure")
    return True


def delete_copies(copies: Iterable[Path], why: str) -> None:
    """Delete damaged journals that were set aside.

    Raises:
        OSError: One can't be deleted.

    """
    for copy in copies:
        copy.unlink(missing_ok=True)
        _log.warning("damaged_journal_deleted", file=str(copy), why=why)


def expire_copies(path: Path, retention: Retention, now: float) -> None:
    """Delete the damaged journals of which all that they hold is too old by now.

    Raises:
        OSError: One can't be deleted.

    """
    oldest = now - max(retention.records_s, retention.sessions_s)
    old = [copy for copy in set_aside(path) if set_aside_at(copy) < oldest]
    delete_copies(old, "all that it holds is too old")


def give_back_pages(connection: sqlite3.Connection) -> int:
    """Return some free pages to the file system; return how many are left to give back."""
    connection.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
    (left,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(left)


def empty_log(connection: sqlite3.Connection) -> bool:
    """Write the log into the database, outside a transaction, and cut it to nothing.

    The log has the pages as they were before something was deleted from them.

    Returns:
        Whether it could be done: not while somebody reads the journal.

    """
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy

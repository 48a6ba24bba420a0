"""The journal's file: folder, permissions, the lock against a second daemon, SQLite's pragmas.

Durability follows SQLite's own word: in WAL mode a commit survives a power cut only with
`synchronous = FULL` (sqlite.org/pragma.html#pragma_synchronous), and on macOS only if the flush
reaches the medium, which takes `fullfsync`.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import structlog

from worker.journal.salvage import free_name, is_damage, is_damaged, salvage
from worker.journal.schema import WrongSchema, migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_log = structlog.get_logger(__name__)

FILE_NAME = "journal.sqlite"
"""The journal's file in the data folder."""

WRITER_PATIENCE_S = 0.5
"""How long the writer waits for a reader: only the emptying of the log ever has to."""

READER_PATIENCE_S = 5.0
"""How long a reader waits while the writer puts the file in order."""

WAL_LIMIT_BYTES = 16 * 1024 * 1024
"""What the write-ahead log is cut back to after a burst."""

_WRITER_PRAGMAS = (
    # Before the first table exists: pages can then be given back while the daemon runs.
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    # Without effect where the system has no F_FULLFSYNC, so they need no condition.
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA foreign_keys = ON",
    # No prompt in a temporary file outside the data folder.
    "PRAGMA temp_store = MEMORY",
    f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}",
)


_NO_LOG = b"closed\n"
"""In the lock's file: whoever had the journal last has left no log."""


class JournalError(Exception):
    """The journal can't be opened, read or written now; the message says why.

    It is no answer to a client: what was not accepted is not acknowledged, and what could not be
    recorded is tried again.
    """


def open_for_writing(path: Path) -> tuple[sqlite3.Connection, int]:
    """Open the journal as its only writer, make it if there is none, bring it up to date.

    A damaged one is set aside, and what can be read of it is kept.

    Args:
        path: The file. Its folder is made with mode 0700, the file with 0600.

    Returns:
        The connection, usable on one thread at a time, and the descriptor that holds the lock.

    Raises:
        JournalError: Another daemon has it, it is not ours or too new, or it can't be used.

    """
    try:
        _make_private(path)
        lock = _lock(path)
    except OSError as error:
        raise JournalError(f"{path}: can't be used as the journal: {error.strerror}") from error
    try:
        if is_damaged(path):
            _rescue(path)
        try:
            connection = _connect(path)
        except sqlite3.DatabaseError as error:
            # Not all damage shows where it was looked for.
            if not is_damage(error):
                raise
            _rescue(path)
            connection = _connect(path)
        _flush_folder(path.parent)
    except (sqlite3.Error, WrongSchema, OSError) as error:
        os.close(lock)
        raise JournalError(f"{path}: can't be used as the journal: {error}") from error
    return connection, lock


def _connect(path: Path) -> sqlite3.Connection:
    # Any thread may use the connection, so long as only one does at a time: the writer's.
    connection = sqlite3.connect(
        path, timeout=WRITER_PATIENCE_S, isolation_level=None, check_same_thread=False
    )
    try:
        for pragma in _WRITER_PRAGMAS:
            connection.execute(pragma)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _rescue(path: Path) -> None:
    saved = salvage(path)
    _log.error(
        "journal_damaged",
        set_aside=str(saved.damaged),
        records_kept=saved.records,
        sessions_kept=saved.sessions,
    )


@contextmanager
def open_for_reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the journal read-only, beside a running daemon or without one.

    Raises:
        JournalError: There is none, it is not ours, or it can't be read.

    """
    if not path.is_file():
        raise JournalError(f"{path}: there is no journal")
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(
            sqlite3.connect(uri, uri=True, timeout=READER_PATIENCE_S, isolation_level=None)
        ) as connection:
            # A damaged letter must not keep everything else from being read.
            connection.text_factory = lambda text: text.decode(errors="replace")
            # One snapshot for all that is read.
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as error:
        raise JournalError(f"{path}: can't be read: {error}") from error


@contextmanager
def open_beside(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the journal to change a little of it in one transaction, while a daemon may have it.

    Raises:
        JournalError: There is none, or it can't be written now.

    """
    if not path.is_file():
        raise JournalError(f"{path}: there is no journal")
    try:
        _expect_a_log(path)
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(
            sqlite3.connect(uri, uri=True, timeout=READER_PATIENCE_S, isolation_level=None)
        ) as connection:
            for pragma in _WRITER_PRAGMAS[2:]:
                connection.execute(pragma)
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"{path}: can't be changed: {error}") from error


def _expect_a_log(path: Path) -> None:
    """Take back the note that there is none: what is changed beside a daemon may leave one."""
    with suppress(FileNotFoundError), _lock_file(path).open("r+b") as noted:
        if noted.read() == _NO_LOG:
            noted.truncate(0)
            os.fsync(noted.fileno())


def holder(path: Path) -> int | None:
    """Return the process that has the journal, None where none does."""
    try:
        lock = os.open(_lock_file(path), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        said = os.read(lock, 20).decode(errors="replace").strip()
        return int(said) if said.isdigit() else None
    else:
        return None
    finally:
        os.close(lock)


def _lock_file(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _make_private(path: Path) -> None:
    """See to the modes before SQLite writes: its -wal and -shm files take those of the file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = path.parent.stat()
    if folder.st_uid == os.geteuid() and folder.st_mode & 0o077:
        path.parent.chmod(0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def _lock(path: Path) -> int:
    """Take the lock that a daemon holds on its journal as long as it lives.

    It is flock's, which the kernel drops with the process, and which refuses a second opener in
    the same process too.
    """
    lock = os.open(_lock_file(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 20).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise JournalError(
            f"{path}: another thinkq (process {holder}) is using this data folder"
        ) from None
    _put_away_stale_log(path, os.pread(lock, 20, 0))
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    # Before the first commit: after a power cut nothing may say that there is none to find.
    os.fsync(lock)
    return lock


def let_go(path: Path, lock: int) -> None:
    """Give the lock back after the connection was closed, and note if that has left no log."""
    log = _log_file(path)
    if not log.exists() or log.stat().st_size == 0:
        os.ftruncate(lock, 0)
        os.pwrite(lock, _NO_LOG, 0)
    os.close(lock)


def _put_away_stale_log(path: Path, noted: bytes) -> None:
    """Set a log aside that came beside the file while nobody had it.

    A backup's, or another journal's: SQLite can't tell (sqlite.org/howtocorrupt.html, 2.4), and
    would write its pages over ours.
    """
    log = _log_file(path)
    # With an index beside it somebody's connection made it here, such as the sqlite3 command's.
    has_index = path.with_name(path.name + "-shm").exists()
    if noted == _NO_LOG and not has_index and log.exists() and log.stat().st_size:
        free = free_name(path)
        aside = free.with_name(f"{free.name}-wal")
        log.rename(aside)
        _log.error("stale_log", set_aside=str(aside))


def _log_file(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _flush_folder(folder: Path) -> None:
    """Make the file's name as durable as its content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""A damaged journal: what can be read of it goes into a new file, the old one is set aside.

Damage is a torn page, a cut-off file, a header overwritten. A table is read from both of its ends
up to where it can't be read any more, so one bad page costs what lies on it and little else.
Nothing is repaired in place: the damaged file stays for whoever wants to look at it, as long as
what is in it may be kept, and until somebody is forgotten: whose texts are in it nobody can tell.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from worker.journal.schema import APPLICATION_ID, is_whole, migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TABLES = {
    "record": "number",
    "request": "record",
    "reply": "record",
    "route": "record, position",
    "tail": "record, position",
    "event": "number",
    "session": "name",
    "erasure": "number",
    "example": "number",
}
"""Every table and the order it is stored in."""

_MEND = """
DELETE FROM record
    WHERE state NOT IN ('accepted', 'running', 'answered', 'delivered', 'dead');
DELETE FROM request WHERE record NOT IN (SELECT number FROM record);
DELETE FROM reply WHERE record NOT IN (SELECT number FROM record);
-- An answer that can't be read is made again, where the request still can be.
UPDATE record SET state = 'accepted'
    WHERE state = 'answered' AND number NOT IN (SELECT record FROM reply);
DELETE FROM record
    WHERE state IN ('accepted', 'running') AND number NOT IN (SELECT record FROM request);
DELETE FROM request WHERE record NOT IN (SELECT number FROM record);
DELETE FROM route WHERE record NOT IN (SELECT number FROM record);
DELETE FROM event WHERE record NOT IN (SELECT number FROM record);
DELETE FROM tail WHERE record NOT IN
    (SELECT number FROM record WHERE state IN ('accepted', 'running'));
"""

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BESIDE = ("", "-wal", "-shm")
_ASIDE = ".damaged-"
_MOMENT = "%Y%m%dT%H%M%S"


class Salvaged(Struct, frozen=True):
    """What became of a damaged journal: where it is now, and how many records were readable."""

    damaged: Path
    records: int
    sessions: int


def is_damaged(path: Path) -> bool:
    """Tell whether a file that should be a journal can't be read as a whole.

    Another program's database is not damaged, and neither is an empty file.
    """
    if path.stat().st_size == 0 or not _is_ours(path):
        return False
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found == "ok" and not is_whole(connection):
                return True
    except sqlite3.DatabaseError as error:
        return is_damage(error)
    except UnicodeDecodeError:
        # SQLite's message quotes the damage, which is no text.
        return True
    return bool(found != "ok")


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether an error says that the file itself is wrong."""
    # Of the code only the low byte says what kind of error it is.
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in _DAMAGE


def salvage(path: Path) -> Salvaged:
    """Set a damaged journal aside and make a new one of what can be read; the caller has the lock.

    Raises:
        OSError: The files can't be renamed.
        sqlite3.Error: The new file can't be written.

    """
    damaged = free_name(path)
    for suffix in _BESIDE:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(damaged.with_name(damaged.name + suffix))
    path.touch(0o600)
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as new,
        closing(sqlite3.connect(damaged, isolation_level=None)) as old,
    ):
        # Otherwise a file that is shorter than its header says is not read at all.
        old.execute("PRAGMA writable_schema = ON")
        new.execute("PRAGMA auto_vacuum = INCREMENTAL")
        migrate(new)
        new.execute("PRAGMA foreign_keys = OFF")
        new.execute("BEGIN")
        for table, order in _TABLES.items():
            _copy(old, new, table, order)
        for statement in _MEND.split(";"):
            new.execute(statement)
        new.execute("COMMIT")
        (records,) = new.execute("SELECT count(*) FROM record").fetchone()
        (sessions,) = new.execute("SELECT count(*) FROM session").fetchone()
    return Salvaged(damaged, records, sessions)


def set_aside(path: Path) -> list[Path]:
    """Return the files of damaged journals that were set aside beside this one."""
    beginning = path.name + _ASIDE
    return sorted(one for one in path.parent.iterdir() if one.name.startswith(beginning))


def set_aside_at(copy: Path) -> float:
    """Return when a file was set aside, in Unix time."""
    moment = copy.name.partition(_ASIDE)[2].partition("-")[0]
    try:
        return time.mktime(time.strptime(moment, _MOMENT))
    except ValueError:
        # Somebody has given it another name.
        return copy.stat().st_mtime


def _is_ours(path: Path) -> bool:
    """Tell by its header whether a file was a thinkq journal, as far as the header is whole."""
    with path.open("rb") as file:
        header = file.read(72)
    return header[68:72] == APPLICATION_ID.to_bytes(4, "big") or not header.startswith(b"SQLite")


def free_name(path: Path) -> Path:
    """Return a name beside the journal under which a damaged file can be set aside."""
    moment = time.strftime(_MOMENT)
    names = (path.with_name(f"{path.name}{_ASIDE}{moment}-{n}") for n in itertools.count(1))
    return next(name for name in names if not name.exists())


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str, order: str) -> None:
    known = _columns(new, table)
    # A damaged name of a column leaves what stands in the column as it was.
    named = _columns(old, table)
    names = dict(zip(known, named if len(named) == len(known) else known, strict=True))
    columns = ", ".join(known)
    marks = ", ".join("?" * len(known))
    wanted = ", ".join(_quoted(name) for name in names.values())
    for direction in ("ASC", "DESC"):
        by = ", ".join(f"{_quoted(names[column])} {direction}" for column in order.split(", "))
        rows = _readable(old, f"SELECT {wanted} FROM {table} ORDER BY {by}")  # noqa: S608
        new.executemany(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [str(row[1]) for row in _readable(connection, f"PRAGMA table_info({table})")]


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _readable(connection: sqlite3.Connection, query: str) -> Iterator[tuple[object, ...]]:
    """Yield rows up to the first that can't be read."""
    with suppress(sqlite3.DatabaseError, UnicodeDecodeError):
        yield from connection.execute(query)

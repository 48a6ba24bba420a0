"""The journal's tables, their version and the way forward from older ones; imports nothing of ours.

`PRAGMA user_version` counts the migrations a file has seen. There is no way back: a file from a
newer thinkq is refused, because what an older one does not know of it would not keep.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

APPLICATION_ID = 0x74686E71
""""thnq", in SQLite's header: says that a file is a thinkq journal and nobody else's database."""

_FIRST = """
CREATE TABLE record (
    number      INTEGER PRIMARY KEY,  -- order of arrival
    client      TEXT    NOT NULL,
    key         BLOB    NOT NULL,     -- the request's identity among its client's
    id          TEXT    NOT NULL,     -- the same, printable
    session     TEXT,
    state       TEXT    NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    reason      TEXT,                 -- why it is dead
    accepted_at REAL    NOT NULL,     -- Unix time, seconds
    updated_at  REAL    NOT NULL,
    size_bytes  INTEGER NOT NULL,     -- of its request and its reply
    UNIQUE (client, key)
);
CREATE INDEX record_by_state ON record (state, updated_at);
CREATE INDEX record_by_session ON record (client, session) WHERE session IS NOT NULL;

-- What may leave: a reply that the broker has, and a dead request whose client was told.
CREATE VIEW finished AS
SELECT number, updated_at, size_bytes FROM record
WHERE state = 'delivered' OR state = 'dead'
    AND NOT EXISTS (SELECT 1 FROM route WHERE route.record = number AND pending);

-- Texts stand apart, so that a change of state does not write them again.
CREATE TABLE request (
    record INTEGER PRIMARY KEY REFERENCES record (number) ON DELETE CASCADE,
    body   BLOB NOT NULL              -- Request, MessagePack
);
CREATE TABLE reply (
    record INTEGER PRIMARY KEY REFERENCES record (number) ON DELETE CASCADE,
    body   BLOB NOT NULL,             -- Reply, MessagePack
    stream BLOB NOT NULL              -- {kind: [characters of each part]}, MessagePack
);
CREATE TABLE route (
    record   INTEGER NOT NULL REFERENCES record (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,        -- 0 is the request's own
    route    BLOB    NOT NULL,        -- ReplyRoute, MessagePack
    pending  INTEGER NOT NULL,        -- 1 until the broker has the reply
    PRIMARY KEY (record, position)
) WITHOUT ROWID;
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    record INTEGER NOT NULL REFERENCES record (number) ON DELETE CASCADE,
    at     REAL    NOT NULL,
    event  TEXT    NOT NULL
);
CREATE INDEX event_by_record ON event (record);

CREATE TABLE session (
    name       TEXT PRIMARY KEY,
    client     TEXT NOT NULL,
    mode       TEXT,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    messages   BLOB NOT NULL          -- list of Message, MessagePack
) WITHOUT ROWID;
CREATE INDEX session_by_client ON session (client);

-- Somebody was forgotten, and the file was not written anew since.
CREATE TABLE erasure (
    number   INTEGER PRIMARY KEY,
    asked_at REAL NOT NULL
);
"""

_EXAMPLES = """
-- What users said of the router's choices; outlives the records it is about.
CREATE TABLE example (
    number   INTEGER PRIMARY KEY,
    client   TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    session  TEXT,
    at       REAL    NOT NULL,        -- Unix time, seconds
    messages BLOB    NOT NULL,        -- list of the user's own texts, MessagePack
    think    INTEGER NOT NULL,        -- 1 where it needs thinking
    verdict  TEXT    NOT NULL,
    UNIQUE (client, id)
);
"""

_TAILS = """
-- What a request has come to while it runs, piece by piece; gone when it has its answer.
CREATE TABLE tail (
    record   INTEGER NOT NULL REFERENCES record (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,        -- from 0, without gaps
    body     BLOB    NOT NULL,        -- Tail, MessagePack
    PRIMARY KEY (record, position)
) WITHOUT ROWID;
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _EXAMPLES, _TAILS)
"""Each brings a file one version forward. Never change one that was released: add the next."""


class WrongSchema(Exception):
    """The file is not ours, or from a newer thinkq; the message says which."""


def migrate(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Bring an empty or older file to the last version, one transaction a step.

    Raises:
        WrongSchema: The file is another program's, or from a newer thinkq.

    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION_ID:
        raise WrongSchema("it is a database of another program, not a thinkq journal")
    if version > len(migrations):
        raise WrongSchema(
            f"it was written by a newer thinkq (schema {version}, this one knows up to "
            f"{len(migrations)}); upgrade thinkq or name another data_dir"
        )
    for number, statements in enumerate(migrations[version:], version + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; {statements}; PRAGMA application_id = {APPLICATION_ID};"
                f"PRAGMA user_version = {number}; COMMIT;"
            )
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def is_whole(connection: sqlite3.Connection) -> bool:
    """Tell whether a journal has the tables of its version as they were made, and no later ones.

    What a damaged letter in their descriptions has changed is sound for SQLite, and fails when it
    is used. One from a newer thinkq counts as whole: nobody here knows what it should have.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        return True
    found = _described(connection)
    if version <= 0:
        return not found
    expected = _as_made(MIGRATIONS[:version])
    later = _as_made(MIGRATIONS).keys() - expected.keys()
    return expected.items() <= found.items() and not later & found.keys()


def _as_made(migrations: Sequence[str]) -> dict[tuple[str, str], tuple[str, str | None]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statements in migrations:
            connection.executescript(statements)
        return _described(connection)


def _described(connection: sqlite3.Connection) -> dict[tuple[str, str], tuple[str, str | None]]:
    # As bytes: what is damaged need not be text.
    rows = connection.execute(
        "SELECT CAST(type AS BLOB), CAST(name AS BLOB), CAST(tbl_name AS BLOB), CAST(sql AS BLOB)"
        " FROM sqlite_master"
    ).fetchall()
    texts = ([part and part.decode(errors="replace") for part in row] for row in rows)
    return {(kind, name): (table, _bare(sql)) for kind, name, table, sql in texts}


def _bare(sql: str | None) -> str | None:
    """Return a statement without what may be worded otherwise: comments and the way it is set."""
    return None if sql is None else " ".join(re.sub(r"--[^\n]*", "", sql).split())

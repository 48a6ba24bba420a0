"""The file itself: who may open it, who may read it, which versions of it are understood."""

import os
import sqlite3
import stat
import subprocess
import sys

import pytest
from journal_samples import a_request

from worker.journal.schema import MIGRATIONS, WrongSchema, migrate
from worker.journal.storage import open_for_reading, open_for_writing
from worker.journal.store import Joined, Journal, JournalError, State


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


async def test_only_its_owner_may_read_the_journal(journal, path):
    await journal.accept(a_request())
    assert mode(path.parent) == 0o700
    files = {file.name: mode(file) for file in path.parent.iterdir()}
    assert files.keys() == {
        path.name + suffix for suffix in ("", "-wal", "-shm", ".lock", ".reserve")
    }
    assert set(files.values()) == {0o600}


async def test_an_open_folder_and_file_are_closed_to_others(path):
    path.parent.mkdir(mode=0o755)
    path.touch(mode=0o644)
    await Journal.open(path).close()
    assert (mode(path.parent), mode(path)) == (0o700, 0o600)


def test_a_second_daemon_is_refused_and_told_by_whom(path):
    connection, _lock = open_for_writing(path)
    code = (
        "from pathlib import Path; from worker.journal.store import Journal;"
        f"Journal.open(Path({str(path)!r}))"
    )
    second = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    connection.close()
    assert second.returncode != 0
    assert second.stderr.strip().endswith(
        f"{path}: another thinkq (process {os.getpid()}) is using this data folder"
    )


async def test_the_lock_goes_with_the_daemon(path):
    await Journal.open(path).close()
    await Journal.open(path).close()


async def test_a_journal_from_the_future_is_refused_in_one_sentence(path):
    await Journal.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalError, match="written by a newer thinkq") as refused:
        Journal.open(path)
    assert "\n" not in str(refused.value)


async def test_a_refused_journal_is_not_locked(path):
    await Journal.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="newer"):
        Journal.open(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.close()
    await Journal.open(path).close()


def test_another_programs_database_is_refused_and_left_alone(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE song (title TEXT)")
    connection.close()
    with pytest.raises(JournalError, match="not a thinkq journal"):
        Journal.open(path)
    with open_for_reading(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("song",)]


def test_a_folder_in_the_place_of_the_file_is_refused(path):
    path.mkdir(parents=True)
    with pytest.raises(JournalError, match="directory"):
        Journal.open(path)


async def test_an_older_journal_is_brought_forward_with_what_it_holds(path):
    journal = Journal.open(path)
    await journal.accept(a_request())
    await journal.close()
    connection, _lock = open_for_writing(path)
    migrate(connection, (*MIGRATIONS, "ALTER TABLE record ADD COLUMN colour TEXT DEFAULT 'red'"))
    assert connection.execute("SELECT id, colour FROM record").fetchall() == [("r1", "red")]
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)


def test_a_migration_that_fails_changes_nothing(path):
    connection, _lock = open_for_writing(path)
    broken = "CREATE TABLE more (x); CREATE TABLE record (x)"
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, (*MIGRATIONS, broken))
    assert connection.execute("SELECT * FROM sqlite_master WHERE name = 'more'").fetchall() == []
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_there_is_no_way_back_to_an_older_schema(path):
    connection, _lock = open_for_writing(path)
    with pytest.raises(WrongSchema):
        migrate(connection, ())


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("fullfsync", 1),
        ("checkpoint_fullfsync", 1),
        ("secure_delete", 1),
        ("foreign_keys", 1),
        ("auto_vacuum", 2),
    ],
)
def test_the_writer_is_set_to_be_durable_and_to_leave_no_traces(path, pragma, value):
    connection, _lock = open_for_writing(path)
    assert connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)


async def test_it_can_be_read_while_the_daemon_writes_and_after_it_has_gone(path):
    journal = Journal.open(path)
    await journal.accept(a_request())
    with open_for_reading(path) as connection:
        assert connection.execute("SELECT id FROM record").fetchall() == [("r1",)]
        assert await journal.accept(a_request()) == Joined(State.ACCEPTED)
    await journal.close()
    with open_for_reading(path) as connection:
        assert connection.execute("SELECT id FROM record").fetchall() == [("r1",)]


async def test_a_reader_can_change_nothing(journal, path):
    with pytest.raises(JournalError, match="readonly"), open_for_reading(path) as connection:
        connection.execute("DELETE FROM record")


async def test_one_record_that_can_not_be_read_does_not_keep_the_others_back(journal, path):
    for name in ("good", "torn", "fine"):
        await journal.accept(a_request(name))
    await journal.close()
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE request SET body = x'c1' WHERE record ="
            " (SELECT number FROM record WHERE id = 'torn')"
        )
    connection.close()
    reopened = Journal.open(path)
    assert [entry.request.id for entry in reopened.backlog()] == ["good", "fine"]
    await reopened.close()

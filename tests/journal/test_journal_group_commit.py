"""The writing thread: one commit for many, each operation whole, a fault where it belongs."""

import asyncio
import sqlite3
import threading
from contextlib import closing, suppress

import pytest
from journal_samples import a_request

from worker.journal.store import JournalError, New
from worker.journal.writer import Writer


@pytest.fixture
async def writer(tmp_path):
    connection = sqlite3.connect(
        tmp_path / "a.sqlite", isolation_level=None, check_same_thread=False
    )
    connection.execute("CREATE TABLE word (text TEXT UNIQUE)")
    writer = Writer(connection)
    yield writer
    await writer.close()


def insert(text):
    return lambda connection: connection.execute("INSERT INTO word VALUES (?)", (text,)) and None


def words(connection):
    return [text for (text,) in connection.execute("SELECT text FROM word ORDER BY rowid")]


async def test_many_acceptances_share_a_commit(journal):
    before = journal.commits
    admissions = await asyncio.gather(
        *(journal.accept(a_request(f"r{number}")) for number in range(1000))
    )
    assert admissions == [New()] * 1000
    # One that found the writer idle, then batches of whatever waited.
    assert journal.commits - before <= 1 + 1000 // 100


async def test_what_waits_during_a_commit_goes_with_the_next_one(writer):
    begun, go_on = threading.Event(), threading.Event()

    def slow(_connection):
        begun.set()
        go_on.wait()

    first = writer.submit(slow)
    begun.wait()
    others = [writer.submit(insert(str(number))) for number in range(100)]
    go_on.set()
    await asyncio.gather(first, *others)
    assert writer.commits == 2


async def test_operations_are_carried_out_in_order(writer):
    for number in range(50):
        writer.submit(insert(str(number)))
    assert await writer.submit(words) == [str(number) for number in range(50)]


async def test_one_operations_fault_undoes_only_itself(writer):
    def inserts_and_fails(connection):
        insert("half")(connection)
        raise ValueError("a bug")

    before, failing, after = (
        writer.submit(insert("before")),
        writer.submit(inserts_and_fails),
        writer.submit(insert("after")),
    )
    with pytest.raises(ValueError, match="a bug"):
        await failing
    await asyncio.gather(before, after)
    assert await writer.submit(words) == ["before", "after"]


async def test_a_broken_rule_of_the_tables_undoes_only_its_operation(writer):
    first, twice, other = (writer.submit(insert(text)) for text in ("a", "a", "b"))
    with pytest.raises(sqlite3.IntegrityError):
        await twice
    await asyncio.gather(first, other)
    assert await writer.submit(words) == ["a", "b"]


async def test_what_a_command_writes_after_an_operation_has_read_does_not_undo_it(journal, path):
    def reads_and_writes(connection):
        connection.execute("SELECT * FROM record").fetchall()
        with (
            closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as command,
            suppress(sqlite3.OperationalError),  # it is the command that has to wait
        ):
            command.execute("DELETE FROM event")
        connection.execute("INSERT INTO erasure (asked_at) VALUES (0)")

    await journal._writer.submit(reads_and_writes)


async def test_a_caller_that_was_cancelled_disturbs_nobody(writer):
    cancelled, other = writer.submit(insert("a")), writer.submit(insert("b"))
    cancelled.cancel()
    await other
    assert await writer.submit(words) == ["a", "b"]


async def test_closing_carries_out_what_waits(writer):
    waiting = [writer.submit(insert(str(number))) for number in range(100)]
    await writer.close()
    assert all(future.done() and future.exception() is None for future in waiting)


async def test_nothing_is_taken_after_closing_and_closing_twice_is_closing(writer):
    await writer.close()
    await writer.close()
    with pytest.raises(JournalError, match="closed"):
        writer.submit(words)

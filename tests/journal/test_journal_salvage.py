"""A damaged journal: what is readable is kept, the rest set aside, and the start goes on."""

import os
import random
import shutil
import time

import pytest
from journal_samples import a_reply, a_request, a_session

from worker.journal import changes
from worker.journal.storage import open_beside, open_for_reading
from worker.journal.store import Journal

RECORDS = 300


@pytest.fixture
async def filled(path):
    """A journal of answered requests, waiting ones and sessions, closed."""
    journal = Journal.open(path)
    for number in range(RECORDS):
        request = a_request(f"r{number}", "me", session=f"s{number % 7}")
        await journal.accept(request)
        if number % 3:
            await journal.answer(
                "me",
                request.key,
                a_reply(request.id, content="x" * 400),
                stream={},
                session=a_session(f"s{number % 7}", "me", "turn"),
            )
    await journal.close()
    return path


def damage(path, where, what):
    content = bytearray(path.read_bytes())
    content[where : where + len(what)] = what
    path.write_bytes(content)


def kept(journal):
    return len(journal.backlog()) + len(journal.undelivered())


def set_aside(path):
    return [one for one in path.parent.iterdir() if ".damaged-" in one.name]


async def test_a_sound_journal_is_left_alone(filled):
    journal = Journal.open(filled)
    assert kept(journal) == RECORDS
    await journal.close()
    assert set_aside(filled) == []


@pytest.mark.parametrize("seed", range(8))
async def test_most_records_outlive_a_torn_page(filled, seed):
    pages = filled.stat().st_size // 4096
    torn = random.Random(seed).randrange(2, pages)
    damage(filled, torn * 4096, random.Random(seed).randbytes(4096))
    journal = Journal.open(filled)
    # A page that only an index is on, or nothing, is no loss at all.
    assert kept(journal) > RECORDS // 2
    await journal.accept(a_request("new", "me"))
    await journal.close()


@pytest.mark.parametrize(
    ("letters", "wrong"),
    [
        (b"pending  ", b"pendXng  "),  # the name of a column
        (b"WHERE state = 'delivered'", b"WHERE state = 'deliXered'"),  # in the view
        (b"record_by_state ON", b"record_by_stXte ON"),
        (b"    think    INTEGER", b"   H\xca\xd3knk    INTEGER"),  # no text any more
    ],
)
async def test_a_wrong_letter_in_the_description_of_a_table_costs_no_record(filled, letters, wrong):
    # SQLite takes each for the journal of another program, which is sound.
    content = filled.read_bytes()
    assert letters in content
    filled.write_bytes(content.replace(letters, wrong, 1))
    journal = Journal.open(filled)
    assert kept(journal) == RECORDS
    assert len(set_aside(filled)) == 1
    await journal.accept(a_request("new", "me"))
    await journal.expire()
    await journal.close()


async def test_a_wrong_letter_in_the_name_of_a_table_costs_that_table_alone(filled):
    content = filled.read_bytes()
    filled.write_bytes(content.replace(b"TABLE event (", b"TABLE evXnt (", 1))
    journal = Journal.open(filled)
    assert kept(journal) == RECORDS
    await journal.close()


async def test_a_journal_whose_version_is_damaged_is_kept(filled):
    damage(filled, 60, (1).to_bytes(4, "big"))
    journal = Journal.open(filled)
    assert kept(journal) == RECORDS
    await journal.close()


async def test_what_is_left_of_a_cut_off_file_is_kept(filled):
    content = filled.read_bytes()
    filled.write_bytes(content[: len(content) // 2])
    journal = Journal.open(filled)
    assert len(set_aside(filled)) == 1
    await journal.accept(a_request("new", "me"))
    await journal.close()


@pytest.mark.parametrize("content", [b"not a database at all, " * 300, b"\x00" * 8192])
async def test_a_file_of_rubbish_is_set_aside_whole(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    journal = Journal.open(path)
    assert kept(journal) == 0
    await journal.close()
    (aside,) = set_aside(path)
    assert aside.read_bytes() == content


async def test_no_record_without_its_request_is_left_waiting(filled):
    """Whatever was lost, what is in the backlog can be run and what is undelivered be sent."""
    chance = random.Random(5)
    for _ in range(12):
        damage(filled, chance.randrange(8192, filled.stat().st_size), chance.randbytes(64))
    journal = Journal.open(filled)
    assert all(entry.request.id for entry in journal.backlog())
    assert all(entry.reply.content for entry in journal.undelivered())
    await journal.close()


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_was_damaged_the_start_goes_on(filled, seed):
    chance = random.Random(seed)
    for _ in range(chance.choice([1, 3, 20])):
        size = chance.choice([1, 16, 512, 4096])
        where = chance.randrange(filled.stat().st_size - size)
        damage(filled, where, chance.randbytes(size))
    if chance.random() < 0.3:
        filled.write_bytes(filled.read_bytes()[: chance.randrange(filled.stat().st_size)])
    journal = Journal.open(filled)
    kept(journal)
    await journal.accept(a_request("new", "me"))
    await journal.expire()
    await journal.close()


async def test_the_damaged_file_is_its_owners_alone(filled):
    content = filled.read_bytes()
    filled.write_bytes(content[: len(content) // 2])
    await Journal.open(filled).close()
    assert all(one.stat().st_mode & 0o077 == 0 for one in filled.parent.iterdir())


async def test_a_second_damage_does_not_overwrite_what_the_first_left(filled):
    for _ in range(2):
        content = filled.read_bytes()
        filled.write_bytes(content[: len(content) // 2 + 100])
        await Journal.open(filled).close()
    assert len(set_aside(filled)) == 2


async def test_a_log_of_another_journal_changes_nothing(path, tmp_path):
    other = Journal.open(tmp_path / "other" / path.name)
    await other.accept(a_request("stray"))
    log = (tmp_path / "other" / f"{path.name}-wal").read_bytes()
    await other.close()
    journal = Journal.open(path)
    await journal.accept(a_request("own"))
    await journal.close()
    path.with_name(f"{path.name}-wal").write_bytes(log)
    again = Journal.open(path)
    assert [entry.request.id for entry in again.backlog()] == ["own"]
    await again.close()
    assert [one.read_bytes() for one in set_aside(path)] == [log]


async def test_what_is_called_back_while_no_daemon_runs_is_never_taken_for_another_journals_log(
    path, tmp_path
):
    journal = Journal.open(path)
    await journal.accept(a_request("dead"))
    await journal.dead("kitchen", a_request("dead").key, "poisoned")
    await journal.close()
    beside = tmp_path / "killed" / path.name
    with open_beside(path) as connection:
        assert changes.replay(connection, "kitchen", "dead", 0.0)
        connection.execute("COMMIT")
        # Killed here: what is on disk now is what the next start finds.
        shutil.copytree(path.parent, beside.parent)
        connection.execute("BEGIN")
    again = Journal.open(beside)
    assert [entry.request.id for entry in again.backlog()] == ["dead"]
    await again.close()


@pytest.fixture
async def damaged(filled):
    """A journal whose first half was rescued; the rest lies in the file that was set aside."""
    content = filled.read_bytes()
    filled.write_bytes(content[: len(content) // 2 + 100])
    await Journal.open(filled).close()
    assert len(set_aside(filled)) == 1
    return filled


@pytest.mark.parametrize(
    ("client", "session"), [("me", None), ("me", "s1"), ("nobody we know of", None)]
)
async def test_who_is_forgotten_is_forgotten_in_what_was_set_aside_too(damaged, client, session):
    journal = Journal.open(damaged)
    await journal.forget(client, session)
    assert set_aside(damaged) == []
    await journal.close()


async def test_what_was_set_aside_goes_after_the_restart_where_a_kill_came_in_between(damaged):
    journal = Journal.open(damaged)
    with open_for_reading(damaged) as reader:
        # It keeps the journal from being written anew, and so the deletion from being over.
        reader.execute("SELECT * FROM record").fetchone()
        copy = damaged.with_name(set_aside(damaged)[0].name)
        content = copy.read_bytes()
        await journal.forget("me")
    copy.write_bytes(content)
    await journal.close()
    journal = Journal.open(damaged)
    await journal.expire()
    assert set_aside(damaged) == []
    await journal.close()


async def test_what_was_set_aside_goes_when_all_that_it_holds_would_be_gone(damaged):
    now = time.time()
    journal = Journal.open(
        damaged, retention_s=60, session_retention_s=3600, now=lambda: now + later_s
    )
    later_s = 3000
    await journal.expire()
    assert len(set_aside(damaged)) == 1
    later_s = 3700
    await journal.expire()
    assert set_aside(damaged) == []
    await journal.close()


async def test_a_copy_that_somebody_has_renamed_goes_by_the_age_of_the_file(damaged):
    (copy,) = set_aside(damaged)
    renamed = copy.rename(copy.with_name(f"{damaged.name}.damaged-look"))
    journal = Journal.open(damaged, session_retention_s=3600, retention_s=60)
    await journal.expire()
    assert renamed.exists()
    os.utime(renamed, (0, 0))
    await journal.expire()
    assert not renamed.exists()
    await journal.close()

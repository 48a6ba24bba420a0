"""Journals that an older thinkq has written are brought forward, with the work that is in them.

`data/schema-N.sqlite` was written by the code of that schema and is never written again: one
request of the client kitchen in each state, and a session.
"""

import shutil
from pathlib import Path

import pytest
from journal_samples import a_request

from worker.journal.salvage import set_aside
from worker.journal.schema import MIGRATIONS
from worker.journal.storage import open_for_reading
from worker.journal.store import Answered, Dead, Joined, Journal, State

DATA = Path(__file__).with_name("data")
OLDER = range(1, len(MIGRATIONS))


@pytest.fixture(params=OLDER)
async def brought_forward(request, path):
    path.parent.mkdir()
    shutil.copy(DATA / f"schema-{request.param}.sqlite", path)
    journal = Journal.open(path)
    yield journal
    await journal.close()


def test_every_older_schema_has_a_file_here():
    assert {file.name for file in DATA.iterdir()} == {f"schema-{n}.sqlite" for n in OLDER}


async def test_it_is_not_taken_for_a_damaged_one(brought_forward, path):
    assert set_aside(path) == []


async def test_it_has_the_newest_schema(brought_forward, path):
    with open_for_reading(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_what_waited_and_ran_is_still_to_be_answered(brought_forward):
    found = [(entry.request.id, entry.attempts) for entry in brought_forward.backlog()]
    assert found == [("waiting", 0), ("running", 1)]


async def test_what_was_answered_is_still_to_be_delivered(brought_forward):
    (record,) = brought_forward.undelivered()
    assert (record.key, record.reply.content) == (b"answered", "It is off..")


async def test_a_duplicate_is_known_in_every_state(brought_forward):
    admissions = {
        name: await brought_forward.accept(a_request(name))
        for name in ("waiting", "running", "answered", "delivered", "dead")
    }
    assert admissions["waiting"] == Joined(State.ACCEPTED)
    assert admissions["running"] == Joined(State.RUNNING)
    assert isinstance(admissions["answered"], Answered)
    assert isinstance(admissions["delivered"], Answered)
    assert isinstance(admissions["dead"], Dead)


async def test_its_session_goes_on(brought_forward):
    session = await brought_forward.session("talk")
    assert session.messages[0].content == "Is it on?"

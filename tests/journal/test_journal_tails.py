"""What a running request has come to is on disk with it, piece by piece, until it is answered."""

import sqlite3

import pytest
from journal_samples import a_request, answer

from worker.domain.messages import Kind, Mode, Progress, Route
from worker.journal.records import Begun, Tail
from worker.journal.store import Journal

BEGUN = Begun("fingerprint", Mode.THINK, Route("request", "It was asked for."))
FIRST = Tail(BEGUN, (1, 2), ((Kind.REASONING, "Let "),), (Progress("r1", 0, "queued"),))
SECOND = Tail(None, (3, -4), ((Kind.ANSWER, "It is"),), (Progress("r1", 1, "answering"),))


@pytest.fixture
async def running(journal):
    """A journal with one request that runs and has come to something."""
    await journal.accept(a_request())
    await journal.running("kitchen", b"r1", 0)
    for piece in (FIRST, SECOND):
        await journal.keep([("kitchen", b"r1", piece)])
    return journal


def tails_in(path):
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT count(*) FROM tail").fetchone()[0]


async def test_the_pieces_are_one_in_the_backlog(running):
    (entry,) = running.backlog()
    assert entry.tail == Tail(
        BEGUN, (1, 2, 3, -4), FIRST.parts + SECOND.parts, FIRST.progress + SECOND.progress
    )


async def test_they_survive_a_restart(running, path):
    await running.close()
    again = Journal.open(path)
    assert again.backlog()[0].tail == FIRST + SECOND
    await again.close()


async def test_an_answer_begun_anew_forgets_what_was_before(running):
    anew = Tail(Begun("fingerprint", Mode.NO_THINK, BEGUN.route), (9,), ((Kind.ANSWER, "Yes"),))
    await running.keep([("kitchen", b"r1", anew)])
    tail = running.backlog()[0].tail
    assert (tail.begun.mode, tail.tokens, tail.parts) == (Mode.NO_THINK, (9,), anew.parts)


async def test_they_go_with_the_answer(running, path):
    await answer(running, a_request())
    assert tails_in(path) == 0


async def test_they_go_with_who_is_given_up_on(running, path):
    await running.dead("kitchen", b"r1", "poisoned")
    assert tails_in(path) == 0


async def test_they_go_with_who_is_forgotten(running, path):
    await running.forget("kitchen")
    assert tails_in(path) == 0


async def test_an_answered_request_gets_no_more_of_them(running, path):
    await answer(running, a_request())
    await running.keep([("kitchen", b"r1", SECOND)])
    assert tails_in(path) == 0


async def test_a_piece_that_can_not_be_read_ends_the_tail_there(running, path):
    await running.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE tail SET body = x'c1' WHERE position = 1")
    connection.close()
    again = Journal.open(path)
    assert again.backlog()[0].tail == FIRST
    await again.close()

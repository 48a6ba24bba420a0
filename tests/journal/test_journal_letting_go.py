"""Retention and `forget`: what goes, what stays, and that no byte of it is left on disk."""

import random
import sqlite3

import pytest
from journal_samples import (
    a_reply,
    a_request,
    a_session,
    answer,
    bytes_on_disk,
    finish,
)

from worker.journal.storage import open_for_reading
from worker.journal.store import Journal, New, State

DAY_S = 86_400


async def test_a_finished_record_goes_when_it_is_too_old(journal, clock):
    await finish(journal, a_request())
    clock.time_s += DAY_S - 1
    assert await journal.expire() == 0
    clock.time_s += 2
    assert await journal.expire() == 1
    assert await journal.accept(a_request()) == New()


async def test_what_is_not_over_stays_whatever_its_age(journal, clock):
    await journal.accept(a_request("waits"))
    await journal.accept(a_request("runs"))
    await journal.running("kitchen", b"runs", 0)
    await journal.accept(a_request("undelivered"))
    await answer(journal, a_request("undelivered"))
    await journal.accept(a_request("untold"))
    await journal.dead("kitchen", b"untold", "poisoned", a_reply("untold"))
    clock.time_s += 100 * DAY_S
    assert await journal.expire() == 0
    assert len(journal.backlog()) == 2
    assert len(journal.undelivered()) == 2


async def test_a_dead_record_goes_once_its_client_was_told(journal, clock):
    await journal.accept(a_request())
    await journal.dead("kitchen", b"r1", "poisoned", a_reply())
    await journal.delivered("kitchen", b"r1")
    clock.time_s += DAY_S + 1
    assert await journal.expire() == 1


async def test_a_session_outlives_its_records_and_goes_in_its_own_time(path, clock):
    journal = Journal.open(path, session_retention_s=3 * DAY_S, now=clock)
    request = a_request(session="talk")
    await journal.accept(request)
    await answer(journal, request, session=a_session("talk", "kitchen", "hello"))
    await journal.delivered("kitchen", b"r1")
    clock.time_s += 2 * DAY_S
    await journal.expire()
    assert await journal.find("kitchen", b"r1") is None
    assert await journal.session("talk") is not None
    clock.time_s += 2 * DAY_S
    await journal.expire()
    assert await journal.session("talk") is None
    await journal.close()


async def test_the_oldest_finished_records_go_when_there_are_too_many_bytes(path, clock):
    journal = Journal.open(path, max_bytes=50_000, now=clock)
    await journal.accept(a_request("waits", text="w" * 10_000))
    for number in range(10):
        clock.time_s += 1
        await finish(journal, a_request(f"r{number}", text="x" * 10_000))
    await journal.expire()
    assert (await journal.stats()).record_bytes <= 50_000
    assert await journal.find("kitchen", b"r0") is None
    assert await journal.find("kitchen", b"r9") is State.DELIVERED
    assert await journal.find("kitchen", b"waits") is State.ACCEPTED
    await journal.close()


async def test_the_file_shrinks_when_records_go(journal, path, clock):
    for number in range(200):
        await finish(journal, a_request(f"r{number}", text="x" * 20_000))
    large = (await journal.stats()).file_bytes
    clock.time_s += DAY_S + 1
    await journal.expire()
    assert (await journal.stats()).file_bytes < large / 10
    assert path.stat().st_size < large / 10


@pytest.mark.parametrize("seed", range(8))
async def test_after_forget_no_byte_of_a_client_is_on_disk(path, seed):
    # Sizes around a page, and changes between them, make SQLite move and copy cells.
    chance = random.Random(seed)
    journal = Journal.open(path)
    for number in range(150):
        client = chance.choice(["private", "neighbour"])
        text = f"{client} said. " * chance.choice([1, 5, 30, 200, 1000])
        request = a_request(
            f"{client}-{number}", client, text=text, session=f"{client}-talk-{number % 7}"
        )
        await journal.accept(request)
        if chance.random() < 0.7:
            session = a_session(request.session, client, *([text] * chance.randrange(1, 4)))
            reply = a_reply(request.id, content=text[: chance.randrange(len(text))])
            await answer(journal, request, reply, session)
    assert b"private" in bytes_on_disk(path)
    await journal.forget("private")
    assert b"private" not in bytes_on_disk(path)
    assert b"neighbour" in bytes_on_disk(path)
    await journal.close()


async def test_forgetting_a_session_leaves_the_clients_other_ones(journal, path):
    for name in ("secret", "public"):
        request = a_request(name, session=name, text=f"a {name} word")
        await journal.accept(request)
        await answer(journal, request, session=a_session(name, "kitchen", f"a {name} word"))
    assert await journal.forget("kitchen", "secret") == 2
    assert await journal.session("secret") is None
    assert await journal.session("public") is not None
    assert b"a secret word" not in bytes_on_disk(path)


async def test_a_client_can_not_forget_what_is_another_ones(journal):
    request = a_request(client="garage", session="talk")
    await journal.accept(request)
    await answer(journal, request, session=a_session("talk", "garage", "hello"))
    assert await journal.forget("kitchen", "talk") == 0
    assert await journal.session("talk") is not None


async def test_work_under_way_does_not_bring_back_what_was_forgotten(journal):
    request = a_request(session="talk")
    await journal.accept(request)
    await journal.running("kitchen", b"r1", 0)
    await journal.forget("kitchen")
    await answer(journal, request, session=a_session("talk", "kitchen", "hello"))
    await journal.delivered("kitchen", b"r1")
    assert await journal.find("kitchen", b"r1") is None
    assert await journal.session("talk") is None


async def test_traces_left_because_of_a_reader_are_erased_later(journal, path):
    await journal.accept(a_request(text="a secret word"))
    with open_for_reading(path) as reader:
        reader.execute("SELECT * FROM record").fetchone()
        await journal.forget("kitchen")
        assert b"a secret word" in bytes_on_disk(path)
    await journal.expire()
    assert b"a secret word" not in bytes_on_disk(path)


async def test_traces_left_by_a_crash_are_erased_after_it(path):
    journal = Journal.open(path)
    await journal.accept(a_request(text="a secret word"))
    await journal.close()
    # What a kill between the deletion and the rewriting leaves behind.
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute("INSERT INTO erasure (asked_at) VALUES (0)")
    connection.execute("DELETE FROM request")
    connection.commit()
    connection.close()
    assert b"a secret word" in bytes_on_disk(path)
    journal = Journal.open(path)
    await journal.expire()
    assert b"a secret word" not in bytes_on_disk(path)
    await journal.close()

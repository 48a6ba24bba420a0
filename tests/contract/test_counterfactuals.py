"""What the other mode would have said: tried when nobody waits, and never in anybody's way."""

import sqlite3

import pytest
from exchange import STUB, answer, begin, cancel, final_of, forget, nothing_more, wait_in_log
from rig import Daemon

CURIOUS = "[thinking]\ncounterfactuals = true\ncounterfactuals_idle_s = 0.3\n"


@pytest.fixture
def curious(tmp_path, mosquitto):
    """A daemon that may try."""
    daemon = Daemon(tmp_path, mosquitto.port, config=STUB + CURIOUS).start()
    yield daemon
    assert daemon.stop() == 0


def kept(daemon):
    with sqlite3.connect(daemon.folder / "data" / "journal.sqlite") as connection:
        return connection.execute("SELECT think, verdict FROM example").fetchall()


def clients_of_examples(daemon):
    with sqlite3.connect(daemon.folder / "data" / "journal.sqlite") as connection:
        return connection.execute("SELECT client FROM example").fetchall()


def test_an_answered_request_is_tried_and_nobody_hears_of_it(client_of, curious):
    client = client_of(curious)
    answer(client, "Turn on the light.")
    wait_in_log(curious, "counterfactual", "unchanged")
    # Before anything more is asked: that would be tried as well.
    assert kept(curious) == [(0, "unchanged")]
    nothing_more(client)


def test_what_a_client_has_decided_itself_is_not_tried(client_of, curious):
    client = client_of(curious)
    answer(client, {"prompt": "Turn on the light.", "mode": "think"})
    answer(client, "Turn off the light.")
    wait_in_log(curious, "counterfactual")
    assert len(kept(curious)) == 1


def test_what_was_forgotten_is_not_tried(client_of, curious):
    private, other = client_of(curious), client_of(curious)
    # As long as anybody waits nothing is tried.
    running = begin(other)
    answer(private, "Turn on the light.")
    forget(private)
    cancel(other, running)
    final_of(other, running)
    answer(other, "Turn off the light.")
    wait_in_log(curious, '"event": "counterfactual"')
    assert private.name not in [name for (name,) in clients_of_examples(curious)]
    assert not any(
        '"event": "counterfactual"' in line and private.name in line
        for line in curious.log.read_text().splitlines()
    )


def test_a_request_that_arrives_stops_it(client_of, curious):
    client = client_of(curious)
    slow = "stub: tokens=40 delay_ms=50"
    answer(client, slow)
    request = begin(client, "stub: tokens=100000 delay_ms=5 mode")
    cancel(client, request)
    final_of(client, request)
    answer(client, "hello")
    wait_in_log(curious, "counterfactual")

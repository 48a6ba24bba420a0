"""Voice never waits: an interactive request takes a row, and whose row it was goes on later."""

import pytest
from exchange import OF_A_SECOND, STUB, Heard, answer, begin, cancel, hear, kill_engine, send

LONG = "stub: tokens=120 delay_ms=20"


@pytest.fixture
def one_row(daemon_of):
    return daemon_of(config=f"{STUB}[engine]\nmax_rows = 1\n").start()


@pytest.fixture
def client(one_row, client_of):
    return client_of(one_row)


def final_heard(client, request_id):
    hear(client, lambda m: m.topic == client.reply_topic and m.json["id"] == request_id)


def order(client, *wanted):
    """Return the ids of the final replies in the order they came."""
    for request_id in wanted:
        final_heard(client, request_id)
    return [m.json["id"] for m in client.heard if m.topic == client.reply_topic]


@pytest.mark.parametrize("lane", ["batch", "standard"])
def test_an_interactive_request_does_not_wait_for_a_less_urgent_one(client, lane):
    slow = begin(client, LONG, lane=lane)
    quick = send(client, "turn off the light", lane="interactive")
    assert order(client, quick, slow) == [quick, slow]


def test_the_parked_one_loses_nothing_of_its_answer(client):
    slow = begin(client, LONG, lane="batch")
    send(client, "turn off the light", lane="interactive")
    heard = Heard(client, slow)
    assert heard.text("answer") == heard.final["content"]
    assert heard.final["content"].split() == [*(f"w{n}" for n in range(119)), "end"]


def test_its_progress_says_that_it_is_parked(client):
    slow = begin(client, LONG, lane="batch")
    send(client, "turn off the light", lane="interactive")
    assert "parked" in [part["state"] for part in Heard(client, slow).parts["progress"]]


def test_of_several_the_least_urgent_gives_way(daemon_of, client_of):
    client = client_of(daemon_of(config=f"{STUB}[engine]\nmax_rows = 2\n").start())
    batch = begin(client, LONG, lane="batch")
    standard = begin(client, LONG, lane="standard")
    quick = send(client, "turn off the light", lane="interactive")
    final_heard(client, quick)
    states = {name: Heard(client, name).parts["progress"] for name in (batch, standard)}
    assert "parked" in [part["state"] for part in states[batch]]
    assert "parked" not in [part["state"] for part in states[standard]]


def test_all_batch_work_stands_still_while_an_interactive_request_runs(daemon_of, client_of):
    client = client_of(daemon_of(config=f"{STUB}[engine]\nmax_rows = 4\n").start())
    slow = [begin(client, LONG, lane="batch") for _ in range(2)]
    quick = begin(client, OF_A_SECOND, lane="interactive")
    final_heard(client, quick)
    for name in slow:
        heard = Heard(client, name)
        assert "parked" in [part["state"] for part in heard.parts["progress"]]
        assert heard.text("answer") == heard.final["content"]


def test_a_standard_request_leaves_batch_work_as_many_rows_as_slow_it_down_little(
    daemon_of, client_of
):
    client = client_of(daemon_of(config=f"{STUB}[engine]\nmax_rows = 4\n").start())
    # How fast a row is alone is known of many steps, so that a slow one among them does not count.
    answer(client, OF_A_SECOND)
    slow = [begin(client, LONG, lane="batch") for _ in range(3)]
    quick = begin(client, OF_A_SECOND, lane="standard")
    final_heard(client, quick)
    parked = [
        "parked" in [part["state"] for part in Heard(client, name).parts["progress"]]
        for name in slow
    ]
    # A step of the stub takes as long as its rows are many: one beside is as many as may be.
    assert parked.count(True) == 2


def test_an_interactive_request_waits_for_another(client):
    first = begin(client, OF_A_SECOND, lane="interactive")
    second = send(client, "turn off the light", lane="interactive")
    assert order(client, first, second) == [first, second]


def test_a_request_that_was_parked_often_keeps_its_row_and_ends(client):
    slow = begin(client, LONG, lane="batch")
    asked = [send(client, "stub: tokens=12 delay_ms=20", lane="interactive") for _ in range(8)]
    order(client, *asked, slow)
    states = [part["state"] for part in Heard(client, slow).parts["progress"]]
    assert states.count("parked") <= 3


def test_a_parked_request_can_be_cancelled_and_keeps_what_it_said(client):
    slow = begin(client, LONG, lane="batch")
    quick = begin(client, OF_A_SECOND, lane="interactive")
    cancel(client, slow)
    final = Heard(client, slow).final
    assert final["finish_reason"] == "cancelled"
    assert final["content"].startswith("w0")
    assert Heard(client, quick).final["status"] == "ok"


def test_a_parked_request_goes_on_in_a_new_engine(client, one_row):
    slow = begin(client, "stub: tokens=40 delay_ms=20", lane="batch")
    quick = begin(client, OF_A_SECOND, lane="interactive")
    kill_engine(one_row)
    assert Heard(client, quick).final["status"] == "ok"
    heard = Heard(client, slow)
    assert heard.text("answer") == heard.final["content"]


def test_a_draining_worker_lets_its_parked_request_finish(client, one_row):
    slow = begin(client, "stub: tokens=40 delay_ms=20", lane="batch")
    quick = begin(client, OF_A_SECOND, lane="interactive")
    assert one_row.stop() == 0
    assert Heard(client, quick).final["status"] == "ok"
    assert Heard(client, slow).final["finish_reason"] == "stop"


def test_parking_can_be_turned_off(daemon_of, client_of):
    daemon = daemon_of(config=f"{STUB}[engine]\nmax_rows = 1\nmax_parked = 0\n").start()
    client = client_of(daemon)
    slow = begin(client, OF_A_SECOND, lane="batch")
    quick = send(client, "turn off the light", lane="interactive")
    assert order(client, slow, quick) == [slow, quick]


def test_batch_work_that_has_not_begun_waits_until_a_standard_request_has_ended(
    daemon_of, client_of
):
    client = client_of(daemon_of(config=f"{STUB}[engine]\nmax_rows = 4\n").start())
    quick = begin(client, OF_A_SECOND, lane="standard")
    patient = send(client, "a moment", lane="batch")
    assert order(client, quick, patient) == [quick, patient]

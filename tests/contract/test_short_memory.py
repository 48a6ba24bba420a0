"""When memory is short requests wait in their lanes, and none is lost, refused or overtaken."""

import pytest
from exchange import OF_A_SECOND, STUB, Heard, begin, cancel, hear, send
from test_parking import order

BULKY = "stub: bulky tokens=3"


@pytest.fixture
def client(daemon_of, client_of):
    return client_of(daemon_of(config=f"{STUB}[engine]\nmax_rows = 4\n").start())


def test_a_request_that_finds_no_memory_waits_and_is_answered(client):
    first = begin(client, OF_A_SECOND)
    bulky = send(client, BULKY)
    assert order(client, first, bulky) == [first, bulky]
    assert Heard(client, bulky).final["status"] == "ok"


def test_no_request_of_its_lane_overtakes_it(client):
    first = begin(client)
    bulky = send(client, BULKY, stream=True)
    again = f"{client.reply_topic}/{bulky}/progress"
    hear(client, lambda m: m.topic == again and m.json["seq"] == 1 and m.json["state"] == "queued")
    # Longer than it: both run beside each other in the end.
    small = send(client, "stub: tokens=60")
    cancel(client, first)
    assert order(client, first, bulky, small) == [first, bulky, small]


def test_an_interactive_one_takes_the_memory_of_a_less_urgent_one(client):
    slow = begin(client, lane="batch")
    bulky = send(client, BULKY, lane="interactive")
    order(client, bulky)
    cancel(client, slow)
    assert order(client, slow) == [bulky, slow]
    heard = Heard(client, slow)
    assert "parked" in heard.states()
    assert heard.text("answer") == heard.final["content"]


def test_while_many_wait_for_memory_the_broker_keeps_what_comes_and_all_are_answered(
    daemon_of, client_of
):
    client = client_of(daemon_of(config=f"{STUB}[engine]\nmax_rows = 2\n").start())
    first = begin(client, OF_A_SECOND)
    bulky = [send(client, BULKY) for _ in range(60)]
    order(client, first, *bulky)
    hear(client, lambda m: m.topic == client.reply_topic)
    assert all(Heard(client, one).final["status"] == "ok" for one in bulky)

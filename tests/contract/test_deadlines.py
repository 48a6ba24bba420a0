"""Deadlines: the client's own and the message's expiry, while a request waits and while it runs."""

import pytest
from exchange import (
    ENDLESS,
    STUB,
    Heard,
    answer,
    begin,
    body_of,
    cancel,
    final_of,
    is_final,
    nothing_more,
    refusal,
    send,
)
from rig import Daemon

SOON_MS = 300
AFTER_A_WORD_MS = 3_000
"""Nobody is so slow that nothing has been said by then."""


def test_a_deadline_that_passes_in_the_queue_is_an_error(narrow_client, release):
    request_id = send(narrow_client, "hello there", deadline_ms=SOON_MS)
    error = body_of(final_of(narrow_client, request_id))["error"]
    assert error["code"] == "deadline_exceeded"


def test_a_deadline_that_passes_while_answering_keeps_what_was_said(client):
    request_id = send(client, ENDLESS, stream=True, mode="no_think", deadline_ms=AFTER_A_WORD_MS)
    heard = Heard(client, request_id)
    assert (heard.final["status"], heard.final["finish_reason"]) == ("ok", "deadline")
    assert heard.text("answer") == heard.final["content"] != ""


def test_a_deadline_in_the_middle_of_a_long_step_keeps_what_was_said(client):
    order = "stub: tokens=9 delay_ms=3000"
    request_id = send(client, order, stream=True, mode="no_think", deadline_ms=5000)
    heard = Heard(client, request_id)
    assert (heard.final["status"], heard.final["finish_reason"]) == ("ok", "deadline")
    assert heard.text("answer") == heard.final["content"] == "w0 "


def test_a_deadline_that_passes_before_the_answer_is_an_error(client):
    request_id = send(
        client, "stub: tokens=9 delay_ms=500", mode="think", thinking_budget=2, deadline_ms=SOON_MS
    )
    error = body_of(final_of(client, request_id))["error"]
    assert error["code"] == "deadline_exceeded"


def test_the_messages_expiry_is_a_deadline(client):
    client.send({"prompt": ENDLESS, "mode": "no_think"}, MessageExpiryInterval=3)
    assert body_of(client.wait(is_final))["finish_reason"] == "deadline"


def test_the_messages_expiry_counts_in_the_queue(narrow_client, release):
    narrow_client.send({"prompt": "hello there"}, MessageExpiryInterval=1)
    error = body_of(narrow_client.wait(is_final))["error"]
    assert error["code"] == "deadline_exceeded"


def test_the_nearer_of_deadline_and_expiry_counts(client):
    body = {"prompt": ENDLESS, "mode": "no_think", "deadline_ms": AFTER_A_WORD_MS}
    client.send(body, MessageExpiryInterval=3600)
    assert body_of(client.wait(is_final))["finish_reason"] == "deadline"


def test_an_answer_before_its_deadline_is_an_answer(client):
    request_id = send(client, "hello there", deadline_ms=60_000)
    assert body_of(final_of(client, request_id))["finish_reason"] == "stop"


def test_a_missed_deadline_is_one_final_reply(narrow_client, release):
    final_of(narrow_client, send(narrow_client, "hello there", deadline_ms=SOON_MS))
    release()
    nothing_more(narrow_client)


def test_a_deadline_in_thinking_mode_shortens_no_answer(client):
    request_id = send(client, "one two", mode="think", deadline_ms=60_000)
    assert body_of(final_of(client, request_id))["content"] == "one two"


# What depends on measured speeds: a daemon whose engine was seen to read 80 tokens a second and to
# write 5. So slow, the way through the daemon and what the machine does beside it count for little.


@pytest.fixture(scope="module")
def slow_daemon(tmp_path_factory, mosquitto):
    """A daemon with a slow engine, that knows it."""
    daemon = Daemon(tmp_path_factory.mktemp("slow"), mosquitto.port).start()
    yield daemon
    daemon.stop()


@pytest.fixture
def slow_client(client_of, slow_daemon):
    """A client of it."""
    client = client_of(slow_daemon)
    answer(client, "stub: tokens=5 delay_ms=200 prefill_ms=250 " + "x " * 16)
    return client


@pytest.fixture
def one_row(tmp_path, mosquitto):
    """A daemon with a single row."""
    config = f"{STUB}[engine]\nmax_rows = 1\n"
    daemon = Daemon(tmp_path, mosquitto.port, config=config).start()
    yield daemon
    daemon.stop()


def test_a_deadline_that_the_measured_speed_can_not_make_is_refused_at_once(slow_client):
    error = refusal(slow_client, {"prompt": "word " * 2000, "deadline_ms": 2000})
    assert (error["code"], error["field"]) == ("deadline_unreachable", "deadline_ms")


def test_a_deadline_that_the_measured_speed_can_make_is_taken(slow_client):
    body = {"prompt": "hello there", "deadline_ms": 60_000}
    assert answer(slow_client, body)["content"] == "hello there"


def test_a_deadline_that_leaves_no_time_for_a_thought_decides_the_mode(slow_client):
    reply = answer(slow_client, {"prompt": "/think hello there", "deadline_ms": 5000})
    assert (reply["mode"], reply["route"]["decided_by"]) == ("no_think", "deadline")


def test_a_deadline_shortens_a_thought_that_was_asked_for_and_never_leaves_it_out(slow_client):
    body = {"prompt": "hello there", "mode": "think", "deadline_ms": 5000}
    reply = answer(slow_client, body)
    assert (reply["mode"], reply["reasoning"]) == ("think", "Let ")


def test_an_answer_that_is_too_long_for_its_deadline_is_shortened(slow_client):
    body = {"prompt": "stub: tokens=500 delay_ms=50", "mode": "no_think", "deadline_ms": 5000}
    reply = answer(slow_client, body)
    assert reply["finish_reason"] == "deadline"
    assert "w0 " in reply["content"]


def test_a_deadline_that_the_queue_outlasts_is_refused_at_once(one_row, client_of):
    others, hurried = client_of(one_row), client_of(one_row)
    answer(others, "stub: tokens=40 delay_ms=50 prefill_ms=250 " + "x " * 16)
    running = begin(others, "stub: tokens=400 delay_ms=50", lane="interactive")
    error = refusal(hurried, {"prompt": "hello there", "deadline_ms": 700})
    assert error["code"] == "deadline_unreachable"
    assert "waiting" in error["message"]
    cancel(others, running)


def test_a_deadline_behind_batch_work_that_steps_aside_is_taken(slow_client):
    order = "stub: tokens=400 delay_ms=20"
    running = [begin(slow_client, order, lane="batch") for _ in range(3)]
    body = {"prompt": "hello there", "lane": "interactive", "deadline_ms": 20_000}
    assert answer(slow_client, body)["content"] == "hello there"
    for request_id in running:
        cancel(slow_client, request_id)
        final_of(slow_client, request_id)

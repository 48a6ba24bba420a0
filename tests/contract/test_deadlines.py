"""Deadlines: the client's own and the message's expiry, while a request waits and while it runs."""

from exchange import Heard, body_of, final_of, is_final, nothing_more, send

LONG = "stub: tokens=100000 delay_ms=5"
SOON_MS = 300


def test_a_deadline_that_passes_in_the_queue_is_an_error(narrow_client, release):
    request_id = send(narrow_client, "hello there", deadline_ms=SOON_MS)
    error = body_of(final_of(narrow_client, request_id))["error"]
    assert error["code"] == "deadline_exceeded"


def test_a_deadline_that_passes_while_answering_keeps_what_was_said(client):
    request_id = send(client, LONG, stream=True, mode="no_think", deadline_ms=SOON_MS)
    heard = Heard(client, request_id)
    assert (heard.final["status"], heard.final["finish_reason"]) == ("ok", "deadline")
    assert heard.text("answer") == heard.final["content"] != ""


def test_a_deadline_that_passes_before_the_answer_is_an_error(client):
    request_id = send(
        client, "stub: tokens=9 delay_ms=500", mode="think", thinking_budget=2, deadline_ms=SOON_MS
    )
    error = body_of(final_of(client, request_id))["error"]
    assert error["code"] == "deadline_exceeded"


def test_the_messages_expiry_is_a_deadline(client):
    client.send({"prompt": LONG, "mode": "no_think"}, MessageExpiryInterval=1)
    assert body_of(client.wait(is_final))["finish_reason"] == "deadline"


def test_the_messages_expiry_counts_in_the_queue(narrow_client, release):
    narrow_client.send({"prompt": "hello there"}, MessageExpiryInterval=1)
    error = body_of(narrow_client.wait(is_final))["error"]
    assert error["code"] == "deadline_exceeded"


def test_the_nearer_of_deadline_and_expiry_counts(client):
    body = {"prompt": LONG, "mode": "no_think", "deadline_ms": SOON_MS}
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

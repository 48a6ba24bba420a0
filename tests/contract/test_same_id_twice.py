"""The same client and id are the same request: one inference, one recorded reply."""

import signal

import msgpack
import pytest
from exchange import (
    MSGPACK,
    TEXT,
    Heard,
    answer,
    ask,
    begin,
    body_of,
    cancel,
    final_of,
    hear,
    is_final,
    new_id,
    nothing_more,
    send,
)


def test_a_duplicate_while_the_request_runs_joins_it(client):
    request_id = begin(client)
    send(client, "something else", id=request_id)
    cancel(client, request_id)
    assert Heard(client, request_id).final["finish_reason"] == "cancelled"
    nothing_more(client)


def test_a_duplicate_while_the_request_waits_joins_it(narrow_client, release):
    request_id = send(narrow_client, "hello there")
    send(narrow_client, "hello there", id=request_id)
    release()
    assert body_of(final_of(narrow_client, request_id))["status"] == "ok"
    nothing_more(narrow_client)


def test_two_duplicates_sent_in_one_breath_are_one_request(client):
    body = {"id": new_id(), "prompt": "hello there"}
    for _ in range(20):
        client.send(body)
    answer(client, "and the next")
    finals = {message.payload for message in client.heard if is_final(message)}
    assert len(finals) == 1


def test_a_duplicate_of_an_answered_request_gets_the_same_bytes(client):
    body = {"id": new_id(), "prompt": "hello there"}
    assert ask(client, body).payload == ask(client, body).payload


def test_a_duplicate_with_another_question_gets_the_recorded_reply(client):
    request_id = new_id()
    first = ask(client, {"id": request_id, "prompt": "hello there"})
    assert ask(client, {"id": request_id, "prompt": "another one"}).payload == first.payload


def test_a_duplicate_of_a_failed_request_gets_the_recorded_error(client):
    body = {"id": new_id(), "prompt": "stub: fail"}
    assert ask(client, body).payload == ask(client, body).payload


def test_a_duplicate_is_answered_on_its_own_reply_topic(client):
    body, topic = {"id": new_id(), "prompt": "hello there"}, f"{client.reply_topic}/second"
    first = ask(client, body)
    again = ask(client, body, reply_to=topic)
    assert (again.topic, again.payload) == (topic, first.payload)


def test_a_duplicate_is_answered_in_its_own_encoding(client):
    body = {"id": new_id(), "prompt": "hello there"}
    first = ask(client, body)
    again = ask(client, msgpack.packb(body), ContentType=MSGPACK)
    assert body_of(again) == body_of(first)


def test_a_text_with_known_correlation_data_gets_the_recorded_answer_as_text(client):
    name = new_id()
    ask(client, {"id": name, "prompt": "hello there"})
    client.send(b"anything", ContentType=TEXT, correlation=name.encode())
    assert client.wait(is_final).payload == b"hello there"


def test_duplicates_from_two_reply_topics_are_both_answered_when_it_ends(client):
    request_id, topic = begin(client), f"{client.reply_topic}/second"
    client.send({"id": request_id, "prompt": "x"}, reply_to=topic, correlation=b"second")
    hear(client, lambda message: message.topic.startswith(f"{topic}/"))
    cancel(client, request_id)
    first = Heard(client, request_id)
    second = Heard(client, request_id, topic=topic)
    assert first.final == second.final


def test_a_duplicate_that_joins_from_another_topic_hears_the_stream_from_0(client):
    request_id, topic = begin(client), f"{client.reply_topic}/second"
    client.send({"id": request_id, "prompt": "x", "stream": True}, reply_to=topic)
    hear(client, lambda message: message.topic == f"{topic}/{request_id}/answer")
    cancel(client, request_id)
    heard = Heard(client, request_id, topic=topic)
    assert heard.text("answer") == heard.final["content"]


def test_a_duplicate_with_other_correlation_data_does_not_double_the_stream(client):
    request_id = begin(client)
    client.send({"id": request_id, "prompt": "x"}, correlation=b"second")
    joined = hear(client, lambda message: message.topic.endswith("/answer"))
    assert joined.correlation is None
    answer(client, "a moment")
    cancel(client, request_id)
    finals = [client.wait(is_final) for _ in range(2)]
    parts = [body_of(m) for m in client.heard if m.topic.endswith(f"{request_id}/answer")]
    assert [part["seq"] for part in parts] == list(range(len(parts)))
    assert {final.correlation for final in finals} == {None, b"second"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_keeps_the_recorded_reply(daemon_of, client_of, number):
    daemon = daemon_of().start()
    client, body = client_of(daemon), {"id": new_id(), "prompt": "hello there"}
    first = ask(client, body)
    daemon.stop(number)
    daemon.start()
    assert ask(client, body).payload == first.payload

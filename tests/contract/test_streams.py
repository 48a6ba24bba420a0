"""Streams: a topic for each kind, numbered from 0 without gaps, then the final reply."""

import json

import msgpack
import paho.mqtt.client as mqtt
import pytest
from exchange import (
    MSGPACK,
    TEXT,
    TOOL,
    Heard,
    begin,
    body_of,
    cancel,
    hear,
    is_final,
    new_id,
    nothing_more,
    send,
)


def stream(client, prompt="one two three", **fields):
    return Heard(client, send(client, prompt, **{"stream": True, "mode": "think", **fields}))


@pytest.mark.parametrize(("kind", "field"), [("answer", "content"), ("reasoning", "reasoning")])
def test_the_texts_of_a_kind_joined_are_that_part_of_the_final_reply(client, kind, field):
    heard = stream(client)
    assert heard.text(kind) == heard.final[field] != ""


@pytest.mark.parametrize("kind", ["answer", "reasoning", "progress"])
def test_each_kind_is_numbered_from_0_without_gaps(client, kind):
    heard = stream(client, "stub: tokens=30")
    assert heard.seqs(kind) == list(range(len(heard.parts[kind])))
    assert len(heard.seqs(kind)) > 1


def test_each_part_names_its_request(client):
    heard = stream(client)
    named = {part["id"] for parts in heard.parts.values() for part in parts}
    assert named == {heard.final["id"]}


def test_the_final_reply_comes_after_all_parts(client):
    heard = stream(client)
    assert [message.topic for message in heard.messages].index(client.reply_topic) == (
        len(heard.messages) - 1
    )


def test_progress_goes_from_the_queue_over_the_thought_to_the_answer(client):
    states = stream(client).states()
    assert states[0] == "queued"
    assert [state for state in states if state in ("thinking", "answering")] == [
        "thinking",
        "answering",
    ]


def test_progress_without_a_thought_never_says_thinking(client):
    assert "thinking" not in stream(client, mode="no_think").states()


def test_progress_tells_of_the_prompt_being_read(client):
    assert "prefill" in stream(client).states()


def test_tool_calls_have_a_topic_of_their_own(client):
    heard = stream(client, "stub: call", tools=[TOOL])
    assert [json.loads(part["text"]) for part in heard.parts["tool"]] == heard.final["tool_calls"]
    assert heard.seqs("tool") == [0]


def test_an_older_client_hears_the_stream_too(client_of, stub_daemon):
    heard = stream(client_of(stub_daemon, protocol=mqtt.MQTTv311))
    assert heard.text("answer") == heard.final["content"] == "one two three"
    assert heard.text("reasoning") == heard.final["reasoning"] != ""


def test_progress_tells_the_mode_once_it_is_chosen(client):
    progress = stream(client).parts["progress"]
    assert progress[-1]["mode"] == "think"


def test_a_request_that_waits_is_told_its_position(narrow_client, release):
    waiting = send(narrow_client, "hello", stream=True)
    queued = hear(narrow_client, lambda message: message.topic.endswith(f"{waiting}/progress"))
    assert isinstance(body_of(queued)["position"], int)


def test_parts_are_sent_at_qos_0_and_not_retained(client):
    parts = [m for m in stream(client).messages if m.topic != client.reply_topic]
    assert {(part.qos, part.retain) for part in parts} == {(0, False)}


def test_parts_carry_the_requests_correlation_data(client):
    request_id = new_id()
    client.send({"id": request_id, "prompt": "a b", "stream": True}, correlation=b"\x00\x01")
    assert {message.correlation for message in Heard(client, request_id).messages} == {b"\x00\x01"}


def test_without_stream_only_the_final_reply_comes(client):
    heard = stream(client, stream=False)
    assert len(heard.messages) == 1


def test_a_messagepack_stream_is_in_messagepack(client):
    request_id = new_id()
    packed = msgpack.packb({"id": request_id, "prompt": "one two", "stream": True})
    client.send(packed, ContentType=MSGPACK)
    heard = Heard(client, request_id)
    assert {message.content_type for message in heard.messages} == {MSGPACK}
    assert heard.text("answer") == heard.final["content"]


def test_who_is_granted_the_answer_only_hears_no_thought(client, wire_of, stub_daemon):
    request_id = new_id()
    loudspeaker = wire_of(stub_daemon, f"speaker{request_id[:8]}")
    loudspeaker.listen(f"{client.reply_topic}/+/answer")
    send(client, "one two", id=request_id, stream=True, mode="think")
    final = Heard(client, request_id).final
    hear(loudspeaker, lambda message: body_of(message)["seq"] == 1)
    assert "".join(body_of(part)["text"] for part in loudspeaker.heard) == final["content"]


def test_the_stream_of_a_request_cut_by_max_tokens_is_its_final_reply(client):
    heard = stream(client, "stub: tokens=30", max_tokens=12)
    assert heard.text("answer") == heard.final["content"]
    assert heard.final["finish_reason"] == "length"


def test_the_stream_of_a_cancelled_request_is_its_final_reply(client):
    request_id = begin(client)
    cancel(client, request_id)
    heard = Heard(client, request_id)
    assert heard.text("answer") == heard.final["content"] != ""


def test_streams_of_several_requests_do_not_mix(client):
    asked = [send(client, f"number {n} of many", stream=True) for n in range(10)]
    for request_id in asked:
        heard = Heard(client, request_id)
        assert heard.text("answer") == heard.final["content"]


def test_a_text_can_not_ask_for_a_stream(client):
    client.send(b"just words", ContentType=TEXT)
    client.wait(is_final)
    nothing_more(client)

"""Control messages: cancel, status, resume, forget; each only of what is the client's own."""

import msgpack
import paho.mqtt.client as mqtt
import pytest
from exchange import (
    ENDLESS,
    JSON,
    MSGPACK,
    Heard,
    answer,
    begin,
    body_of,
    cancel,
    control,
    final_of,
    hear,
    is_final,
    new_id,
    nothing_more,
    send,
)


def control_reply(client, payload):
    """Send a control message and return what is answered on a reply topic of its own."""
    topic = f"{client.reply_topic}/control/{new_id()}"
    control(client, payload, reply_to=topic)
    return body_of(client.wait(lambda message: message.topic == topic))


def test_a_waiting_request_that_is_cancelled_ends_with_an_error(narrow_client, release):
    request_id = send(narrow_client, "hello there")
    cancel(narrow_client, request_id)
    assert body_of(final_of(narrow_client, request_id))["error"]["code"] == "cancelled"


def test_a_cancelled_request_that_had_begun_keeps_what_it_said(client):
    request_id = begin(client)
    cancel(client, request_id)
    reply = Heard(client, request_id).final
    assert (reply["status"], reply["finish_reason"]) == ("ok", "cancelled")
    assert reply["content"].startswith("w0 ")


def test_a_request_cancelled_in_its_thought_ends_with_an_error(client):
    request_id = send(client, "stub: tokens=9 delay_ms=1000", stream=True, mode="think")
    hear(client, lambda message: message.topic.endswith(f"{request_id}/reasoning"))
    cancel(client, request_id)
    assert Heard(client, request_id).final["error"]["code"] == "cancelled"


def test_a_cancelled_requests_row_is_free_for_the_next(narrow_client):
    for _ in range(3):
        cancel(narrow_client, begin(narrow_client))
    assert answer(narrow_client, "hello there")["content"] == "hello there"


def test_a_request_is_cancelled_by_its_correlation_data(client):
    client.send({"prompt": ENDLESS}, correlation=b"\x00\xffmine")
    control(client, {"op": "cancel"}, correlation=b"\x00\xffmine")
    assert client.wait(is_final).correlation == b"\x00\xffmine"


def test_a_request_is_cancelled_by_the_id_it_was_given(client):
    client.send({"prompt": ENDLESS, "mode": "no_think", "stream": True}, correlation=b"\x00\xff")
    begun = client.wait(lambda message: message.topic.endswith("/answer"))
    cancel(client, body_of(begun)["id"])
    assert client.wait(is_final).correlation == b"\x00\xff"


def test_an_older_client_cancels_by_id(client_of, stub_daemon):
    old = client_of(stub_daemon, protocol=mqtt.MQTTv311)
    request_id = begin(old)
    cancel(old, request_id)
    assert Heard(old, request_id).final["finish_reason"] == "cancelled"


def test_an_older_client_is_told_a_status_where_its_payload_says(client_of, stub_daemon):
    old = client_of(stub_daemon, protocol=mqtt.MQTTv311)
    topic = f"{old.reply_topic}/status"
    control(old, {"op": "status", "reply_to": topic})
    assert old.wait(lambda message: message.topic == topic).json["running"] == []


@pytest.mark.parametrize("kind", ["cancel", "status"])
def test_a_control_message_may_be_messagepack(client, kind):
    topic = f"{client.reply_topic}/control"
    control(
        client, msgpack.packb({"op": kind, "id": new_id()}), reply_to=topic, ContentType=MSGPACK
    )
    reply = client.wait(lambda message: message.topic == topic)
    assert (reply.content_type, body_of(reply)["op"]) == (MSGPACK, kind)


def test_cancelling_another_clients_request_does_nothing(client, client_of, stub_daemon):
    stranger, request_id = client_of(stub_daemon), begin(client)
    cancel(stranger, request_id)
    nothing_more(stranger)
    cancel(client, request_id)
    assert Heard(client, request_id).final["finish_reason"] == "cancelled"


def test_cancelling_what_is_not_known_does_nothing(client):
    cancel(client, new_id())
    nothing_more(client)


def test_cancelling_what_has_ended_changes_nothing(client):
    reply = answer(client, "hello there")
    cancel(client, reply["id"])
    assert answer(client, {"id": reply["id"], "prompt": "hello there"}) == reply


def test_a_cancel_is_confirmed_where_it_names_a_reply_topic(client):
    assert control_reply(client, {"op": "cancel", "id": new_id()})["op"] == "cancel"


MALFORMED = {
    "no JSON": (b"{", None),
    "no object": (b"[]", None),
    "no op": (b'{"id": "x"}', "op"),
    "an unknown op": (b'{"op": "explode"}', "op"),
    "an op that is no text": (b'{"op": 5}', "op"),
    "an unknown field": (b'{"op": "status", "colour": "red"}', "colour"),
    "an id that is no name": (b'{"op": "cancel", "id": "a/b"}', "id"),
    "no id": (b'{"op": "cancel"}', "id"),
    "a seq below 0": (b'{"op": "resume", "id": "x", "seq": -1}', "seq"),
}


@pytest.mark.parametrize(("payload", "field"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_control_message_is_a_bad_request(client, payload, field):
    control(client, payload, ContentType=JSON)
    error = body_of(client.wait(is_final))["error"]
    assert (error["code"], error.get("field")) == ("bad_request", field)


def test_a_control_message_with_a_forbidden_reply_topic_is_answered_nowhere(client):
    client.listen("elsewhere/#")
    control(client, {"op": "status"}, reply_to="elsewhere/status")
    nothing_more(client)


def test_status_tells_what_waits_and_what_runs(narrow_client):
    running, waiting = begin(narrow_client), send(narrow_client, "hello there")
    body = control_reply(narrow_client, {"op": "status"})
    assert (body["running"], body["waiting"]) == ([running], [waiting])
    cancel(narrow_client, running)


def test_status_tells_nothing_of_other_clients(client, client_of, stub_daemon):
    request_id = begin(client)
    body = control_reply(client_of(stub_daemon), {"op": "status"})
    assert (body["running"], body["waiting"]) == ([], [])
    cancel(client, request_id)


def test_status_tells_how_far_one_request_is(client):
    request_id = begin(client)
    assert control_reply(client, {"op": "status", "id": request_id})["state"] == "running"
    cancel(client, request_id)


def test_status_does_not_know_another_clients_request(client, client_of, stub_daemon):
    request_id = answer(client, "hello there")["id"]
    body = control_reply(client_of(stub_daemon), {"op": "status", "id": request_id})
    assert body["state"] == "unknown"


def resumed(client, request_id, **fields):
    topic = f"{client.reply_topic}/resumed/{new_id()[:8]}"
    control(client, {"op": "resume", "id": request_id, "reply_to": topic, **fields})
    return Heard(client, request_id, topic=topic)


def test_resume_replays_an_answered_requests_whole_stream(client):
    request_id = send(client, "a b c d", stream=True, mode="think")
    first = Heard(client, request_id)
    again = resumed(client, request_id)
    for kind in ("answer", "reasoning"):
        assert again.parts[kind] == first.parts[kind]
    assert again.final == first.final


def test_resume_replays_from_any_seq(client):
    request_id = send(client, "a b c d", stream=True)
    first = Heard(client, request_id)
    assert resumed(client, request_id, seq=2).parts["answer"] == first.parts["answer"][2:]


def test_resume_takes_a_seq_for_each_kind(client):
    # Words that come slower than pieces are sent are a piece each.
    request_id = send(client, "stub: tokens=4 delay_ms=60", stream=True, mode="think")
    Heard(client, request_id)
    again = resumed(client, request_id, from_seq={"answer": 3, "reasoning": 1})
    assert (again.seqs("answer"), again.seqs("reasoning")) == ([3], [1, 2])


def test_resume_of_a_running_request_goes_on_to_its_end(client):
    request_id, topic = begin(client), f"{client.reply_topic}/resumed"
    control(client, {"op": "resume", "id": request_id, "reply_to": topic})
    hear(client, lambda message: message.topic == f"{topic}/{request_id}/answer")
    cancel(client, request_id)
    heard = Heard(client, request_id, topic=topic)
    assert heard.text("answer") == heard.final["content"]


def test_resume_on_the_same_topic_gives_one_final_reply(client):
    request_id = begin(client)
    control(client, {"op": "resume", "id": request_id, "seq": 100_000})
    answer(client, "a moment")
    cancel(client, request_id)
    assert Heard(client, request_id).final["finish_reason"] == "cancelled"


def test_resume_of_what_is_not_known_is_a_bad_request(client):
    control(client, {"op": "resume", "id": new_id()})
    error = body_of(client.wait(is_final))["error"]
    assert (error["code"], error["field"]) == ("bad_request", "id")


def test_resume_of_another_clients_request_is_a_bad_request(client, client_of, stub_daemon):
    request_id, stranger = answer(client, "hello there")["id"], client_of(stub_daemon)
    control(stranger, {"op": "resume", "id": request_id})
    assert body_of(stranger.wait(is_final))["error"]["code"] == "bad_request"


def test_forget_removes_the_clients_records(client):
    request_id = answer(client, "hello there")["id"]
    control_reply(client, {"op": "forget"})
    assert control_reply(client, {"op": "status", "id": request_id})["state"] == "unknown"


def test_forget_leaves_other_clients_records(client, client_of, stub_daemon):
    reply = answer(client, "hello there")
    control_reply(client_of(stub_daemon), {"op": "forget"})
    assert answer(client, {"id": reply["id"], "prompt": "hello there"}) == reply


def test_forget_cancels_what_runs(client):
    request_id = begin(client)
    control_reply(client, {"op": "forget"})
    assert Heard(client, request_id).final["finish_reason"] == "cancelled"


def test_forget_of_a_session_leaves_the_clients_other_records(client):
    reply, session = answer(client, "hello there"), new_id()
    answer(client, {"prompt": "one two", "session": session})
    control_reply(client, {"op": "forget", "session": session})
    assert answer(client, {"id": reply["id"], "prompt": "hello there"}) == reply
    fresh = answer(client, {"prompt": "three", "session": session})
    assert fresh["usage"]["prompt_tokens"] == 1


def test_a_prewarm_is_confirmed_and_is_no_request(client):
    session = new_id()
    told = control_reply(client, {"op": "prewarm", "session": session, "prompt": "Turn on the"})
    assert (told["op"], told["session"]) == ("prewarm", session)
    nothing_more(client)
    assert answer(client, {"prompt": "hello there", "session": session})["content"] == "hello there"


def test_another_clients_session_is_not_prewarmed(client, client_of, stub_daemon):
    session = new_id()
    answer(client, {"prompt": "hello there", "session": session})
    told = control_reply(client_of(stub_daemon), {"op": "prewarm", "session": session})
    assert told["error"]["code"] == "not_your_session"

"""What goes back, in the encoding of the request."""

import json

import msgpack
import pytest

from worker.domain.messages import (
    Encoding,
    ErrorBody,
    FinishReason,
    Kind,
    Mode,
    Progress,
    Reply,
    ReplyRoute,
    Route,
    StreamPart,
    Usage,
)
from worker.transport import codec

REPLY = Reply(
    id="a1",
    status="ok",
    content="Grüße",
    finish_reason=FinishReason.STOP,
    mode=Mode.NO_THINK,
    route=Route("request", "asked"),
    usage=Usage(prompt_tokens=3),
    metadata={"room": [1, None]},
)
ERROR = Reply(id="a1", status="error", error=ErrorBody("bad_request", "id: no", field="id"))


def to(encoding, correlation_data=b"\x00c"):
    return ReplyRoute("thinkq/reply/me", encoding, correlation_data)


def test_a_reply_in_json_has_the_contracts_fields_and_no_unset_ones():
    body = json.loads(codec.encode_reply(REPLY, to(Encoding.JSON)).payload)
    assert body["content"] == "Grüße"
    assert body["finish_reason"] == "stop"
    assert body["route"] == {"decided_by": "request", "reason": "asked", "score": None}
    assert body["metadata"] == {"room": [1, None]}
    assert "error" not in body
    assert "reasoning" not in body


def test_messagepack_says_the_same_as_json():
    packed = codec.encode_reply(REPLY, to(Encoding.MSGPACK)).payload
    written = codec.encode_reply(REPLY, to(Encoding.JSON)).payload
    assert msgpack.unpackb(packed) == json.loads(written)


def test_plain_text_is_the_answer_alone():
    assert codec.encode_reply(REPLY, to(Encoding.TEXT)).payload.decode() == "Grüße"


def test_an_error_in_plain_text_says_its_code():
    payload = codec.encode_reply(ERROR, to(Encoding.TEXT)).payload
    assert payload.decode() == "error: bad_request: id: no"


@pytest.mark.parametrize("encoding", Encoding)
def test_a_reply_carries_the_properties_of_mqtt_5(encoding):
    message = codec.encode_reply(REPLY, to(encoding), expiry_s=60)
    assert message.qos == 1
    assert not message.retain
    assert message.topic == "thinkq/reply/me"
    assert message.correlation_data == b"\x00c"
    assert message.content_type == encoding.value
    assert message.expiry_s == 60
    assert dict(message.user_properties) == {
        "id": "a1",
        "status": "ok",
        "mode": "no_think",
        "seq": "final",
    }


def test_an_error_has_no_mode():
    assert "mode" not in dict(codec.encode_reply(ERROR, to(Encoding.JSON)).user_properties)


@pytest.mark.parametrize("encoding", Encoding)
def test_the_same_reply_gives_the_same_bytes(encoding):
    again = Reply(**{name: getattr(REPLY, name) for name in reversed(REPLY.__struct_fields__)})
    first = codec.encode_reply(REPLY, to(encoding))
    assert codec.encode_reply(again, to(encoding)) == first


def test_a_part_goes_on_its_kinds_topic_without_a_guarantee():
    message = codec.encode_part(StreamPart("a1", Kind.REASONING, 4, "hm"), to(Encoding.JSON))
    assert message.topic == "thinkq/reply/me/a1/reasoning"
    assert message.qos == 0
    assert json.loads(message.payload) == {"id": "a1", "seq": 4, "text": "hm"}


def test_a_part_in_messagepack():
    message = codec.encode_part(StreamPart("a1", Kind.ANSWER, 0, "hm"), to(Encoding.MSGPACK))
    assert msgpack.unpackb(message.payload) == {"id": "a1", "seq": 0, "text": "hm"}


def test_a_part_in_plain_text_is_bare_and_numbered_in_its_properties():
    message = codec.encode_part(StreamPart("a1", Kind.ANSWER, 7, " hm"), to(Encoding.TEXT))
    assert message.payload == b" hm"
    assert message.user_properties == (("id", "a1"), ("seq", "7"))


def test_progress_says_only_what_is_known():
    message = codec.encode_progress(Progress("a1", 0, "queued", position=3), to(Encoding.JSON))
    assert message.topic == "thinkq/reply/me/a1/progress"
    body = {"id": "a1", "seq": 0, "state": "queued", "position": 3}
    assert json.loads(message.payload) == body


def test_progress_in_plain_text_is_the_state():
    progress = Progress("a1", 1, "thinking")
    assert codec.encode_progress(progress, to(Encoding.TEXT)).payload == b"thinking"


def test_what_the_worker_says_of_itself_is_retained():
    message = codec.encode_retained({"status": "online"}, "thinkq/worker/w1/status")
    assert (message.retain, message.qos) == (True, 1)
    assert json.loads(message.payload) == {"status": "online"}


def test_metrics_need_no_guarantee():
    assert codec.encode_retained({}, "thinkq/worker/w1/metrics", qos=0).qos == 0


def test_a_dead_letter_is_for_the_operator_once():
    message = codec.encode_dead({"id": "a1"}, "thinkq/dead/me")
    assert (message.topic, message.retain, message.qos) == ("thinkq/dead/me", False, 1)


def test_a_control_reply_to_plain_text_is_json():
    message = codec.encode_control_reply({"op": "status"}, to(Encoding.TEXT))
    assert message.content_type == "application/json"
    assert json.loads(message.payload) == {"op": "status"}

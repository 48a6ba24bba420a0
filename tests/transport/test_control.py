"""Control messages."""

import json

import msgpack
import pytest

from worker.domain.errors import BadRequest, ForbiddenReplyTopic
from worker.domain.policy import Limits
from worker.transport import codec
from worker.transport.packets import Incoming
from worker.transport.topics import Topics

TOPICS = Topics("thinkq", "w1")


def decode(body, **properties):
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    packet = Incoming(topic="thinkq/control/me", payload=payload, **properties)
    return codec.decode_control(packet, topics=TOPICS, limits=Limits(), reply_allow=())


def test_a_request_is_cancelled_by_its_id():
    control = decode({"op": "cancel", "id": "a1"})
    assert (control.op, control.client, control.id, control.key) == ("cancel", "me", "a1", b"a1")


def test_a_request_without_an_id_is_named_by_its_correlation_data():
    assert decode({"op": "cancel"}, correlation_data=b"\xff").key == b"\xff"
    assert decode({"op": "cancel", "correlation": "c1"}).key == b"c1"


def test_messagepack_is_read():
    assert decode(msgpack.packb({"op": "forget", "session": "s"})).session == "s"


def test_a_prewarm_says_what_is_known_of_a_request():
    control = decode({"op": "prewarm", "session": "talk", "prompt": "Turn on the li"})
    assert control.about.session == "talk"
    assert [message.content for message in control.about.messages] == ["Turn on the li"]
    assert decode({"op": "prewarm", "session": "talk"}).about.messages == ()


def test_a_stream_is_resumed_from_where_each_kind_stopped():
    control = decode({"op": "resume", "id": "a", "from_seq": {"answer": 3, "reasoning": 0}})
    assert control.from_seq == {"answer": 3, "reasoning": 0}


def test_one_number_stands_for_all_kinds():
    assert decode({"op": "resume", "id": "a", "seq": 2}).from_seq["answer"] == 2


def test_a_control_message_is_answered_where_it_asks():
    control = decode({"op": "status", "reply_to": "thinkq/reply/me/status"})
    assert control.reply_to.topic == "thinkq/reply/me/status"


def test_it_is_not_answered_to_anybody_else():
    with pytest.raises(ForbiddenReplyTopic):
        decode({"op": "status"}, response_topic="thinkq/reply/you")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"op": "explode"}, "op"),
        ({}, "op"),
        ({"op": "cancel", "id": "a/b"}, "id"),
        ({"op": "cancel", "id": 3}, "id"),
        ({"op": "forget", "session": "#"}, "session"),
        ({"op": "resume", "from_seq": {"smell": 1}}, "from_seq"),
        ({"op": "resume", "from_seq": {"answer": -1}}, "from_seq[...]"),
        ({"op": "status", "more": 1}, "more"),
        ({"op": "status", "prompt": "no"}, "prompt"),
        ({"op": "prewarm"}, "prompt"),
        ({"op": "prewarm", "prompt": "a", "messages": [{"role": "user"}]}, "prompt"),
        ({"op": "prewarm", "messages": [{"role": "user"}]}, "messages[0].content"),
        ({"op": "prewarm", "prompt": "a", "tools": [{"type": "function"}]}, "tools[0].function"),
    ],
)
def test_a_wrong_field_is_named(body, field):
    with pytest.raises(BadRequest) as caught:
        decode(body)
    assert caught.value.field == field


def test_an_unknown_operation_is_told_those_there_are():
    with pytest.raises(BadRequest, match="cancel, feedback, forget, prewarm, resume, status"):
        decode({"op": "explode"})


def test_text_is_no_control_message():
    with pytest.raises(BadRequest, match="op"):
        decode(b"cancel")

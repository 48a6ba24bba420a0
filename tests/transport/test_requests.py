"""What a request may say, in each encoding, and what it is told when it says something else."""

import hashlib
import json
import uuid

import msgpack
import pytest

from worker.domain.errors import (
    BadRequest,
    ForbiddenReplyTopic,
    TooLarge,
    UnknownTool,
    UnsupportedMedia,
)
from worker.domain.messages import Encoding, Lane, Message, ReplyRoute, Sampling
from worker.domain.policy import Limits
from worker.transport import codec
from worker.transport.packets import Incoming
from worker.transport.requests import uuid7
from worker.transport.topics import Topics

TOPICS = Topics("thinkq", "w1")
LIMITS = Limits()
TOOL = {"type": "function", "function": {"name": "lamp", "parameters": {"type": "object"}}}


def incoming(body, *, topic="thinkq/request/me", **properties):
    if not isinstance(body, bytes):
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Incoming(topic=topic, payload=body, **properties)


def decode(body, *, limits=LIMITS, reply_allow=(), **properties):
    return codec.decode_request(
        incoming(body, **properties), topics=TOPICS, limits=limits, reply_allow=reply_allow
    )


def refusal(body, error=BadRequest, **properties):
    with pytest.raises(error) as caught:
        decode(body, **properties)
    return caught.value


# Encodings.


def test_json_is_read():
    request = decode({"prompt": "hi", "id": "a"}, content_type="application/json")
    assert request.messages == (Message("user", "hi"),)
    assert request.reply_to == ReplyRoute("thinkq/reply/me", Encoding.JSON)


def test_messagepack_is_read():
    body = msgpack.packb({"prompt": "hi", "max_tokens": 5})
    request = decode(body, content_type="application/msgpack")
    assert request.sampling == Sampling(max_tokens=5)
    assert request.reply_to.encoding is Encoding.MSGPACK


def test_plain_text_is_the_prompt():
    request = decode('{"prompt": "not read"}', content_type="text/plain; charset=UTF-8")
    assert request.messages[0].content == '{"prompt": "not read"}'
    assert request.reply_to.encoding is Encoding.TEXT


@pytest.mark.parametrize(
    ("payload", "encoding"),
    [
        (b'{"prompt": "hi"}', Encoding.JSON),
        (b' \n{"prompt": "hi"}', Encoding.JSON),
        (msgpack.packb({"prompt": "hi"}), Encoding.MSGPACK),
        (b"hi", Encoding.TEXT),
        (b"[1, 2]", Encoding.TEXT),
        (b'{"prompt": "hi', Encoding.TEXT),
        ("\u07bf is no map".encode(), Encoding.TEXT),
    ],
)
def test_without_a_content_type_the_payload_tells_its_encoding(payload, encoding):
    assert decode(payload).reply_to.encoding is encoding


@pytest.mark.parametrize("content_type", ["image/png", "text/plain; charset=latin-1", "json"])
def test_another_content_type_is_unsupported_media(content_type):
    assert "application/json" in refusal("hi", UnsupportedMedia, content_type=content_type).message


@pytest.mark.parametrize(
    ("payload", "content_type"),
    [
        (b"", None),
        (b'{"prompt": "hi"', "application/json"),
        (b'{"prompt": "hi"} x', "application/json"),
        (b'["hi"]', "application/json"),
        (b'\xef\xbb\xbf{"prompt": "hi"}', "application/json"),
        (b'{"prompt": "\xc0\xaf"}', "application/json"),
        (b'{"prompt": "\\ud800"}', None),
        (b'{"prompt": "hi", "seed": 1e400}', None),
        (b'{"prompt": "hi", "temperature": NaN}', None),
        (b'{"prompt": "hi", "metadata": {"n": 99999999999999999999}}', None),
        (b'{"prompt": ' + b"9" * 100_000 + b"}", None),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, None),
        (b'{"a":' * 50_000, "application/json"),
        (b"\xff\xfe", None),
        (b"\xff\xfe", "text/plain"),
        (b"\xef\xbb\xbfhi", "text/plain"),
        (b"\x81\xa6prompt", "application/msgpack"),
        (msgpack.packb({"prompt": "hi"}) + b"\x00", "application/msgpack"),
        (msgpack.packb({"prompt": b"hi"}), None),
        (msgpack.packb({"prompt": "hi", "temperature": float("inf")}), None),
        (msgpack.packb({"prompt": "hi", "metadata": msgpack.Timestamp(1)}), None),
        (msgpack.packb({"prompt": "hi", "metadata": msgpack.ExtType(4, b"")}), None),
        (msgpack.packb({1: "hi"}), "application/msgpack"),
        (msgpack.packb({b"prompt": "hi"}), "application/msgpack"),
        (b"\x91" * 5_000, "application/msgpack"),
        (b"\xdf\xff\xff\xff\xff", "application/msgpack"),
        (b"\xc1", "application/msgpack"),
    ],
)
def test_a_malformed_payload_is_a_bad_request(payload, content_type):
    assert "payload" in refusal(payload, content_type=content_type).message


def test_a_payload_over_the_limit_is_not_parsed():
    error = refusal(b"{" * 11, TooLarge, limits=Limits(payload_bytes=10))
    assert "at most 10 bytes, got 11" in error.message


def test_nesting_is_limited():
    body = {"prompt": "hi", "metadata": {"a": {"b": {"c": 1}}}}
    assert decode(body, limits=Limits(depth=5)).metadata == {"a": {"b": {"c": 1}}}
    assert "4 levels" in refusal(body, limits=Limits(depth=4)).message


def test_the_number_of_values_is_limited():
    body = {"prompt": "hi", "context": {"a": [0] * 100}}
    assert "values" in refusal(body, TooLarge, limits=Limits(values=50)).message


# Identity.


def test_an_id_is_the_key():
    request = decode({"prompt": "hi", "id": "a1"}, correlation_data=b"other")
    assert (request.id, request.key) == ("a1", b"a1")
    assert request.reply_to.correlation_data == b"other"


@pytest.mark.parametrize(
    ("correlation_data", "printable"),
    [
        (b"abc", "abc"),
        (b"\x00\xff", "00ff"),
        (b"a/b", "612f62"),
        (b"x" * 65, hashlib.sha256(b"x" * 65).hexdigest()),
    ],
)
def test_correlation_data_of_any_bytes_is_a_key_and_gets_a_name(correlation_data, printable):
    request = decode("hi", correlation_data=correlation_data)
    assert (request.id, request.key) == (printable, correlation_data)


def test_without_a_name_a_request_gets_a_uuid_of_version_7():
    made = uuid.UUID(decode("hi").id)
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_made_ids_sort_by_time_and_differ():
    ids = [uuid7() for _ in range(100)]
    assert len(set(ids)) == 100
    assert [one[:12] for one in ids] == sorted(one[:12] for one in ids)


def test_a_refused_request_is_called_by_its_id():
    assert codec.request_name(incoming({"id": "a1", "mode": 3})) == "a1"
    assert codec.request_name(incoming(b"\xff", correlation_data=b"c1")) == "c1"
    assert codec.request_name(incoming({"id": "a/b"}, correlation_data=b"c1")) == "c1"


# Reply routes.


def route(body, **properties):
    return codec.reply_route(incoming(body, **properties), "me", TOPICS, ())


def test_the_response_topic_wins_over_reply_to():
    body = {"prompt": "hi", "reply_to": "thinkq/reply/me/b"}
    request = decode(body, response_topic="thinkq/reply/me/a")
    assert request.reply_to.topic == "thinkq/reply/me/a"


def test_reply_to_is_for_those_without_properties():
    assert decode({"prompt": "hi", "reply_to": "thinkq/reply/me/b"}).reply_to.topic.endswith("/b")


@pytest.mark.parametrize("topic", ["thinkq/reply/you", "thinkq/reply/+", "#", "$SYS/x", "a//b"])
def test_anothers_reply_topic_is_forbidden(topic):
    assert refusal("hi", ForbiddenReplyTopic, response_topic=topic).code == "forbidden_reply_topic"
    refusal({"prompt": "hi", "reply_to": topic}, ForbiddenReplyTopic)


def test_the_operator_can_allow_another_reply_topic():
    request = decode("hi", response_topic="lamps/me", reply_allow=["lamps/%c"])
    assert request.reply_to.topic == "lamps/me"


@pytest.mark.parametrize(
    ("payload", "content_type", "encoding"),
    [
        (b"{", "application/json", Encoding.JSON),
        (b"x", "image/png", Encoding.JSON),
        (b"\x81", None, Encoding.MSGPACK),
        (b"\xff", None, Encoding.TEXT),
        (b"", None, Encoding.TEXT),
        (b'{"a":' * 9999, None, Encoding.JSON),
    ],
)
def test_a_malformed_request_can_still_be_answered(payload, content_type, encoding):
    found = route(
        payload,
        content_type=content_type,
        response_topic="thinkq/reply/me/x",
        correlation_data=b"\0",
    )
    assert found == ReplyRoute("thinkq/reply/me/x", encoding, b"\0")


def test_a_request_with_wrong_fields_is_answered_where_it_asked():
    assert route({"promt": "hi", "reply_to": "thinkq/reply/me/b"}).topic == "thinkq/reply/me/b"


# Fields.


def test_every_field_arrives():
    request = decode(
        {
            "id": "a1",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                },
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "lamp", "arguments": "{}"},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "c1", "name": "lamp", "content": "on"},
            ],
            "mode": "think",
            "thinking_budget": 0,
            "session": "s1",
            "max_tokens": 1,
            "temperature": 0,
            "top_p": 1,
            "top_k": 0,
            "min_p": 0.5,
            "seed": 2**63 - 1,
            "stop": ["a", "b"],
            "stream": True,
            "response_format": {"type": "json_object"},
            "tools": [TOOL],
            "tool_choice": {"type": "function", "function": {"name": "lamp"}},
            "lane": "batch",
            "deadline_ms": 100,
            "context": {"table": [1, 2]},
            "metadata": {"room": None},
        },
        arrived_at=12.5,
    )
    assert request.messages[1].content == "ab"
    assert request.messages[2].tool_calls[0].function.name == "lamp"
    assert request.messages[3].tool_call_id == "c1"
    assert (request.mode, request.thinking_budget, request.session) == ("think", 0, "s1")
    assert request.sampling == Sampling(1, 0.0, 1.0, 0, 0.5, 2**63 - 1, ("a", "b"))
    assert request.stream
    assert request.response_format == {"type": "json_object"}
    assert request.tools == (TOOL,)
    assert request.tool_choice == {"type": "function", "function": {"name": "lamp"}}
    assert (request.lane, request.deadline_ms, request.arrived_at) == (Lane.BATCH, 100, 12.5)
    assert request.context == {"table": [1, 2]}
    assert request.metadata == {"room": None}


def test_null_is_the_same_as_absent():
    body = dict.fromkeys(["mode", "stream", "lane", "stop", "tools", "response_format", "seed"])
    request = decode({"prompt": "hi", "id": "a", **body})
    assert request == decode({"prompt": "hi", "id": "a"})


def test_one_stop_may_stand_alone():
    assert decode({"prompt": "hi", "stop": "END"}).sampling.stop == ("END",)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"promt": 1}, "promt"),
        ({"mode": "maybe"}, "mode"),
        ({"mode": 1}, "mode"),
        ({"thinking_budget": -1}, "thinking_budget"),
        ({"thinking_budget": 1.5}, "thinking_budget"),
        ({"session": "a/b"}, "session"),
        ({"id": ""}, "id"),
        ({"id": "a" * 65}, "id"),
        ({"id": 7}, "id"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 2**31}, "max_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"min_p": 1.5}, "min_p"),
        ({"seed": 2**63}, "seed"),
        ({"seed": -1}, "seed"),
        ({"stop": ["a"] * 9}, "stop"),
        ({"stop": ["a", ""]}, "stop[1]"),
        ({"stop": ""}, "stop"),
        ({"stream": 1}, "stream"),
        ({"lane": "fast"}, "lane"),
        ({"deadline_ms": 0}, "deadline_ms"),
        ({"context": []}, "context"),
        ({"metadata": "x"}, "metadata"),
        ({"reply_to": 5}, "reply_to"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"tools": {}}, "tools"),
        ({"tools": [TOOL, TOOL]}, "tools[1].function.name"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "retrieval"}]}, "tools[0].type"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"messages": [{"role": "user", "content": "x"}]}, "prompt"),
    ],
)
def test_a_wrong_field_is_named(fields, field):
    error = refusal({"prompt": "hi", **fields})
    assert error.field == field
    assert error.message.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "messages"),
        ("hi", "messages"),
        ([{"role": "robot", "content": "x"}], "messages[0].role"),
        ([{"content": "x"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": 3}], "messages[0].content"),
        (
            [{"role": "user", "content": [{"type": "image_url", "text": ""}]}],
            "messages[0].content[0].type",
        ),
        ([{"role": "user", "content": "x", "audio": 1}], "messages[0].audio"),
        (
            [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}],
            "messages[1].role",
        ),
        ([{"role": "user", "content": "x", "tool_call_id": "c"}], "messages[0].tool_call_id"),
        ([{"role": "tool", "content": "x"}], "messages[0].tool_call_id"),
        ([{"role": "tool", "content": "x", "tool_call_id": "c9"}], "messages[0].tool_call_id"),
    ],
)
def test_a_wrong_message_is_named_by_its_place(messages, field):
    assert refusal({"messages": messages}).field == field


def test_a_wrong_choice_is_told_the_right_ones():
    error = refusal({"messages": [{"role": "robot", "content": "x"}]})
    expected = "expected one of system, user, assistant, tool, got 'robot'"
    assert error.message == f"messages[0].role: {expected}"


def test_a_value_out_of_range_is_told_the_range():
    assert refusal({"prompt": "hi", "top_k": -3}).message == "top_k: expected int >= 0, got -3"


def test_neither_prompt_nor_messages_is_a_bad_request():
    assert "neither" in refusal({"id": "a"}).message


def test_an_undeclared_tool_is_unknown():
    choice = {"type": "function", "function": {"name": "door"}}
    error = refusal({"prompt": "hi", "tools": [TOOL], "tool_choice": choice}, UnknownTool)
    assert "lamp" in error.message
    assert error.field == "tool_choice.function.name"


def test_a_result_of_an_undeclared_tool_is_unknown():
    result = {"role": "tool", "tool_call_id": "c1", "name": "door", "content": "open"}
    refusal({"messages": [result], "session": "s", "tools": [TOOL]}, UnknownTool)


def test_in_a_session_the_call_may_lie_in_its_history():
    result = {"role": "tool", "tool_call_id": "c1", "content": "on"}
    assert decode({"messages": [result], "session": "s"}).messages[0].tool_call_id == "c1"


def test_too_much_metadata_is_too_large():
    error = refusal({"prompt": "hi", "metadata": {"a": "x" * 4096}}, TooLarge)
    assert error.field == "metadata"


def test_text_as_response_format_asks_for_nothing():
    assert decode({"prompt": "hi", "response_format": {"type": "text"}}).response_format is None


def test_the_lane_may_stand_in_the_body():
    assert decode({"prompt": "hi", "lane": "interactive"}).lane is Lane.INTERACTIVE


def test_two_different_lanes_are_a_bad_request():
    error = refusal({"prompt": "hi", "lane": "batch"}, topic="thinkq/request/me/interactive")
    assert error.field == "lane"


@pytest.mark.parametrize(
    ("deadline_ms", "expiry_s", "nearer_ms"),
    [(None, None, None), (500, None, 500), (None, 2, 2000), (500, 2, 500), (5000, 2, 2000)],
)
def test_the_nearer_of_deadline_and_expiry_counts(deadline_ms, expiry_s, nearer_ms):
    request = decode({"prompt": "hi", "deadline_ms": deadline_ms}, expiry_s=expiry_s)
    assert request.deadline_ms == nearer_ms

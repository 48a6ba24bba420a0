"""Whatever bytes come, the codec answers with a request or an error of the contract."""

import json

import msgpack
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.domain.errors import ThinkqError
from worker.domain.messages import Control, ErrorBody, Reply, Request
from worker.domain.policy import Limits, is_safe_name
from worker.transport import codec
from worker.transport.packets import Incoming
from worker.transport.topics import Topics

TOPICS = Topics("thinkq", "w1")
LIMITS = Limits()
EXAMPLES = settings(max_examples=300)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)
names = st.sampled_from(
    [
        "id",
        "prompt",
        "messages",
        "mode",
        "thinking_budget",
        "session",
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "seed",
        "stop",
        "stream",
        "response_format",
        "tools",
        "tool_choice",
        "lane",
        "deadline_ms",
        "context",
        "reply_to",
        "metadata",
        "op",
        "from_seq",
        "correlation",
        "seq",
    ]
)
bodies = st.dictionaries(names | st.text(), values, max_size=6)
messages = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "role": st.sampled_from(["system", "user", "assistant", "tool", "x"]),
            "content": values,
            "tool_calls": values,
            "tool_call_id": values,
        },
    )
)


def as_json(value):
    return json.dumps(value, default=repr, skipkeys=True).encode("utf-8", "surrogatepass")


def as_msgpack(value):
    try:
        return msgpack.packb(value, unicode_errors="surrogatepass")
    except (OverflowError, ValueError):
        return b"\x80"


payloads = (
    st.binary(max_size=200)
    | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
    | bodies.map(as_json)
    | bodies.map(as_msgpack)
    | messages.map(lambda found: as_json({"messages": found}))
    | st.builds(lambda body, cut: body[:cut], bodies.map(as_json), st.integers(0, 300))
)
packets = st.builds(
    Incoming,
    topic=st.sampled_from(["thinkq/request/me", "thinkq/request/me/batch", "thinkq/control/me"])
    | st.text().map(lambda name: f"thinkq/request/{name}"),
    payload=payloads,
    content_type=st.none()
    | st.sampled_from(["application/json", "application/msgpack", "text/plain"])
    | st.text(),
    response_topic=st.none() | st.just("thinkq/reply/me/a") | st.text(),
    correlation_data=st.none() | st.binary(max_size=100),
    expiry_s=st.none() | st.integers(0, 2**32 - 1),
)


def outcome(decode, packet):
    try:
        return decode(packet, topics=TOPICS, limits=LIMITS, reply_allow=())
    except ThinkqError as error:
        return error


@EXAMPLES
@given(packets)
def test_a_packet_is_a_request_or_an_error_of_the_contract(packet):
    assert isinstance(outcome(codec.decode_request, packet), (Request, ThinkqError))


@EXAMPLES
@given(packets)
def test_a_packet_is_a_control_message_or_an_error_of_the_contract(packet):
    assert isinstance(outcome(codec.decode_control, packet), (Control, ThinkqError))


@EXAMPLES
@given(packets)
def test_a_requests_names_are_safe_in_topics_and_properties(packet):
    request = outcome(codec.decode_request, packet)
    if isinstance(request, Request):
        assert is_safe_name(request.id)
        assert is_safe_name(request.client)
        assert all(is_safe_name(level) for level in request.reply_to.topic.split("/"))


@EXAMPLES
@given(packets)
def test_every_packet_can_be_named_and_every_error_be_written(packet):
    error = outcome(codec.decode_request, packet)
    if isinstance(error, ThinkqError):
        name = codec.request_name(packet)
        body = ErrorBody(error.code, error.message, None, error.field)
        try:
            route = codec.reply_route(packet, "me", TOPICS, ())
        except ThinkqError:
            return
        reply = codec.encode_reply(Reply(id=name, status="error", error=body), route)
        assert is_safe_name(name)
        assert reply.topic.startswith("thinkq/reply/me")
        assert reply.payload.decode("utf-8", "replace")


@EXAMPLES
@given(st.dictionaries(st.text(), values, max_size=4).map(as_json), st.sampled_from(["json", "mp"]))
def test_metadata_that_is_taken_can_be_echoed(metadata, encoding):
    try:
        body = {"prompt": "hi", "metadata": json.loads(metadata)}
    except ValueError:
        return
    payload = as_json(body) if encoding == "json" else as_msgpack(body)
    request = outcome(codec.decode_request, Incoming(topic="thinkq/request/me", payload=payload))
    if isinstance(request, Request) and request.metadata is not None:
        reply = Reply(id=request.id, status="ok", metadata=request.metadata)
        sent = codec.encode_reply(reply, request.reply_to).payload
        read = json.loads(sent) if encoding == "json" else msgpack.unpackb(sent)
        assert read["metadata"] == request.metadata

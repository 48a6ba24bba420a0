"""Messages to requests: how a request's fields go together; their types are `schema`'s."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING

import msgspec

from worker.domain.errors import BadRequest, ThinkqError, TooLarge, UnknownTool
from worker.domain.messages import Json, Lane, Message, ReplyRoute, Request, Sampling
from worker.domain.policy import MAX_NAME_CHARACTERS, Limits, check_name, is_safe_name
from worker.transport.envelope import Fields, read_body, route_of
from worker.transport.fields import convert
from worker.transport.schema import (
    MessageFields,
    RequestFields,
    ResponseFormat,
    Tool,
    ToolChoice,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.transport.packets import Incoming
    from worker.transport.schema import ControlFields
    from worker.transport.topics import Topics

_MAX_HEX_BYTES = 32
_MAX_TOKEN_DIGITS = 7


def decode_request(
    incoming: Incoming,
    *,
    topics: Topics,
    limits: Limits,
    reply_allow: Sequence[str],
) -> Request:
    """Return the request a message holds.

    Raises:
        ThinkqError: The child that says what the message lacks of the contract. Where the answer
            may go is then `reply_route`'s to say.

    """
    body = read_body(incoming, limits)
    client = topics.client(incoming.topic)
    route = route_of(incoming, body, client, topics, reply_allow)
    _, lane = topics.parse_request(incoming.topic)
    content = body.content
    fields = convert(content if isinstance(content, dict) else {"prompt": content}, RequestFields)
    return _request(incoming, client, topic_lane=lane, route=route, fields=fields, limits=limits)


def _request(
    incoming: Incoming,
    client: str,
    *,
    topic_lane: Lane | None,
    route: ReplyRoute,
    fields: RequestFields,
    limits: Limits,
) -> Request:
    request_id, key = identity(fields.id, incoming.correlation_data)
    if fields.session is not None:
        check_name(fields.session, "session")
    _check_metadata(fields.metadata, limits)
    tools = _tools(fields.tools)
    messages = _messages(fields)
    _check_tool_messages(messages, tools, has_history=fields.session is not None)
    return Request(
        id=request_id,
        key=key,
        client=client,
        lane=_lane(fields.lane, topic_lane),
        messages=messages,
        reply_to=route,
        arrived_at=incoming.arrived_at,
        mode=fields.mode or "auto",
        model=fields.model,
        thinking_budget=fields.thinking_budget,
        session=fields.session,
        sampling=_sampling(fields),
        stream=fields.stream or False,
        revise=_revise(fields),
        long=fields.long,
        response_format=_response_format(fields.response_format),
        tools=tuple(fields.tools or ()),
        tool_choice=_tool_choice(fields.tool_choice, tools),
        deadline_ms=_deadline_ms(fields.deadline_ms, incoming.expiry_s),
        context=fields.context,
        metadata=fields.metadata,
    )


def beginning_of_request(
    fields: ControlFields, client: str, route: ReplyRoute, arrived_at: float
) -> Request:
    """Return what is known of a request that will come; its last message may go on.

    Raises:
        ThinkqError: The child that says what is no part of any request.

    """
    given = RequestFields(prompt=fields.prompt, messages=fields.messages)
    says_nothing = fields.prompt is None and fields.messages is None
    tools = _tools(fields.tools)
    messages = () if says_nothing and fields.session is not None else _messages(given)
    _check_tool_messages(messages, tools, has_history=fields.session is not None)
    return Request(
        id="prewarm",
        key=b"prewarm",
        client=client,
        lane=Lane.STANDARD,
        messages=messages,
        reply_to=route,
        arrived_at=arrived_at,
        session=fields.session,
        tools=tuple(fields.tools or ()),
        context=fields.context,
    )


def request_name(incoming: Incoming, limits: Limits = Limits()) -> str:  # noqa: B008 - frozen
    """Return what to call a request that is refused: its id as far as it can be read.

    For the log and the error's `id`; a request that passes has the same name.
    """
    try:
        content = read_body(incoming, limits).content
        given = content.get("id") if isinstance(content, dict) else None
        named = given if isinstance(given, str) else None
        return identity(named, incoming.correlation_data)[0]
    except ThinkqError:
        return identity(None, incoming.correlation_data)[0]


def identity(given: str | None, correlation_data: bytes | None) -> tuple[str, bytes]:
    """Return a request's printable id and its key: `id`, else Correlation Data, else made.

    Correlation Data that is no name itself gets one: its hexadecimal digits, or their hash.

    Raises:
        BadRequest: The id given is not a name.

    """
    if given is not None:
        check_name(given, "id")
        return given, given.encode()
    if not correlation_data:
        made = str(uuid7())
        return made, made.encode()
    return _printable(correlation_data), correlation_data


def uuid7() -> str:
    """Return a new UUID that sorts by time (RFC 9562, 5.7); Python has none before 3.14."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _printable(key: bytes) -> str:
    try:
        text = key.decode()
    except UnicodeDecodeError:
        text = ""
    if is_safe_name(text):
        return text
    return key.hex() if len(key) <= _MAX_HEX_BYTES else hashlib.sha256(key).hexdigest()


def _lane(named: str | None, topic_lane: Lane | None) -> Lane:
    if named is None:
        return topic_lane or Lane.STANDARD
    if topic_lane is not None and topic_lane.value != named:
        raise BadRequest(
            f"lane: expected {topic_lane.value!r} as in the topic, got {named!r}", field="lane"
        )
    return Lane(named)


def _revise(fields: RequestFields) -> bool:
    if fields.revise and (fields.mode == "no_think" or fields.thinking_budget == 0):
        raise BadRequest("revise: expected a request that may be thought about", field="revise")
    return fields.revise or False


def _sampling(fields: RequestFields) -> Sampling:
    stop = (fields.stop,) if isinstance(fields.stop, str) else tuple(fields.stop or ())
    return Sampling(
        max_tokens=fields.max_tokens,
        temperature=fields.temperature,
        top_p=fields.top_p,
        top_k=fields.top_k,
        min_p=fields.min_p,
        seed=fields.seed,
        stop=stop,
        repetition_penalty=fields.repetition_penalty,
        presence_penalty=fields.presence_penalty,
        frequency_penalty=fields.frequency_penalty,
        logit_bias=_logit_bias(fields.logit_bias),
        logprobs=_logprobs(fields),
        top_logprobs=fields.top_logprobs or 0,
    )


def _logit_bias(given: dict[str, float] | None) -> dict[int, float]:
    """Return biases by token id; JSON's names are texts."""
    for name in given or ():
        if not (name.isascii() and name.isdigit() and len(name) <= _MAX_TOKEN_DIGITS):
            raise BadRequest(
                f"logit_bias: expected token ids as names, got {name[:64]!r}", field="logit_bias"
            )
    return {int(name): bias for name, bias in (given or {}).items()}


def _logprobs(fields: RequestFields) -> bool:
    if fields.top_logprobs is not None and not fields.logprobs:
        raise BadRequest(
            "top_logprobs: expected together with logprobs: true", field="top_logprobs"
        )
    return fields.logprobs or False


def _deadline_ms(asked_ms: int | None, expiry_s: int | None) -> int | None:
    expiry_ms = None if expiry_s is None else expiry_s * 1000
    return min((limit for limit in (asked_ms, expiry_ms) if limit is not None), default=None)


def _check_metadata(metadata: dict[str, Json] | None, limits: Limits) -> None:
    if metadata is None:
        return
    size_bytes = len(msgspec.json.encode(metadata))
    if size_bytes > limits.metadata_bytes:
        raise TooLarge(
            f"metadata: expected at most {limits.metadata_bytes} bytes as JSON, got {size_bytes}",
            field="metadata",
        )


def _messages(fields: RequestFields) -> tuple[Message, ...]:
    if (fields.prompt is None) == (fields.messages is None):
        got = "neither" if fields.prompt is None else "both"
        raise BadRequest(f"prompt: expected either prompt or messages, got {got}", field="prompt")
    if fields.messages is None:
        return (Message(role="user", content=fields.prompt),)
    messages = tuple(_message(index, wire) for index, wire in enumerate(fields.messages))
    if messages[-1].role == "assistant":
        last = f"messages[{len(messages) - 1}].role"
        raise BadRequest(f"{last}: expected the last message not to be the assistant's", field=last)
    return messages


def _message(index: int, wire: MessageFields) -> Message:
    """Check what a role needs and may not have, and join content given in parts."""
    path = f"messages[{index}]"
    content = wire.content
    if isinstance(content, list):
        content = "".join(part.text for part in content)
    if wire.tool_calls and wire.role != "assistant":
        field = f"{path}.tool_calls"
        raise BadRequest(f"{field}: expected only in the assistant's messages", field=field)
    if content is None and not wire.tool_calls:
        field = f"{path}.content"
        raise BadRequest(f"{field}: expected text, got none", field=field)
    if (wire.tool_call_id is not None) != (wire.role == "tool"):
        field = f"{path}.tool_call_id"
        raise BadRequest(f"{field}: expected in a tool's message, and only there", field=field)
    return Message(wire.role, content, wire.name, tuple(wire.tool_calls or ()), wire.tool_call_id)


def _tools(declared: list[Fields] | None) -> frozenset[str]:
    """Check the declared tools and return their names."""
    names: set[str] = set()
    for index, tool in enumerate(declared or ()):
        name = convert(tool, Tool, f"tools[{index}]").function.name
        if name in names:
            field = f"tools[{index}].function.name"
            raise BadRequest(f"{field}: {name!r} is declared twice", field=field)
        names.add(name)
    return frozenset(names)


def _tool_choice(choice: str | Fields | None, tools: frozenset[str]) -> str | Fields | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice not in ("auto", "none", "required"):
            raise BadRequest(
                "tool_choice: expected auto, none, required or "
                f"an object that names a function, got {choice[:64]!r}",
                field="tool_choice",
            )
        if choice == "required" and not tools:
            raise BadRequest("tool_choice: 'required' needs tools, got none", field="tool_choice")
        return choice
    name = convert(choice, ToolChoice, "tool_choice").function.name
    if name not in tools:
        raise _unknown_tool("tool_choice.function.name", name, tools)
    return choice


def _check_tool_messages(
    messages: Sequence[Message], tools: frozenset[str], *, has_history: bool
) -> None:
    """Check that each result answers a call; with a session, calls may lie in its history."""
    called: set[str] = set()
    for index, message in enumerate(messages):
        called.update(call.id for call in message.tool_calls)
        if message.role != "tool":
            continue
        if message.name is not None and message.name not in tools:
            raise _unknown_tool(f"messages[{index}].name", message.name, tools)
        if message.tool_call_id not in called and not has_history:
            field = f"messages[{index}].tool_call_id"
            got = (message.tool_call_id or "")[:MAX_NAME_CHARACTERS]
            raise BadRequest(
                f"{field}: expected the id of an earlier call, got {got!r}", field=field
            )


def _unknown_tool(field: str, name: str, tools: frozenset[str]) -> UnknownTool:
    declared = ", ".join(sorted(tools)) or "none"
    return UnknownTool(
        f"{field}: expected a declared tool ({declared}), got {name[:MAX_NAME_CHARACTERS]!r}",
        field=field,
    )


def _response_format(given: Fields | None) -> Fields | None:
    if given is None:
        return None
    kind = convert(given, ResponseFormat, "response_format")
    if kind.type == "text":
        return None
    if kind.type == "json_schema" and kind.json_schema is None:
        field = "response_format.json_schema"
        raise BadRequest(f"{field}: expected an object, got none", field=field)
    return given

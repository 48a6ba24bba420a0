"""A message's outside: which encoding it is in, what its top level says, where its reply goes.

Reads no more of the body than a map of fields; `requests` and `control` read the fields.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgpack  # type: ignore[import-untyped]  # it has no types and no stubs
import msgspec
from msgspec import Struct

from worker.domain.errors import BadRequest, ForbiddenReplyTopic, TooLarge, UnsupportedMedia
from worker.domain.messages import Encoding, Json, ReplyRoute
from worker.domain.policy import Limits, reply_topic_allowed
from worker.transport.outline import check_json, check_msgpack, too_many, unique

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.transport.packets import Incoming
    from worker.transport.topics import Topics

_CONTENT_TYPES = {
    "application/json": Encoding.JSON,
    "application/msgpack": Encoding.MSGPACK,
    "application/x-msgpack": Encoding.MSGPACK,
    "application/vnd.msgpack": Encoding.MSGPACK,
    "text/plain": Encoding.TEXT,
}
_BYTE_ORDER_MARK = "\ufeff"
_JSON_SPACE = b" \t\r\n"
_SMALLEST_INTEGER = -(2**63)
_LARGEST_INTEGER = 2**64 - 1

Fields = dict[str, Json]


class Body(Struct, frozen=True):
    """A payload's encoding and what is in it: a map's fields, or the text that is a prompt."""

    encoding: Encoding
    content: Fields | str


def read_body(incoming: Incoming, limits: Limits) -> Body:
    """Return what a payload holds, whatever encoding it is in.

    Without a Content Type a JSON object or a MessagePack map is one, and all else is text.

    Raises:
        TooLarge: It is over the size limit; nothing of it was parsed.
        UnsupportedMedia: The Content Type is none of ours.
        BadRequest: It is not what its Content Type says, or nests or holds too much.

    """
    payload = incoming.payload
    if len(payload) > limits.payload_bytes:
        raise TooLarge(
            f"payload: expected at most {limits.payload_bytes} bytes, got {len(payload)}"
        )
    if not payload:
        raise BadRequest("payload: expected a request, got no bytes")
    declared = _declared_encoding(incoming.content_type)
    encoding, content = (
        _sniff(payload, limits)
        if declared is None
        else (declared, _read(payload, declared, limits))
    )
    if encoding is not Encoding.TEXT and not isinstance(content, dict):
        raise BadRequest(f"payload: expected an object, got {_type_name(content)}")
    return Body(encoding, content)


def reply_route(
    incoming: Incoming,
    client: str,
    topics: Topics,
    reply_allow: Sequence[str],
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> ReplyRoute:
    """Return where and how to answer, as far as the message lets it be known.

    This works on messages whose body is malformed too: those are answered on their Response
    Topic or the client's default one. To route a request that is well formed, `decode_request`
    is enough.

    Raises:
        ForbiddenReplyTopic: The topic it names is not the client's to be answered on.

    """
    try:
        body = read_body(incoming, limits)
    except (BadRequest, TooLarge, UnsupportedMedia):
        body = Body(_guessed_encoding(incoming), {})
    return route_of(incoming, body, client, topics, reply_allow)


def route_of(
    incoming: Incoming, body: Body, client: str, topics: Topics, reply_allow: Sequence[str]
) -> ReplyRoute:
    """Return where to answer a message that was read: Response Topic, `reply_to`, or default.

    Raises:
        ForbiddenReplyTopic: The topic it names is not the client's to be answered on.

    """
    default = topics.reply(client)
    field, topic = "Response Topic", incoming.response_topic
    if not topic:
        named = body.content.get("reply_to") if isinstance(body.content, dict) else None
        # A `reply_to` of another type is refused when the fields are read.
        field, topic = "reply_to", named if isinstance(named, str) else default
    if not reply_topic_allowed(topic, client=client, default=default, allow=reply_allow):
        raise ForbiddenReplyTopic(
            f"{field}: expected {default!r} or a topic below it, got {topic[:128]!r}", field=field
        )
    return ReplyRoute(topic, body.encoding, incoming.correlation_data)


def count_fields(content: Json, limits: Limits) -> int:
    """Return how many fields all objects have, if all values are ones that every encoding has.

    Raises:
        BadRequest: A value is not a number, too large an integer, binary, or too deep inside.
        TooLarge: There are more values than a request may hold.

    """
    level: list[Any] = [content]
    count = fields = 0
    for _ in range(limits.depth):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                if not all(isinstance(key, str) for key in value):
                    raise BadRequest("payload: expected text for the names of fields")
                fields += len(value)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
            else:
                _check_scalar(value)
        if not below:
            return fields
        count += len(below)
        if count > limits.values:
            raise too_many(limits)
        level = below
    raise BadRequest(f"payload: nested more than {limits.depth} levels deep")


def _check_scalar(value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise BadRequest(f"payload: expected finite numbers, got {value}")
    if isinstance(value, int) and not _SMALLEST_INTEGER <= value <= _LARGEST_INTEGER:
        raise BadRequest("payload: expected integers of at most 64 bits")
    if value is not None and not isinstance(value, str | int | float):
        raise BadRequest(f"payload: expected text, numbers and flags, got {_type_name(value)}")


def _declared_encoding(content_type: str | None) -> Encoding | None:
    """Return the encoding a Content Type names, None without one."""
    if not content_type:
        return None
    media_type, _, parameters = content_type.lower().partition(";")
    encoding = _CONTENT_TYPES.get(media_type.strip())
    charset = parameters.partition("charset=")[2].strip(' "')
    if encoding is None or charset not in ("", "utf-8", "utf8", "us-ascii"):
        known = ", ".join(Encoding)
        raise UnsupportedMedia(
            f"Content Type: expected one of {known} in UTF-8, got {content_type[:64]!r}"
        )
    return encoding


def _sniff(payload: bytes, limits: Limits) -> tuple[Encoding, Json]:
    """Find out the encoding of a payload without a Content Type, and read it."""
    if payload.lstrip(_JSON_SPACE)[:1] == b"{":
        try:
            return Encoding.JSON, _read_json(payload, limits)
        except BadRequest:
            if _is_json_by_its_grammar(payload):
                raise
    if _starts_msgpack_map(payload):
        with suppress(BadRequest):
            return Encoding.MSGPACK, _read_msgpack(payload, limits)
    return Encoding.TEXT, _read_text(payload)


def _read(payload: bytes, encoding: Encoding, limits: Limits) -> Json:
    if encoding is Encoding.TEXT:
        return _read_text(payload)
    read = _read_json if encoding is Encoding.JSON else _read_msgpack
    return read(payload, limits)


def _guessed_encoding(incoming: Incoming) -> Encoding:
    """Return what to answer in when the payload could not be read."""
    try:
        declared = _declared_encoding(incoming.content_type)
    except UnsupportedMedia:
        return Encoding.JSON
    if declared is not None:
        return declared
    if _starts_msgpack_map(incoming.payload):
        return Encoding.MSGPACK
    is_json = incoming.payload[:1024].lstrip(_JSON_SPACE)[:1] == b"{"
    return Encoding.JSON if is_json else Encoding.TEXT


def _starts_msgpack_map(payload: bytes) -> bool:
    return payload[:1] in (b"\xde", b"\xdf") or 0x80 <= payload[0] <= 0x8F if payload else False  # noqa: PLR2004 - the format's own


def _read_text(payload: bytes) -> str:
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"payload: expected UTF-8, got {error.reason} at byte {error.start}"
        ) from None
    if text.startswith(_BYTE_ORDER_MARK):
        raise BadRequest("payload: expected UTF-8 without a byte order mark")
    return text


def _read_json(payload: bytes, limits: Limits) -> Json:
    fields = check_json(payload, limits)
    if payload.startswith(_BYTE_ORDER_MARK.encode()):
        raise BadRequest("payload: expected JSON without a byte order mark")
    try:
        content = msgspec.json.decode(payload)
        if fields != count_fields(content, limits):
            json.loads(payload, object_pairs_hook=unique)
    except RecursionError:
        raise BadRequest("payload: nested too deep") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadRequest(f"payload: expected JSON: {error}") from None
    return content


def _is_json_by_its_grammar(payload: bytes) -> bool:
    """Say whether only a value in it is at fault: then it is a bad request and not a prompt."""
    try:
        json.loads(payload, parse_int=len, parse_float=len)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _read_msgpack(payload: bytes, limits: Limits) -> Json:
    """Read one value, all of it."""
    fields = check_msgpack(payload, limits)
    try:
        content = msgpack.unpackb(payload, raw=False, strict_map_key=True)
        if fields != count_fields(content, limits):
            msgpack.unpackb(payload, raw=False, strict_map_key=True, object_pairs_hook=unique)
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        raise BadRequest(
            f"payload: expected MessagePack: {error or type(error).__name__}"
        ) from None
    return content


def _type_name(value: object) -> str:
    names = {
        list: "an array",
        str: "text",
        bool: "a flag",
        type(None): "null",
        bytes: "binary data",
    }
    return names.get(
        type(value), "a number" if isinstance(value, int | float) else "a special value"
    )

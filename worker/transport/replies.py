"""Replies, streams and announcements to bytes, in the encoding of the request.

The same value always gives the same bytes, so that a reply sent again is the reply sent before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgpack  # type: ignore[import-untyped]  # it has no types and no stubs
import msgspec
from msgspec import UNSET

from worker.domain.messages import Encoding, Json, Kind, Progress, Reply, ReplyRoute, StreamPart
from worker.transport.packets import Outgoing
from worker.transport.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Mapping


def encode_reply(reply: Reply, route: ReplyRoute, *, expiry_s: int | None = None) -> Outgoing:
    """Return the message that carries a final reply.

    To plain text that is the answer alone, or `error: <code>: <message>`.

    Args:
        reply: What to say.
        route: Where and how.
        expiry_s: After how many seconds the broker may drop it, if ever.

    """
    properties = [("id", reply.id), ("status", reply.status)]
    if reply.mode is not UNSET:
        properties.append(("mode", reply.mode.value))
    return Outgoing(
        topic=route.topic,
        payload=_text_of(reply).encode()
        if route.encoding is Encoding.TEXT
        else _encode(reply, route.encoding),
        correlation_data=route.correlation_data,
        content_type=route.encoding.value,
        expiry_s=expiry_s,
        user_properties=(*properties, ("seq", "final")),
    )


def encode_part(part: StreamPart, route: ReplyRoute) -> Outgoing:
    """Return the message that carries a piece of a stream; to plain text that is the bare piece."""
    if route.encoding is Encoding.TEXT:
        payload = part.text.encode()
    else:
        payload = _encode({"id": part.id, "seq": part.seq, "text": part.text}, route.encoding)
    return _streamed(part.id, part.seq, part.kind, payload, route)


def encode_progress(progress: Progress, route: ReplyRoute) -> Outgoing:
    """Return the message that says where a request stands; to plain text the state's name."""
    if route.encoding is Encoding.TEXT:
        payload = progress.state.encode()
    else:
        payload = _encode(progress, route.encoding)
    return _streamed(progress.id, progress.seq, Kind.PROGRESS, payload, route)


def encode_control_reply(fields: Mapping[str, Json], route: ReplyRoute) -> Outgoing:
    """Return the answer to a control message that is not a request's reply: a status, say."""
    encoding = Encoding.JSON if route.encoding is Encoding.TEXT else route.encoding
    return Outgoing(
        topic=route.topic,
        payload=_encode(fields, encoding),
        correlation_data=route.correlation_data,
        content_type=encoding.value,
        user_properties=(("status", "ok"), ("seq", "control")),
    )


def encode_dead(fields: Mapping[str, Json], topic: str) -> Outgoing:
    """Return the operator's note of a request that was given up on."""
    return Outgoing(
        topic=topic,
        payload=_encode(fields, Encoding.JSON),
        content_type=Encoding.JSON.value,
    )


def encode_retained(fields: Mapping[str, Json], topic: str, *, qos: int = 1) -> Outgoing:
    """Return a retained message about the worker: its status, card or metrics."""
    return Outgoing(
        topic=topic,
        payload=_encode(fields, Encoding.JSON),
        qos=qos,
        retain=True,
        content_type=Encoding.JSON.value,
    )


def _streamed(request_id: str, seq: int, kind: Kind, payload: bytes, route: ReplyRoute) -> Outgoing:
    return Outgoing(
        topic=Topics.stream(route.topic, request_id, kind),
        payload=payload,
        qos=0,
        correlation_data=route.correlation_data,
        content_type=route.encoding.value,
        user_properties=(("id", request_id), ("seq", str(seq)))
        if route.encoding is Encoding.TEXT
        else (),
    )


def _text_of(reply: Reply) -> str:
    if reply.error is not UNSET:
        return f"error: {reply.error.code}: {reply.error.message}"
    return "" if reply.content is UNSET else reply.content


def _encode(value: Any, encoding: Encoding) -> bytes:
    if encoding is Encoding.MSGPACK:
        packed: bytes = msgpack.packb(msgspec.to_builtins(value))
        return packed
    return msgspec.json.encode(value)

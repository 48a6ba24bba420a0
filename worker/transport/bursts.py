"""Messages at QoS 0 as bytes, many at once; imports no paho.

A stream's pieces are small and many. paho makes a lock, a properties object and a callback of each
and wakes its thread, some 300 µs; here a step's messages are one write (`bench/cost.py`).
MQTT 5, 3.3; MQTT 3.1.1, 3.3.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.transport.packets import Outgoing

_PUBLISH = 0x30
_RETAIN = 0x01
_EXPIRY, _CONTENT_TYPE, _RESPONSE_TOPIC, _CORRELATION, _USER = 0x02, 0x03, 0x08, 0x09, 0x26


def packet(outgoing: Outgoing, *, with_properties: bool) -> bytes:
    """Return the PUBLISH that carries a message at QoS 0."""
    head = _topic(outgoing.topic)
    if with_properties:
        head += _properties(
            outgoing.content_type,
            outgoing.correlation_data,
            outgoing.response_topic,
            outgoing.expiry_s,
            outgoing.user_properties,
        )
    first = _PUBLISH | _RETAIN if outgoing.retain else _PUBLISH
    payload = outgoing.payload
    return b"".join((bytes((first,)), _length(len(head) + len(payload)), head, payload))


@lru_cache(maxsize=1024)
def _topic(topic: str) -> bytes:
    return _binary(topic.encode())


@lru_cache(maxsize=1024)
def _properties(
    content_type: str | None,
    correlation_data: bytes | None,
    response_topic: str | None,
    expiry_s: int | None,
    user_properties: tuple[tuple[str, str], ...],
) -> bytes:
    parts = []
    if expiry_s is not None:
        parts.append(bytes((_EXPIRY,)) + expiry_s.to_bytes(4, "big"))
    if content_type is not None:
        parts.append(bytes((_CONTENT_TYPE,)) + _binary(content_type.encode()))
    if response_topic is not None:
        parts.append(bytes((_RESPONSE_TOPIC,)) + _binary(response_topic.encode()))
    if correlation_data is not None:
        parts.append(bytes((_CORRELATION,)) + _binary(correlation_data))
    for name, value in user_properties:
        parts.append(bytes((_USER,)) + _binary(name.encode()) + _binary(value.encode()))
    body = b"".join(parts)
    return _length(len(body)) + body


def _binary(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def _length(size: int) -> bytes:
    """Return a variable byte integer."""
    digits = bytearray()
    while True:
        size, digit = divmod(size, 128)
        digits.append(digit | 128 if size else digit)
        if not size:
            return bytes(digits)

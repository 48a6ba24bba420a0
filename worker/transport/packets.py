"""A message as it came from the broker and as it goes to it; imports no paho."""

from __future__ import annotations

from msgspec import Struct


class Incoming(Struct, frozen=True, kw_only=True):
    """One PUBLISH received.

    `arrived_at` is Unix time and `arrived` the monotonic clock, both in seconds. `expiry_s` is
    what is left of the Message Expiry Interval; properties are None or empty on MQTT 3.1.1.
    `token` is what `Connection.ack` needs and nobody else looks into.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    duplicate: bool = False
    arrived_at: float = 0.0
    arrived: float = 0.0
    response_topic: str | None = None
    correlation_data: bytes | None = None
    content_type: str | None = None
    expiry_s: int | None = None
    user_properties: tuple[tuple[str, str], ...] = ()
    token: object = None


class ServerLimits(Struct, frozen=True, kw_only=True):
    """What a broker said at connecting of what it takes (MQTT 5, 3.2.2.3).

    `window` is how many messages may be unacknowledged at once, the smaller of its and ours.
    """

    window: int = 65_535
    packet_bytes: int | None = None
    qos: int = 1
    retain: bool = True
    shared_subscriptions: bool = True


class Outgoing(Struct, frozen=True, kw_only=True):
    """One PUBLISH to send. On MQTT 3.1.1 the properties stay behind."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    response_topic: str | None = None
    correlation_data: bytes | None = None
    content_type: str | None = None
    expiry_s: int | None = None
    user_properties: tuple[tuple[str, str], ...] = ()

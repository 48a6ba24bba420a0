"""paho's client, made safe against what other clients send, and our values to its and back."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog
from msgspec import Struct
from msgspec.structs import replace
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from worker.transport.packets import Incoming, Outgoing, ServerLimits

if TYPE_CHECKING:
    from worker.transport.options import BrokerOptions

_log = structlog.get_logger(__name__)

MAX_PROPERTIES_BYTES = 128 * 1024
"""paho copies the rest of the properties for each one it reads, so a packet full of small ones
takes quadratic time: 200 ms at this size, minutes at a megabyte."""

_BURST = MessageType.PINGREQ
"""What paho takes a burst for: a packet of which it keeps no account."""

_NO_LIMIT = 65_535

_UNREADABLE = (MQTTException, ValueError, LookupError, struct.error)


class AckToken(Struct, frozen=True):
    """What acknowledging a message takes; good for the connection it came by and no other."""

    connection: int
    packet_id: int
    qos: int


class GuardedClient(mqtt.Client):
    """A paho client that drops a PUBLISH it can't read, where paho would drop the connection.

    paho calls U+FEFF in a property malformed (MQTT 5, 1.5.4, allows it, and brokers pass it on)
    and disconnects; the broker then delivers the same message again, for ever. Some other
    malformed packets raise what paho does not catch, which ends its thread.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._writing = threading.Lock()
        self._broken_by: ssl.SSLError | None = None
        super().__init__(*arguments, **options)

    def take_broken_by(self) -> ssl.SSLError | None:
        """Return what TLS ended the last connection with, once; paho only logs it."""
        found, self._broken_by = self._broken_by, None
        return found

    def reconnect(self) -> MQTTErrorCode:
        """Connect; whatever makes it impossible is one kind of error, which paho tries again.

        Any other would end its thread, and with it all tries: a name that can't be one raises a
        UnicodeError, for instance.
        """
        self._broken_by = None
        try:
            return super().reconnect()
        except OSError:
            raise
        except Exception as error:
            raise ConnectionError(str(error) or type(error).__name__) from error

    def _sock_recv(self, bufsize: int) -> bytes:
        try:
            return super()._sock_recv(bufsize)
        except ssl.SSLError as error:
            # With TLS 1.3 a broker's no to our certificate comes after the handshake.
            self._broken_by = error
            raise

    def _sock_send(self, buf: bytes | bytearray) -> int:
        try:
            return super()._sock_send(buf)
        except BlockingIOError:
            raise
        except OSError:
            if self._ssl:
                # Its no, and its hanging up, may be here before our first word has gone out.
                with contextlib.suppress(OSError):
                    self._sock_recv(1)
            raise

    def _handle_publish(self) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        qos = packet_id = 0
        try:
            qos, packet_id, properties_bytes = _outline(
                self._in_packet["command"], packet, with_properties=self._is_v5
            )
            if properties_bytes > MAX_PROPERTIES_BYTES:
                reason = f"{properties_bytes} bytes of properties"
            else:
                return super()._handle_publish()
        except _UNREADABLE as error:
            reason = str(error)[:200]
        _log.warning("unreadable_publish_dropped", size_bytes=len(packet), reason=reason)
        return self.ack(packet_id, qos)

    @property
    def unsent(self) -> int:
        """How many packets wait for the socket; a burst is one."""
        return len(self._out_packet)

    @property
    def unsent_bytes(self) -> int:
        """How many bytes they have left."""
        return sum(one["to_process"] for one in self._out_packet.copy())

    def send_burst(self, packets: bytes) -> None:
        """Send whole packets that nobody answers, and of which nobody needs to hear.

        They are dropped where there is no connection, and with it when it breaks. Where it is
        free, the socket is written to from here: waking paho's thread for each token costs more
        than the rest of the way. Not with TLS, whose sockets two threads may not use at once.
        """
        if not self.is_connected():
            return
        if self._ssl or self._out_packet:
            self._packet_queue(_BURST, packets, 0, 0)
            return
        self._out_packet.append(_burst(packets))
        self._packet_write()
        if self._out_packet and self._sockpairW is not None:
            # The socket is full: paho's thread writes the rest when it can.
            with contextlib.suppress(BlockingIOError):
                self._sockpairW.send(b"\0")

    def _packet_write(self) -> MQTTErrorCode:
        with self._writing:
            return super()._packet_write()

    @property
    def _is_v5(self) -> bool:
        return self.protocol == MQTTProtocolVersion.MQTTv5


def _burst(packets: bytes) -> Any:
    return {"command": _BURST, "mid": 0, "qos": 0, "pos": 0, "to_process": len(packets),
            "packet": packets, "info": None}  # fmt: skip


def make_client(options: BrokerOptions, will: Outgoing | None) -> GuardedClient:
    """Return a client that is set up and not yet connected.

    Raises:
        OSError: A TLS file can't be read.

    """
    is_v5 = options.protocol == "5"
    client = GuardedClient(
        CallbackAPIVersion.VERSION2,
        client_id=options.client_id,
        clean_session=None if is_v5 else options.session_expiry_s == 0,
        protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
        manual_ack=True,
    )
    client.connect_timeout = options.connect_timeout_s
    client.max_queued_messages_set(0)
    client.max_inflight_messages_set(65_535)  # the connection keeps the window, as paho has no
    # eye for the broker's Receive Maximum
    if options.username is not None:
        client.username_pw_set(options.username, options.password)
    if options.tls is not None:
        client.tls_set_context(options.tls.context())
    if will is not None:
        set_will(client, will, with_properties=is_v5)
    return client


def set_will(client: mqtt.Client, will: Outgoing, *, with_properties: bool) -> None:
    """Have the broker publish a message for us when we vanish, from the next connection on."""
    properties = publish_properties(will, PacketTypes.WILLMESSAGE) if with_properties else None
    client.will_set(will.topic, will.payload, will.qos, will.retain, properties)


def server_limits(properties: Properties | None, max_in_flight: int) -> ServerLimits:
    """Return what a CONNACK says of the broker's limits.

    Args:
        properties: The CONNACK's; None where the protocol has none.
        max_in_flight: How many messages we would have unacknowledged at most.

    """
    found = ServerLimits(
        window=getattr(properties, "ReceiveMaximum", _NO_LIMIT),
        packet_bytes=getattr(properties, "MaximumPacketSize", None),
        qos=min(1, getattr(properties, "MaximumQoS", 1)),
        retain=bool(getattr(properties, "RetainAvailable", 1)),
        shared_subscriptions=bool(getattr(properties, "SharedSubscriptionAvailable", 1)),
    )
    return replace(found, window=min(max_in_flight, found.window))


def connect_properties(options: BrokerOptions) -> Properties:
    """Return what MQTT 5's CONNECT says about the session and our limits."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = options.session_expiry_s
    properties.ReceiveMaximum = options.receive_maximum
    properties.MaximumPacketSize = options.maximum_packet_bytes
    return properties


def publish_properties(
    outgoing: Outgoing, packet_type: int = PacketTypes.PUBLISH
) -> Properties | None:
    """Return a message's MQTT 5 properties, or None if it has none."""
    wanted: dict[str, Any] = {
        "ResponseTopic": outgoing.response_topic,
        "CorrelationData": outgoing.correlation_data,
        "ContentType": outgoing.content_type,
        "MessageExpiryInterval": outgoing.expiry_s,
        "UserProperty": list(outgoing.user_properties) or None,
    }
    present = {name: value for name, value in wanted.items() if value is not None}
    if not present:
        return None
    properties = Properties(packet_type)  # type: ignore[no-untyped-call]
    for name, value in present.items():
        setattr(properties, name, value)
    return properties


def to_incoming(message: mqtt.MQTTMessage, connection: int) -> Incoming:
    """Return paho's message as our value, stamped with the time of its arrival.

    Raises:
        UnicodeDecodeError: The topic is not UTF-8.

    """
    properties = message.properties
    return Incoming(
        topic=message.topic,
        payload=bytes(message.payload),
        qos=message.qos,
        retain=message.retain,
        duplicate=message.dup,
        arrived_at=time.time(),
        arrived=time.monotonic(),
        response_topic=getattr(properties, "ResponseTopic", None),
        correlation_data=getattr(properties, "CorrelationData", None),
        content_type=getattr(properties, "ContentType", None),
        expiry_s=getattr(properties, "MessageExpiryInterval", None),
        user_properties=tuple(getattr(properties, "UserProperty", ())),
        token=AckToken(connection, message.mid, message.qos),
    )


_UNSENT_BYTES = 16 * 1024
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 0x201 if sys.platform == "darwin" else 25)
"""socket has the name from Python 3.12 on."""


def send_without_delay(_client: mqtt.Client, _userdata: object, sock: Any) -> None:
    """Have the system hold nothing back, and not take more than the network does.

    Nagle's algorithm holds small packets for up to 40 ms. And megabytes of a stream that lie in
    the system's buffer are out of our hands: a final reply would come behind them.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT_BYTES)


def _outline(
    header: int, packet: bytes | bytearray, *, with_properties: bool
) -> tuple[int, int, int]:
    """Read a PUBLISH's QoS, packet identifier and size of its properties (MQTT 5, 3.3)."""
    qos = (header & 0x06) >> 1
    position = 2 + int.from_bytes(packet[:2], "big")
    packet_id = 0
    if qos:
        packet_id = int.from_bytes(packet[position : position + 2], "big")
        position += 2
    properties_bytes = 0
    if with_properties:
        for shift in range(4):
            digit = packet[position + shift]
            properties_bytes |= (digit & 0x7F) << (7 * shift)
            if not digit & 0x80:
                break
    return qos, packet_id, properties_bytes

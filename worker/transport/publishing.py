"""What is on its way out: a window of unacknowledged messages, the rest in order behind it.

paho has no eye for the broker's Receive Maximum (Mosquitto: 20; MQTT 5, 4.9), and a broker closes
the connection of whoever exceeds it. So paho holds only what fits, and sends that again by itself
after a reconnect; the rest waits here. What goes at QoS 0 is collected and goes as one burst when
the loop has done what it is at; nothing at QoS 1 overtakes it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace
from paho.mqtt import client as mqtt

from worker.transport.bursts import packet
from worker.transport.packets import ServerLimits
from worker.transport.paho_client import publish_properties

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.transport.packets import Outgoing
    from worker.transport.paho_client import GuardedClient

MAX_UNSENT = 2_000
"""Bursts paho may hold for a slow broker; beyond it they are dropped, as QoS 0 allows."""

MAX_LAG_S = 0.25
MAX_LAG_BYTES = 16 * 1024
"""When the socket has not kept up for so long and so many bytes wait, others are dropped: a final
reply must not come behind a stream that nobody can follow any more over this link."""

_PROPERTIES_ALLOWANCE_BYTES = 256


class PublishFailed(Exception):
    """A message was not taken: the broker refused it, or the connection was stopped before."""


class LargerThanTaken(PublishFailed):
    """A message is larger than what the broker takes; it can't be sent, however often."""


class Stopped(PublishFailed):
    """The connection was stopped before the broker had the message."""


class _Flight(Struct):
    """A message on its way and the future that its PUBACK resolves."""

    outgoing: Outgoing
    future: asyncio.Future[None]


class Publishing:
    """The outgoing half of a connection; lives on the event loop.

    Args:
        client: Where messages are handed to.
        with_properties: Whether the protocol has any, so MQTT 5.

    """

    def __init__(self, client: GuardedClient, *, with_properties: bool) -> None:
        self.idle = asyncio.Event()
        """Set while nothing waits for a PUBACK."""
        self._client = client
        self._with_properties = with_properties
        self._live = False
        self._limits = ServerLimits(window=0)
        self._behind_since: float | None = None
        self._waiting: deque[_Flight] = deque()
        self._in_flight: dict[int, _Flight] = {}
        self._burst: list[bytes] = []
        self.idle.set()

    def __len__(self) -> int:
        """Return how many messages have no PUBACK yet."""
        return len(self._waiting) + len(self._in_flight)

    @property
    def in_flight(self) -> int:
        """How many of them paho holds."""
        return len(self._in_flight)

    def publish(self, outgoing: Outgoing) -> asyncio.Future[None]:
        """Send a message, now or when there is room; see `Connection.publish`."""
        if outgoing.qos == 0:
            self._publish_and_forget(outgoing)
            return _done()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Flight(outgoing, future))
        self.idle.clear()
        self._fill_window()
        return future

    def connected(self, limits: ServerLimits, returned: Sequence[int]) -> None:
        """Begin to send.

        Args:
            limits: What the broker takes.
            returned: Packet identifiers that paho gave up, so that they are sent anew.

        """
        self._take_back(returned)
        self._limits = limits
        self._live = True
        self._fill_window()

    def disconnected(self) -> None:
        """Hold everything back; what is at QoS 0 is gone."""
        self._live = False
        self._burst.clear()
        self._behind_since = None
        if self._limits.qos == 0:
            # paho sends nothing of QoS 0 again.
            self._take_back(list(self._in_flight))

    def _take_back(self, packet_ids: Sequence[int]) -> None:
        for packet_id in reversed(packet_ids):
            flight = self._in_flight.pop(packet_id, None)
            if flight is not None:
                self._waiting.appendleft(flight)

    def acknowledged(self, packet_id: int, failure: str | None) -> None:
        """Note a PUBACK."""
        flight = self._in_flight.pop(packet_id, None)
        if flight is None:
            return
        if failure is not None:
            _fail(flight, failure)
        elif not flight.future.done():
            flight.future.set_result(None)
        self._fill_window()

    def close(self) -> None:
        """Fail all that has no PUBACK."""
        for flight in (*self._in_flight.values(), *self._waiting):
            _fail(flight, "the connection was stopped", Stopped)
        self._in_flight.clear()
        self._waiting.clear()

    def _publish_and_forget(self, outgoing: Outgoing) -> None:
        if not self._live or self._is_behind or self._too_large(outgoing):
            return
        if outgoing.retain and not self._limits.retain:
            outgoing = replace(outgoing, retain=False)
        if not self._burst:
            asyncio.get_running_loop().call_soon(self._send_burst)
        self._burst.append(packet(outgoing, with_properties=self._with_properties))

    def _send_burst(self) -> None:
        if self._burst:
            self._client.send_burst(b"".join(self._burst))
            self._burst.clear()

    @property
    def _is_behind(self) -> bool:
        """Whether the network takes less than is published at QoS 0."""
        unsent = self._client.unsent
        if not unsent:
            self._behind_since = None
            return False
        now = time.monotonic()
        if self._behind_since is None:
            self._behind_since = now
        is_late = now - self._behind_since > MAX_LAG_S
        return unsent >= MAX_UNSENT or (is_late and self._client.unsent_bytes > MAX_LAG_BYTES)

    def _fill_window(self) -> None:
        while self._live and self._waiting and len(self._in_flight) < self._limits.window:
            flight = self._waiting.popleft()
            if flight.future.done():
                continue
            if self._too_large(flight.outgoing):
                why = f"the broker takes {self._limits.packet_bytes} bytes"
                _fail(flight, why, LargerThanTaken)
                continue
            info = self._hand_over(flight.outgoing)
            while info.rc == mqtt.MQTT_ERR_QUEUE_SIZE:
                # The identifiers have gone round and this one is still in flight: try the next.
                info = self._hand_over(flight.outgoing)
            self._in_flight[info.mid] = flight
        if not self._waiting and not self._in_flight:
            self.idle.set()

    def _hand_over(self, outgoing: Outgoing) -> mqtt.MQTTMessageInfo:
        self._send_burst()
        return self._client.publish(
            outgoing.topic,
            outgoing.payload,
            min(outgoing.qos, self._limits.qos),
            outgoing.retain and self._limits.retain,
            publish_properties(outgoing) if self._with_properties else None,
        )

    def _too_large(self, outgoing: Outgoing) -> bool:
        if self._limits.packet_bytes is None:
            return False
        topic_bytes = len(outgoing.topic.encode())
        size_bytes = len(outgoing.payload) + topic_bytes + _PROPERTIES_ALLOWANCE_BYTES
        return size_bytes > self._limits.packet_bytes


def _done() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


def _fail(flight: _Flight, reason: str, kind: type[PublishFailed] = PublishFailed) -> None:
    if not flight.future.done():
        flight.future.set_exception(kind(f"{flight.outgoing.topic}: {reason}"))
        # Looked at once, so that asyncio does not complain of one that nobody awaits.
        flight.future.exception()

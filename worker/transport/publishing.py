"""What is on its way out: a window of unacknowledged messages, the rest in order behind it.

paho has no eye for the broker's Receive Maximum (Mosquitto: 20; MQTT 5, 4.9), and a broker closes
the connection of whoever exceeds it. So paho holds only what fits, and sends that again by itself
after a reconnect; the rest waits here. What goes at QoS 0 is collected and goes as one burst when
the loop has done what it is at; nothing at QoS 1 overtakes it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct
from paho.mqtt import client as mqtt

from worker.transport.bursts import packet
from worker.transport.paho_client import publish_properties

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.transport.packets import Outgoing
    from worker.transport.paho_client import GuardedClient

MAX_UNSENT = 2_000
"""Bursts paho may hold for a slow broker; beyond it they are dropped, as QoS 0 allows."""

_PROPERTIES_ALLOWANCE_BYTES = 256


class PublishFailed(Exception):
    """A message was not taken: the broker refused it, or the connection was stopped before."""


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
        self._window = 0
        self._server_maximum_bytes: int | None = None
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

    def connected(
        self, window: int, server_maximum_bytes: int | None, returned: Sequence[int]
    ) -> None:
        """Begin to send.

        Args:
            window: How many messages may be unacknowledged at once.
            server_maximum_bytes: The largest packet the broker takes, if it said so.
            returned: Packet identifiers that paho gave up, so that they are sent anew.

        """
        for packet_id in reversed(returned):
            flight = self._in_flight.pop(packet_id, None)
            if flight is not None:
                self._waiting.appendleft(flight)
        self._window = window
        self._server_maximum_bytes = server_maximum_bytes
        self._live = True
        self._fill_window()

    def disconnected(self) -> None:
        """Hold everything back; what is at QoS 0 is gone."""
        self._live = False
        self._burst.clear()

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
            _fail(flight, "the connection was stopped")
        self._in_flight.clear()
        self._waiting.clear()

    def _publish_and_forget(self, outgoing: Outgoing) -> None:
        if not self._live or self._client.unsent >= MAX_UNSENT or self._too_large(outgoing):
            return
        if not self._burst:
            asyncio.get_running_loop().call_soon(self._send_burst)
        self._burst.append(packet(outgoing, with_properties=self._with_properties))

    def _send_burst(self) -> None:
        if self._burst:
            self._client.send_burst(b"".join(self._burst))
            self._burst.clear()

    def _fill_window(self) -> None:
        while self._live and self._waiting and len(self._in_flight) < self._window:
            flight = self._waiting.popleft()
            if flight.future.done():
                continue
            if self._too_large(flight.outgoing):
                _fail(flight, f"larger than the {self._server_maximum_bytes} bytes a broker takes")
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
            outgoing.qos,
            outgoing.retain,
            publish_properties(outgoing) if self._with_properties else None,
        )

    def _too_large(self, outgoing: Outgoing) -> bool:
        if self._server_maximum_bytes is None:
            return False
        topic_bytes = len(outgoing.topic.encode())
        size_bytes = len(outgoing.payload) + topic_bytes + _PROPERTIES_ALLOWANCE_BYTES
        return size_bytes > self._server_maximum_bytes


def _done() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


def _fail(flight: _Flight, reason: str) -> None:
    if not flight.future.done():
        flight.future.set_exception(PublishFailed(f"{flight.outgoing.topic}: {reason}"))
        # Looked at once, so that asyncio does not complain of one that nobody awaits.
        flight.future.exception()

"""Brokers that take less than MQTT allows: what they can't do is left out, and said."""

import asyncio
import json
import socket
import threading

import pytest
from exchange import body_of, final_of, hear, new_id, wait_in_log
from rig import Daemon, Mosquitto, Wire
from structlog.testing import capture_logs

from worker.transport.connection import Connection
from worker.transport.options import BrokerOptions

LONG = {"prompt": "stub: tokens=2000", "mode": "no_think"}


@pytest.fixture
def limited(tmp_path):
    """Start a daemon on a Mosquitto with lines of its own in its configuration."""
    made = []

    def make(*lines):
        (tmp_path / "broker").mkdir()
        broker = Mosquitto(tmp_path / "broker", lines=lines).start()
        made.append(broker.stop)
        (tmp_path / "daemon").mkdir()
        daemon = Daemon(tmp_path / "daemon", broker.port).start(wait=False)
        made.append(daemon.stop)
        wait_in_log(daemon, "broker_connected")
        wire = Wire(broker.port, daemon.root)
        made.append(wire.close)
        return daemon, wire.listen(f"{daemon.root}/reply/me/#", f"{daemon.root}/dead/#")

    yield make
    for close in reversed(made):
        close()


def test_a_broker_that_retains_nothing_is_lived_with_and_said(limited):
    daemon, wire = limited("retain_available false")
    assert wire.ask("hello there")["content"] == "hello there"
    wait_in_log(daemon, "broker_limits", "retained messages")


def test_a_broker_that_knows_qos_0_only_is_lived_with_and_said(limited):
    daemon, wire = limited("max_qos 0")
    request_id = new_id()
    wire.send({"id": request_id, "prompt": "hello there"}, qos=0)
    assert wire.reply(request_id)["content"] == "hello there"
    wait_in_log(daemon, "broker_limits", "QoS 1")


def test_one_message_in_flight_at_a_time_is_enough(limited):
    _, wire = limited("max_inflight_messages 1")
    sent = [new_id() for _ in range(30)]
    for request_id in sent:
        wire.send({"id": request_id, "prompt": request_id})
    for request_id in sent:
        assert wire.reply(request_id)["content"] == request_id


def test_an_answer_that_the_broker_does_not_let_through_is_an_error_and_a_dead_letter(limited):
    _, wire = limited("max_packet_size 6000")
    request_id = new_id()
    wire.send({"id": request_id, **LONG})
    first = final_of(wire, request_id)
    assert body_of(first)["error"]["code"] == "too_large"
    letter = hear(wire, lambda message: "/dead/" in message.topic)
    assert letter.json["id"] == request_id
    wire.send({"id": request_id, **LONG})
    assert final_of(wire, request_id).payload == first.payload
    assert wire.ask("short")["content"] == "short"


class Dummy:
    """Answers one client's CONNECT with given properties, and grants all it subscribes to."""

    def __init__(self, properties):
        self._properties = properties
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.subscription = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        near, _ = self._listener.accept()
        self._packet(near)
        size = len(self._properties)
        near.sendall(bytes([0x20, 3 + size, 0, 0, size]) + self._properties)
        packet = self._packet(near)
        count = packet.count(b"t/")
        # First: whoever hears that it is subscribed may look at once.
        self.subscription = packet
        near.sendall(bytes([0x90, 3 + count]) + packet[:2] + bytes([0]) + bytes([1]) * count)
        near.recv(1 << 16)

    def _packet(self, near):
        near.recv(1)
        size = shift = 0
        while True:
            (digit,) = near.recv(1)
            size |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                return near.recv(size, socket.MSG_WAITALL)


async def connected_to(broker, *subscriptions):
    connection = Connection(
        BrokerOptions(port=broker.port, client_id="c"),
        subscriptions=subscriptions,
        on_message=lambda _message: None,
    )
    await connection.start()
    await asyncio.wait_for(connection.wait_connected(), 20)
    return connection


async def test_a_broker_without_shared_subscriptions_is_not_asked_for_one_and_it_is_said():
    broker = Dummy(b"\x2a\x00")
    with capture_logs() as logs:
        connection = await connected_to(broker, "$share/group/t/request", "t/control")
        await connection.stop(timeout_s=0.2)
    assert b"$share" not in broker.subscription
    assert b"t/control" in broker.subscription
    (said,) = [line for line in logs if line["event"] == "broker_limits"]
    assert "topics.group" in json.dumps(said["lacking"])


async def test_the_brokers_keep_alive_is_kept():
    connection = await connected_to(Dummy(b"\x13\x00\x07"), "t/request")
    assert connection._client._keepalive == 7
    await connection.stop(timeout_s=0.2)

"""The embedded brokers: what the contract needs of MQTT 5 works on the one from the wheel."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time

import pytest

from worker.transport.embedded import BrokerUnavailable, EmbeddedBroker, find_mosquitto
from worker.transport.packets import Outgoing

KINDS = pytest.mark.parametrize("kind", ["iotcore", "mosquitto"])


def accepts(port, host="127.0.0.1"):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


@KINDS
def test_it_accepts_connections_once_started_and_none_once_stopped(kind):
    broker = EmbeddedBroker()
    bound = broker.start(kind)
    assert bound.kind == kind
    assert accepts(bound.port)
    broker.stop()
    assert not accepts(bound.port)


@KINDS
def test_it_listens_on_loopback_only(kind):
    broker = EmbeddedBroker()
    bound = broker.start(kind)
    try:
        assert bound.host == "127.0.0.1"
        assert not accepts(bound.port, "127.0.0.2")
    finally:
        broker.stop()


@KINDS
def test_a_taken_port_is_said(kind):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BrokerUnavailable, match=f"can't listen on 127.0.0.1:{port}"):
            EmbeddedBroker().start(kind, port=port)


def test_auto_takes_mosquitto_where_it_is_installed():
    broker = EmbeddedBroker()
    try:
        expected = "iotcore" if find_mosquitto() is None else "mosquitto"
        assert broker.start("auto").kind == expected
    finally:
        broker.stop()


@KINDS
def test_it_dies_with_the_process_that_started_it(kind):
    program = (
        "import json, sys, time\n"
        "from worker.transport.embedded import EmbeddedBroker\n"
        f"bound = EmbeddedBroker().start({kind!r})\n"
        "print(json.dumps([bound.port]), flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    for line in parent.stdout:  # log lines come first
        if line.startswith(b"["):
            port = json.loads(line)[0]
            break
    assert accepts(port)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while accepts(port) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not accepts(port)


# What the contract needs of MQTT 5, on the broker from the wheel.


async def test_iotcore_passes_every_property_on(iotcore_broker, connect, wire_on, topic):
    _, ear = await connect(iotcore_broker.port, topic)
    wire_on(iotcore_broker.port).send(
        b"x",
        topic=topic,
        reply_to="a/b",
        correlation=b"\x00\xff",
        ContentType="text/plain",
        MessageExpiryInterval=60,
        UserProperty=[("a", "1")],
    )
    message = await ear.message()
    assert message.response_topic == "a/b"
    assert message.correlation_data == b"\x00\xff"
    assert message.content_type == "text/plain"
    assert message.expiry_s is not None
    assert message.user_properties == (("a", "1"),)


async def test_iotcore_acknowledges_at_qos_1(iotcore_broker, connect, topic):
    connection, ear = await connect(iotcore_broker.port, topic)
    sent = [connection.publish(Outgoing(topic=topic, payload=b"%d" % n)) for n in range(300)]
    await asyncio.wait_for(asyncio.gather(*sent), 20)
    assert {int((await ear.message()).payload) for _ in range(300)} == set(range(300))


async def test_iotcore_divides_a_shared_subscription(iotcore_broker, connect, topic):
    _, first = await connect(iotcore_broker.port, f"$share/g/{topic}")
    _, second = await connect(iotcore_broker.port, f"$share/g/{topic}")
    connection, _ = await connect(iotcore_broker.port)
    sent = [connection.publish(Outgoing(topic=topic, payload=b"%d" % n)) for n in range(20)]
    await asyncio.wait_for(asyncio.gather(*sent), 20)
    heard = [await ear.message() for _ in range(10) for ear in (first, second)]
    assert {int(message.payload) for message in heard} == set(range(20))


async def test_iotcore_retains(iotcore_broker, connect, wire_on, topic):
    connection, _ = await connect(iotcore_broker.port)
    await connection.publish(Outgoing(topic=topic, payload=b"online", retain=True))
    wire = wire_on(iotcore_broker.port, topic)
    assert (await asyncio.to_thread(wire.wait)).payload == b"online"


async def test_iotcore_publishes_the_will(iotcore_broker, connect, wire_on, topic):
    wire = wire_on(iotcore_broker.port, topic)
    connection, _ = await connect(
        iotcore_broker.port, will=Outgoing(topic=topic, payload=b"offline")
    )
    connection._client.socket().shutdown(socket.SHUT_RDWR)
    assert (await asyncio.to_thread(wire.wait)).payload == b"offline"


async def test_iotcore_carries_ten_megabytes(iotcore_broker, connect, wire_on, topic):
    _, ear = await connect(iotcore_broker.port, topic)
    wire_on(iotcore_broker.port).send(b"x" * 10_000_000, topic=topic)
    assert len((await ear.message()).payload) == 10_000_000

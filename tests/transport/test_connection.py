"""The connection, on a real Mosquitto that is stopped, killed and started again."""

import asyncio
import signal
import socket
import subprocess
import threading

import pytest
from rig import Mosquitto
from structlog.testing import capture_logs

from worker.transport.options import TlsOptions
from worker.transport.packets import Outgoing
from worker.transport.publishing import PublishFailed
from worker.transport.retry import SESSION_TAKEN_OVER, hint, retry_delay_s

BOTH = pytest.mark.parametrize("protocol", ["5", "3.1.1"])


async def acknowledged(future):
    await asyncio.wait_for(future, 20)


async def until(condition):
    """Wait for what has no event to wait for: a log line, a counter inside."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)


def restart(broker):
    broker.stop(signal.SIGKILL)
    broker.start()


def cut(connection):
    """End a connection as a broken network would: without a DISCONNECT."""
    connection._client.socket().shutdown(socket.SHUT_RDWR)


# In and out.


async def test_a_message_arrives_with_all_its_properties(mosquitto, connect, wire_on, topic):
    _, ear = await connect(mosquitto.port, topic)
    wire = wire_on(mosquitto.port)
    wire.send(
        b"\x00\xff",
        topic=topic,
        reply_to="a/b",
        correlation=b"\x00\xffc",
        ContentType="application/msgpack",
        MessageExpiryInterval=60,
        UserProperty=[("a", "1"), ("a", "2")],
    )
    message = await ear.message()
    assert (message.topic, message.payload, message.qos) == (topic, b"\x00\xff", 1)
    assert message.response_topic == "a/b"
    assert message.correlation_data == b"\x00\xffc"
    assert message.content_type == "application/msgpack"
    assert 0 < message.expiry_s <= 60
    assert message.user_properties == (("a", "1"), ("a", "2"))
    assert message.arrived_at > 0 < message.arrived


async def test_a_published_message_has_all_its_properties(mosquitto, connect, wire_on, topic):
    connection, _ = await connect(mosquitto.port)
    wire = wire_on(mosquitto.port, topic)
    outgoing = Outgoing(
        topic=topic,
        payload=b"\xff",
        correlation_data=b"\x00c",
        content_type="application/json",
        expiry_s=60,
        user_properties=(("status", "ok"),),
    )
    await acknowledged(connection.publish(outgoing))
    heard = await asyncio.to_thread(wire.wait)
    assert (heard.payload, heard.qos, heard.correlation) == (b"\xff", 1, b"\x00c")
    assert (heard.content_type, heard.user) == ("application/json", {"status": "ok"})


async def test_mqtt_3_1_1_carries_payloads(mosquitto, connect, topic):
    connection, ear = await connect(mosquitto.port, topic, protocol="3.1.1")
    await acknowledged(
        connection.publish(Outgoing(topic=topic, payload=b"x", correlation_data=b"c"))
    )
    message = await ear.message()
    assert (message.payload, message.correlation_data) == (b"x", None)


async def test_a_request_at_qos_2_is_delivered_at_qos_1(mosquitto, connect, wire_on, topic):
    _, ear = await connect(mosquitto.port, topic)
    wire_on(mosquitto.port).send(b"x", topic=topic, qos=2)
    assert (await ear.message()).qos == 1


async def test_ten_megabytes_arrive_whole(mosquitto, connect, wire_on, topic):
    _, ear = await connect(mosquitto.port, topic)
    wire_on(mosquitto.port).send(b"x" * 10_000_000, topic=topic)
    assert len((await ear.message()).payload) == 10_000_000


async def test_a_burst_arrives_in_order(mosquitto, connect, topic):
    connection, ear = await connect(mosquitto.port, topic)
    sent = [connection.publish(Outgoing(topic=topic, payload=b"%d" % n)) for n in range(500)]
    await acknowledged(asyncio.gather(*sent))
    assert [int((await ear.message()).payload) for _ in range(500)] == list(range(500))


async def test_the_workers_of_a_group_divide_the_messages(mosquitto, connect, topic):
    connection, first = await connect(mosquitto.port, f"$share/group/{topic}")
    _, second = await connect(mosquitto.port, f"$share/group/{topic}")
    for n in range(20):
        connection.publish(Outgoing(topic=topic, payload=b"%d" % n))
    heard = [await ear.message() for _ in range(10) for ear in (first, second)]
    assert {int(message.payload) for message in heard} == set(range(20))


async def test_small_packets_are_not_held_back(mosquitto, connect):
    connection, _ = await connect(mosquitto.port)
    sock = connection._client.socket()
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_retained_messages_do_not_come_with_each_connect(mosquitto, connect, wire_on, topic):
    wire = wire_on(mosquitto.port)
    wire.client.publish(topic, b"old", 1, retain=True).wait_for_publish(10)
    _, ear = await connect(mosquitto.port, topic)
    wire.send(b"new", topic=topic)
    assert (await ear.message()).payload == b"new"


async def test_a_bug_in_one_messages_way_does_not_stop_the_next(mosquitto, connect, topic):
    connection, ear = await connect(mosquitto.port, topic)
    heard = ear.messages.put_nowait
    connection._on_message = lambda message: heard(message) if message.payload == b"2" else 1 / 0
    with capture_logs() as logs:
        await acknowledged(connection.publish(Outgoing(topic=topic, payload=b"1")))
        await acknowledged(connection.publish(Outgoing(topic=topic, payload=b"2")))
        assert (await ear.message()).payload == b"2"
    assert "event_failed" in [line["event"] for line in logs]


# What other clients send.


async def test_a_byte_order_mark_in_a_property_does_not_end_the_connection(
    mosquitto, connect, wire_on, topic
):
    _, ear = await connect(mosquitto.port, topic)
    wire = wire_on(mosquitto.port)
    with capture_logs() as logs:
        wire.send(b"1", topic=topic, UserProperty=("a", "\ufeffb"))
        wire.send(b"2", topic=topic)
        assert (await ear.message()).payload == b"2"
    assert [line["event"] for line in logs] == ["unreadable_publish_dropped"]
    assert ear.states.qsize() == 1


async def test_a_flood_of_properties_is_dropped_unread(mosquitto, connect, wire_on, topic):
    _, ear = await connect(mosquitto.port, topic)
    wire = wire_on(mosquitto.port)
    wire.send(b"1", topic=topic, UserProperty=[("name", "v" * 1000)] * 200)
    wire.send(b"2", topic=topic)
    assert (await ear.message()).payload == b"2"


# Acknowledgement.


@BOTH
async def test_what_is_not_acknowledged_comes_again(mosquitto, connect, wire_on, topic, protocol):
    connection, ear = await connect(mosquitto.port, topic, acknowledge=False, protocol=protocol)
    wire_on(mosquitto.port).send(b"x", topic=topic)
    first = await ear.message()
    cut(connection)
    again = await ear.message()
    assert (first.duplicate, again.duplicate, again.payload) == (False, True, b"x")


async def test_what_is_acknowledged_does_not_come_again(mosquitto, connect, wire_on, topic):
    connection, ear = await connect(mosquitto.port, topic)
    wire = wire_on(mosquitto.port)
    wire.send(b"1", topic=topic)
    await ear.message()
    # The PUBACK went before this publish, and the broker has answered that.
    await acknowledged(connection.publish(Outgoing(topic="elsewhere", payload=b"")))
    cut(connection)
    await ear.state(connected=False)
    wire.send(b"2", topic=topic)
    assert (await ear.message()).payload == b"2"


async def test_an_acknowledgement_is_for_its_own_connection_only(
    mosquitto, connect, wire_on, topic
):
    connection, ear = await connect(mosquitto.port, topic, acknowledge=False)
    wire_on(mosquitto.port).send(b"x", topic=topic)
    first = await ear.message()
    cut(connection)
    await ear.message()
    connection.ack(first)
    await acknowledged(connection.publish(Outgoing(topic="elsewhere", payload=b"")))
    cut(connection)
    assert (await ear.message()).payload == b"x"


# The broker goes away.


async def test_a_broker_that_is_away_at_the_start_is_waited_for(tmp_path, connect, topic):
    broker = Mosquitto(tmp_path)
    with capture_logs() as logs:
        connection, _ = await connect(broker.port, wait=False)
        pending = connection.publish(Outgoing(topic=topic, payload=b"early"))
        await until(lambda: [line for line in logs if line["log_level"] == "debug"])
    warnings = [line for line in logs if line["log_level"] == "warning"]
    assert [line["event"] for line in warnings] == ["broker_away"]
    broker.start()
    try:
        await acknowledged(pending)
        assert connection.connected
    finally:
        await connection.stop()
        broker.stop()


@BOTH
async def test_what_is_published_while_the_broker_is_away_is_sent_later(
    own_mosquitto, connect, wire_on, topic, protocol
):
    connection, ear = await connect(own_mosquitto.port, protocol=protocol)
    own_mosquitto.stop(signal.SIGKILL)
    await ear.state(connected=False)
    sent = [connection.publish(Outgoing(topic=topic, payload=b"%d" % n)) for n in range(50)]
    own_mosquitto.start()
    wire = wire_on(own_mosquitto.port, topic)
    await acknowledged(asyncio.gather(*sent))
    heard = {(await asyncio.to_thread(wire.wait)).payload for _ in range(50)}
    assert len(heard) == 50


@BOTH
async def test_what_was_unacknowledged_when_the_broker_died_is_sent_again(
    own_mosquitto, connect, wire_on, topic, protocol
):
    connection, ear = await connect(own_mosquitto.port, protocol=protocol)
    own_mosquitto.process.send_signal(signal.SIGSTOP)
    sent = [connection.publish(Outgoing(topic=topic, payload=b"%d" % n)) for n in range(50)]
    await asyncio.wait(sent, timeout=0.1)
    assert not any(future.done() for future in sent)
    # paho sends it all as soon as it has a broker, which may be before anybody else has.
    is_listened = threading.Event()
    connection._client.on_pre_connect = lambda *_: is_listened.wait(20)
    restart(own_mosquitto)
    wire = wire_on(own_mosquitto.port, topic)
    is_listened.set()
    await ear.state(connected=False)
    await acknowledged(asyncio.gather(*sent))
    assert (await asyncio.to_thread(wire.wait)).payload


async def test_a_broker_that_takes_less_than_before_is_not_overrun(tmp_path, connect, topic):
    broker = Mosquitto(tmp_path).start()
    connection, _ = await connect(broker.port)
    broker.process.send_signal(signal.SIGSTOP)
    sent = [connection.publish(Outgoing(topic=topic, payload=b"%d" % n)) for n in range(200)]
    await asyncio.wait(sent, timeout=0.1)
    broker.stop(signal.SIGKILL)
    smaller = Mosquitto(tmp_path, broker.port, lines=["max_inflight_messages 5"]).start()
    try:
        await acknowledged(asyncio.gather(*sent))
        assert connection._publishing._limits.window == 5
    finally:
        await connection.stop()
        smaller.stop()


async def test_the_brokers_receive_maximum_is_kept(tmp_path, connect, topic):
    broker = Mosquitto(tmp_path, lines=["max_inflight_messages 5"]).start()
    try:
        connection, ear = await connect(broker.port, topic)
        sent = [connection.publish(Outgoing(topic=topic, payload=b"%d" % n)) for n in range(300)]
        await acknowledged(asyncio.gather(*sent))
        assert ear.states.qsize() == 1
        await connection.stop()
    finally:
        broker.stop()


async def test_what_the_broker_can_not_take_fails(tmp_path, connect, topic):
    broker = Mosquitto(tmp_path, lines=["max_packet_size 2000"]).start()
    try:
        connection, _ = await connect(broker.port)
        with pytest.raises(PublishFailed, match="2000 bytes"):
            await connection.publish(Outgoing(topic=topic, payload=b"x" * 3000))
        await acknowledged(connection.publish(Outgoing(topic=topic, payload=b"x")))
        await connection.stop()
    finally:
        broker.stop()


async def test_without_a_connection_qos_0_is_dropped(own_mosquitto, connect, wire_on, topic):
    connection, ear = await connect(own_mosquitto.port)
    own_mosquitto.stop(signal.SIGKILL)
    await ear.state(connected=False)
    assert connection.publish(Outgoing(topic=topic, payload=b"lost", qos=0)).done()
    own_mosquitto.start()
    wire = wire_on(own_mosquitto.port, topic)
    await acknowledged(connection.publish(Outgoing(topic=topic, payload=b"kept")))
    assert (await asyncio.to_thread(wire.wait)).payload == b"kept"


async def test_what_goes_at_qos_0_is_not_overtaken(mosquitto, connect, wire_on, topic):
    connection, _ = await connect(mosquitto.port)
    wire = wire_on(mosquitto.port, topic)
    for number in range(50):
        connection.publish(Outgoing(topic=topic, payload=b"%d" % number, qos=0))
    await acknowledged(connection.publish(Outgoing(topic=topic, payload=b"last")))
    heard = [(await asyncio.to_thread(wire.wait)).payload for _ in range(51)]
    assert heard == [*(b"%d" % number for number in range(50)), b"last"]


@pytest.mark.parametrize("size", [0, 100, 20_000, 3_000_000])
async def test_at_qos_0_a_message_arrives_with_all_it_says(
    mosquitto, connect, wire_on, topic, size
):
    connection, _ = await connect(mosquitto.port)
    wire = wire_on(mosquitto.port, topic)
    connection.publish(
        Outgoing(
            topic=topic,
            payload=b"x" * size,
            qos=0,
            correlation_data=b"\x00\xff",
            content_type="application/json",
            user_properties=(("id", "a"), ("seq", "ü" * 200)),
        )
    )
    message = await asyncio.to_thread(wire.wait)
    assert message.payload == b"x" * size
    assert (message.correlation, message.content_type) == (b"\x00\xff", "application/json")
    assert message.user == {"id": "a", "seq": "ü" * 200}


# Birth, will, last words.


async def test_births_are_published_on_every_connect(mosquitto, connect, wire_on, topic):
    wire = wire_on(mosquitto.port, topic)
    births = iter([b"first", b"second"])
    connection, _ = await connect(
        mosquitto.port, birth=lambda: [Outgoing(topic=topic, payload=next(births))]
    )
    assert (await asyncio.to_thread(wire.wait)).payload == b"first"
    cut(connection)
    # The first may come again, where it was cut before its PUBACK.
    await asyncio.to_thread(wire.wait, lambda message: message.payload == b"second")


@BOTH
async def test_the_broker_publishes_the_will_when_we_vanish(
    mosquitto, connect, wire_on, topic, protocol
):
    wire = wire_on(mosquitto.port, topic)
    will = Outgoing(topic=topic, payload=b"gone", content_type="text/plain")
    connection, _ = await connect(mosquitto.port, will=will, protocol=protocol)
    cut(connection)
    assert (await asyncio.to_thread(wire.wait)).payload == b"gone"


async def test_last_words_are_published_and_the_will_is_not(mosquitto, connect, wire_on, topic):
    wire = wire_on(mosquitto.port, f"{topic}/#")
    connection, _ = await connect(
        mosquitto.port, will=Outgoing(topic=f"{topic}/will", payload=b"gone")
    )
    await connection.stop([Outgoing(topic=f"{topic}/status", payload=b"offline")])
    assert (await asyncio.to_thread(wire.wait)).payload == b"offline"
    wire.send(b"end", topic=f"{topic}/end")
    assert (await asyncio.to_thread(wire.wait)).payload == b"end"


async def test_stopping_without_a_broker_fails_what_was_not_sent(tmp_path, connect, topic):
    connection, _ = await connect(Mosquitto(tmp_path).port, wait=False)
    pending = connection.publish(Outgoing(topic=topic, payload=b"x"))
    await connection.stop([Outgoing(topic=topic, payload=b"offline")])
    with pytest.raises(PublishFailed):
        await pending


# Who may come in.


async def test_a_session_taken_over_is_not_fought_for(connect):
    # Neither Mosquitto 2.0.11 nor rumqttd says it; these are the bytes of a broker that does.
    async def broker(reader, writer):
        await reader.read(1000)  # CONNECT
        writer.write(b"\x20\x03\x00\x00\x00")  # CONNACK: success
        subscribe = await reader.read(1000)
        writer.write(b"\x90\x04" + subscribe[2:4] + b"\x00\x01")  # SUBACK: QoS 1
        writer.write(b"\xe0\x01\x8e")  # DISCONNECT: session taken over
        writer.close()

    server = await asyncio.start_server(broker, "127.0.0.1", 0)
    with capture_logs() as logs:
        connection, ear = await connect(server.sockets[0].getsockname()[1], wait=False)
        state = await ear.state(connected=False)
    server.close()
    assert state.reason == "Session taken over"
    assert logs[-1]["hint"] == hint(SESSION_TAKEN_OVER)
    assert connection._client._reconnect_min_delay >= 60


def test_the_wait_after_a_takeover_is_long_at_once():
    assert retry_delay_s(0, SESSION_TAKEN_OVER) >= 60
    assert retry_delay_s(0, 0) <= 0.25


def test_losing_the_connection_again_and_again_hints_at_a_second_client():
    assert hint(0x80, losses=1) is None
    assert hint(0x80, losses=3) == hint(SESSION_TAKEN_OVER)


def test_waits_grow_to_half_a_minute_and_vary():
    assert 15 <= retry_delay_s(1000, 0) <= 30
    assert len({retry_delay_s(3, 0) for _ in range(10)}) > 1


@BOTH
async def test_a_wrong_password_is_said_and_tried_again_slowly(tmp_path, connect, protocol):
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    broker = Mosquitto(
        tmp_path, lines=["allow_anonymous false", f"password_file {passwords}"]
    ).start()
    try:
        with capture_logs() as logs:
            connection, _ = await connect(
                broker.port, wait=False, username="me", password="wrong", protocol=protocol
            )
            await until(lambda: logs)
        assert "broker.password" in logs[0]["hint"]
        assert "authori" in logs[0]["reason"].lower()
        await connection.stop()
    finally:
        broker.stop()


# TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for the name `broker.lan` that is its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=broker.lan",
         "-addext", "subjectAltName=DNS:broker.lan",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def tls_mosquitto(tmp_path, certificate):
    broker = Mosquitto(
        tmp_path,
        lines=[f"certfile {certificate / 'cert.pem'}", f"keyfile {certificate / 'key.pem'}"],
    ).start()
    yield broker
    broker.stop()


async def test_tls_with_the_right_authority_and_name_connects(
    tls_mosquitto, certificate, connect, topic
):
    tls = TlsOptions(ca_file=str(certificate / "cert.pem"), server_name="broker.lan")
    connection, ear = await connect(tls_mosquitto.port, topic, tls=tls)
    await acknowledged(connection.publish(Outgoing(topic=topic, payload=b"x")))
    assert (await ear.message()).payload == b"x"


@pytest.mark.parametrize("case", ["wrong name", "wrong authority"])
async def test_tls_with_another_name_or_authority_is_refused(
    tls_mosquitto, certificate, connect, case
):
    right = str(certificate / "cert.pem")
    tls = TlsOptions(ca_file=right) if case == "wrong name" else TlsOptions()
    with capture_logs() as logs:
        connection, _ = await connect(tls_mosquitto.port, wait=False, tls=tls)
        await until(lambda: logs)
    assert "certificate" in logs[0]["reason"].lower()
    assert not connection.connected

"""Ten thousand requests wait, in the broker or in the journal, and everything is started again."""

import signal
import time

import pytest
from rig import Daemon, Mosquitto, Wire

COUNT = 10_000
ROOMY = """
[model]
name = "stub"
[engine]
max_rows = 16
[limits]
queued_requests = 20000
queued_per_client = 20000
"""
QUIET_S = 60
"""For how long no reply may come; how long all take is the machine's affair."""

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def broker(tmp_path):
    """A Mosquitto that writes its queues down when it is stopped, as it comes."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    made = Mosquitto(folder, saves_each_change=False).start()
    yield made
    made.stop()


def send_all(wire):
    """Send the requests without waiting for each; return when the broker has them all."""
    topic = f"{wire.root}/request/{wire.name}"
    sent = [
        wire.client.publish(topic, f'{{"id": "r{number}", "prompt": "hello"}}', qos=1)
        for number in range(COUNT)
    ]
    for info in sent:
        info.wait_for_publish(600)


def next_reply(wire):
    """Return the next reply, None when none comes."""
    deadline = time.monotonic() + QUIET_S
    with wire._new:
        while not wire.heard:
            left = deadline - time.monotonic()
            if left <= 0 or not wire._new.wait(left):
                return None
        return wire.heard.popleft()


def all_are_answered(wire):
    """Wait until each of them has been: one reply, or copies of it."""
    found = {}
    missing = {f"r{number}" for number in range(COUNT)}
    while missing:
        message = next_reply(wire)
        assert message is not None, f"{len(missing)} were never answered, such as {min(missing)}"
        reply = message.json
        assert reply["id"] == "first" or reply["status"] == "ok"
        assert found.setdefault(reply["id"], message.payload) == message.payload
        missing.discard(reply["id"])


def persistent_client(broker, daemon):
    wire = Wire(broker.port, daemon.root)
    return wire.listen(wire.reply_topic)


def test_what_waits_in_the_broker_survives_its_restart_and_is_answered(tmp_path, broker):
    (tmp_path / "daemon").mkdir()
    daemon = Daemon(tmp_path / "daemon", broker.port, config=ROOMY).start()
    # Its session stays with the broker while it is away.
    assert daemon.stop() == 0
    sender = persistent_client(broker, daemon)
    send_all(sender)
    sender.close()
    broker.stop()
    broker.start()
    hearer = persistent_client(broker, daemon)
    daemon.start()
    try:
        all_are_answered(hearer)
    finally:
        hearer.close()
        daemon.stop()


def test_what_waits_in_the_journal_survives_a_kill_and_the_brokers_restart(tmp_path, broker):
    (tmp_path / "daemon").mkdir()
    one_row = ROOMY.replace("max_rows = 16", "max_rows = 1\nmax_parked = 0")
    daemon = Daemon(tmp_path / "daemon", broker.port, config=one_row).start()
    wire = persistent_client(broker, daemon)
    wire.send({"id": "first", "prompt": "stub: tokens=100000 delay_ms=20", "lane": "interactive"})
    send_all(wire)
    wire.listen(f"{wire.root}/worker/+/metrics")
    wire.wait(
        lambda m: m.topic.endswith("/metrics") and sum(m.json["queue"].values()) >= COUNT, 600
    )
    wire.close()
    daemon.stop(signal.SIGKILL)
    broker.stop()
    broker.start()
    hearer = persistent_client(broker, daemon)
    toml = daemon.folder / "thinkq.toml"
    toml.write_text(toml.read_text().replace("max_rows = 1\n", "max_rows = 16\n"))
    daemon.start()
    try:
        hearer.send({"op": "cancel", "id": "first"}, topic=f"{hearer.root}/control/me")
        all_are_answered(hearer)
    finally:
        hearer.close()
        daemon.stop()

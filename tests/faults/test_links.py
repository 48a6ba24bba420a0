"""The connection to the broker is cut, goes silent, or is slow: nothing is lost, none twice."""

import uuid

import pytest
from exchange import wait_in_log
from proxy import Proxy
from rig import Daemon, Wire

STUB = '[model]\nname = "stub"\n'


@pytest.fixture
def proxied(tmp_path, mosquitto, wire_of):
    """A proxy, a client that reaches the broker directly, and a daemon that does so through it."""
    proxy = Proxy(mosquitto.port)
    daemon = Daemon(tmp_path, proxy.port, config=STUB)
    toml = daemon.folder / "thinkq.toml"
    toml.write_text(toml.read_text().replace("[broker]\n", "[broker]\nkeepalive_s = 1\n"))
    daemon.start()
    daemon.port = mosquitto.port
    yield proxy, wire_of(daemon), daemon
    proxy.bytes_per_s = None
    daemon.stop()
    proxy.close()


def finals(wire, request_id):
    """Return the final replies to a request that have come, the first waited for."""
    first = wire.reply(request_id)
    wire.ask("the last one")
    again = [m.json for m in wire.heard if m.topic == wire.reply_topic]
    return [first, *(reply for reply in again if reply["id"] == request_id)]


def asked(wire, prompt, **fields):
    request_id = uuid.uuid4().hex
    wire.send({"id": request_id, "prompt": prompt, "mode": "no_think", **fields})
    return request_id


def test_a_connection_cut_in_mid_answer_costs_no_reply(proxied):
    proxy, wire, _ = proxied
    request_id = asked(wire, "stub: tokens=30 delay_ms=20", stream=True)
    wire.wait(lambda message: message.topic.endswith("/answer"))
    proxy.cut()
    replies = finals(wire, request_id)
    assert replies[0]["content"].endswith("end")
    assert all(reply == replies[0] for reply in replies)


def test_a_connection_that_is_cut_again_and_again_loses_no_request(proxied):
    proxy, wire, _ = proxied
    sent = []
    for number in range(30):
        sent.append(asked(wire, f"number {number}"))
        if number % 10 == 5:
            proxy.cut()
    for request_id in sent:
        assert wire.reply(request_id)["status"] == "ok"


def test_a_request_whose_acknowledgement_was_lost_is_answered_once(proxied):
    proxy, wire, daemon = proxied
    proxy.deafen()
    request_id = asked(wire, "hello there")
    wait_in_log(daemon, '"answered"', request_id)
    proxy.cut()
    assert [reply["content"] for reply in finals(wire, request_id)] == ["hello there"]


def test_a_connection_that_goes_silent_is_found_out_and_made_again(proxied):
    proxy, wire, _ = proxied
    while proxy.accepted.acquire(blocking=False):
        pass
    proxy.swallow()
    request_id = asked(wire, "is anybody there")
    assert proxy.accepted.acquire(timeout=15), "no new connection was made"
    assert wire.reply(request_id)["content"] == "is anybody there"


def test_over_a_slow_link_the_stream_gives_way_and_the_final_reply_is_whole(proxied):
    proxy, wire, _ = proxied
    proxy.bytes_per_s = 10_000
    request_id = asked(wire, "stub: tokens=1500 delay_ms=2", stream=True)
    reply = wire.reply(request_id)
    assert len(reply["content"].split()) == 1500
    parts = [message for message in wire.heard if message.topic.endswith("/answer")]
    assert 0 < len(parts) < 1500


def test_a_stream_that_nobody_listens_to_leaves_the_reply_alone(proxied):
    _, wire, _ = proxied
    alone = Wire(wire.port, wire.root, "alone").listen(f"{wire.root}/reply/alone")
    reply = alone.ask({"prompt": "stub: tokens=2000", "mode": "no_think", "stream": True})
    assert len(reply["content"].split()) == 2000
    alone.close()

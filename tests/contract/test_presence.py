"""What a worker says of itself, and how it goes: birth, card, metrics, drain, will."""

import signal
import subprocess

import pytest
from exchange import (
    ENDLESS,
    OF_A_SECOND,
    STUB,
    Heard,
    answer,
    begin,
    body_of,
    cancel,
    final_of,
    hear,
    new_id,
    nothing_more,
    refusal,
    send,
)


@pytest.fixture
def daemon(daemon_of):
    """A daemon that a test may stop."""
    return daemon_of().start()


@pytest.fixture
def watcher(wire_of, daemon):
    """Somebody who hears what a daemon says of itself; the retained messages have come."""
    wire = wire_of(daemon, "watcher").listen(f"{daemon.root}/worker/#")
    hear(wire, lambda message: message.topic.endswith("/status"))
    wire.heard.clear()
    return wire


@pytest.fixture
def about(wire_of, stub_daemon):
    """Return the retained message about the shared daemon on a topic of its own."""
    wire = wire_of(stub_daemon, "watcher").listen(f"{stub_daemon.root}/worker/w1/+")
    return lambda what: hear(wire, lambda message: message.topic.endswith(f"/worker/w1/{what}"))


def statuses(watcher, *wanted):
    """Assert that these statuses are heard, in this order; return the last."""
    for status in wanted:
        message = watcher.wait(lambda message: message.topic.endswith("/status"))
        assert message.json["status"] == status
    return message


@pytest.mark.parametrize("what", ["status", "card", "metrics"])
def test_what_a_worker_says_of_itself_is_retained(about, what):
    assert about(what).retain


def test_the_birth_says_online_with_an_incarnation_and_why(about):
    status = about("status").json
    assert status["status"] == "online"
    assert isinstance(status["incarnation"], int)
    assert status["why"]


@pytest.mark.parametrize(
    "field", ["model", "modes", "lanes", "limits", "speeds", "version", "schema_version"]
)
def test_the_card_has_the_field(about, field):
    assert about("card").json[field]


def test_the_card_names_the_model_the_modes_and_the_lanes(about):
    card = about("card").json
    assert card["model"]["name"] == "stub"
    assert card["modes"] == ["auto", "think", "no_think"]
    assert card["lanes"] == ["interactive", "standard", "batch"]


def test_the_limits_of_the_card_hold(about, client):
    payload_bytes = about("card").json["limits"]["payload_bytes"]
    error = refusal(client, {"prompt": "x" * payload_bytes})
    assert error["code"] == "too_large"


def test_the_metrics_tell_the_depth_of_each_lane(about):
    assert set(about("metrics").json["queue"]) == {"interactive", "standard", "batch"}


def test_a_killed_worker_is_said_to_be_offline_by_its_will(daemon, watcher):
    daemon.stop(signal.SIGKILL)
    assert statuses(watcher, "offline").json["incarnation"]


def test_a_will_is_retained(daemon, wire_of):
    daemon.stop(signal.SIGKILL)
    late = wire_of(daemon, "late").listen(f"{daemon.root}/worker/w1/status")
    assert late.wait(lambda message: message.json["status"] == "offline").retain


def test_each_life_has_a_later_incarnation(daemon, watcher):
    daemon.stop()
    before = statuses(watcher, "draining", "offline").json["incarnation"]
    daemon.start(wait=False)
    assert statuses(watcher, "online").json["incarnation"] > before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_worker_that_is_told_to_stop_drains_and_exits_with_0(daemon, watcher, number):
    assert daemon.stop(number) == 0
    statuses(watcher, "draining", "offline")


def test_a_running_answer_is_finished_before_the_worker_stops(daemon, watcher, client_of):
    client = client_of(daemon)
    request_id = begin(client, OF_A_SECOND)
    assert daemon.stop() == 0
    heard = Heard(client, request_id)
    assert heard.final["finish_reason"] == "stop"
    assert heard.text("answer") == heard.final["content"]
    statuses(watcher, "draining", "offline")


def test_what_waits_while_the_worker_drains_is_answered_after_the_next_start(daemon_of, client_of):
    daemon = daemon_of(config=f"{STUB}[engine]\nmax_rows = 1\n").start()
    client = client_of(daemon)
    running = begin(client, OF_A_SECOND)
    waiting = send(client, "hello there", stream=True)
    # Its place in the queue says that it was taken before the signal.
    hear(client, lambda message: message.topic.endswith(f"/{waiting}/progress"))
    assert daemon.stop() == 0
    assert Heard(client, running).final["finish_reason"] == "stop"
    daemon.start()
    assert Heard(client, waiting).final["content"] == "hello there"
    nothing_more(client)


def test_what_outlasts_the_grace_is_handed_back_and_answered_after_the_next_start(
    daemon_of, client_of
):
    daemon = daemon_of(config=f"{STUB}[shutdown]\ngrace_s = 0.1\n").start()
    client, request_id = client_of(daemon), new_id()
    # Longer than it takes anybody to give the signal.
    order = "stub: tokens=50 delay_ms=60"
    client.send({"id": request_id, "prompt": order, "mode": "no_think", "stream": True})
    hear(client, lambda message: message.topic.endswith("/answer"))
    assert daemon.stop() == 0
    assert not [message for message in client.heard if message.topic == client.reply_topic]
    daemon.start()
    assert body_of(final_of(client, request_id))["content"].endswith("w48 end")


def test_a_draining_worker_refuses_new_requests(daemon, watcher, client_of):
    client = client_of(daemon)
    begin(client, ENDLESS)
    daemon.process.send_signal(signal.SIGTERM)
    statuses(watcher, "draining")
    error = refusal(client, {"prompt": "hello there"})
    assert error["code"] == "shutting_down"
    assert error["retry_after_ms"] > 0


def test_a_refused_request_may_be_sent_again_after_the_restart(daemon, watcher, client_of):
    client, body = client_of(daemon), {"id": new_id(), "prompt": "hello there"}
    running = begin(client, ENDLESS)
    daemon.process.send_signal(signal.SIGTERM)
    statuses(watcher, "draining")
    refusal(client, body)
    cancel(client, running)
    daemon.process.wait(30)
    daemon.start()
    assert answer(client, body)["content"] == "hello there"


def test_a_draining_worker_still_joins_a_duplicate_of_what_runs(daemon, watcher, client_of):
    client = client_of(daemon)
    request_id = begin(client, OF_A_SECOND)
    daemon.process.send_signal(signal.SIGTERM)
    statuses(watcher, "draining")
    client.send({"id": request_id, "prompt": OF_A_SECOND})
    assert daemon.process.wait(30) == 0
    assert Heard(client, request_id).final["status"] == "ok"


def test_a_second_signal_ends_the_drain_at_once(daemon, watcher, client_of):
    client = client_of(daemon)
    request_id = begin(client, ENDLESS)
    daemon.process.send_signal(signal.SIGTERM)
    statuses(watcher, "draining")
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(10) == 0
    assert request_id not in [
        body_of(m)["id"] for m in client.heard if m.topic == client.reply_topic
    ]


def test_a_second_worker_on_the_same_data_is_refused(daemon, client_of):
    rival = subprocess.Popen(daemon.process.args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = rival.communicate(timeout=60)
    assert rival.returncode != 0
    assert b"Traceback" not in output
    assert answer(client_of(daemon), "hello there")["content"] == "hello there"

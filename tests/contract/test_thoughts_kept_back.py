"""`thinking.publish_reasoning`: thoughts stay off the wire from the SIGHUP on that says so."""

import signal

import pytest
from exchange import STUB, Heard, answer, body_of, control, final_of, hear, new_id, send
from rig import Daemon, Wire

THOUGHT = "Let me see."
SLOW = "stub: tokens=6 delay_ms=300"


@pytest.fixture
def daemon(tmp_path, mosquitto):
    running = Daemon(tmp_path, mosquitto.port, config=f"{STUB}[thinking]\n").start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def client(client_of, daemon):
    return client_of(daemon)


def publish_reasoning(daemon, *, wanted):
    """Change the setting while it works, and return when it is in force."""
    path = daemon.folder / "thinkq.toml"
    kept = [line for line in path.read_text().splitlines() if "publish_reasoning" not in line]
    kept.insert(kept.index("[thinking]") + 1, f"publish_reasoning = {str(wanted).lower()}")
    path.write_text("\n".join(kept) + "\n")
    before = daemon.log.read_text().count("settings_read_again")
    daemon.process.send_signal(signal.SIGHUP)
    client = Wire(daemon.port, daemon.root, f"c{new_id()}")
    try:
        client.listen(f"{daemon.root}/reply/{client.name}/#")
        # It answers by the settings of before or of after the signal, and after that by the latter.
        while daemon.log.read_text().count("settings_read_again") == before:
            answer(client, "hello")
    finally:
        client.close()


def heard_of_thoughts(client):
    """Return what has gone out of thoughts, on any topic."""
    topics = [message for message in client.heard if message.topic.endswith("/reasoning")]
    return topics + [message for message in client.heard if THOUGHT.encode() in message.payload]


def test_after_the_signal_no_thought_goes_on_the_wire(daemon, client):
    publish_reasoning(daemon, wanted=False)
    request_id = send(client, "why", mode="think", stream=True)
    final = Heard(client, request_id).final
    assert (final["mode"], final["content"]) == ("think", "why")
    assert final["usage"]["reasoning_tokens"] > 0
    assert heard_of_thoughts(client) == []


def test_a_thought_that_is_under_way_stops_being_told(daemon, client):
    # A second and more from the first word of the thought to its last.
    request_id = send(client, "stub: tokens=2 delay_ms=1000", mode="think", stream=True)
    hear(client, lambda message: message.topic.endswith(f"{request_id}/reasoning"))
    publish_reasoning(daemon, wanted=False)
    heard = Heard(client, request_id)
    assert heard.final["status"] == "ok"
    assert "reasoning" not in heard.final
    assert heard.text("reasoning") in {"Let ", "Let me "}


@pytest.mark.parametrize("again", ["sent again", "resumed"])
def test_a_recorded_thought_stays_away_as_well(again, daemon, client):
    request_id = send(client, "why", mode="think", stream=True)
    assert Heard(client, request_id).final["reasoning"] == THOUGHT
    publish_reasoning(daemon, wanted=False)
    client.heard.clear()
    if again == "resumed":
        control(client, {"op": "resume", "id": request_id})
    else:
        send(client, "why", mode="think", stream=True, id=request_id)
    final = body_of(final_of(client, request_id))
    assert final["content"] == "why"
    assert "reasoning" not in final
    assert heard_of_thoughts(client) == []


def test_it_can_be_allowed_again_and_what_runs_goes_on(daemon, client):
    publish_reasoning(daemon, wanted=False)
    running = send(client, SLOW, stream=True)
    publish_reasoning(daemon, wanted=True)
    assert answer(client, {"prompt": "why", "mode": "think"})["reasoning"] == THOUGHT
    assert Heard(client, running).final["status"] == "ok"

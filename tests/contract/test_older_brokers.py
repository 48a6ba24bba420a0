"""A worker that speaks MQTT 3.1.1, as brokers do that know no other; payloads carry everything."""

import paho.mqtt.client as mqtt
import pytest
from exchange import STUB, Heard, begin, body_of, cancel, final_of, new_id, send
from rig import Daemon


@pytest.fixture(scope="module")
def old_daemon(tmp_path_factory, mosquitto):
    """A daemon that speaks MQTT 3.1.1."""
    daemon = Daemon(tmp_path_factory.mktemp("older"), mosquitto.port, config=STUB)
    path = daemon.folder / "thinkq.toml"
    path.write_text(path.read_text().replace("[broker]\n", "[broker]\nprotocol = '3.1.1'\n"))
    yield daemon.start()
    daemon.stop()


@pytest.fixture(params=[mqtt.MQTTv311, mqtt.MQTTv5], ids=["3.1.1", "5"])
def client_of_old(request, client_of, old_daemon):
    """A client of that daemon, of either version."""
    return client_of(old_daemon, protocol=request.param)


def test_a_request_is_answered(client_of_old):
    assert client_of_old.ask("hello there")["content"] == "hello there"


def test_a_reply_to_in_the_payload_is_used(client_of_old):
    topic = f"{client_of_old.reply_topic}/lamp"
    request_id = send(client_of_old, "hello there", reply_to=topic)
    assert body_of(final_of(client_of_old, request_id, topic))["status"] == "ok"


def test_a_stream_is_heard_and_cancelled(client_of_old):
    request_id = begin(client_of_old)
    cancel(client_of_old, request_id)
    heard = Heard(client_of_old, request_id)
    assert heard.final["finish_reason"] == "cancelled"
    assert heard.text("answer") == heard.final["content"]


def test_a_retained_request_is_not_run_again_at_a_restart(old_daemon, client_of_old):
    request_id = new_id()
    topic = f"{client_of_old.root}/request/{client_of_old.name}"
    payload = f'{{"id": "{request_id}", "prompt": "hello"}}'
    client_of_old.client.publish(topic, payload, qos=1, retain=True).wait_for_publish(10)
    final_of(client_of_old, request_id)
    old_daemon.stop()
    old_daemon.start()
    assert client_of_old.ask("still there?")["status"] == "ok"
    assert not [m for m in client_of_old.heard if m.topic == client_of_old.reply_topic]


def test_the_status_is_born_and_retained(client_of_old, old_daemon):
    client_of_old.listen(f"{old_daemon.root}/worker/w1/status")
    status = client_of_old.wait(lambda message: message.topic.endswith("/status"))
    assert (status.retain, status.json["status"]) == (True, "online")

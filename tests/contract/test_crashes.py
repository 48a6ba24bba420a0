"""The daemon and the broker are killed: what was accepted is answered, once."""

import json
import signal
from collections import deque

from exchange import (
    OF_A_SECOND,
    STUB,
    Heard,
    LastingClient,
    begin,
    body_of,
    cancel,
    final_of,
    hear,
    new_id,
    nothing_more,
    send,
    wait_in_log,
)
from rig import Wire

ONE_ROW = f"{STUB}[engine]\nmax_rows = 1\n"
OF_THREE_SECONDS = "stub: tokens=50 delay_ms=60"
"""Longer than it takes to send a few requests and to kill whoever runs it."""


def test_what_waited_and_ran_when_the_daemon_was_killed_is_answered_once(daemon_of, client_of):
    daemon = daemon_of(config=ONE_ROW).start()
    client = client_of(daemon)
    running = begin(client, OF_THREE_SECONDS)
    asked = [running, *(send(client, f"number {number}") for number in range(5))]
    daemon.stop(signal.SIGKILL)
    assert not [message for message in client.heard if message.topic == client.reply_topic]
    daemon.start()
    for request_id in asked:
        assert body_of(final_of(client, request_id))["status"] == "ok"
    client.heard = deque(m for m in client.heard if m.topic == client.reply_topic)
    nothing_more(client)


def test_a_burst_that_the_daemon_is_killed_in_is_answered_whole(daemon_of, client_of):
    daemon = daemon_of().start()
    client = client_of(daemon)
    asked = [send(client, f"number {number}") for number in range(300)]
    daemon.stop(signal.SIGKILL)
    daemon.start()
    finals = {request_id: final_of(client, request_id).payload for request_id in asked}
    contents = [json.loads(final)["content"] for final in finals.values()]
    assert contents == [f"number {number}" for number in range(300)]
    # What was published and not confirmed may come twice, but never with other bytes.
    for again in client.heard:
        assert again.payload == finals[body_of(again)["id"]]


def test_a_killed_daemon_keeps_its_clients_in_their_lanes(daemon_of, client_of):
    daemon = daemon_of(config=ONE_ROW).start()
    client = client_of(daemon)
    running = begin(client, lane="interactive")
    batch = send(client, "last", lane="batch")
    interactive = send(client, "first", lane="interactive")
    hear(client, lambda m: m.topic.endswith(f"{running}/answer"))
    daemon.stop(signal.SIGKILL)
    client.heard.clear()
    daemon.start()
    cancel(client, running)
    finals = [client.wait(lambda m: m.topic == client.reply_topic).json["id"] for _ in range(3)]
    assert finals.index(interactive) < finals.index(batch)


def test_requests_sent_while_the_worker_is_away_are_answered_when_it_is_back(daemon_of, client_of):
    daemon = daemon_of().start()
    client = client_of(daemon)
    daemon.stop(signal.SIGKILL)
    asked = [send(client, f"number {number}") for number in range(10)]
    daemon.start()
    for number, request_id in enumerate(asked):
        assert body_of(final_of(client, request_id))["content"] == f"number {number}"
    nothing_more(client)


def test_a_retained_request_is_not_run_again_at_every_start(daemon_of, client_of):
    daemon = daemon_of().start()
    client, request_id = client_of(daemon), new_id()
    topic = f"{client.root}/request/{client.name}"
    client.client.publish(
        topic, f'{{"id": "{request_id}", "prompt": "hello"}}', qos=1, retain=True
    ).wait_for_publish(10)
    final_of(client, request_id)
    daemon.stop()
    daemon.start()
    nothing_more(client)


def test_a_killed_daemons_request_keeps_its_deadline(daemon_of, client_of):
    daemon = daemon_of().start()
    client = client_of(daemon)
    request_id = begin(client, "stub: tokens=100000 delay_ms=5", deadline_ms=1500)
    daemon.stop(signal.SIGKILL)
    daemon.start()
    reply = body_of(final_of(client, request_id))
    assert "deadline" in (reply.get("finish_reason"), reply.get("error", {}).get("code", "")[:8])


def test_an_answer_under_way_when_the_broker_is_killed_arrives(own_mosquitto, daemon_of):
    daemon = daemon_of(port=own_mosquitto.port).start()
    before = Wire(daemon.port, daemon.root, "me").listen(f"{daemon.root}/reply/me/#")
    request_id = begin(before)
    own_mosquitto.stop(signal.SIGKILL)
    before.close()
    own_mosquitto.start()
    after = Wire(daemon.port, daemon.root, "me").listen(f"{daemon.root}/reply/me/#")
    hear(after, lambda message: message.topic.endswith(f"{request_id}/answer"))
    cancel(after, request_id)
    reply = body_of(final_of(after, request_id))
    assert (reply["status"], reply["finish_reason"]) == ("ok", "cancelled")
    after.close()


def test_an_answer_that_ends_while_the_broker_is_away_is_delivered_once(own_mosquitto, daemon_of):
    daemon = daemon_of(port=own_mosquitto.port).start()
    lasting = LastingClient(own_mosquitto.port, f"{daemon.root}/reply/me")
    asking = Wire(daemon.port, daemon.root, "me").listen(f"{daemon.root}/reply/me/#")
    request_id = begin(asking, OF_A_SECOND)
    own_mosquitto.stop(signal.SIGKILL)
    asking.close()
    wait_in_log(daemon, "answered", request_id)
    own_mosquitto.start()
    assert lasting.next()["id"] == request_id
    later = Wire(daemon.port, daemon.root, "me").listen(f"{daemon.root}/reply/me/#")
    after = send(later, "one more")
    assert lasting.next()["id"] == after
    later.close()
    lasting.close()


def test_a_request_accepted_before_both_were_killed_is_answered(own_mosquitto, daemon_of):
    daemon = daemon_of(port=own_mosquitto.port).start()
    before = Wire(daemon.port, daemon.root, "me").listen(f"{daemon.root}/reply/me/#")
    request_id = begin(before, OF_THREE_SECONDS)
    daemon.stop(signal.SIGKILL)
    own_mosquitto.stop(signal.SIGKILL)
    before.close()
    (own_mosquitto.folder / "mosquitto.db").unlink(missing_ok=True)  # only the worker knows now
    own_mosquitto.start()
    after = Wire(daemon.port, daemon.root, "me").listen(f"{daemon.root}/reply/me/#")
    daemon.start()
    assert Heard(after, request_id).final["content"].endswith("w48 end")
    after.close()


def test_a_worker_is_online_again_when_its_broker_is(own_mosquitto, daemon_of, wire_of):
    daemon = daemon_of(port=own_mosquitto.port).start()
    own_mosquitto.stop(signal.SIGKILL)
    (own_mosquitto.folder / "mosquitto.db").unlink(missing_ok=True)
    own_mosquitto.start()
    client = wire_of(daemon).listen(f"{daemon.root}/worker/w1/status")
    assert client.wait(lambda m: m.topic.endswith("/status")).json["status"] == "online"
    assert client.ask("hello there")["content"] == "hello there"


def test_a_worker_that_starts_before_its_broker_waits_for_it(own_mosquitto, daemon_of, client_of):
    own_mosquitto.stop(signal.SIGKILL)
    daemon = daemon_of(port=own_mosquitto.port).start(wait=False)
    own_mosquitto.start()
    daemon.wait_ready()
    assert client_of(daemon).ask("hello there")["content"] == "hello there"

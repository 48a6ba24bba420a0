"""The Python client, over a real broker, against a worker that follows a script."""

import subprocess
import sys
import threading

import pytest
from rig import free_port

from worker.client import Client, NotConnected, NoWorker, ReplyError, ReplyTimeout
from worker.domain.messages import Kind, Progress, Reply, StreamPart


def part(request, seq, text):
    return {"id": request["id"], "seq": seq, "text": text}


def texts(events, kind):
    return "".join(
        event.text for event in events if isinstance(event, StreamPart) and event.kind is kind
    )


def test_ask_returns_the_final_reply(client, scripted):
    scripted.script = lambda request, say: say(
        {"id": request["id"], "status": "ok", "content": "391", "mode": "think"}
    )
    reply = client.ask("17 times 23?", mode="think", max_tokens=5)
    assert (reply.content, reply.mode) == ("391", "think")
    request, properties = scripted.requests[0]
    assert (request["prompt"], request["mode"]) == ("17 times 23?", "think")
    assert request["max_tokens"] == 5
    assert properties.ResponseTopic.startswith(f"{scripted.root}/reply/kitchen/")
    assert properties.ContentType == "application/json"


def test_messages_are_sent_as_they_are(client, scripted):
    client.ask([{"role": "user", "content": "hi"}])
    assert scripted.requests[0][0]["messages"] == [{"role": "user", "content": "hi"}]


def test_an_error_is_raised_with_its_code(client, scripted):
    error = {"code": "queue_full", "message": "no room", "retry_after_ms": 500}
    scripted.script = lambda request, say: say(
        {"id": request["id"], "status": "error", "error": error}
    )
    with pytest.raises(ReplyError, match="queue_full: no room") as caught:
        client.ask("hi")
    assert (caught.value.code, caught.value.retry_after_ms) == ("queue_full", 500)


def test_a_stream_yields_its_parts_and_then_the_reply(client, scripted):
    def script(request, say):
        say({"id": request["id"], "seq": 0, "state": "queued", "position": 1},
            request["id"], "progress")  # fmt: skip
        say(part(request, 0, "hm"), request["id"], "reasoning")
        say(part(request, 0, "Good "), request["id"], "answer")
        say(part(request, 1, "day"), request["id"], "answer")
        say({"id": request["id"], "status": "ok", "content": "Good day", "reasoning": "hm"})

    scripted.script = script
    events = list(client.stream("hi"))
    assert isinstance(events[0], Progress)
    assert [type(event) for event in events[1:]] == [StreamPart, StreamPart, StreamPart, Reply]
    assert texts(events, Kind.ANSWER) == "Good day"
    assert texts(events, Kind.REASONING) == "hm"


def test_parts_out_of_order_or_twice_are_put_right(client, scripted):
    def script(request, say):
        for seq, text in [(1, "b"), (0, "a"), (0, "a"), (2, "c")]:
            say(part(request, seq, text), request["id"], "answer")
        say({"id": request["id"], "status": "ok", "content": "abc"})

    scripted.script = script
    assert texts(client.stream("hi"), Kind.ANSWER) == "abc"


def test_parts_that_were_lost_are_taken_from_the_reply(client, scripted):
    def script(request, say):
        for seq, text in [(0, "a"), (2, "c")]:
            say(part(request, seq, text), request["id"], "answer")
        say({"id": request["id"], "status": "ok", "content": "abcd", "reasoning": "so"})

    scripted.script = script
    events = list(client.stream("hi"))
    assert texts(events, Kind.ANSWER) == "abcd"
    assert texts(events, Kind.REASONING) == "so"
    assert isinstance(events[-1], Reply)


def test_a_stream_ends_in_an_error_as_in_any_reply(client, scripted):
    error = {"code": "bad_request", "message": "no"}
    scripted.script = lambda request, say: say(
        {"id": request["id"], "status": "error", "error": error}
    )
    assert next(client.stream("hi")).error.code == "bad_request"


def test_two_requests_at_once_do_not_mix(client, scripted):
    held = []

    def script(request, say):
        held.append((request, say))
        if len(held) == 2:
            for asked, answer in reversed(held):
                answer({"id": asked["id"], "status": "ok", "content": asked["prompt"]})

    scripted.script = script
    answers = {}
    threads = [
        threading.Thread(target=lambda text=text: answers.update({text: client.ask(text).content}))
        for text in ("one", "two")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert answers == {"one": "one", "two": "two"}


def test_what_can_not_be_understood_does_not_hide_the_reply(client, scripted):
    def script(request, say):
        say(b"\xff not json")
        say({"id": request["id"], "status": "ok", "content": "fine"})

    scripted.script = script
    assert client.ask("hi").content == "fine"


def test_no_reply_in_time_is_a_timeout(client, scripted):
    scripted.script = lambda _request, _say: None
    with pytest.raises(ReplyTimeout):
        client.ask("hi", timeout_s=0.2)


def test_nobody_there_is_said_at_once(mosquitto):
    with (
        Client("127.0.0.1", mosquitto.port, root="nobody-here") as client,
        pytest.raises(NoWorker, match="nobody-here/request/me"),
    ):
        client.ask("hi")


def test_no_broker_is_not_connected():
    with pytest.raises(NotConnected), Client("127.0.0.1", free_port()):
        pass


def test_cancel_names_the_request(client, scripted):
    client.cancel("r1")
    expected = (f"{scripted.root}/control/kitchen", {"op": "cancel", "id": "r1"})
    assert scripted.controls.get(timeout=20) == expected


def test_the_workers_status_is_what_they_last_said(client, scripted):
    scripted.be("online")
    assert client.worker_status(timeout_s=20) == {"w1": {"status": "online"}}


def test_the_client_needs_neither_daemon_nor_transport():
    program = "import sys, worker.client; print([m for m in sys.modules if 'worker.' in m])"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    for room in ("transport", "daemon", "engine", "journal"):
        assert f"worker.{room}" not in done.stdout


def test_feedback_says_of_an_answer_whether_its_mode_was_right(client, scripted):
    client.feedback("lamp", "should_have_thought")
    topic, body = scripted.controls.get(timeout=10)
    assert topic == f"{scripted.root}/control/kitchen"
    assert body == {"op": "feedback", "id": "lamp", "verdict": "should_have_thought"}


def test_a_prewarm_says_what_is_known_and_waits_for_nothing(client, scripted):
    client.prewarm("Turn on the", session="talk")
    topic, body = scripted.controls.get(timeout=10)
    assert topic == f"{scripted.root}/control/kitchen"
    assert body == {"op": "prewarm", "prompt": "Turn on the", "session": "talk"}

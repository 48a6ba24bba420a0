"""Killed at any named moment, the daemon answers after its next start: once, or the same twice."""

import os
import signal
import uuid
from pathlib import Path

import pytest
from exchange import nothing_more, wait_in_log

from worker.crash_points import CrashPoint

ARMED = str(Path(__file__).with_name("armed_daemon.py"))

# What one request commits: its acceptance, its start, its answer, its delivery.
COMMITS = [
    (point, time)
    for point in (CrashPoint.COMMITTING, CrashPoint.COMMITTED)
    for time in (1, 2, 3, 4)
]
MOMENTS = COMMITS + [(point, 1) for point in CrashPoint if point not in dict(COMMITS)]

# From the publishing of a reply until the journal knows of its PUBACK, it can go out again.
CAN_REPEAT = {
    (CrashPoint.PUBLISHED, 1),
    (CrashPoint.CONFIRMED, 1),
    (CrashPoint.COMMITTING, 4),
}


def name(moment):
    return f"{moment[0]}-{moment[1]}"


@pytest.fixture
def survived(daemon_of, wire_of):
    """Let a daemon die at a moment and start it again; return the replies to one request."""

    def survive(moment, **fields):
        point, time = moment
        daemon = daemon_of(program=(ARMED, point.value, str(time))).start()
        wire = wire_of(daemon)
        request_id = uuid.uuid4().hex
        wire.send({"id": request_id, "prompt": "hello there", **fields})
        assert daemon.process.wait(20) == -signal.SIGKILL
        daemon.program = ("-m", "worker.cli")
        daemon.start()
        first = wire.wait(lambda message: message.topic == wire.reply_topic)
        # A request that comes behind the other's replies ends the wait for more of them.
        wire.ask("the last one")
        again = [message for message in wire.heard if message.topic == wire.reply_topic]
        return wire, request_id, [first, *again]

    return survive


@pytest.mark.parametrize("moment", MOMENTS, ids=name)
def test_a_request_is_answered_whenever_the_daemon_dies(moment, survived):
    _, request_id, replies = survived(moment)
    assert replies[0].json["id"] == request_id
    assert replies[0].json["content"] == "hello there"


@pytest.mark.parametrize("moment", MOMENTS, ids=name)
def test_it_is_answered_once_outside_of_the_named_window_and_never_differently(moment, survived):
    *_, replies = survived(moment)
    assert len({reply.payload for reply in replies}) == 1
    assert len(replies) == 1 or moment in CAN_REPEAT


@pytest.mark.parametrize("moment", MOMENTS, ids=name)
def test_its_session_has_the_turn_once(moment, survived):
    wire, *_ = survived(moment, session="s")
    # Two words asked, two answered, and the one that is new; a turn kept twice would make nine.
    assert wire.ask({"prompt": "again", "session": "s"})["usage"]["prompt_tokens"] == 5


def test_what_the_broker_sends_again_behind_the_answer_is_answered_once(
    daemon_of, own_mosquitto, wire_of
):
    """It was accepted and not acknowledged, and its broker is slower than its next life."""
    program = (ARMED, CrashPoint.ACCEPTED.value, "1")
    daemon = daemon_of(program=program, port=own_mosquitto.port).start()
    wire = wire_of(daemon)
    request_id = uuid.uuid4().hex
    wire.send({"id": request_id, "prompt": "hello there"})
    assert daemon.process.wait(20) == -signal.SIGKILL
    daemon.program = ("-m", "worker.cli")
    os.kill(own_mosquitto.process.pid, signal.SIGSTOP)
    daemon.start(wait=False)
    wait_in_log(daemon, '"answered"', request_id)
    os.kill(own_mosquitto.process.pid, signal.SIGCONT)
    assert wire.reply(request_id)["content"] == "hello there"
    nothing_more(wire)

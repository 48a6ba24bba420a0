"""Three workers on one broker: a session finds its worker, nothing is answered by two."""

import signal
import time
import uuid
from pathlib import Path

import pytest
from exchange import (
    ENDLESS,
    STUB,
    Heard,
    add_to_topics,
    answer,
    begin,
    cancel,
    hear,
    is_final,
    send,
    wait_in_log,
)
from rig import Daemon

from worker.crash_points import CrashPoint

ARMED = str(Path(__file__).parents[1] / "faults" / "armed_daemon.py")
WORKERS = ("left", "middle", "right")


@pytest.fixture
def group_of(tmp_path, mosquitto):
    """Make workers with one root and one group, each with one row; the caller starts them."""
    root = f"t{uuid.uuid4().hex[:12]}"
    daemons = {}

    def make(takeover_s):
        for worker in WORKERS:
            (tmp_path / worker).mkdir()
            one_row = STUB + "[engine]\nmax_rows = 1\n[shutdown]\ngrace_s = 0.5\n"
            daemon = Daemon(
                tmp_path / worker, mosquitto.port, root=root, worker=worker, config=one_row
            )
            add_to_topics(daemon, f"group = 'trio'\ntakeover_s = {takeover_s}\nclaim_ahead = 2")
            daemons[worker] = daemon
        return daemons

    yield make
    for daemon in daemons.values():
        daemon.stop()


@pytest.fixture
def trio(group_of):
    """Three that wait for each other for as long as a start may take on a slow machine."""
    daemons = group_of(60.0)
    for daemon in daemons.values():
        daemon.start()
    return daemons


@pytest.fixture
def chat(client_of, trio):
    """A client of all of them, that hears how they are."""
    return chat_with(client_of, trio)


def chat_with(client_of, trio):
    client = client_of(trio["left"])
    client.listen(f"{client.root}/worker/+/status", f"{client.root}/fleet/#")
    return client


def until(client, worker, status):
    """Wait until all have heard that a worker is so."""
    topic = f"{client.root}/worker/{worker}/status"
    client.wait(lambda message: message.topic == topic and message.json["status"] == status)


def until_noted_by(client, *workers):
    """Wait until these have heard what the broker has said so far of the one that is away.

    The broker deals out in turn, so each gets one; that of who is away waits for it.
    """
    for _ in range(len(workers) + 1):
        send(client, "who is there?")
    assert {client.wait(is_final).json["worker"] for _ in workers} == set(workers)


def claim_of(client, name):
    """Wait until a request or session is claimed and say by whom."""
    return hear(client, lambda message: message.topic.endswith(f"/claim/{name}")).json["worker"]


def test_every_turn_of_a_session_is_answered_by_the_worker_that_holds_it(chat):
    replies = [answer(chat, {"prompt": f"turn {n}", "session": "talk"}) for n in range(6)]
    assert len({reply["worker"] for reply in replies}) == 1
    prompts = [reply["usage"]["prompt_tokens"] for reply in replies]
    assert prompts == sorted(set(prompts))


def test_a_request_repeated_to_any_worker_gets_the_recorded_reply(chat):
    first = answer(chat, {"id": "once", "prompt": "hello"})
    for _ in range(5):
        assert answer(chat, {"id": "once", "prompt": "hello"}) == first


def test_a_claim_holds_nothing_of_what_was_said(chat):
    answer(chat, {"id": "quiet", "prompt": "a secret"})
    claim = hear(chat, lambda message: message.topic.endswith(f"/claim/request/{chat.name}/quiet"))
    assert set(claim.json) == {"worker"}
    assert b"secret" not in claim.payload


def test_a_session_goes_on_elsewhere_when_its_worker_stays_away(group_of, client_of):
    trio = group_of(4.0)
    for daemon in trio.values():
        daemon.start()
    chat = chat_with(client_of, trio)
    holder = answer(chat, {"prompt": "turn 0", "session": "talk"})["worker"]
    trio[holder].stop(signal.SIGKILL)
    until(chat, holder, "offline")
    # Until then its worker may come back; what is sent waits for it there.
    waiting = send(chat, "turn 1", session="talk")
    until_noted_by(chat, *(worker for worker in WORKERS if worker != holder))
    time.sleep(4.2)  # how long it may be away is what this is about
    reply = answer(chat, {"prompt": "turn 2", "session": "talk"})
    assert reply["worker"] != holder
    trio[holder].start()
    assert Heard(chat, waiting).final["worker"] == holder


def test_when_each_is_killed_in_turn_every_request_has_one_answer(chat, trio):
    asked = []
    for worker in WORKERS:
        asked += [send(chat, f"stub: tokens=5 delay_ms=20 {n}") for n in range(12)]
        trio[worker].stop(signal.SIGKILL)
        asked += [send(chat, f"number {n}") for n in range(6)]
        trio[worker].start()
    finals = {request_id: Heard(chat, request_id).finals for request_id in asked}
    answer(chat, "anything else?")
    for request_id, heard in finals.items():
        assert heard[0]["status"] == "ok", request_id
        again = [m.json for m in chat.heard if is_final(m) and m.json["id"] == request_id]
        # In the one window, a kill between a reply and its PUBACK, the same comes twice.
        assert all(reply == heard[0] for reply in heard + again)


def test_an_answer_that_never_went_out_is_dropped_when_another_has_answered(group_of, client_of):
    pair = group_of(1.0)
    left, right = pair["left"], pair["right"]
    left.program = (ARMED, CrashPoint.ANSWERED.value, "1")
    left.start()
    chat = chat_with(client_of, pair)
    asked = send(chat, "hello", id="once")
    assert left.process.wait(20) == -signal.SIGKILL
    right.start()
    until_noted_by(chat, "right")
    time.sleep(1.2)  # how long it may be away is what this is about
    # One of two: the broker puts the other into the queue of who is away.
    for _ in range(2):
        send(chat, "hello", id=asked)
    replies = Heard(chat, asked).finals
    left.program = ("-m", "worker.cli")
    left.start()
    wait_in_log(left, "taken_over")
    while answer(chat, "anything else?")["worker"] != "left":
        pass
    replies += [m.json for m in chat.heard if is_final(m) and m.json["id"] == asked]
    assert {reply["worker"] for reply in replies} == {"right"}


def test_a_worker_that_stops_hands_over_what_has_not_begun(chat, trio):
    held = {}
    while len(held) < len(WORKERS):
        request_id = begin(chat, ENDLESS)
        held[claim_of(chat, f"request/{chat.name}/{request_id}")] = request_id
    waiting = [send(chat, f"number {n}") for n in range(9)]
    for request_id in waiting:
        claim_of(chat, f"request/{chat.name}/{request_id}")
    trio["left"].stop()
    for worker in ("middle", "right"):
        cancel(chat, held[worker])
    replies = {Heard(chat, request_id).final["worker"] for request_id in waiting}
    assert replies == {"middle", "right"}


def test_a_worker_with_much_to_do_gives_new_requests_to_one_with_less(chat, trio):
    for worker in ("middle", "right"):
        trio[worker].stop()
    asked = [begin(chat, ENDLESS)]
    asked += [send(chat, f"number {n}") for n in range(8)]
    chat.listen(f"{chat.root}/worker/left/metrics", qos=0)
    hear(chat, lambda m: m.topic.endswith("/metrics") and m.json["queue"]["standard"] == 8)
    trio["right"].start()
    until(chat, "right", "online")
    # Of two that the broker deals out in turn, one reaches the busy worker and is given away.
    more = [send(chat, f"more {n}") for n in range(6)]
    assert {Heard(chat, request_id).final["worker"] for request_id in more} == {"right"}
    cancel(chat, asked[0])
    for request_id in asked[1:]:
        assert Heard(chat, request_id).final["worker"] == "left"

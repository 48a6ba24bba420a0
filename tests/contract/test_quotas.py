"""Roles and quotas over the wire, and that they change at SIGHUP without dropping work."""

import signal

import pytest
from exchange import (
    ENDLESS,
    STUB,
    answer,
    begin,
    body_of,
    cancel,
    control,
    final_of,
    new_id,
    refusal,
    wait_in_log,
)
from rig import Daemon

RULES = """
[access]
deny = ["stranger"]
operators = ["boss"]
[access.quotas.hasty]
requests_per_minute = 2
[access.quotas.wordy]
tokens_per_day = 20
context_tokens = 30
[access.quotas.simple]
thinking_tokens = 0
lanes = ["standard"]
"""


@pytest.fixture
def ruled(tmp_path, mosquitto):
    """A daemon with rules."""
    daemon = Daemon(tmp_path, mosquitto.port, config=STUB + RULES).start()
    yield daemon
    assert daemon.stop() == 0


@pytest.fixture
def wire(wire_of, ruled):
    return lambda name: wire_of(ruled, name)


def control_reply(wire, body):
    topic = f"{wire.reply_topic}/control/{new_id()}"
    control(wire, body, reply_to=topic)
    return body_of(wire.wait(lambda message: message.topic == topic))


def test_each_client_has_what_the_rules_say(wire, ruled):
    assert refusal(wire("stranger"), {"prompt": "hi"})["code"] == "forbidden"
    assert control_reply(wire("stranger"), {"op": "status"})["error"]["code"] == "forbidden"

    hasty = wire("hasty")
    first = {"id": new_id(), "prompt": "one"}
    assert answer(hasty, first)
    assert answer(hasty, "two")
    refused = refusal(hasty, {"prompt": "three"})
    assert refused["code"] == "quota_exceeded"
    assert 0 < refused["retry_after_ms"] <= 60_001
    assert answer(hasty, first)["content"] == "one"

    simple = wire("simple")
    assert refusal(simple, {"prompt": "hi", "mode": "think"})["field"] == "mode"
    assert refusal(simple, {"prompt": "hi", "lane": "batch"})["field"] == "lane"
    assert answer(simple, "Prove that 2 is prime. /think")["mode"] == "no_think"

    assert refusal(wire("wordy"), {"prompt": "word " * 40})["code"] == "context_too_long"


def test_tokens_of_the_day_are_counted_over_a_restart(wire, ruled, wire_of):
    answer(wire("wordy"), "word " * 15)
    assert refusal(wire("wordy"), {"prompt": "hi"})["code"] == "quota_exceeded"
    ruled.stop()
    ruled.start()
    assert refusal(wire("wordy"), {"prompt": "hi"})["code"] == "quota_exceeded"


def test_an_operator_may_stop_anothers_request_and_nobody_else_may(wire):
    kitchen, boss, hasty = wire("kitchen"), wire("boss"), wire("hasty")
    request = begin(kitchen)
    of = {"op": "cancel", "id": request, "of": "kitchen"}
    assert control_reply(hasty, of)["error"]["field"] == "of"
    assert control_reply(boss, {"op": "resume", "id": request, "of": "kitchen"})["error"]
    assert control_reply(boss, {"op": "status", "of": "kitchen"})["running"] == [request]
    control_reply(boss, of)
    assert body_of(final_of(kitchen, request))["finish_reason"] == "cancelled"


def test_rules_are_read_again_at_sighup_and_what_runs_goes_on(wire, ruled):
    hasty, kitchen = wire("hasty"), wire("kitchen")
    running = begin(kitchen, ENDLESS)
    assert answer(hasty, "one")
    assert answer(hasty, "two")
    path = ruled.folder / "thinkq.toml"
    changed = path.read_text().replace("requests_per_minute = 2", "requests_per_minute = 9")
    path.write_text(f"{changed}\n[thinking]\ndefault_mode = 'think'\n")
    ruled.process.send_signal(signal.SIGHUP)
    wait_in_log(ruled, "settings_read_again")
    assert answer(hasty, "three")["mode"] == "think"
    cancel(kitchen, running)
    assert body_of(final_of(kitchen, running))["finish_reason"] == "cancelled"


def test_settings_that_are_wrong_change_nothing(wire, ruled):
    path = ruled.folder / "thinkq.toml"
    path.write_text(path.read_text().replace("requests_per_minute = 2", "requests_per_minute = -1"))
    ruled.process.send_signal(signal.SIGHUP)
    wait_in_log(ruled, "settings_kept", "requests_per_minute")
    assert answer(wire("hasty"), "one")

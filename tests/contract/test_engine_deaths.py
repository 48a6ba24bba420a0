"""The engine dies or hangs: what ran goes on, what kills it twice is given up, by name."""

import signal

import pytest
from exchange import (
    STUB,
    Heard,
    answer,
    begin,
    body_of,
    cancel,
    final_of,
    hear,
    kill_engine,
    nothing_more,
    refusal,
    send,
    wait_in_log,
)
from rig import Daemon

SHORT_PATIENCE = f"{STUB}[engine]\nstep_timeout_s = 1\n"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory, mosquitto):
    """A daemon whose engine may be killed, and which waits a second for a sign of it."""
    made = Daemon(tmp_path_factory.mktemp("deaths"), mosquitto.port, config=SHORT_PATIENCE).start()
    yield made
    made.stop()


@pytest.fixture
def mortal(client_of, daemon):
    """A client of that daemon."""
    return client_of(daemon)


def test_a_request_that_kills_the_engine_twice_is_poisoned(mortal):
    assert refusal(mortal, {"prompt": "stub: die"})["code"] == "poisoned"
    nothing_more(mortal)


def test_a_poisoned_request_is_dead_lettered_with_its_history(mortal):
    mortal.listen(f"{mortal.root}/dead/#")
    request_id = send(mortal, "stub: die")
    letter = mortal.wait(lambda message: "/dead/" in message.topic)
    assert letter.topic == f"{mortal.root}/dead/{mortal.name}"
    assert (letter.json["id"], letter.json["error"]["code"]) == (request_id, "poisoned")
    assert len(letter.json["history"]) == 2


def test_a_poisoned_request_sent_again_is_not_run_again(mortal):
    first = body_of(final_of(mortal, send(mortal, "stub: die", id="poison")))
    again = body_of(final_of(mortal, send(mortal, "stub: die", id="poison")))
    assert again == first


def test_a_request_that_kills_the_engine_at_the_same_token_each_time_is_poisoned(mortal, daemon):
    deaths = daemon.log.read_text().count('"engine_down"')
    assert refusal(mortal, {"prompt": "stub: tokens=20 die=9"})["code"] == "poisoned"
    assert daemon.log.read_text().count('"engine_down"') == deaths + 2


def test_a_request_that_comes_further_each_time_its_engine_is_killed_is_answered(mortal, daemon):
    request_id = begin(mortal, "stub: tokens=400 delay_ms=5")
    for reached in range(40, 360, 40):
        mortal.wait(
            lambda m, to=reached: m.topic.endswith("/answer") and f"w{to} " in m.json["text"]
        )
        kill_engine(daemon)
    assert body_of(final_of(mortal, request_id))["content"].endswith("w398 end")


def test_a_request_whose_engine_is_killed_twice_before_it_has_said_a_word_is_answered(
    mortal, daemon
):
    request_id = send(mortal, "stub: prefill_ms=600 tokens=3")
    for life in (1, 2):
        wait_in_log(daemon, '"started"', request_id, times=life)
        kill_engine(daemon)
    assert body_of(final_of(mortal, request_id))["content"].endswith("end")


def test_an_innocent_request_beside_a_poisoned_one_is_answered(mortal):
    innocent = begin(mortal, "stub: tokens=40 delay_ms=10")
    guilty = send(mortal, "stub: die")
    heard = Heard(mortal, innocent)
    assert heard.final["content"] == heard.text("answer")
    assert heard.final["content"].endswith("w38 end")
    assert body_of(final_of(mortal, guilty))["error"]["code"] == "poisoned"


def test_many_innocents_beside_a_poisoned_one_are_each_answered_once(mortal):
    innocents = [send(mortal, "stub: tokens=10 delay_ms=2") for _ in range(8)]
    guilty = send(mortal, "stub: die")
    more = [send(mortal, "hello there") for _ in range(4)]
    for request_id in innocents + more:
        assert body_of(final_of(mortal, request_id))["status"] == "ok"
    assert body_of(final_of(mortal, guilty))["error"]["code"] == "poisoned"
    nothing_more(mortal)


def test_a_stream_goes_on_without_a_gap_when_its_engine_is_killed(mortal, daemon):
    request_id = begin(mortal, "stub: tokens=60 delay_ms=10", mode="think")
    kill_engine(daemon)
    heard = Heard(mortal, request_id)
    expected = "".join(f"w{number} " for number in range(59)) + "end"
    assert heard.final["content"] == heard.text("answer") == expected
    for kind in ("answer", "reasoning"):
        assert heard.seqs(kind) == list(range(len(heard.parts[kind])))


def test_usage_counts_the_tokens_of_both_engines(mortal, daemon):
    request_id = begin(mortal, "stub: tokens=60 delay_ms=10")
    kill_engine(daemon)
    assert Heard(mortal, request_id).final["usage"]["completion_tokens"] == 60


def test_all_streams_go_on_when_their_engine_is_killed(mortal, daemon):
    asked = [begin(mortal, "stub: tokens=40 delay_ms=2") for _ in range(4)]
    kill_engine(daemon)
    for request_id in asked:
        heard = Heard(mortal, request_id)
        assert heard.final["content"] == heard.text("answer")
        assert heard.final["finish_reason"] == "stop"


def test_a_request_cancelled_while_the_engine_is_away_ends_with_what_it_said(mortal, daemon):
    request_id = begin(mortal)
    kill_engine(daemon)
    cancel(mortal, request_id)
    heard = Heard(mortal, request_id)
    assert heard.final["finish_reason"] == "cancelled"
    assert heard.text("answer") == heard.final["content"]


def test_an_engine_that_hangs_is_replaced(mortal):
    assert refusal(mortal, {"prompt": "stub: hang"})["code"] == "poisoned"
    assert answer(mortal, "hello there")["content"] == "hello there"


def test_an_innocent_request_beside_one_that_hangs_is_answered(mortal):
    innocent = begin(mortal, "stub: tokens=40 delay_ms=10")
    guilty = send(mortal, "stub: hang")
    assert Heard(mortal, innocent).final["content"].endswith("w38 end")
    assert body_of(final_of(mortal, guilty))["error"]["code"] == "poisoned"


def test_a_request_that_fails_leaves_those_beside_it_alone(mortal):
    running = begin(mortal, "stub: tokens=40 delay_ms=5")
    assert refusal(mortal, {"prompt": "stub: fail"})["code"] == "engine_failed"
    assert Heard(mortal, running).final["content"].endswith("w38 end")


def test_the_metrics_of_a_worker_say_it_is_online_after_all_this(mortal, daemon):
    mortal.listen(f"{daemon.root}/worker/w1/status")
    assert hear(mortal, lambda m: m.topic.endswith("/status")).json["status"] == "online"


def test_an_engine_that_is_stopped_is_replaced(mortal, daemon):
    running = begin(mortal, "stub: tokens=40 delay_ms=10")
    kill_engine(daemon, signal.SIGSTOP)
    assert Heard(mortal, running).final["content"].endswith("end")


def test_an_engine_killed_while_it_does_nothing_is_replaced(mortal, daemon):
    answer(mortal, "before")
    kill_engine(daemon)
    assert answer(mortal, "after")["content"] == "after"


def test_an_engine_killed_while_it_reads_a_prompt_costs_nothing_but_time(mortal, daemon):
    request_id = send(mortal, "stub: prefill_ms=600 tokens=3", stream=True)
    hear(mortal, lambda m: m.topic.endswith("/progress") and m.json["state"] == "prefill")
    kill_engine(daemon)
    assert Heard(mortal, request_id).final["content"].endswith("end")

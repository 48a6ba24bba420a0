"""`long: "summarize"`: what no window holds is read part by part, as one request like any other."""

import pytest
from exchange import (
    STUB,
    Heard,
    answer,
    begin,
    cancel,
    hear,
    kill_engine,
    new_id,
    refusal,
    send,
)

LIMIT = 400
CONFIG = f"{STUB}context_tokens = {LIMIT}\n[engine]\nmax_rows = 1\n"
DOCUMENT = "\n\n".join(f"p{number} " + "word " * 60 for number in range(30))
LONG = {"context": {"manual": DOCUMENT}, "long": "summarize", "stream": True}
SLOWLY = "stub: tokens=10 delay_ms=10"
"""A question for which each part takes a while to be read."""
UNTIL_CANCELLED = "stub: tokens=1000 delay_ms=10"
"""One for which the first part takes as long as anybody needs to cancel it."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory, mosquitto):
    from rig import Daemon

    running = Daemon(tmp_path_factory.mktemp("long"), mosquitto.port, config=CONFIG).start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def client(daemon, client_of):
    return client_of(daemon)


def reading(client, request_id):
    """Return when a part of a request is being read."""
    topic = f"{client.reply_topic}/{request_id}/progress"
    hear(client, lambda m: m.topic == topic and m.json["state"] == "summarizing")


def test_without_it_what_is_too_long_is_refused_with_limit_and_count(client):
    error = refusal(client, {"prompt": "What?", "context": {"manual": DOCUMENT}})
    assert error["code"] == "context_too_long"
    assert str(LIMIT) in error["message"]


def test_with_it_there_is_an_answer_and_a_word_about_it(client):
    reply = answer(client, {"prompt": "What?", "mode": "no_think", **LONG, "stream": False})
    assert reply["content"].endswith("What?")
    assert any("summarized first" in note for note in reply["notes"])
    assert reply["usage"]["prompt_tokens"] > 1800


def test_its_progress_tells_part_by_part_and_only_the_answer_is_streamed(client):
    request_id = send(client, "What?", mode="no_think", **LONG)
    heard = Heard(client, request_id)
    told = [one for one in heard.parts["progress"] if one["state"] == "summarizing"]
    assert [one["part"] for one in told] == list(range(1, told[0]["parts"] + 1))
    assert len(told) > 3
    assert heard.text("answer") == heard.final["content"]
    assert heard.seqs("answer") == list(range(len(heard.parts["answer"])))


def test_it_can_be_cancelled_between_its_parts(client):
    request_id = send(client, UNTIL_CANCELLED, **LONG)
    reading(client, request_id)
    cancel(client, request_id)
    assert Heard(client, request_id).final["error"]["code"] == "cancelled"


def test_its_deadline_counts(client):
    request_id = send(client, SLOWLY, deadline_ms=40, **LONG)
    final = Heard(client, request_id).final
    assert final["status"] == "ok" or final["error"]["code"] in (
        "deadline_exceeded",
        "deadline_unreachable",
    )


def test_it_goes_on_after_its_engine_died(client, daemon):
    request_id = send(client, SLOWLY, mode="no_think", **LONG)
    reading(client, request_id)
    kill_engine(daemon)
    heard = Heard(client, request_id)
    assert heard.final["content"] == "".join(f"w{n} " for n in range(9)) + "end"
    assert heard.text("answer") == heard.final["content"]


def test_an_interactive_request_need_not_wait_for_its_parts(client):
    order = "stub: tokens=10 delay_ms=40"
    long = send(client, order, mode="no_think", lane="batch", **LONG)
    reading(client, long)
    quick = begin(client, "stub: tokens=3", lane="interactive")
    heard = [m.json["id"] for m in list(client.heard) if m.topic == client.reply_topic]
    assert long not in heard
    assert Heard(client, quick).final["status"] == "ok"
    assert Heard(client, long).final["status"] == "ok"


def test_a_session_goes_on_with_the_summary(client):
    session = new_id()
    asked = {"mode": "no_think", "long": "summarize", "session": session}
    first = answer(client, {"prompt": f"{DOCUMENT}\n\nWhat?", "max_tokens": 5, **asked})
    second = answer(client, {"prompt": "And now?", "mode": "no_think", "session": session})
    assert first["status"] == second["status"] == "ok"
    assert second["usage"]["prompt_tokens"] < LIMIT

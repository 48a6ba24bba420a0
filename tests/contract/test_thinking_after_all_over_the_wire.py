"""Thinking after all, over the wire: the reply says so, and it is capped."""

import pytest
from exchange import STUB, answer
from rig import Daemon
from test_streams import stream

DOUBT = """
[thinking]
escalate_below = 0.6
"""
UNSURE = "stub: unsure"


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory, mosquitto):
    """A daemon whose answers are watched."""
    daemon = Daemon(tmp_path_factory.mktemp("doubt"), mosquitto.port, config=STUB + DOUBT).start()
    yield daemon
    assert daemon.stop() == 0


@pytest.fixture
def user(client_of, doubtful):
    return client_of(doubtful)


def test_the_reply_says_that_it_was_thought_about_after_all(user):
    reply = answer(user, UNSURE)
    assert (reply["mode"], reply["route"]["escalated"]) == ("think", True)
    assert reply["route"]["decided_by"] in ("classifier", "rule")
    assert reply["reasoning"] == "Let me see."
    assert reply["content"] == UNSURE


def test_the_stream_has_no_word_of_what_was_taken_back(user):
    heard = stream(user, UNSURE, mode="auto")
    assert heard.text("answer") == heard.final["content"]
    assert heard.text("reasoning") == heard.final["reasoning"]


@pytest.mark.parametrize(
    "asked", [{"mode": "no_think"}, {"lane": "interactive"}, {"thinking_budget": 0}]
)
def test_who_asked_for_no_thought_or_for_haste_gets_none(user, asked):
    reply = answer(user, {"prompt": UNSURE, **asked})
    assert reply["mode"] == "no_think"
    assert "escalated" not in reply["route"]

"""Commands that need no model, over the wire: answered at once, in a session too."""

import json

import pytest
from exchange import STUB, answer
from rig import Daemon

HOME = """
[intents]
language = "en"
areas = ["kitchen"]
[intents.devices]
"ceiling light" = "light"
[engine]
max_rows = 1
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory, mosquitto):
    """A daemon that knows a home."""
    daemon = Daemon(tmp_path_factory.mktemp("home"), mosquitto.port, config=STUB + HOME).start()
    yield daemon
    assert daemon.stop() == 0


@pytest.fixture
def voice(client_of, home):
    return client_of(home)


def test_a_certain_command_is_answered_as_an_intent(voice):
    reply = answer(voice, "Turn on the ceiling light.")
    assert (reply["mode"], reply["route"]["decided_by"]) == ("no_think", "intent")
    assert json.loads(reply["content"]) == {
        "intent": "HassTurnOn", "slots": {"name": "ceiling light"}, "language": "en",
    }  # fmt: skip
    assert reply["usage"]["completion_tokens"] == 0


def test_anything_less_goes_to_the_model(voice):
    reply = answer(voice, "Turn on the sauna light.")
    assert reply["route"]["decided_by"] != "intent"


def test_the_session_remembers_it(voice):
    answer(voice, {"prompt": "Turn on the ceiling light.", "session": "talk"})
    reply = answer(voice, {"prompt": "tell the conversation", "session": "talk"})
    assert (
        reply["usage"]["prompt_tokens"]
        > answer(voice, "tell the conversation")["usage"]["prompt_tokens"]
    )


def test_the_same_id_twice_gets_the_same_reply(voice):
    asked = {"id": "lamp", "prompt": "Turn on the ceiling light."}
    assert answer(voice, asked) == answer(voice, asked)


def test_a_command_needs_no_model_whatever_mode_the_session_remembers(voice):
    answer(voice, {"prompt": "hello /think", "session": "thoughtful"})
    command = answer(voice, {"prompt": "Turn on the ceiling light.", "session": "thoughtful"})
    assert command["route"]["decided_by"] == "intent"
    after = answer(voice, {"prompt": "hello", "session": "thoughtful"})
    assert (after["mode"], after["route"]["decided_by"]) == ("think", "session")


def test_where_nothing_is_configured_a_command_goes_to_the_model(client):
    reply = answer(client, "Turn on the ceiling light.")
    assert reply["route"]["decided_by"] != "intent"

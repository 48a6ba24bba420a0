"""The operator's rules for tools, over the wire: confirmation is marked, a forbidden call never
leaves the worker."""

import pytest
from exchange import STUB, TOOL, answer, refusal
from rig import Daemon
from test_streams import stream

CONFIRM = """
[access.tools.lamp]
confirm = true
[access.tools.lock]
arguments.door = ["shed*"]
"""
LOCK = {"type": "function", "function": {"name": "lock", "parameters": {"type": "object"}}}


@pytest.fixture(scope="module")
def ruled(tmp_path_factory, mosquitto):
    """A daemon with rules for tools."""
    daemon = Daemon(tmp_path_factory.mktemp("rules"), mosquitto.port, config=STUB + CONFIRM).start()
    yield daemon
    assert daemon.stop() == 0


@pytest.fixture
def house(client_of, ruled):
    return client_of(ruled)


def test_a_call_to_be_confirmed_says_so(house):
    (call,) = answer(house, {"prompt": "stub: call", "tools": [TOOL]})["tool_calls"]
    assert call["confirm"] is True


def test_its_part_of_the_stream_says_so_too(house):
    heard = stream(house, "stub: call", tools=[TOOL])
    assert '"confirm":true' in heard.text("tool")


def test_a_call_that_is_not_allowed_is_an_error(house):
    error = refusal(house, {"prompt": "stub: call door=front", "tools": [LOCK]})
    assert (error["code"], error["field"]) == ("forbidden", "tool_calls")


def test_a_call_that_is_allowed_is_made(house):
    reply = answer(house, {"prompt": "stub: call door=shed-left", "tools": [LOCK]})
    assert reply["tool_calls"][0]["function"]["arguments"] == '{"door":"shed-left"}'

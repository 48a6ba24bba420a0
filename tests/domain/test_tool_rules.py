"""What tools may be called with."""

import json

import pytest

from worker.domain.tools import ToolRule, ToolRules

RULES = ToolRules({
    "control_*": ToolRule(arguments={"device": ("kitchen *", "hall light")}),
    "control_lock": ToolRule(confirm=True),
    "exact": ToolRule(arguments={"device": ("a", "b")}),
})  # fmt: skip
DECLARED = ["control_device", "control_lock", "exact", "other"]


def call(name, **arguments):
    return {"function": {"name": name, "arguments": json.dumps(arguments)}}


def tool(name, **properties):
    parameters = {"type": "object", "properties": properties}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


@pytest.mark.parametrize("device", ["kitchen light", "kitchen ", "hall light"])
def test_an_argument_that_fits_a_pattern_is_allowed(device):
    assert RULES.refusal(call("control_device", device=device), DECLARED) is None


@pytest.mark.parametrize("device", ["front door", "kitchen", "the hall light", 7, ["kitchen x"]])
def test_any_other_is_refused_by_name(device):
    refusal = RULES.refusal(call("control_device", device=device), DECLARED)
    assert (refusal.code, refusal.field) == ("forbidden", "tool_calls")
    assert "device" in refusal.message


def test_a_call_of_what_was_not_declared_is_refused():
    assert RULES.refusal(call("shell"), DECLARED).code == "unknown_tool"


def test_a_tool_without_a_rule_may_be_called_with_anything():
    assert RULES.refusal(call("other", device="front door"), DECLARED) is None


def test_a_tools_own_rule_comes_before_a_pattern():
    assert RULES.of("control_lock").confirm
    assert RULES.refusal(call("control_lock", device="front door"), DECLARED) is None


def test_the_rule_is_written_into_the_schema():
    (bound,) = RULES.bound([tool("control_device", device={"type": "string"}, on={})])
    properties = bound["function"]["parameters"]["properties"]
    assert properties["device"] == {"type": "string", "pattern": "^(kitchen\\ .*|hall\\ light)$"}
    assert properties["on"] == {}


def test_names_without_a_pattern_become_an_enumeration():
    (bound,) = RULES.bound([tool("exact", device={"type": "string"})])
    assert bound["function"]["parameters"]["properties"]["device"]["enum"] == ["a", "b"]


def test_of_an_enumeration_what_is_allowed_is_left():
    (bound,) = RULES.bound([tool("exact", device={"enum": ["a", "c"]})])
    assert bound["function"]["parameters"]["properties"]["device"]["enum"] == ["a"]


def test_other_tools_are_left_alone():
    other = tool("other", device={"type": "string"})
    assert RULES.bound([other]) == [other]

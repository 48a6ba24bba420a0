"""The embedded model: a thinking model to mlx-lm, with Qwen3's habits, and worth its megabytes."""

import json

import pytest
from test_generation import maker_of

from worker.domain.messages import Kind, Mode, Sampling
from worker.engine import adapter
from worker.engine.generation import Generation, Limits
from worker.engine.models import load
from worker.engine.pipe import Done, Submit, Text

HOME = (
    'You control a home. Reply with JSON only: {"actions": [{"device", "action", "value"}]}, '
    'or with "error" if a device does not exist.\nDevices: kitchen lamp, office fan, hall blind'
)
TOOL = {
    "type": "function",
    "function": {
        "name": "control_device",
        "description": "Control one device of the home",
        "parameters": {
            "type": "object",
            "properties": {
                "device": {"type": "string"},
                "action": {"type": "string"},
                "value": {},
            },
            "required": ["device", "action"],
        },
    },
}


@pytest.fixture(scope="module")
def embedded(embedded_path):
    return load(embedded_path)


@pytest.fixture(scope="module")
def generation(embedded):
    return Generation(embedded, Limits(), maker=maker_of(embedded))


def ask(generation, text, mode=Mode.NO_THINK, *, system=None, **fields):
    """Return thought, answer and end of one request."""
    messages = [{"role": "system", "content": system}] if system else []
    submit = Submit(
        row=1, messages=[*messages, {"role": "user", "content": text}], mode=mode,
        sampling=Sampling(max_tokens=200), **fields,
    )  # fmt: skip
    generation.submit(generation.prepare(submit))
    events = []
    while not generation.idle:
        events += generation.step().events
    said = dict.fromkeys(Kind, "")
    for event in events:
        if isinstance(event, Text):
            said[event.kind] += event.text
    (done,) = [event for event in events if isinstance(event, Done)]
    return said[Kind.REASONING].strip(), said[Kind.ANSWER].strip(), done


def test_the_adapter_is_small_enough_to_ship():
    assert adapter.SHIPPED.stat().st_size <= 12_000_000


def test_it_thinks_by_itself_and_calls_tools_in_its_own_form(embedded):
    assert embedded.profile.thinking == "native"
    assert embedded.tokenizer.has_thinking
    assert embedded.tokenizer.has_tool_calling


@pytest.mark.parametrize("name", adapter.CONTROL_TOKENS.values())
def test_a_control_token_is_one_token(embedded, name):
    assert len(embedded.tokenizer.encode(name, add_special_tokens=False)) == 1


def test_it_is_read_greedily_as_its_configuration_says(embedded):
    assert embedded.profile.preset(Mode.THINK).temperature == 0
    assert embedded.profile.preset(Mode.NO_THINK).temperature == 0


def test_a_thought_leads_to_the_answer_and_is_closed_by_the_model(generation):
    thought, answer, done = ask(generation, "What is 34 plus 25?", Mode.THINK)
    assert done.thought_end == "model"
    assert "34" in thought
    assert "59" in answer


def test_without_thinking_there_is_no_thought(generation):
    thought, answer, done = ask(generation, "What is 4 plus 5?")
    assert (thought, done.reasoning_tokens) == ("", 0)
    assert answer


def test_a_command_to_the_home_is_strict_json(generation):
    _, answer, _ = ask(generation, "Turn on the office fan.", system=HOME)
    (action,) = json.loads(answer)["actions"]
    assert (action["device"], action["action"]) == ("office fan", "turn_on")


def test_what_the_home_does_not_have_is_refused(generation):
    _, answer, _ = ask(generation, "Turn on the garden pump.", system=HOME)
    assert "error" in json.loads(answer)


def test_a_tool_is_called_with_its_arguments(generation):
    home = "You control a home.\nDevices: kitchen lamp, office fan, hall blind."
    _, _, done = ask(generation, "Turn on the office fan.", system=home, tools=[TOOL])
    (call,) = done.tool_calls
    assert call["function"]["name"] == "control_device"
    assert json.loads(call["function"]["arguments"])["device"] == "office fan"


def test_a_soft_switch_in_the_text_opens_or_leaves_out_the_thought(embedded):
    """The template's own way, without the hard switch: the model itself opens its thought."""
    from mlx_lm import generate

    def said(text):
        messages = [{"role": "user", "content": text}]
        prompt = embedded.tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        return generate(embedded.model, embedded.tokenizer, prompt, max_tokens=120)

    assert said("What is 12 plus 30? /no_think").startswith("<think>\n\n</think>")
    thought = said("What is 12 plus 30? /think").partition("</think>")[0]
    assert "12" in thought

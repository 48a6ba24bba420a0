"""A parked row goes on as if nothing had been: the same tokens, thought and grammar."""

import itertools
import json

import pytest
from test_generation import GREEDY, Runner, Said

from worker.domain.messages import Kind, Mode, Sampling
from worker.engine.models import load
from worker.engine.pipe import Cancel

SAMPLINGS = {"greedy": GREEDY, "seeded": Sampling(seed=7, max_tokens=24)}


@pytest.fixture(scope="module")
def qwen(tiny_qwen3):
    return Runner(load(tiny_qwen3))


@pytest.fixture(scope="module")
def smollm(smollm2_path):
    return Runner(load(smollm2_path))


def parked_after(runner, steps, between=(), **fields):
    """Run row 1, park it after some steps, run others, resume it; return what was said."""
    runner.submit(1, **fields)
    said = Said()
    generation = runner.generation
    for _ in range(steps):
        said.hear(generation.step())
    for event in generation.park(1):
        said.event(event)
    for row, prompt in enumerate(between, start=2):
        runner.submit(row, prompt, sampling=GREEDY)
    while not generation.idle:
        said.hear(generation.step())
    generation.resume(1)
    while not generation.idle:
        said.hear(generation.step())
    return said


@pytest.mark.parametrize(
    ("model", "mode", "sampling", "steps"),
    [
        *itertools.product(["qwen"], Mode, ["greedy", "seeded"], [2, 9]),
        ("smollm", Mode.THINK, "seeded", 2),
        ("smollm", Mode.THINK, "greedy", 9),
        ("smollm", Mode.NO_THINK, "greedy", 2),
    ],
)
def test_it_says_what_it_would_have_said(model, mode, sampling, steps, request):
    runner = request.getfixturevalue(model)
    fields = {"mode": mode, "sampling": SAMPLINGS[sampling], "budget_tokens": 8}
    whole = runner.one(**fields)
    parked = parked_after(runner, steps, between=["Count to ten."], **fields)
    assert parked.text(Kind.REASONING) == whole.text(Kind.REASONING)
    assert parked.text() == whole.text()
    assert parked.done[1] == whole.done[1]


def test_it_says_that_it_is_parked_and_that_it_goes_on(smollm):
    said = parked_after(smollm, 4, sampling=GREEDY)
    assert said.states[1] == ["prefill", "answering", "parked", "answering"]


def test_the_rows_beside_it_are_not_changed(smollm):
    alone = smollm.one("Count to ten.", sampling=GREEDY).text()
    said = parked_after(smollm, 5, between=["Count to ten."], sampling=GREEDY)
    assert said.text(row=2) == alone


def test_a_row_that_is_parked_while_its_prompt_is_read_goes_on_where_it_was(qwen):
    prompt = "word " * 1500
    whole = qwen.one(prompt, sampling=Sampling(temperature=0, max_tokens=3)).text()
    qwen.submit(2, "Count to ten.", sampling=GREEDY)
    said = Said()
    said.hear(qwen.generation.step())
    qwen.submit(1, prompt, sampling=Sampling(temperature=0, max_tokens=3))
    said.hear(qwen.generation.step())
    assert qwen.generation.park(1)
    qwen.generation.resume(1)
    read = 0
    while not qwen.generation.idle:
        step = qwen.generation.step()
        read += step.prefill_tokens
        said.hear(step)
    assert said.text() == whole
    assert read < 1500


def test_a_row_that_is_parked_before_it_was_let_in_enters_when_it_is_resumed(smollm):
    whole = smollm.one(sampling=GREEDY).text()
    smollm.submit(1, sampling=GREEDY)
    assert [event.state for event in smollm.generation.park(1)] == ["parked"]
    assert smollm.generation.idle
    smollm.generation.resume(1)
    assert smollm.run().text() == whole


def test_a_bound_answer_goes_on_within_its_schema(smollm):
    schema = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"]}
    grammar = {"type": "json_schema", "json_schema": {"schema": schema}}
    said = parked_after(smollm, 4, grammar=grammar, sampling=GREEDY)
    assert json.loads(said.text())["a"] in {"x", "y"}


def test_a_parked_row_can_be_cancelled_and_keeps_what_it_said(smollm):
    smollm.submit(1, sampling=GREEDY)
    said = Said()
    for _ in range(6):
        said.hear(smollm.generation.step())
    smollm.generation.park(1)
    for event in smollm.generation.cancel(Cancel(1)):
        said.event(event)
    assert said.done[1].finish_reason == "cancelled"
    assert said.text()
    smollm.generation.resume(1)
    assert smollm.generation.idle


def test_parking_a_row_that_has_ended_does_nothing(smollm):
    smollm.one(sampling=GREEDY)
    assert smollm.generation.park(1) == []
    smollm.generation.resume(1)
    assert smollm.generation.idle

"""An answer that begins unsure is taken back before anybody hears of it, and thought about."""

import pytest
from test_generation import Runner

from worker.domain.messages import Kind, Mode, Sampling
from worker.engine.models import load
from worker.engine.pipe import Cancel, Doubt, Escalated

GREEDY = Sampling(temperature=0.0, max_tokens=200)
LONG = (
    "Please tell me all that you know about the cats of this town, and of the other towns too. " * 3
)
ALWAYS, NEVER = Doubt(below=1.0, budget_tokens=20), Doubt(below=1e-9, budget_tokens=20)


@pytest.fixture(scope="module")
def runner(tiny_qwen3):
    return Runner(load(tiny_qwen3), cache_bytes=1 << 26)


def run(runner, row, **fields):
    """Run one request, and return what was heard of it and how it was escalated."""
    escalations = []
    runner.submit(row, LONG, **fields)
    generation, said = runner.generation, runner.run(lambda _said: True)
    while not generation.idle:
        step = generation.step()
        escalations += [event for event in step.events if isinstance(event, Escalated)]
        said.hear(step)
    return said, escalations


def test_an_unsure_answer_becomes_the_one_of_a_thought(runner):
    thought, none = run(runner, 1, mode=Mode.THINK, budget_tokens=20, sampling=GREEDY)
    said, escalations = run(runner, 2, doubt=ALWAYS, sampling=GREEDY)
    assert not none
    assert len(escalations) == 1
    assert said.text(Kind.REASONING, 2) == thought.text(Kind.REASONING, 1)
    assert said.done[2].reasoning_tokens == 20


def test_the_daemon_never_knows_of_what_was_taken_back(runner):
    thought, _ = run(runner, 3, mode=Mode.THINK, budget_tokens=20, sampling=GREEDY)
    said, _ = run(runner, 4, doubt=ALWAYS, sampling=GREEDY)
    assert said.tokens[4][:20] == thought.tokens[3][:20]


def test_what_was_taken_back_counts_as_written(runner):
    said, _ = run(runner, 5, doubt=ALWAYS, sampling=GREEDY)
    real = sum(token >= 0 for token in said.tokens[5])
    assert said.done[5].completion_tokens == real + 1


def test_a_sure_answer_is_the_one_without_a_watch(runner):
    plain, _ = run(runner, 6, sampling=GREEDY)
    watched, escalations = run(runner, 7, doubt=NEVER, sampling=GREEDY)
    assert not escalations
    assert watched.text(Kind.ANSWER, 7) == plain.text(Kind.ANSWER, 6)
    assert watched.tokens[7] == plain.tokens[6]


def test_an_answer_that_is_cut_while_it_is_watched_is_heard(runner):
    generation = runner.generation
    runner.submit(8, LONG, doubt=NEVER, sampling=GREEDY)
    said = runner.run(lambda said: "answering" in said.states.get(8, []))
    said.hear(generation.step())
    assert (8, Kind.ANSWER) not in said.texts
    for event in generation.cancel(Cancel(8)):
        said.event(event)
    assert said.text(Kind.ANSWER, 8)
    assert said.done[8].finish_reason == "cancelled"


def test_where_the_length_leaves_no_room_nothing_is_taken_back(runner):
    short = Sampling(temperature=0.0, max_tokens=100)
    said, escalations = run(runner, 9, doubt=ALWAYS, sampling=short)
    assert not escalations
    assert said.done[9].reasoning_tokens == 0


def test_what_is_thought_about_anyway_is_not_watched(runner):
    fields = {"mode": Mode.THINK, "budget_tokens": 20, "sampling": GREEDY}
    plain, _ = run(runner, 10, **fields)
    watched, escalations = run(runner, 11, doubt=ALWAYS, **fields)
    assert not escalations
    assert watched.tokens[11] == plain.tokens[10]

"""A conversation's next turn reads only what is new, and only its own client's past helps it."""

import json

import pytest
from test_generation import GREEDY, Runner

from worker.domain.messages import Kind, Mode
from worker.engine.models import load
from worker.engine.pipe import Cancel, Forget

LONG = "Here is a long introduction to cats and lighthouses. " * 12


@pytest.fixture(scope="module")
def loaded(tiny_qwen3):
    return load(tiny_qwen3)


@pytest.fixture(scope="module", params=["tiny_qwen3", "smollm2_path"])
def each(request):
    """A model that is quick, and one whose answers are words."""
    return load(request.getfixturevalue(request.param))


@pytest.fixture
def runner(loaded):
    return Runner(loaded, cache_bytes=1 << 30)


@pytest.fixture
def cold(loaded):
    return Runner(loaded)


def turn(runner, messages, row=1, **fields):
    fields = {"owner": "me", "sampling": GREEDY, **fields}
    runner.submit(row, messages, **fields)
    return runner.run()


def conversation(answer):
    return [
        {"role": "user", "content": LONG},
        {"role": "assistant", "content": answer},
        {"role": "user", "content": "And what about dogs?"},
    ]


@pytest.mark.parametrize("mode", list(Mode))
def test_the_next_turn_does_not_read_the_first_again(runner, mode):
    first = turn(runner, LONG, mode=mode, budget_tokens=6)
    second = turn(runner, conversation(first.text()), row=2, mode=mode, budget_tokens=6)
    assert first.done[1].cached_tokens == 0
    assert second.done[2].cached_tokens > 0.7 * first.done[1].prompt_tokens


@pytest.mark.parametrize("mode", list(Mode))
def test_it_says_what_it_would_have_said_without_a_cache(each, mode):
    runner, cold = Runner(each, cache_bytes=1 << 30), Runner(each)
    first = turn(runner, LONG, mode=mode, budget_tokens=6)
    warm = turn(runner, conversation(first.text()), row=2, mode=mode, budget_tokens=6)
    fresh = turn(cold, conversation(first.text()), row=2, mode=mode, budget_tokens=6)
    assert warm.text(Kind.ANSWER, 2) == fresh.text(Kind.ANSWER, 2)
    assert warm.text(Kind.REASONING, 2) == fresh.text(Kind.REASONING, 2)


def test_the_very_same_prompt_is_answered_the_same(runner):
    first = turn(runner, LONG)
    again = turn(runner, LONG, row=2)
    assert again.text(row=2) == first.text()
    assert again.done[2].cached_tokens == first.done[1].prompt_tokens - 1


@pytest.mark.parametrize("steps", [1, 4])
def test_what_was_read_for_a_cancelled_request_is_not_read_again(runner, steps):
    runner.submit(1, LONG, owner="me", sampling=GREEDY)
    for _ in range(steps):
        runner.generation.step()
    runner.generation.cancel(Cancel(1))
    again = turn(runner, LONG, row=2)
    assert again.done[2].cached_tokens > 0.9 * again.done[2].prompt_tokens


def test_another_client_gains_nothing_from_it(runner):
    turn(runner, LONG)
    other = turn(runner, LONG, row=2, owner="you")
    assert other.done[2].cached_tokens == 0


def test_two_conversations_with_one_beginning_do_not_disturb_each_other(runner, cold):
    turn(runner, LONG)
    warm = [turn(runner, LONG + tail, row=row) for row, tail in enumerate(["Dogs?", "Cats?"], 2)]
    fresh = [turn(cold, LONG + tail, row=row) for row, tail in enumerate(["Dogs?", "Cats?"], 2)]
    assert [one.text(row=row) for row, one in enumerate(warm, 2)] == [
        one.text(row=row) for row, one in enumerate(fresh, 2)
    ]


def test_a_bound_answer_from_a_cache_is_still_valid(runner):
    schema = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"]}
    grammar = {"type": "json_schema", "json_schema": {"schema": schema}}
    turn(runner, LONG)
    said = turn(runner, LONG, row=2, grammar=grammar)
    assert json.loads(said.text(row=2))["a"] in {"x", "y"}


def test_what_is_forgotten_is_read_again_by_that_client_alone(runner):
    turn(runner, LONG)
    turn(runner, LONG, row=2, owner="you")
    runner.generation.forget(Forget("me"))
    assert turn(runner, LONG, row=3).done[3].cached_tokens == 0
    assert turn(runner, LONG, row=4, owner="you").done[4].cached_tokens > 0


def test_the_store_keeps_to_its_bytes(runner):
    one = Runner(runner.loaded, cache_bytes=1 << 30)
    turn(one, LONG)
    needed = one.generation.caches.bytes
    small = Runner(runner.loaded, cache_bytes=int(needed * 1.5))
    for row in range(1, 5):
        turn(small, f"{row} {LONG}", row=row)
    assert 0 < small.generation.caches.bytes <= needed * 1.5

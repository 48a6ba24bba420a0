"""What is read while nobody waits: the next turn, pinned prompts, an early transcript."""

import pytest
from test_generation import GREEDY
from test_long_context import Runner

from worker.domain.messages import Kind, Mode, Sampling
from worker.engine.caches import SHORTEST_TOKENS
from worker.engine.making import RowMaker
from worker.engine.models import load
from worker.engine.pipe import Ahead, Forget, Submit

LONG = "Here is a long introduction to cats and lighthouses. " * 6
SYSTEM = {"role": "system", "content": "You answer in one sentence and never lie. " * 5}
TOOL = {
    "type": "function",
    "function": {"name": "open_door", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture(scope="module")
def qwen(tiny_qwen3):
    return load(tiny_qwen3)


@pytest.fixture
def runner(qwen):
    return Runner(qwen, cache_bytes=1 << 28)


def finish_reading(runner):
    while runner.pools.ahead_pending:
        runner.pools.step_ahead()


def read_ahead(runner, messages, owner="me", kind="history", **fields):
    ahead = Ahead(owner=owner, kind=kind, messages=messages, **fields)
    runner.pools.read_ahead(ahead)
    finish_reading(runner)


def ask(runner, messages, row=1, owner="me", **fields):
    runner.submit(row, messages, **{"owner": owner, "sampling": GREEDY, **fields})
    return runner.run()


def user(text):
    return {"role": "user", "content": text}


def turn(answer):
    return [SYSTEM, user(LONG), {"role": "assistant", "content": answer}]


def unread(said, row):
    return said.done[row].prompt_tokens - said.done[row].cached_tokens


@pytest.mark.parametrize("before", list(Mode))
@pytest.mark.parametrize("after", list(Mode))
def test_the_next_turn_reads_only_its_own_words_in_either_mode(runner, before, after):
    first = ask(runner, [SYSTEM, user(LONG)], mode=before, budget_tokens=8)
    history = turn(first.text())
    read_ahead(runner, history)
    second = ask(runner, [*history, user("And?")], row=2, mode=after, budget_tokens=8)
    assert unread(second, 2) < 16


def test_it_says_what_it_would_have_said_without(runner, qwen):
    cold = Runner(qwen)
    history = turn("Cats like lighthouses.")
    read_ahead(runner, history)
    for row, mode in enumerate(Mode, start=1):
        asked = [*history, user("And dogs?")]
        warm = ask(runner, asked, row=row, mode=mode, budget_tokens=8)
        fresh = ask(cold, asked, row=row, mode=mode, budget_tokens=8)
        assert warm.done[row].cached_tokens > 0
        assert warm.text(row=row) == fresh.text(row=row)
        assert warm.text(Kind.REASONING, row) == fresh.text(Kind.REASONING, row)


def test_reading_stops_when_a_request_comes_and_goes_on_afterwards(runner):
    pools = runner.pools
    history = turn("Cats like lighthouses.")
    pools.read_ahead(Ahead(owner="me", kind="history", messages=history))
    # A slow machine reads shorter chunks, and what is shorter than this is not kept.
    while pools.recall.ahead.tokens_read < SHORTEST_TOKENS:
        pools.step_ahead()
    pools.pause_ahead()
    read = pools.recall.ahead.tokens_read
    said = ask(runner, [*history, user("And?")])
    assert said.done[1].cached_tokens == read
    assert pools.ahead_pending
    finish_reading(runner)
    # What the request itself has read is not read again.
    assert pools.recall.ahead.tokens_read == read


def test_what_is_stopped_before_there_is_anything_to_keep_is_read_all_the_same(runner):
    pools = runner.pools
    pools.read_ahead(Ahead(owner=None, kind="pinned", messages=[SYSTEM]))
    pools.step_ahead()
    assert pools.recall.ahead.tokens_read < SHORTEST_TOKENS
    pools.pause_ahead()
    finish_reading(runner)
    assert unread(ask(runner, [SYSTEM, user("Hi.")]), 1) < 24


def test_what_is_pinned_helps_every_client_and_its_bytes_are_told(runner):
    read_ahead(runner, [SYSTEM], owner=None, kind="pinned")
    stored = runner.pools.stored()
    assert 0 < stored.pinned_bytes == stored.memory_bytes
    for row, owner in enumerate(["me", "you"], start=1):
        said = ask(runner, [SYSTEM, user(f"I am {owner}.")], row=row, owner=owner)
        assert unread(said, row) < 24


def test_what_is_pinned_outlasts_what_is_not(qwen):
    runner = Runner(qwen, cache_bytes=700_000)
    read_ahead(runner, [SYSTEM], owner=None, kind="pinned")
    for row in range(1, 6):
        ask(runner, f"{row} {LONG}", row=row)
    assert unread(ask(runner, [SYSTEM, user("Hi.")], row=9), 9) < 24


def test_a_request_pays_only_what_its_early_transcript_lacks(runner):
    spoken = f"{LONG} Turn on the li"
    read_ahead(runner, [SYSTEM, user(spoken)], kind="prewarm")
    said = ask(runner, [SYSTEM, user(spoken + "ghts, please.")])
    assert unread(said, 1) < 24


def test_a_later_transcript_replaces_an_earlier_one(runner):
    pools = runner.pools
    for spoken in ("Turn", "Turn on", "Turn on the lights"):
        ahead = Ahead(owner="me", kind="prewarm", messages=[SYSTEM, user(spoken)])
        pools.read_ahead(ahead)
    finish_reading(runner)
    said = ask(runner, [SYSTEM, user("Turn on the lights")])
    assert pools.recall.ahead.tokens_read == said.done[1].cached_tokens


def test_another_client_gains_nothing_from_a_transcript(runner):
    read_ahead(runner, [SYSTEM, user(LONG)], kind="prewarm")
    assert ask(runner, [SYSTEM, user(LONG)], owner="you").done[1].cached_tokens == 0


def test_nothing_is_read_for_a_client_that_is_forgotten(runner):
    pools = runner.pools
    ahead = Ahead(owner="me", kind="history", session="talk", messages=turn("Yes."))
    pools.read_ahead(ahead)
    pools.step_ahead()
    pools.forget(Forget("me", "talk"))
    assert not pools.ahead_pending
    assert ask(runner, [*turn("Yes."), user("And?")]).done[1].cached_tokens == 0


@pytest.mark.parametrize("others", [0, 3])
def test_a_revision_does_not_read_its_prompt_again(qwen, others):
    runner = Runner(qwen, cache_bytes=0)
    for row in range(10, 10 + others):
        runner.submit(row, f"{row} {LONG}", owner="you", sampling=GREEDY)
    ends_at_once = Sampling(temperature=0.0, logit_bias={2: 100.0})
    first = ask(runner, [SYSTEM, user(LONG)], hold=True, sampling=ends_at_once)
    assert first.done[1].finish_reason == "stop"
    second = ask(runner, [SYSTEM, user(LONG)], row=2, mode=Mode.THINK, budget_tokens=8, held=1)
    assert unread(second, 2) < 8
    assert runner.pools.memory().store == 0


@pytest.mark.parametrize("model", ["tiny_qwen3", "smollm2_path", "embedded_path"])
@pytest.mark.parametrize("tools", [[], [TOOL]], ids=["no tools", "tools"])
def test_what_is_read_ahead_is_what_the_next_prompt_begins_with(model, tools, request):
    maker = RowMaker(load(request.getfixturevalue(model)))
    history = turn("Cats like lighthouses.")
    ahead = Ahead(owner="me", kind="history", messages=history, tools=tools)
    begins = maker.beginning(ahead)
    for mode in Mode:
        messages = [*history, user("And dogs?")]
        prompt = maker.row(Submit(row=1, messages=messages, mode=mode, tools=tools), mode).prompt
        assert prompt[: len(begins)] == begins
        assert len(prompt) - len(begins) < 40

"""The engine keeps to its memory whatever is asked of it, and loses no token to that."""

import os
import stat
import sys

import pytest
from mlx_lm.generate import BatchGenerator
from test_generation import Said
from test_long_context import SHORT, Runner

from worker.domain.errors import ContextTooLong
from worker.domain.messages import Kind, Mode, Sampling
from worker.engine.models import load
from worker.engine.pins import ModelError
from worker.engine.pipe import Cancel, NoRoom
from worker.engine.pools import LEAST_TOKENS
from worker.engine.spill import Spill

PLENTY = 1 << 40
GREEDY = Sampling(temperature=0.0, max_tokens=24)
SEEDED = Sampling(seed=7, max_tokens=24)
ENDLESS = Sampling(seed=7, max_tokens=300, logit_bias={2: -100.0})
"""Writes to its end: greedily the tiny model goes round in circles, sooner or later by machine."""


@pytest.fixture(scope="module")
def short(short_qwen3):
    return load(short_qwen3)


@pytest.fixture
def tight(short, tmp_path):
    """Make runners whose memory holds so many tokens, parked ones on disk."""

    def make(tokens, **options):
        roomy = Runner(short, memory_bytes=PLENTY, available=lambda: None)
        memory_bytes = roomy.pools.ledger.fixed_bytes + tokens * short.kv_bytes_per_token
        options = {"available": lambda: None, "spill_dir": tmp_path / "spill", **options}
        return Runner(short, memory_bytes=memory_bytes, **options)

    return make


def measured(runner):
    """What is really allocated for rows and kept caches, with all that is there without them."""
    ledger = runner.pools.ledger
    batches = sum(pool._batch.prompt_cache_nbytes for pool in runner.pools._pools.values())
    return ledger.fixed_bytes + batches + ledger.parked_bytes + ledger.store_bytes


def as_a_daemon(runner, asked):
    """Run requests as a daemon does: what finds no room comes again. Return all, and the peak."""
    said, peak, waiting = Said(), 0, list(asked)
    refused, turned_away = {}, 0
    prompts = dict(asked)
    while waiting or not runner.pools.idle:
        while waiting:
            row, fields = waiting.pop(0)
            try:
                runner.submit(row, **fields)
            except ContextTooLong as error:
                refused[row] = error
        if runner.pools.idle:
            break
        step = runner.pools.step()
        said.hear(step)
        for event in step.events:
            if isinstance(event, NoRoom):
                turned_away += 1
                waiting.append((event.row, prompts[event.row]))
        peak = max(peak, measured(runner))
    return said, peak, refused, turned_away


@pytest.mark.parametrize("tokens", [1000, 2500])
def test_many_long_requests_never_take_more_than_the_limit(tight, tokens):
    runner = tight(tokens, cache_bytes=PLENTY)
    asked = [
        (row, {"prompt": f"{row} " + "word " * (110 * row), "sampling": Sampling(max_tokens=30)})
        for row in range(1, 11)
    ]
    said, peak, refused, turned_away = as_a_daemon(runner, asked)
    assert sorted([*said.done, *refused]) == list(range(1, 11))
    assert turned_away
    assert peak <= runner.pools.memory_bytes
    assert all(error.limit < tokens < error.tokens + 256 for error in refused.values())
    assert bool(refused) == (tokens == 1000)


def test_answers_longer_than_expected_are_set_aside_and_go_on_as_if_nothing_had_been(tight, short):
    fields = {"sampling": ENDLESS}
    prompts = [f"Tell me about {what}." for what in ("cats", "dogs", "rain", "snow")]
    whole = [Runner(short).one(prompt, **fields).text() for prompt in prompts[:2]]
    runner = tight(4 * 512 + 40)
    # Having seen only short answers, it lets more in than there is room for in the end.
    for mode in Mode:
        for _ in range(100):
            runner.pools.ledger.note_answer(mode, 8)
    asked = [(row, {"prompt": prompt, **fields}) for row, prompt in enumerate(prompts, 1)]
    said, peak, _, _ = as_a_daemon(runner, asked)
    assert [said.text(row=row) for row in (1, 2)] == whole
    assert any("parked" in states for states in said.states.values())
    assert peak <= runner.pools.memory_bytes


def test_of_too_many_the_least_urgent_is_set_aside(tight):
    runner = tight(3 * 512)
    for _ in range(100):
        runner.pools.ledger.note_answer(Mode.NO_THINK, 8)
    for row, urgency in ((1, 0), (2, 2), (3, 1)):
        runner.submit(row, SHORT, urgency=urgency, sampling=ENDLESS)
    said = runner.run(until=lambda said: any("parked" in states for states in said.states.values()))
    assert all("answering" in said.states[row] for row in (1, 2, 3))
    assert [row for row in (1, 2, 3) if "parked" in said.states[row]] == [1]
    for row in (1, 2, 3):
        runner.pools.cancel(Cancel(row))


def test_short_prompts_that_are_read_together_are_not_counted_as_a_whole_chunk(tight):
    runner = tight(3 * 512)
    for row in (1, 2, 3):
        runner.submit(row, SHORT, sampling=GREEDY)
    said, _, _, turned_away = as_a_daemon(runner, [])
    assert sorted(said.done) == [1, 2, 3]
    assert not turned_away
    assert not any("parked" in states for states in said.states.values())


@pytest.mark.parametrize("known", [200, 400])
def test_what_reading_beside_a_known_beginning_pads_is_counted(tight, known):
    runner = tight(8000, cache_bytes=PLENTY)
    runner.one("word " * known, sampling=GREEDY)
    runner.submit(2, "word " * known + "and", sampling=GREEDY)
    runner.submit(3, "other " * 450, sampling=GREEDY)
    peak, ledger = 0, runner.pools.ledger
    while not runner.pools.idle:
        runner.pools.step()
        batches = sum(pool._batch.prompt_cache_nbytes for pool in runner.pools._pools.values())
        peak = max(peak, batches - ledger.live_bytes)
    assert peak <= 0


def parked(runner, mode=Mode.NO_THINK, sampling=None, steps=6):
    """Park row 1 after some steps, with its KV cache on disk; return what was said till then."""
    runner.submit(1, SHORT, mode=mode, budget_tokens=8, sampling=sampling or GREEDY)
    said = Said()
    for _ in range(steps):
        said.hear(runner.pools.step())
    for event in runner.pools.park(1):
        said.event(event)
    pool = next(iter(runner.pools._pools.values()))
    for held in list(pool._space.held()):
        pool._space.spill(held)
    return said


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("sampling", [GREEDY, SEEDED], ids=["greedy", "seeded"])
def test_a_row_that_was_on_disk_says_what_it_would_have_said(tight, mode, sampling):
    whole = tight(4000).one(SHORT, mode=mode, budget_tokens=8, sampling=sampling)
    runner = tight(4000)
    said = parked(runner, mode, sampling)
    runner.pools.resume(1)
    while not runner.pools.idle:
        said.hear(runner.pools.step())
    assert said.text(Kind.REASONING) == whole.text(Kind.REASONING)
    assert said.text() == whole.text()
    assert said.done[1] == whole.done[1]
    memory = runner.pools.memory()
    assert (memory.rows_parked, memory.rows_resumed, memory.rows_spilled) == (1, 1, 1)
    assert memory.wasted_tokens == 0


def test_its_file_is_its_owners_alone_and_gone_when_it_is_back(tight, tmp_path):
    runner = tight(4000)
    parked(runner)
    (path,) = (tmp_path / "spill" / str(os.getpid())).iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert runner.pools.memory().spilled == path.stat().st_size
    assert runner.pools.memory().parked == 0
    runner.pools.resume(1)
    runner.run()
    assert not path.exists()
    assert runner.pools.memory().spilled == 0


def test_the_file_of_a_row_that_is_cancelled_is_removed(tight, tmp_path):
    runner = tight(4000)
    parked(runner)
    runner.pools.cancel(Cancel(1))
    assert list((tmp_path / "spill" / str(os.getpid())).iterdir()) == []


def test_what_a_dead_engine_left_on_disk_is_removed(tmp_path):
    (tmp_path / "99999999").mkdir()
    (tmp_path / "99999999" / "left.safetensors").write_bytes(b"x")
    # Numbers of processes come again, in a container soon.
    (tmp_path / str(os.getpid())).mkdir()
    (tmp_path / str(os.getppid())).mkdir()
    Spill(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [str(os.getppid())]


def test_a_row_whose_file_is_lost_is_read_again_and_that_is_counted(tight, tmp_path):
    whole = tight(4000).one(SHORT, sampling=GREEDY).text()
    runner = tight(4000)
    said = parked(runner)
    (path,) = (tmp_path / "spill" / str(os.getpid())).iterdir()
    path.write_bytes(b"damaged")
    runner.pools.resume(1)
    while not runner.pools.idle:
        said.hear(runner.pools.step())
    assert said.text() == whole
    assert runner.pools.memory().wasted_tokens > 0


def test_a_new_row_sends_parked_ones_to_disk_before_it_is_turned_away(tight):
    runner = tight(1100)
    runner.submit(1, "word " * 400, sampling=GREEDY)
    said = runner.run(until=lambda said: said.tokens.get(1))
    for event in runner.pools.park(1):
        said.event(event)
    assert runner.pools.memory().parked > 0
    runner.submit(2, "word " * 400, sampling=GREEDY)
    said.hear(runner.pools.step())
    assert runner.pools.memory().rows_spilled == 1
    assert 2 in runner.run().done


def test_when_the_machine_runs_short_the_store_goes_first(tight):
    left = []
    runner = tight(100_000, cache_bytes=PLENTY, available=lambda: left[-1] if left else None)
    runner.one("word " * 200, sampling=GREEDY)
    assert runner.pools.memory().store > 0
    parked(runner)
    left.append(0)
    runner.pools.watch()
    assert runner.pools.memory().store == 0
    assert runner.pools.memory().headroom == 0


def test_with_nothing_left_on_the_machine_one_row_runs_at_a_time(tight):
    runner = tight(100_000, available=lambda: 0)
    asked = [(row, {"prompt": SHORT, "sampling": GREEDY}) for row in range(1, 4)]
    runner.pools.watch()
    said, _, _, turned_away = as_a_daemon(runner, asked)
    assert sorted(said.done) == [1, 2, 3]
    assert turned_away


def test_a_memory_that_holds_no_conversation_is_refused_with_what_it_would_take(tight):
    with pytest.raises(ModelError, match=rf"engine.memory_bytes.*{LEAST_TOKENS}"):
        tight(300)


def test_a_prompt_that_memory_is_the_limit_of_is_told_so(tight):
    runner = tight(900)
    assert runner.pools.context_tokens == 900 - 256
    with pytest.raises(ContextTooLong, match="the memory of this worker reads at most 643"):
        runner.submit(1, "word " * 800)


def test_the_systems_wired_limit_is_left_alone_unless_asked_for(short, monkeypatch):
    limits = [1000]

    def set_limit(to):
        limits.append(to)
        return limits[-2]

    module = sys.modules[BatchGenerator.__module__]
    monkeypatch.setattr(module, "maybe_set_recommended_wired_limit", lambda: set_limit(9))
    monkeypatch.setattr("mlx.core.set_wired_limit", set_limit)
    Runner(short)
    assert limits[-1] == 1000
    wired = Runner(short, wire_memory=True)
    assert limits[-1] == 9
    wired.pools.close()
    assert limits[-1] == 1000

"""Long prompts run stretched, in a batch and with caches of their own; short ones never notice."""

import pytest
from mlx_lm import generate
from test_generation import Said, maker_of

from worker.domain.errors import ContextTooLong
from worker.domain.messages import Mode, Sampling
from worker.engine.generation import Limits
from worker.engine.models import load
from worker.engine.pipe import Cancel, Submit
from worker.engine.pools import Pools
from worker.engine.stretching import stretch, windows

ANSWER = Sampling(temperature=0.0, max_tokens=12)
SHORT = "Tell me about cats."
LONG = "word " * 600
LONGER = "word " * 1200


class Runner:
    """Runs rows of any length to their end."""

    def __init__(self, loaded, *, cache_bytes=0, wire_memory=False, **options):
        limits = Limits(cache_bytes=cache_bytes, wire_memory=wire_memory)
        self.pools = Pools(loaded, limits, maker=maker_of(loaded), **options)

    def submit(self, row, prompt, mode=Mode.NO_THINK, sampling=ANSWER, **fields):
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        fields = {"owner": "me", **fields}
        submit = Submit(row=row, messages=messages, mode=mode, sampling=sampling, **fields)
        prepared = self.pools.prepare(submit)
        self.pools.submit(prepared)
        return prepared

    def run(self, until=lambda _said: False):
        said = Said()
        while not self.pools.idle and not until(said):
            said.hear(self.pools.step())
        return said

    def one(self, prompt, row=1, **fields):
        self.submit(row, prompt, **fields)
        return self.run()


@pytest.fixture(scope="module")
def short(short_qwen3):
    return load(short_qwen3)


@pytest.fixture(scope="module")
def runner(short):
    return Runner(short)


@pytest.mark.parametrize(("prompt", "window"), [(SHORT, 512), (LONG, 1024), (LONGER, 2048)])
def test_a_request_runs_in_the_least_stretched_model_that_it_fits(runner, prompt, window):
    row = runner.submit(1, prompt)
    assert row.window == window
    assert runner.run().done[1].completion_tokens == 12


def test_room_that_is_asked_for_its_answer_counts(runner):
    row = runner.submit(1, SHORT, sampling=Sampling(temperature=0, max_tokens=700))
    assert row.window == 1024
    runner.pools.cancel(Cancel(1))


def test_a_long_prompt_is_answered_as_the_stretched_model_alone_answers_it(runner, short):
    row = runner.submit(1, LONG)
    alone = stretch(short, 2)
    theirs = generate(alone.model, alone.tokenizer, row.prompt, max_tokens=12)
    assert runner.run().text() == theirs.strip()


def test_a_short_prompt_says_beside_a_long_one_what_it_says_alone(short):
    one = Runner(short)
    alone = one.one(SHORT).text()
    one.submit(1, LONG)
    one.submit(2, LONGER)
    one.submit(3, SHORT)
    assert one.run().text(row=3) == alone


def test_a_short_prompt_is_not_padded_to_a_long_one(short):
    one = Runner(short)
    one.submit(1, SHORT)
    one.run(until=lambda said: said.tokens.get(1))
    before = one.pools.ledger.live_bytes
    one.submit(2, LONGER, sampling=Sampling(temperature=0, max_tokens=2))
    one.run(until=lambda said: said.tokens.get(2))
    added = one.pools.ledger.live_bytes - before
    assert added < (1200 + 512 + 256) * short.kv_bytes_per_token
    one.run()


def test_no_pool_uses_the_caches_of_another(short):
    one = Runner(short, cache_bytes=1 << 30)
    tail = [{"role": "user", "content": "word " * 400}]
    asked = Sampling(temperature=0, max_tokens=4)
    one.one(tail, sampling=asked)
    stretched = one.one(tail, row=2, sampling=Sampling(temperature=0, max_tokens=400))
    assert stretched.done[2].cached_tokens == 0
    assert one.one(tail, row=3, sampling=asked).done[3].cached_tokens > 390


def test_a_long_conversation_finds_its_own_cache(short):
    one = Runner(short, cache_bytes=1 << 30)
    one.one(LONG)
    assert one.one(LONG, row=2).done[2].cached_tokens > 590


def test_what_no_window_holds_is_refused_with_limit_and_count(runner):
    with pytest.raises(ContextTooLong, match=r"has \d{4} tokens.* at most 2047") as caught:
        runner.submit(1, "word " * 2100)
    assert caught.value.tokens > 2100
    assert caught.value.limit == 2047


@pytest.mark.parametrize(
    ("most", "limit", "found"),
    [
        (None, None, {1: 512, 2: 1024, 4: 2048}),
        (1, None, {1: 512}),
        (2, None, {1: 512, 2: 1024}),
        (None, 700, {1: 512, 2: 700}),
        (None, 300, {1: 300}),
    ],
)
def test_an_operator_may_allow_less(short, most, limit, found):
    assert windows(short, most, limit) == found


def test_qwen3_itself_is_stretched_from_32768_tokens(tiny_qwen3):
    loaded = load(tiny_qwen3)
    assert windows(loaded, None, None) == {1: 32_768, 2: 65_536, 4: 131_072}
    assert windows(loaded, 1, None) == {1: 40_960}


def test_a_model_that_nobody_has_tried_it_on_is_stretched_only_when_told_to(embedded_path):
    loaded = load(embedded_path)
    assert windows(loaded, None, None) == {1: 8192}
    assert windows(loaded, 2, None) == {1: 8192, 2: 16_384}

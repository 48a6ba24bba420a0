"""Sampling: the usual order of cuts, on numbers that can be checked by hand."""

from collections import Counter

import mlx.core as mx
import pytest

from worker.domain.messages import Sampling
from worker.engine.sampling import (
    SamplingParameters,
    choose,
    penalties,
    seeded_sampler,
    shared_sampler,
)

# Probabilities 0.5, 0.25, 0.15, 0.1, not in order.
LOGPROBS = mx.log(mx.array([[0.1, 0.5, 0.15, 0.25]]))


def drawn(parameters, count=400):
    mx.random.seed(7)
    rows = mx.broadcast_to(LOGPROBS, (count, 4))
    return Counter(choose(rows, parameters).tolist())


@pytest.mark.parametrize(
    ("parameters", "possible"),
    [
        (SamplingParameters(temperature=1), {0, 1, 2, 3}),
        (SamplingParameters(temperature=1, top_k=2), {1, 3}),
        (SamplingParameters(temperature=1, top_p=0.7), {1, 3}),
        (SamplingParameters(temperature=1, top_p=0.8), {1, 2, 3}),
        (SamplingParameters(temperature=1, min_p=0.4), {1, 3}),
        (SamplingParameters(temperature=1, top_k=3, top_p=0.5), {1}),
        (SamplingParameters(temperature=1, top_k=1), {1}),
        (SamplingParameters(temperature=0), {1}),
    ],
)
def test_only_what_survives_the_cuts_is_drawn(parameters, possible):
    assert set(drawn(parameters)) == possible


def test_a_lower_temperature_draws_the_likeliest_more_often():
    warm = drawn(SamplingParameters(temperature=1))
    cold = drawn(SamplingParameters(temperature=0.3))
    assert cold[1] > warm[1]


def test_the_shares_are_those_of_the_probabilities():
    found = drawn(SamplingParameters(temperature=1), count=20_000)
    assert found[1] / 20_000 == pytest.approx(0.5, abs=0.02)


def test_rows_of_one_preset_share_one_sampler():
    preset = SamplingParameters(temperature=0.6, top_p=0.95, top_k=20)
    same = SamplingParameters(temperature=0.6, top_p=0.95, top_k=20)
    assert shared_sampler(preset) is shared_sampler(same)


def test_a_seeded_sampler_goes_on_where_it_was_taken_out():
    preset = SamplingParameters(temperature=1)
    whole = seeded_sampler(preset, seed=5, position=0)
    first = [int(whole(LOGPROBS)) for _ in range(8)]
    resumed = seeded_sampler(preset, seed=5, position=3)
    assert [int(resumed(LOGPROBS)) for _ in range(5)] == first[3:]


@pytest.mark.parametrize(
    ("wish", "changed"),
    [
        (Sampling(presence_penalty=1.5), [0, 0, 0, -1.5, 0]),
        (Sampling(frequency_penalty=1.5), [0, 0, 0, -3.0, 0]),
        (Sampling(repetition_penalty=2.0), [0, -0.5, -0.5, -0.5, 0]),
        (Sampling(logit_bias={4: -7.0}), [0, 0, 0, 0, -7.0]),
        (Sampling(repetition_penalty=1.0), [0, 0, 0, 0, 0]),
    ],
)
def test_a_penalty_counts_the_models_own_words_and_repetition_the_prompt_too(wish, changed):
    logits = mx.ones((1, 5))
    for process in penalties(wish, written_from=2):
        logits = process(mx.array([1, 2, 3, 3]), logits)
    assert (logits - 1).tolist() == [changed]

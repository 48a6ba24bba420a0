"""20,000 mutated inputs at every door: an error that is promised, or none. Longer: `make fuzz`."""

from random import Random

import fuzz_targets
import pytest

INPUTS = {"envelope": 8_000, "control": 5_000, "topic": 4_000, "config": 2_500, "journal": 500}


@pytest.mark.parametrize("name", fuzz_targets.TARGETS)
def test_whatever_comes_in_is_taken_or_refused_as_promised(name):
    target, seeds = fuzz_targets.TARGETS[name]
    rng = Random(name)
    for seed in seeds:
        target(seed)
    for number in range(INPUTS[name]):
        data = fuzz_targets.mutated(rng, seeds)
        try:
            target(data)
        except BaseException as error:
            raise AssertionError(f"input {number}: {data!r}") from error


def test_enough_is_tried():
    assert sum(INPUTS.values()) >= 20_000

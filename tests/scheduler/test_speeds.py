"""What measured speeds promise about deadlines."""

from worker.domain.messages import Mode
from worker.scheduler.speeds import Measured, Speeds, fit, mode_that_fits


def measured(*, prefill=100.0, decode=10.0):
    speeds = Speeds()
    speeds.note_step(int(prefill), 1.0, rows=0, decode_s=0.0)
    speeds.note_step(0, 0.0, rows=1, decode_s=1 / decode)
    return speeds


def test_nothing_is_refused_before_anything_was_measured():
    assert fit(Speeds(), characters=10**6, left_s=0.1).reachable


def test_a_prompt_that_takes_longer_to_read_than_is_left_is_unreachable():
    assert not fit(measured(), characters=3000, left_s=5.0).reachable


def test_the_thought_gets_what_the_prompt_and_a_short_answer_leave():
    tight = fit(measured(), characters=300, left_s=8.0).thought_tokens
    roomy = fit(measured(), characters=300, left_s=60.0).thought_tokens
    assert 0 < tight < roomy < 600


def test_a_thought_of_a_few_words_is_left_out():
    assert mode_that_fits(Mode.THINK, 3) is Mode.NO_THINK
    assert mode_that_fits(Mode.THINK, 300) is Mode.THINK
    assert mode_that_fits(Mode.THINK, None) is Mode.THINK


def test_the_estimated_wait_grows_with_what_is_ahead():
    speeds = Speeds()
    speeds.note_request(2.0)
    assert speeds.wait_ms(10, rows=2) > speeds.wait_ms(1, rows=2) > 0


def test_one_token_of_prefill_says_nothing_of_its_speed():
    speeds = Speeds()
    speeds.note_step(1, 1.0, rows=0, decode_s=0.0)
    assert speeds.prefill_tokens_per_s is None


def test_speeds_are_kept_for_each_number_of_rows():
    speeds = Speeds()
    speeds.note_step(0, 0.0, rows=1, decode_s=0.1)
    speeds.note_step(0, 0.0, rows=16, decode_s=0.5)
    assert (speeds.at(1), speeds.at(16)) == (10.0, 2.0)
    assert (speeds.at(2), speeds.at(12)) == (10.0, 2.0)


def test_a_deadline_counts_the_rows_that_run_beside():
    speeds = Speeds()
    speeds.note_step(100, 1.0, rows=0, decode_s=0.0)
    speeds.note_step(0, 0.0, rows=1, decode_s=0.1)
    speeds.note_step(0, 0.0, rows=16, decode_s=0.5)
    alone = fit(speeds, characters=300, left_s=60.0, rows=1).thought_tokens
    among_many = fit(speeds, characters=300, left_s=60.0, rows=16).thought_tokens
    assert among_many < alone


def test_what_was_measured_of_other_weights_is_forgotten():
    speeds = Speeds(Measured(fingerprint="old", row_tokens_per_s={1: 10.0}, load_s=3.0))
    speeds.begin("old")
    assert speeds.at(1) == 10.0
    speeds.begin("new")
    assert (speeds.at(1), speeds.load_s) == (None, None)

"""What measured speeds promise about deadlines."""

from worker.domain.messages import Mode
from worker.scheduler.speeds import (
    Measured,
    Speeds,
    answer_share_s,
    fit,
    mode_that_fits,
    stop_before_s,
)


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


def test_what_waits_before_a_request_counts_against_its_deadline():
    assert fit(measured(), characters=300, left_s=8.0).reachable
    assert not fit(measured(), characters=300, left_s=8.0, queue_s=9.0).reachable
    free = fit(measured(), characters=300, left_s=30.0).thought_tokens
    assert fit(measured(), characters=300, left_s=30.0, queue_s=9.0).thought_tokens < free


def test_a_deadline_bounds_the_whole_answer():
    tight = fit(measured(), characters=300, left_s=3.0).tokens
    roomy = fit(measured(), characters=300, left_s=30.0).tokens
    assert 20 <= tight < 40
    assert 290 <= roomy < 400


def test_the_thought_is_shorter_than_what_fits_in_all():
    fitting = fit(measured(), characters=300, left_s=30.0)
    assert fitting.thought_tokens < fitting.tokens


def test_an_answer_of_one_token_fits_where_a_longer_one_does_not():
    assert not fit(measured(), characters=30, left_s=0.4).reachable
    assert fit(measured(), characters=30, left_s=0.4, wanted_tokens=1).reachable


def test_a_thought_that_was_asked_for_needs_time_of_its_own():
    assert fit(measured(), characters=30, left_s=1.0).reachable
    assert not fit(measured(), characters=30, left_s=1.0, thinks=True).reachable


def test_a_model_whose_loading_outlasts_the_deadline_is_unreachable_whatever_its_speed():
    assert not fit(Speeds(), characters=30, left_s=1.0, queue_s=2.0).reachable


def rows_measured(**tokens_per_s):
    """Return speeds with what a row gets a second, by the number of rows: `r1=50`."""
    return Speeds(Measured(row_tokens_per_s={int(k[1:]): v for k, v in tokens_per_s.items()}))


def test_as_many_rows_keep_the_pace_as_a_step_of_theirs_is_short_enough():
    speeds = rows_measured(r1=50.0, r3=40.0, r16=10.0)
    # Steps of 20, 25 and 100 ms: 31 ms are those of 4 rows, as far as between 3 and 16 is a line.
    assert speeds.rows_at_pace(0.65, 16) == 4
    assert speeds.rows_at_pace(0.65, 3) == 3


def test_one_row_keeps_its_own_pace_at_least():
    assert rows_measured(r1=50.0, r2=10.0).rows_at_pace(0.65, 16) == 1


def test_all_rows_keep_the_pace_while_nobody_has_run_alone():
    assert rows_measured(r4=10.0).rows_at_pace(0.65, 16) == 16


def test_the_steps_of_a_sum_weigh_as_much_as_one_after_the_other():
    summed, single = measured(), measured()
    summed.note_step(0, 0.0, 1, 20 * 0.02, steps=20)
    for _ in range(20):
        single.note_step(0, 0.0, 1, 0.02)
    assert abs(summed.at(1) / single.at(1) - 1) < 0.05


def test_work_ends_a_tenth_before_a_short_deadline_and_a_quarter_second_before_a_long_one():
    assert stop_before_s(1.0) == 0.1
    assert stop_before_s(60.0) == 0.25


def test_a_thought_leaves_the_answer_half_of_a_short_time_and_enough_of_a_long_one():
    assert answer_share_s(measured(), 2.0, rows=1) == 1.0
    assert 2.0 < answer_share_s(measured(), 60.0, rows=1) < 5.0
    assert answer_share_s(Speeds(), 60.0, rows=1) == 30.0


def test_a_rows_speed_counts_the_prompts_of_others_that_are_read_in_between():
    speeds = Speeds()
    for _ in range(9):
        speeds.note_step(0, 0.0, rows=4, decode_s=0.1)
    speeds.note_step(256, 1.0, rows=4, decode_s=0.1)
    assert round(speeds.at(4), 3) == round(10 / 2.0, 3)


def test_a_speed_from_the_last_run_is_kept_until_it_is_measured_again():
    speeds = Speeds(Measured(row_tokens_per_s={4: 20.0}))
    speeds.note_step(0, 0.0, rows=4, decode_s=0.1)
    assert 10.0 < speeds.at(4) < 20.0


def test_a_thought_of_a_few_words_is_left_out():
    assert mode_that_fits(Mode.THINK, 3) is Mode.NO_THINK
    assert mode_that_fits(Mode.THINK, 300) is Mode.THINK
    assert mode_that_fits(Mode.THINK, None) is Mode.THINK


def test_the_estimated_wait_grows_with_what_is_ahead():
    speeds = Speeds()
    speeds.note_request(2.0)
    assert speeds.wait_ms(10, rows=2) > speeds.wait_ms(1, rows=2) > 0


def test_how_much_requests_write_is_learned_from_those_that_end():
    speeds = Speeds()
    assert speeds.answer_tokens == 1.0
    speeds.note_request(2.0, tokens=40)
    assert speeds.answer_tokens == 40.0


def test_batch_work_that_steps_aside_is_as_fast_as_it_was_with_its_pauses():
    speeds = measured()
    speeds.note_request(20.0, tokens=40, patient=True)
    assert speeds.beside_others(1, patient=True) == 2.0
    assert speeds.beside_others(1, patient=False) == 10.0


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

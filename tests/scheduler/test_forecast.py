"""How long a request is told that it will wait, from what runs and what is ahead."""

from worker.scheduler.forecast import Work, queue_s
from worker.scheduler.speeds import Measured, Speeds

MEASURED = Measured(
    prefill_tokens_per_s=100.0, row_tokens_per_s={1: 10.0, 2: 10.0}, request_tokens=50.0
)


def wait(*, running=(), ahead=(), more=0, rows=2, measured=MEASURED):
    speeds = Speeds(measured)
    return queue_s(speeds, running=running, ahead=ahead, more=more, rows=rows)


def test_nobody_waits_for_a_row_that_is_free():
    assert wait(running=[Work(tokens=100)]) == 0.0


def test_with_all_rows_taken_the_wait_is_for_the_first_that_ends():
    assert wait(running=[Work(tokens=100), Work(tokens=30)]) == 3.0


def test_each_request_ahead_takes_a_row_first():
    running = [Work(tokens=100), Work(tokens=30)]
    assert wait(running=running, ahead=[Work(tokens=20)]) == 5.0


def test_a_request_ahead_reads_its_prompt_too():
    assert wait(ahead=[Work(characters=300, tokens=20)], rows=1) == 3.0


def test_those_about_whom_nothing_is_known_take_as_long_as_others_do():
    assert wait(more=2, rows=1) == 10.0
    assert wait(ahead=[Work(tokens=10)], more=9, rows=1) == 10.0


def test_a_few_of_them_take_no_row_that_others_lack():
    assert wait(more=1) == 0.0


def test_prompts_that_are_being_read_are_waited_for_even_where_a_row_is_free():
    assert wait(running=[Work(characters=600)]) == 2.0


def test_a_request_whose_deadline_is_near_holds_its_row_no_longer():
    assert wait(running=[Work(tokens=100, at_most_s=1.5)], rows=1) == 1.5


def test_more_that_run_than_may_are_waited_for():
    running = [Work(tokens=10), Work(tokens=20), Work(tokens=30)]
    assert wait(running=running) == 2.0


def test_nothing_is_forecast_before_anything_was_measured():
    assert wait(running=[Work(tokens=100)], rows=1, measured=Measured()) == 0.0

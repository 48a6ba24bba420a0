"""Who is waited for, by lane, and what a deadline leaves time for then."""

import pytest
from jobs_at_work import job_of

from worker.daemon.choice import At, what_fits
from worker.daemon.outlook import Company, outlook, work_left
from worker.domain.messages import Lane
from worker.scheduler.speeds import Measured, Speeds

SPEEDS = Speeds(
    Measured(
        prefill_tokens_per_s=1000.0,
        row_tokens_per_s={1: 20.0, 2: 10.0, 4: 8.0},
        request_tokens=50.0,
    )
)


def found(
    lane, *running, ahead=(), rows=4, parks=True, stands_still=True, batch_rows=4, first=None
):
    company = Company(
        running, rows, parks, stands_still, batch_rows=batch_rows, beside_standard=rows // 2 or 1
    )
    return outlook(lane, company, ahead=ahead, more=0, speeds=SPEEDS, now=0.0, first=first)


BATCH = [job_of(row) for row in range(4)]


def test_an_interactive_request_waits_for_no_batch_work_and_runs_without_it():
    outlook = found(Lane.INTERACTIVE, *BATCH)
    assert (outlook.queue_s, outlook.rows) == (0.0, 1)


def test_while_batch_work_recovers_an_interactive_request_runs_beside_it():
    assert found(Lane.INTERACTIVE, *BATCH[:3], stands_still=False).rows == 4


def test_a_standard_request_runs_beside_half_of_the_batch_work():
    outlook = found(Lane.STANDARD, *BATCH)
    assert (outlook.queue_s, outlook.rows) == (0.0, 3)


def test_a_batch_request_waits_for_whatever_has_the_rows():
    assert found(Lane.BATCH, *BATCH).queue_s > 1.0


def test_a_batch_request_waits_longer_while_batch_work_has_fewer_rows():
    waiting = [job_of(row, written=0) for row in range(10, 14)]
    wide = found(Lane.BATCH, *BATCH, ahead=waiting, batch_rows=4).queue_s
    narrow = found(Lane.BATCH, *BATCH, ahead=waiting, batch_rows=2).queue_s
    assert narrow > wide


def test_batch_work_alone_steps_aside_and_only_where_anything_does():
    assert found(Lane.BATCH, *BATCH).patient
    assert not found(Lane.STANDARD, *BATCH).patient
    assert not found(Lane.BATCH, *BATCH, parks=False).patient


def test_where_nothing_is_parked_everybody_waits_for_a_row():
    assert found(Lane.INTERACTIVE, *BATCH, parks=False).queue_s > 1.0


def test_a_turn_waits_for_the_one_before_it_in_its_session():
    first = job_of(9, Lane.INTERACTIVE)
    assert found(Lane.INTERACTIVE, first, first=first).queue_s > 1.0


def test_what_is_left_of_a_request_is_what_others_write_less_what_it_has_written():
    assert work_left(job_of(written=10), SPEEDS, 0.0).tokens == 40
    assert work_left(job_of(written=10, max_tokens=12), SPEEDS, 0.0).tokens == 2


def test_a_request_that_writes_more_than_others_is_not_expected_to_end_at_once():
    assert work_left(job_of(written=500), SPEEDS, 0.0).tokens == 25


def test_a_request_with_a_deadline_is_gone_by_then():
    assert work_left(job_of(deadline_ms=10_000), SPEEDS, 4.0).at_most_s == pytest.approx(5.75)


def test_without_a_deadline_everything_fits():
    fitting = what_fits(job_of(), 0.0, At(SPEEDS))
    assert (fitting.reachable, fitting.thought_tokens, fitting.tokens) == (True, None, None)


def test_what_fits_is_judged_by_the_time_that_is_left_and_the_rows_that_run():
    job = job_of(deadline_ms=10_000)
    alone = what_fits(job, 0.0, At(SPEEDS, rows=1)).tokens
    later = what_fits(job, 5.0, At(SPEEDS, rows=1)).tokens
    among_four = what_fits(job, 0.0, At(SPEEDS, rows=4)).tokens
    assert later < alone
    assert among_four < alone
    assert not what_fits(job, 9.9, At(SPEEDS)).reachable

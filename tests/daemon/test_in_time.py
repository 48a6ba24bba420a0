"""In which order a running job's deadline closes its thought, ends its row, and is waited for."""

import asyncio
import time

from jobs_at_work import job_of

from worker.daemon.in_time import InTime, is_heard
from worker.domain.messages import Kind
from worker.scheduler.speeds import Speeds


def happened(job, *, ending=False):
    """Return what is done about a job's deadline, in order, and when nothing is left to be done."""

    async def run():
        done, over = [], asyncio.Event()

        def note(what):
            done.append(what)
            if what != "conclude":
                over.set()

        in_time = InTime(
            Speeds(),
            time.monotonic,
            conclude=lambda _job: note("conclude"),
            stop=lambda _job, reason: note(reason),
        )
        job.arrived = time.monotonic()
        job.expiry = asyncio.get_running_loop().call_later(3600, note, "too late")
        in_time.begun(job, rows=1)
        if ending:
            in_time.ending(job, lambda _job: note("given up"))
        await asyncio.wait_for(over.wait(), 30)
        job.cancel_timers()
        return done

    return asyncio.run(run())


def test_a_thought_is_closed_before_its_row_is_ended():
    assert happened(job_of(deadline_ms=200)) == ["conclude", "deadline"]


def test_a_row_that_is_ended_is_not_ended_again_but_waited_for():
    assert happened(job_of(deadline_ms=200), ending=True) == ["given up"]


def test_a_job_that_said_nothing_of_its_answer_is_left_to_the_engine():
    assert not is_heard(job_of(written=3))


def test_a_job_that_has_begun_its_answer_needs_no_engine_to_end():
    job = job_of(written=3)
    job.add(Kind.ANSWER, "Cats are", 1.0)
    assert is_heard(job)


def test_a_job_that_has_written_nothing_is_not_waited_for():
    assert is_heard(job_of(written=0))

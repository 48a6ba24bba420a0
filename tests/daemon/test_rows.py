"""Which batch work runs beside a standard request, by what it costs that one."""

import pytest
from jobs_at_work import job_of

from worker.daemon.live import Live
from worker.daemon.parking import Parking
from worker.daemon.rows import Rows
from worker.domain.messages import Lane
from worker.scheduler.lanes import Lanes, Waiting
from worker.scheduler.speeds import Measured, Speeds

AT_MOST = 4
"""How many batch rows leave a standard request two thirds of its speed, by these speeds."""


@pytest.fixture
def house():
    return House()


class House:
    """Eight rows and those who want them; what is parked waits, as it does in the daemon."""

    def __init__(self):
        speeds = Speeds(Measured(row_tokens_per_s={1: 20.0, AT_MOST + 1: 14.0, 8: 10.0}))
        self.lanes, self.parking, self.live = Lanes(), Parking(8), Live()
        self.rows = Rows(8, lanes=self.lanes, parking=self.parking, live=self.live, speeds=speeds)

    def runs(self, *jobs):
        for job in jobs:
            job.submitted = True
            self.live.add(job)
            self.rows.give(job)
        return jobs

    def _queue(self, job):
        self.lanes.add(Waiting(job.row, job.request.client, job.lane, job.arrived))

    def look(self, now=1.0):
        """Do what the daemon does when somebody comes or goes; return who begins or comes back."""
        for job in self.rows.stepping_aside(now):
            self.rows.leave(job.row)
            self.parking.park(job)
            self._queue(job)
        begun = []
        while (found := self.rows.take_next()) is not None:
            job = self.live[found[0].row]
            self.parking.leave(job.row)
            self.rows.give(job)
            begun.append(job.row)
        return begun

    def ends(self, *jobs):
        for job in jobs:
            self.rows.leave(job.row)


def standard(row=99):
    return job_of(row, Lane.STANDARD)


def test_those_whose_prompt_is_still_read_step_aside_first(house):
    read = house.runs(*[job_of(row) for row in range(2)])
    unread = house.runs(*[job_of(row, written=0) for row in range(2, 5)])
    house.runs(standard())
    house.look()
    assert all(job.row in house.parking for job in unread)
    assert not any(job.row in house.parking for job in read)


def test_one_with_a_deadline_goes_on_reading(house):
    (hurried,) = house.runs(job_of(1, written=0, deadline_ms=5000))
    house.runs(standard())
    house.look()
    assert hurried.row not in house.parking


def test_no_more_go_on_than_slow_it_down_little(house):
    house.runs(*[job_of(row) for row in range(7)])
    house.runs(standard())
    house.look()
    assert len(house.parking) == 7 - AT_MOST


def test_none_comes_back_before_half_have_ended_and_then_several_at_once(house):
    batch = house.runs(*[job_of(row) for row in range(7)])
    house.runs(standard())
    house.look()
    running = [job for job in batch if job.row not in house.parking]
    house.ends(running[0])
    assert house.look() == []
    house.ends(running[1])
    assert len(house.look()) == 2


def test_what_is_parked_unread_waits_until_the_standard_request_has_ended(house):
    house.runs(job_of(1, written=0))
    (asked,) = house.runs(standard())
    assert house.look() == []
    house.ends(asked)
    assert house.look(2.0) == [1]


def test_after_a_minute_it_goes_on_all_the_same(house):
    house.runs(job_of(1, written=0))
    house.runs(standard())
    assert house.look(1.0) == []
    assert house.look(62.0) == [1]

"""Which running job gives its row to one that can't wait, and which jobs are parked; runs nothing.

A parked job keeps its KV cache in the engine and goes on later, token for token, as if nothing had
been. While an interactive request runs all batch work is parked, as far as `scheduler.yielding`
allows, and one more row where none is free; while a standard one runs, those whose prompt is still
read, and half of the batch rows or more, by what they cost it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.domain.messages import Lane

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.daemon.job import Job

PARKED_AT_MOST = 3
"""How often one job gives its very row away: after that it keeps it, so that it ends."""

_URGENCY = {Lane.BATCH: 0, Lane.STANDARD: 1}


def may_go_on(job: Job) -> bool:
    """Tell whether a batch job may run beside a standard one: its prompt costs that one most.

    One with a deadline was taken on because of a forecast, which knows nothing of who comes later.
    """
    return bool(job.generated) or job.deadline is not None


class Parking:
    """The parked jobs.

    Args:
        room: How many may be parked at a time: each holds its KV cache in memory.

    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._jobs: dict[int, Job] = {}
        self.total = 0

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, row: int) -> bool:
        return row in self._jobs

    def get(self, row: int) -> Job | None:
        """Return a parked job."""
        return self._jobs.get(row)

    def victim(self, running: Iterable[Job]) -> Job | None:
        """Return the job to park: of the least urgent, the one that has done the least."""
        if len(self._jobs) >= self._room:
            return None
        candidates = [
            job
            for job in running
            if job.lane in _URGENCY and job.submitted and job.times_parked < PARKED_AT_MOST
        ]
        return min(
            candidates, key=lambda job: (_URGENCY[job.lane], len(job.generated)), default=None
        )

    def stepping_aside(
        self, running: Iterable[Job], batch_rows: int, *, unread: bool = False
    ) -> list[Job]:
        """Return the batch jobs to park: those that did least.

        Args:
            running: All that have a row.
            batch_rows: How many batch jobs may go on.
            unread: Whether all leave whose prompt is still read, but for those with a deadline.

        """
        batch = [job for job in running if job.lane is Lane.BATCH]
        ready = sorted(
            (job for job in batch if job.submitted),
            key=lambda job: (may_go_on(job), len(job.generated)),
        )
        too_many = len(batch) - batch_rows
        if unread:
            too_many = max(too_many, sum(not may_go_on(job) for job in ready))
        return ready[: max(0, min(too_many, self._room - len(self._jobs)))]

    @property
    def allowed(self) -> bool:
        """Whether jobs are parked at all."""
        return self._room > 0

    def park(self, job: Job) -> None:
        """Take a job in."""
        self._jobs[job.row] = job
        self.total += 1

    def leave(self, row: int) -> Job | None:
        """Let a job go; return it if it was parked."""
        return self._jobs.pop(row, None)

    def clear(self) -> list[Job]:
        """Let all go, since their engine is gone; return them."""
        gone = list(self._jobs.values())
        self._jobs.clear()
        return gone

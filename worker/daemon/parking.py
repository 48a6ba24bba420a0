"""Which running job gives its row to one that can't wait, and which jobs are parked; runs nothing.

A parked job keeps its KV cache in the engine and goes on later, token for token, as if nothing had
been. Only a request of the interactive lane takes another's row, and never one of its own lane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.domain.messages import Lane

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.daemon.job import Job

PARKED_AT_MOST = 3
"""How often one job is parked: after that it keeps its row, so that it ends."""

_URGENCY = {Lane.BATCH: 0, Lane.STANDARD: 1}


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

    def park(self, job: Job) -> None:
        """Take a job in."""
        self._jobs[job.row] = job
        job.times_parked += 1
        self.total += 1

    def leave(self, row: int) -> Job | None:
        """Let a job go; return it if it was parked."""
        return self._jobs.pop(row, None)

    def clear(self) -> list[Job]:
        """Let all go, since their engine is gone; return them."""
        gone = list(self._jobs.values())
        self._jobs.clear()
        return gone

"""Sees to it that a running job ends before its deadline, whatever its forecast was.

Its thought is closed while there is time for an answer, its row is ended while there is time for
its reply, and a reply is not held up for an engine in the middle of a long step.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from worker.domain.messages import Kind, Lane
from worker.scheduler.speeds import answer_share_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.daemon.job import Job, StopReason
    from worker.scheduler.speeds import Speeds

_STEPS, _STEPS_SHARE = 2, 0.1
"""A row is ended so many steps before its deadline, or this share of the time left."""

_PATIENCE_SHARE = 0.8
"""Of the time before a deadline, for the engine to end a row; the rest is for its reply's way."""


class InTime:
    """The timers of one model's running jobs.

    Args:
        speeds: How fast the model has been.
        clock: The monotonic clock, in seconds.
        conclude: Has a row's thought closed.
        stop: Has a job ended.

    """

    def __init__(
        self,
        speeds: Speeds,
        clock: Callable[[], float],
        *,
        conclude: Callable[[Job], None],
        stop: Callable[[Job, StopReason], None],
    ) -> None:
        self._speeds = speeds
        self._clock = clock
        self._conclude = conclude
        self._stop = stop

    def begun(self, job: Job, rows: int) -> None:
        """Set the timers of a job that the engine has just got, as one of so many rows."""
        left_s = job.left_s(self._clock())
        if left_s is None or job.expiry is None:
            return
        # A cancel is heard when the step that runs then has ended.
        speed = self._speeds.at(rows)
        steps_s = 0.0 if speed is None else min(_STEPS / speed, left_s * _STEPS_SHARE)
        left_s -= max(0.0, steps_s - job.stops_before_s)
        loop = asyncio.get_running_loop()
        job.cancel_timers()
        job.expiry = loop.call_later(max(0.0, left_s), self._stop, job, "deadline")
        if job.summary is None or not job.summary.active:
            patient = job.lane is Lane.BATCH
            share_s = answer_share_s(self._speeds, left_s, rows, patient=patient)
            job.conclusion = loop.call_later(max(0.0, left_s - share_s), self._conclude, job)

    def ending(self, job: Job, give_up: Callable[[Job], None]) -> None:
        """Wait for the engine to end a job only as long as its reply is there in time.

        Args:
            job: Its engine has been told.
            give_up: Ends it without its engine.

        """
        if job.deadline is None:
            return
        patience_s = _PATIENCE_SHARE * max(0.0, job.deadline - self._clock())
        job.cancel_timers()
        loop = asyncio.get_running_loop()
        job.conclusion = loop.call_later(patience_s, give_up, job)


def is_heard(job: Job) -> bool:
    """Tell whether what was heard of a job is all that its engine could make a reply of.

    A bound answer it completes, and a closed thought's answer it may hold back for a while.
    """
    if job.request.response_format is not None:
        return False
    return bool(job.parts[Kind.ANSWER]) or not job.generated

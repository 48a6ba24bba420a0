"""Which jobs have a row of a model, who gets the next one and who gives one away; runs nothing.

`Serving` asks and then starts, parks and ends; an engine is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.daemon.choice import At, length_of
from worker.daemon.outlook import Company
from worker.daemon.parking import may_go_on
from worker.domain.messages import Lane
from worker.scheduler.yielding import Yielding

if TYPE_CHECKING:
    from worker.daemon.job import Job
    from worker.daemon.live import Live
    from worker.daemon.parking import Parking
    from worker.domain.model import ModelInfo
    from worker.scheduler.lanes import Lanes, Waiting
    from worker.scheduler.speeds import Speeds


_STANDARD_PACE = 0.65
"""What is left of a standard request's speed beside batch work, of one that runs alone."""


_BEGINS_NOTHING_S = 60.0
"""How long batch work whose prompt is not read gives way to a standard request, at most."""


class Rows:
    """The rows of one model.

    Args:
        rows: How many jobs run at once.
        lanes: Those that wait for a row.
        parking: Those that gave theirs to a more urgent one, and wait too.
        live: Every live job; says whose session's turn it is.
        speeds: How fast the model has been.

    """

    def __init__(
        self, rows: int, *, lanes: Lanes, parking: Parking, live: Live, speeds: Speeds
    ) -> None:
        self._rows = rows
        self._speeds = speeds
        self._lanes = lanes
        self._parking = parking
        self._live = live
        self._running: dict[int, Job] = {}
        self._narrowed: int | None = None
        self._batch_rows = rows
        """How many rows batch work may have now."""
        self._yielding = Yielding()
        self._beginning = Yielding(_BEGINS_NOTHING_S)
        self.held = False
        """Whether nothing more may begin, since another model wants the memory."""

    def __len__(self) -> int:
        return len(self._running)

    def get(self, row: int) -> Job | None:
        """Return the job that has a row."""
        return self._running.get(row)

    @property
    def limit(self) -> int:
        """How many jobs may have a row now: fewer than usual while memory is short."""
        return self._rows if self._narrowed is None else self._narrowed

    @property
    def are_narrowed(self) -> bool:
        """Whether memory is short."""
        return self._narrowed is not None

    @property
    def stand_still(self) -> bool:
        """Whether any waits for batch work to go on or begin again, which it does by itself."""
        return bool(self._lanes) and (self._yielding.active or self._beginning.active)

    def narrow(self) -> None:
        """Let nobody begin until one ends: there is memory for those that run, and no more."""
        self._narrowed = max(1, len(self._running))

    def widen(self) -> None:
        """Let as many run as usual again."""
        self._narrowed = None

    def give(self, job: Job) -> None:
        """Note that a job has a row."""
        self._running[job.row] = job

    def leave(self, row: int) -> None:
        """Note that a job has its row no more."""
        self._running.pop(row, None)

    # Who is next ---------------------------------------------------------------------------

    def take_next(self) -> tuple[Waiting, Job | None] | None:
        """Take whoever gets a row from the lanes; return it and who must be parked for it."""
        victim = None
        if len(self._running) < self.limit:
            waiting = self._lanes.take(self._may_start)
        else:
            victim = self._parking.victim(self._running.values())
            waiting = None if victim is None else self._lanes.take(self._may_take_a_row)
        return None if waiting is None else (waiting, victim)

    def stepping_aside(self, now: float) -> list[Job]:
        """Return the batch work to park, which would slow down whoever is more urgent.

        Args:
            now: On the monotonic clock, in seconds.

        """
        hurried = self._parking.allowed and self._wants_rows(Lane.INTERACTIVE)
        waited_for = hurried or (self._parking.allowed and self._wants_rows(Lane.STANDARD))
        # A prompt that is read costs those who listen as much as many steps.
        self._beginning.look(now, hurried=waited_for)
        if self._yielding.look(now, hurried=hurried):
            self._batch_rows = 0
        elif waited_for:
            self._batch_rows = self._rows_beside_standard()
        else:
            self._batch_rows = self._rows
        return self._parking.stepping_aside(
            self._running.values(), self._batch_rows, unread=self._beginning.active
        )

    def is_out_of_turn(self, job: Job) -> bool:
        """Tell whether somebody more urgent has come since a job got its row."""
        if job.lane is not Lane.BATCH:
            return False
        too_many = self._batch_running() > self._batch_rows
        return too_many or (self._beginning.active and not may_go_on(job))

    def _rows_beside_standard(self) -> int:
        """Return how many rows batch work has now, while a standard request runs.

        Each time rows come back the batch is copied and a step or two take longer, so nobody comes
        back before half have ended, and then several at once.
        """
        allowed, running = self._beside_standard, self._batch_running()
        return allowed if not allowed // 2 < running < allowed else running

    @property
    def _beside_standard(self) -> int:
        """How many rows batch work has at most while a standard request runs."""
        at_pace = self._speeds.rows_at_pace(_STANDARD_PACE, self._rows)
        return max(1, min(at_pace - 1, self._rows // 2))

    def _wants_rows(self, lane: Lane) -> bool:
        runs = any(job.lane is lane for job in self._running.values())
        return runs or self._lanes.any_of(lane, self._may_start)

    def _may_take_a_row(self, waiting: Waiting) -> bool:
        return waiting.lane is Lane.INTERACTIVE and self._may_start(waiting)

    def _may_start(self, waiting: Waiting) -> bool:
        if (self._live.draining or self.held) and waiting.row not in self._parking:
            return False
        if waiting.lane is Lane.BATCH and not self._may_run_along(waiting):
            return False
        if not self._live.is_free(waiting.session):
            return False
        # Of those that may have taken the engine down, one runs at a time: the next crash then
        # names the one to blame.
        if not self._live[waiting.row].blame.is_suspect:
            return True
        return not any(other.blame.is_suspect for other in self._running.values())

    def _may_run_along(self, batch: Waiting) -> bool:
        if self._batch_running() >= self._batch_rows:
            return False
        return not self._beginning.active or may_go_on(self._live[batch.row])

    def _batch_running(self) -> int:
        return sum(job.lane is Lane.BATCH for job in self._running.values())

    # In what company -----------------------------------------------------------------------

    def company(self) -> Company:
        """Return what a request that comes now finds."""
        parks = self._parking.allowed
        rows = max(1, self.limit)
        return Company(
            list(self._running.values()),
            rows=rows,
            parks=parks,
            stands_still=parks and not self._yielding.recovering,
            batch_rows=min(self._batch_rows, rows),
            beside_standard=min(self._beside_standard, rows),
        )

    def at(self, job: Job, model: ModelInfo | None) -> At:
        """Return what a job finds that has just got its row.

        Args:
            job: It has told its engine nothing yet.
            model: What the engine has loaded.

        """
        speeds = self._speeds
        unread = (
            other
            for other in self._running.values()
            if other is not job and not other.generated and other.row < job.row
        )
        waits = job.lane is not Lane.INTERACTIVE
        queue_s = sum(speeds.reading_s(length_of(other.request)) for other in unread if waits)
        rows, patient = max(1, len(self._running)), job.lane is Lane.BATCH
        return At(speeds, model, rows, queue_s, patient)

"""One model at work: who waits for it, who has a row of its engine, who is parked, what it says.

It is its engine's listener, on the daemon's event loop. `rows` decides who gets a row, `hearing`
what an engine's words mean for a job; what is to be done then is done here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from msgspec.structs import replace

from worker.daemon.choice import what_fits
from worker.daemon.endings import JOURNAL_RETRY_S
from worker.daemon.hearing import Hearing, Needs
from worker.daemon.in_time import InTime, is_heard
from worker.daemon.job import Stage
from worker.daemon.outlook import LOOKED_AT, outlook
from worker.daemon.rows import Rows
from worker.domain.errors import EngineFailed, ThinkqError
from worker.engine.pipe import Cancel, Done, Stored
from worker.journal.store import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from worker.daemon.counterfactuals import Counterfactuals
    from worker.daemon.endings import Endings
    from worker.daemon.engines import Engines
    from worker.daemon.job import Job, StopReason
    from worker.daemon.live import Live
    from worker.daemon.parking import Parking
    from worker.daemon.preparing import Preparing
    from worker.daemon.streams import Streams
    from worker.domain.messages import Request
    from worker.domain.model import Memory, ModelInfo
    from worker.engine.pipe import RowEvent, Step
    from worker.engine.supervisor import Engine
    from worker.scheduler.forecast import Outlook
    from worker.scheduler.lanes import Lanes
    from worker.scheduler.speeds import Speeds

_log = structlog.get_logger(__name__)


class Serving:
    """The work of one model.

    Args:
        name: What requests call the model.
        live: Every live job, of this model and of others.
        preparing: Readies a job for the engine, or answers it without.
        speeds: Learns how fast the engine is.
        streams: Publishes what jobs say.
        endings: Ends jobs.
        lanes: Decides who is next.
        rows: How many jobs run at once.
        parking: Where jobs are that gave their row to a more urgent one.
        clock: The monotonic clock, in seconds.

    """

    def __init__(
        self,
        name: str,
        *,
        live: Live,
        preparing: Preparing,
        speeds: Speeds,
        streams: Streams,
        endings: Endings,
        lanes: Lanes,
        rows: int,
        parking: Parking,
        clock: Callable[[], float],
    ) -> None:
        self._live = live
        self._preparing = preparing
        self._streams = streams
        self._endings = endings
        self._clock = clock
        self._rows = Rows(rows, lanes=lanes, parking=parking, live=live, speeds=speeds)
        self._hearing = Hearing(preparing=preparing, speeds=speeds, streams=streams, clock=clock)
        self._in_time = InTime(speeds, clock, conclude=self._conclude, stop=self.stop)
        self.name = name
        self.lanes = lanes
        self.speeds = speeds
        self.rows = rows
        self.parking = parking
        self.engines: Engines | None = None
        """Who brings the engine when it is wanted, and takes it away."""
        self.engine: Engine | None = None
        self.is_loading = False
        """Whether who waits is told that the model is being loaded."""
        self.model: ModelInfo | None = None
        """What the engine has loaded, or had when it was there last."""
        self.memory: Memory | None = None
        """What the engine last said of its memory."""
        self.tokens_produced = 0
        self.stored = Stored()
        self.on_end: Callable[[object], None] = lambda _: None
        """Called when a job has left its row, with its message's token."""
        self.idle_work: Counterfactuals | None = None

    @property
    def running(self) -> int:
        """How many jobs have a row."""
        return len(self._rows)

    @property
    def at_work(self) -> bool:
        """Whether any job has a row, or had one and is parked."""
        return bool(self._rows or self.parking)

    @property
    def is_idle(self) -> bool:
        """Whether nobody runs or waits."""
        return not (self.at_work or self.lanes)

    @property
    def held(self) -> bool:
        """Whether nothing more may begin, since another model wants the memory."""
        return self._rows.held

    @held.setter
    def held(self, held: bool) -> None:
        self._rows.held = held

    @property
    def rows_now(self) -> int:
        """How many jobs may have a row: fewer than usual while memory is short."""
        return self._rows.limit

    @property
    def is_short_of_memory(self) -> bool:
        """Whether jobs wait for memory that others must leave first, and many do."""
        return self._rows.are_narrowed and len(self.lanes) >= self.rows

    @property
    def waiting_since(self) -> float | None:
        """When the one that has waited longest arrived, on the monotonic clock."""
        return self.lanes.oldest

    @property
    def ready_in_s(self) -> float:
        """An estimate of how long it takes until the engine can begin."""
        return 0.0 if self.engines is None else self.engines.ready_in_s(self)

    def outlook(self, request: Request, arrived: float, held: int = 0) -> Outlook:
        """Return how long a request that comes now would wait for its row, and in what company.

        Args:
            request: It waits in no lane yet.
            arrived: On the monotonic clock, in seconds.
            held: How many come before it that are on their way to the lanes.

        """
        rows, more = self.lanes.before(request.client, request.lane, arrived, LOOKED_AT)
        found = outlook(
            request.lane,
            self._rows.company(),
            ahead=[self._live[row] for row in rows],
            more=more + held,
            speeds=self.speeds,
            now=self._clock(),
            first=self._live.at_turn(request.session),
        )
        return replace(found, queue_s=found.queue_s + self.ready_in_s)

    def ready_engine(self) -> Engine | None:
        """Return the engine if it takes rows now."""
        engine = self.engine
        return engine if engine is not None and engine.ready.is_set() else None

    def wake(self) -> None:
        """Have the model loaded if it is away: a request is about to come."""
        if self.engine is None and self.engines is not None and not self._live.draining:
            self.engines.wanted(self)

    # Who waits -----------------------------------------------------------------------------

    def add(self, job: Job) -> None:
        """Let a job wait for a row."""
        self.lanes.add(job.waiting())
        self._streams.progress(job, "queued", position=self.lanes.ahead_of(job.row))
        if self.is_loading:
            self._streams.progress(job, "loading")
        self.start_next()

    def stop(self, job: Job, reason: StopReason) -> None:
        """End a job before its time; what it has said so far is its reply."""
        job.stopped = reason
        if job.row in self.parking and self.engine is not None:
            # What it said so far is in the engine, and comes with its end.
            self.engine.cancel(Cancel(job.row, reason))
        elif self.lanes.remove(job.row) is not None:
            self.end(job, self._endings.stopped(job, reason))
        elif self._rows.get(job.row) is job and self.engine is not None:
            self.engine.cancel(Cancel(job.row, reason))
        if reason == "deadline" and self._in_engine(job.row):
            self._in_time.ending(job, self._wait_no_longer)

    def _wait_no_longer(self, job: Job) -> None:
        """End a job whose engine is in a long step: what it has said is its reply."""
        if self._in_engine(job.row) is job and job.submitted and is_heard(job):
            _log.info("not_waited_for", id=job.request.id, client=job.request.client)
            self.end(job, self._endings.stopped(job, "deadline"))

    def end(self, job: Job, ending: Coroutine[None, None, None]) -> None:
        """Free a job's row at once, and let go of the job when its reply is on disk."""
        job.model = self.model
        # What it leaves may be enough for whoever waits.
        self._rows.widen()
        self._rows.leave(job.row)
        if self.parking.leave(job.row):
            self.lanes.remove(job.row)
        self._streams.tails.ended(job)
        self._live.end(job, ending)
        self.start_next()
        self.on_end(job.token)
        if not self.at_work and self.engines is not None:
            self.engines.rested(self)

    def fail(self, job: Job, error: ThinkqError) -> None:
        """End a job that gets no answer."""
        self.end(job, self._endings.failed(job, error))

    def fail_waiting(self, error: Callable[[], ThinkqError]) -> None:
        """End all jobs that wait: there will be no engine for them."""
        for waiting in self.lanes.clear():
            self.fail(self._live[waiting.row], error())

    def say_loading(self) -> None:
        """Tell those that wait that their model is being loaded."""
        self.is_loading = True
        for row in self.lanes.rows:
            self._streams.progress(self._live[row], "loading")

    def wait_again(self, job: Job) -> None:
        """Put a job that had a row back among those that wait."""
        self._rows.leave(job.row)
        if self.parking.leave(job.row):
            # Its row ended, or found no memory, as it was parked: there is nothing to resume.
            self.lanes.remove(job.row)
        self._live.give_turn_back(job)
        job.stage = Stage.WAITING
        job.submitted = False
        if job.stopped is not None:
            self.end(job, self._endings.stopped(job, job.stopped))
        else:
            self.lanes.put_back(job.waiting())

    # Who runs ------------------------------------------------------------------------------

    def start_next(self) -> None:
        """Give free rows to whoever is next, and a running job's to one that can't wait."""
        engine = self.ready_engine()
        if self.engine is None and self.engines is not None and self.lanes:
            if not self._live.draining:
                self.engines.wanted(self)
            return
        if engine is not None:
            self._park(self._rows.stepping_aside(self._clock()), engine)
        while engine is not None and (found := self._rows.take_next()) is not None:
            waiting, victim = found
            if victim is not None:
                victim.times_parked += 1
                self._park([victim], engine)
            self._give_row(self._live[waiting.row], engine)

    def _give_row(self, job: Job, engine: Engine) -> None:
        job.begin(self._clock())
        self._live.take_turn(job)
        self._rows.give(job)
        if self.parking.leave(job.row):
            engine.resume(job.row)
        else:
            self._live.in_background(self._start(job, engine))

    def _park(self, jobs: Sequence[Job], engine: Engine) -> None:
        if not jobs:
            return
        # The youngest first: each goes before those of its client that wait already.
        for job in sorted(jobs, key=lambda job: job.row, reverse=True):
            self._rows.leave(job.row)
            self._live.give_turn_back(job)
            job.stage = Stage.WAITING
            self.parking.park(job)
            self.lanes.put_back(job.waiting())
            _log.info("parked", id=job.request.id, client=job.request.client, lane=job.lane)
        engine.park([job.row for job in jobs])

    async def _start(self, job: Job, engine: Engine) -> None:
        model = None if self.model is None else self.model.fingerprint
        if job.begun_with not in (None, model):
            _log.warning("started_over", id=job.request.id, why="the model is another one now")
            job.start_over()
        job.begun_with = model
        try:
            at = self._rows.at(job, self.model)
            submit = await self._preparing.for_engine(job, at)
        except ThinkqError as error:
            self.fail(job, error)
            return
        except JournalError as error:
            _log.warning("journal_failed", error=str(error), retry_in_s=JOURNAL_RETRY_S)
            await asyncio.sleep(JOURNAL_RETRY_S)
            self.wait_again(job)
            self.start_next()
            return
        except Exception:  # noqa: BLE001 - a fault of ours is answered and frees its row
            _log.exception("start_failed", id=job.request.id, client=job.request.client)
            self.fail(job, EngineFailed("the worker is at fault; its log says how"))
            return
        if job.stopped is None and self._is_hopeless(job):
            job.stopped = "deadline"
        if job.stopped is not None:
            self.end(job, self._endings.stopped(job, job.stopped))
        elif engine is not self.ready_engine() or self._rows.is_out_of_turn(job):
            # It went down while the session was read, or somebody came who can't wait.
            self.wait_again(job)
            self.start_next()
        else:
            engine.submit(submit)
            job.submitted = True
            job.submit = submit if self.idle_work is not None else None
            self._in_time.begun(job, self.running)

    def _is_hopeless(self, job: Job) -> bool:
        """Tell whether nothing that it could say now would be there before its deadline."""
        at = self._rows.at(job, self.model)
        return not job.generated and not what_fits(job, self._clock(), at).reachable

    def _conclude(self, job: Job) -> None:
        if self.engine is not None and job.submitted:
            self.engine.conclude(job.row)

    # What the engine says ------------------------------------------------------------------

    def engine_ready(self, model: ModelInfo, load_s: float) -> None:
        """Begin to give rows to the engine that has just loaded its model."""
        self.model = model
        self.speeds.begin(model.fingerprint)
        self.is_loading = False
        _log.info("engine_ready", model=model.name, load_s=round(load_s, 2), blas=model.blas)
        if self.engines is not None:
            self.engines.ready(self, load_s)
        self.start_next()

    def engine_step(self, step: Step) -> None:
        """Pass on what came of a step."""
        self.stored = step.stored or self.stored
        self.speeds.note_step(
            step.prefill_tokens, step.prefill_s, step.decode_rows, step.decode_s, step.decode_steps
        )
        if step.memory is not None:
            self.memory = step.memory
        for row, tokens in step.tokens:
            if job := self._in_engine(row):
                job.generated.extend(tokens)
                self._streams.tails.note(job)
                self.tokens_produced += len(tokens)
        for event in step.events:
            job = self._in_engine(event.row)
            if job is not None:
                self._hear(job, event)
            elif self.idle_work is not None:
                self.idle_work.event(event)
        if self._rows.stand_still:
            # Batch work stands still only so long, whether or not anybody ends.
            self.start_next()

    def _hear(self, job: Job, event: RowEvent) -> None:
        heard = self._hearing.hear(job, event, self.model)
        if isinstance(heard, Done):
            self.end(job, self._endings.done(job, heard))
        elif isinstance(heard, ThinkqError):
            self.fail(job, heard)
        elif heard is Needs.ANOTHER_ROW:
            self.wait_again(job)
            self.start_next()
        elif heard is Needs.MEMORY:
            self._wait_for_memory(job)
        elif heard is Needs.CANCEL and self.engine is not None:
            self.engine.cancel(Cancel(job.row))

    def engine_down(self, why: str, rows: Sequence[int], *, from_outside: bool) -> None:
        """Queue again what the engine took with it; give up on what takes it down."""
        self._forget_parked()
        if self.idle_work is not None:
            self.idle_work.interrupt()
        # The last first: each goes before those that wait already.
        for row in sorted(rows, reverse=True):
            job = self._rows.get(row)
            if job is None:
                continue
            job.blame.note(why, len(job.generated), from_outside=from_outside)
            if job.blame.is_guilty:
                self.end(job, self._endings.poisoned(job, why))
            else:
                self.wait_again(job)
        cannot_load = None if self.engine is None else self.engine.cannot_load
        if cannot_load is not None and self.engines is not None:
            self.is_loading = False
            self.engines.failed(self, cannot_load)

    def _wait_for_memory(self, job: Job) -> None:
        """Put a job back in its lane, before its client's others; nobody overtakes it there.

        Until a row ends no other begins, but for an interactive one that takes another's place.
        """
        self.wait_again(job)
        self._rows.narrow()
        if job.row in self.lanes:
            self._streams.progress(job, "queued", position=self.lanes.ahead_of(job.row))
        _log.info("no_room", id=job.request.id, client=job.request.client, rows=self.rows_now)
        self.start_next()

    def _in_engine(self, row: int) -> Job | None:
        return self._rows.get(row) or self.parking.get(row)

    def _forget_parked(self) -> None:
        # They wait in their lanes already; the next engine gets them with what they had said.
        for job in self.parking.clear():
            job.submitted = False
            if job.stopped is not None and self.lanes.remove(job.row):
                self.end(job, self._endings.stopped(job, job.stopped))

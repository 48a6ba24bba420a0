"""One model at work: who waits for it, who has a row of its engine, who is parked, what it says.

It is its engine's listener, on the daemon's event loop. A job gets a row when the lanes say so;
what it says goes to `streams`, its end to `endings`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from msgspec.structs import replace

from worker.daemon.choice import At, length_of, what_fits
from worker.daemon.endings import JOURNAL_RETRY_S
from worker.daemon.in_time import InTime, is_heard
from worker.daemon.job import Stage
from worker.daemon.outcome import raised
from worker.daemon.outlook import LOOKED_AT, Company, outlook
from worker.daemon.summarizing import Summary
from worker.domain.errors import ContextTooLong, EngineFailed, ThinkqError
from worker.domain.messages import Kind, Lane
from worker.engine.pipe import Cancel, Done, Escalated, NoRoom, State, Stored, Text
from worker.journal.store import JournalError
from worker.scheduler.yielding import Yielding

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
    from worker.engine.pipe import Failed, RowEvent, Step
    from worker.engine.supervisor import Engine
    from worker.scheduler.forecast import Outlook
    from worker.scheduler.lanes import Lanes, Waiting
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
        self._running: dict[int, Job] = {}
        self.name = name
        self.lanes = lanes
        self.speeds = speeds
        self.rows = rows
        self.parking = parking
        self.engines: Engines | None = None
        """Who brings the engine when it is wanted, and takes it away."""
        self.engine: Engine | None = None
        self.held = False
        """Whether nothing more may begin, since another model wants the memory."""
        self.is_loading = False
        """Whether who waits is told that the model is being loaded."""
        self.model: ModelInfo | None = None
        """What the engine has loaded, or had when it was there last."""
        self.memory: Memory | None = None
        """What the engine last said of its memory."""
        self.tokens_produced = 0
        self.stored = Stored()
        self._narrowed: int | None = None
        self.on_end: Callable[[], None] = lambda: None
        """Called when a job has left its row."""
        self.idle_work: Counterfactuals | None = None
        self._yielding = Yielding()
        self._in_time = InTime(speeds, clock, conclude=self._conclude, stop=self.stop)
        self._batch_rows = rows
        """How many rows batch work may have now."""

    @property
    def running(self) -> int:
        """How many jobs have a row."""
        return len(self._running)

    @property
    def at_work(self) -> bool:
        """Whether any job has a row, or had one and is parked."""
        return bool(self._running or self.parking)

    @property
    def is_idle(self) -> bool:
        """Whether nobody runs or waits."""
        return not (self.at_work or self.lanes)

    @property
    def rows_now(self) -> int:
        """How many jobs may have a row: fewer than usual while memory is short."""
        return self.rows if self._narrowed is None else self._narrowed

    @property
    def is_short_of_memory(self) -> bool:
        """Whether jobs wait for memory that others must leave first, and many do."""
        return self._narrowed is not None and len(self.lanes) >= self.rows

    @property
    def load(self) -> int:
        """How many wait, less the rows that are free."""
        return len(self.lanes) + len(self._running) - self.rows_now

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
            self._company(),
            ahead=[self._live[row] for row in rows],
            more=more + held,
            speeds=self.speeds,
            now=self._clock(),
            first=self._live.at_turn(request.session),
        )
        return replace(found, queue_s=found.queue_s + self.ready_in_s)

    def _company(self) -> Company:
        parks = self.parking.allowed
        return Company(
            list(self._running.values()),
            rows=max(1, self.rows_now),
            parks=parks,
            stands_still=parks and not self._yielding.recovering,
            batch_rows=min(self._batch_rows, max(1, self.rows_now)),
        )

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
        elif job.row in self._running and self.engine is not None:
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
        self._narrowed = None
        self._running.pop(job.row, None)
        if self.parking.leave(job.row):
            self.lanes.remove(job.row)
        self._streams.tails.ended(job)
        self._live.end(job, ending)
        self.start_next()
        self.on_end()
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
        self._running.pop(job.row, None)
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
            self._step_aside(engine)
        while engine is not None:
            victim = None
            if len(self._running) < self.rows_now:
                waiting = self.lanes.take(self._may_start)
            else:
                victim = self.parking.victim(self._running.values())
                waiting = None if victim is None else self.lanes.take(self._may_take_a_row)
            if waiting is None:
                return
            if victim is not None:
                victim.times_parked += 1
                self._park([victim], engine)
            self._give_row(self._live[waiting.row], engine)

    def _step_aside(self, engine: Engine) -> None:
        """Park the batch work that would slow down whoever is more urgent, as he begins."""
        hurried = self.parking.allowed and self._wants_rows(Lane.INTERACTIVE)
        if self._yielding.look(self._clock(), hurried=hurried):
            self._batch_rows = 0
        elif self.parking.allowed and self._wants_rows(Lane.STANDARD):
            self._batch_rows = max(1, self.rows // 2)
        else:
            self._batch_rows = self.rows
        aside = self.parking.stepping_aside(self._running.values(), self._batch_rows)
        if aside:
            self._park(aside, engine)

    def _wants_rows(self, lane: Lane) -> bool:
        runs = any(job.lane is lane for job in self._running.values())
        return runs or self.lanes.any_of(lane, self._may_start)

    def _give_row(self, job: Job, engine: Engine) -> None:
        job.begin(self._clock())
        self._live.take_turn(job)
        self._running[job.row] = job
        if self.parking.leave(job.row):
            engine.resume(job.row)
        else:
            self._live.in_background(self._start(job, engine))

    def _park(self, jobs: Sequence[Job], engine: Engine) -> None:
        # The youngest first: each goes before those of its client that wait already.
        for job in sorted(jobs, key=lambda job: job.row, reverse=True):
            del self._running[job.row]
            self._live.give_turn_back(job)
            job.stage = Stage.WAITING
            self.parking.park(job)
            self.lanes.put_back(job.waiting())
            _log.info("parked", id=job.request.id, client=job.request.client, lane=job.lane)
        engine.park([job.row for job in jobs])

    def _may_take_a_row(self, waiting: Waiting) -> bool:
        return waiting.lane is Lane.INTERACTIVE and self._may_start(waiting)

    def _may_start(self, waiting: Waiting) -> bool:
        if (self._live.draining or self.held) and waiting.row not in self.parking:
            return False
        if waiting.lane is Lane.BATCH and self._batch_running() >= self._batch_rows:
            return False
        if not self._live.is_free(waiting.session):
            return False
        # Of those that may have taken the engine down, one runs at a time: the next crash then
        # names the one to blame.
        if not self._live[waiting.row].blame.is_suspect:
            return True
        return not any(other.blame.is_suspect for other in self._running.values())

    def _batch_running(self) -> int:
        return sum(job.lane is Lane.BATCH for job in self._running.values())

    def _is_out_of_turn(self, job: Job) -> bool:
        return job.lane is Lane.BATCH and self._batch_running() > self._batch_rows

    async def _start(self, job: Job, engine: Engine) -> None:
        model = None if self.model is None else self.model.fingerprint
        if job.begun_with not in (None, model):
            _log.warning("started_over", id=job.request.id, why="the model is another one now")
            job.start_over()
        job.begun_with = model
        try:
            submit = await self._preparing.for_engine(job, self._at(job))
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
        elif engine is not self.ready_engine() or self._is_out_of_turn(job):
            # It went down while the session was read, or somebody came who can't wait.
            self.wait_again(job)
            self.start_next()
        else:
            engine.submit(submit)
            job.submitted = True
            job.submit = submit if self.idle_work is not None else None
            self._in_time.begun(job, len(self._running))

    def _at(self, job: Job) -> At:
        unread = (
            other
            for other in self._running.values()
            if other is not job and not other.generated and other.row < job.row
        )
        waits = job.lane is not Lane.INTERACTIVE
        queue_s = sum(self.speeds.reading_s(length_of(other.request)) for other in unread if waits)
        rows, patient = max(1, len(self._running)), job.lane is Lane.BATCH
        return At(self.speeds, self.model, rows, queue_s, patient)

    def _is_hopeless(self, job: Job) -> bool:
        """Tell whether nothing that it could say now would be there before its deadline."""
        return not job.generated and not what_fits(job, self._clock(), self._at(job)).reachable

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
        self.speeds.note_step(step.prefill_tokens, step.prefill_s, step.decode_rows, step.decode_s)
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
        if self._yielding.active:
            # Batch work stands still only so long, whether or not anybody ends.
            self.start_next()

    def _hear(self, job: Job, event: RowEvent) -> None:
        if job.summary is not None and job.summary.active and self._hear_part(job, event):
            return
        if isinstance(event, Text):
            self._say(job, event)
        elif isinstance(event, State):
            self._streams.progress(job, event.state, prefilled=event.prefilled)
        elif isinstance(event, Escalated):
            self._preparing.note_escalation()
            job.think_after_all(event.why)
            _log.info("escalated", id=job.request.id, client=job.request.client)
        elif isinstance(event, Done):
            self._done(job, event)
        elif isinstance(event, NoRoom):
            self._wait_for_memory(job)
        elif not self._summarize(job, event):
            self.fail(job, raised(event))

    def _hear_part(self, job: Job, event: RowEvent) -> bool:
        """Hear of a row that reads a part of what is too long; False for what ends the job."""
        assert job.summary is not None
        if isinstance(event, Text):
            if event.kind is Kind.ANSWER:
                job.summary.say(event.text)
        elif isinstance(event, Done):
            if job.stopped is not None:
                return False
            job.summary.part_done(job, event)
            self._read_on(job)
        else:
            return isinstance(event, State) and event.state != "parked"
        return True

    def _summarize(self, job: Job, failed: Failed) -> bool:
        """Read part by part what is too long, if its client wants that; False where it can't be."""
        if failed.code != ContextTooLong.code or job.request.long is None:
            return False
        job.summary = job.summary or Summary()
        native = 0 if self.model is None else self.model.native_context_tokens
        if not job.summary.begin(job, failed, native):
            return False
        self._read_on(job)
        return True

    def _read_on(self, job: Job) -> None:
        """Let a job wait for the row that reads its next part, or for its answer."""
        assert job.summary is not None
        if job.summary.active:
            self._streams.progress(job, "summarizing", part=job.summary.count)
        self.wait_again(job)
        self.start_next()

    def engine_down(self, why: str, rows: Sequence[int], *, from_outside: bool) -> None:
        """Queue again what the engine took with it; give up on what takes it down."""
        self._forget_parked()
        if self.idle_work is not None:
            self.idle_work.interrupt()
        # The last first: each goes before those that wait already.
        for row in sorted(rows, reverse=True):
            job = self._running.get(row)
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
        self._narrowed = max(1, len(self._running))
        if job.row in self.lanes:
            self._streams.progress(job, "queued", position=self.lanes.ahead_of(job.row))
        _log.info("no_room", id=job.request.id, client=job.request.client, rows=self._narrowed)
        self.start_next()

    def _done(self, job: Job, done: Done) -> None:
        held_s, tokens = job.held_row_s(self._clock()), len(job.generated)
        self.speeds.note_request(held_s, tokens, patient=job.lane is Lane.BATCH)
        if job.summary is not None:
            done = job.summary.total(done)
        if job.refused is None:
            self.end(job, self._endings.done(job, done))
        else:
            self.fail(job, job.refused)

    def _say(self, job: Job, said: Text) -> None:
        text = said.text
        if job.refused is not None:
            return
        if said.kind is Kind.TOOL:
            text, job.refused = self._preparing.checked_call(job, text)
            if job.refused is not None:
                if self.engine is not None:
                    self.engine.cancel(Cancel(job.row))
                return
        self._streams.text(job, said.kind, text)

    def _in_engine(self, row: int) -> Job | None:
        return self._running.get(row) or self.parking.get(row)

    def _forget_parked(self) -> None:
        # They wait in their lanes already; the next engine gets them with what they had said.
        for job in self.parking.clear():
            job.submitted = False
            if job.stopped is not None and self.lanes.remove(job.row):
                self.end(job, self._endings.stopped(job, job.stopped))

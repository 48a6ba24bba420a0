"""Every live job, from its acceptance to its final reply: who waits, who runs, who is next.

All of it happens on the daemon's event loop. A job gets a row when the scheduler says so; what it
says goes to `streams`, its end to `endings`.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import structlog

from worker.daemon.endings import JOURNAL_RETRY_S
from worker.daemon.job import Job, Stage
from worker.daemon.outcome import raised
from worker.daemon.revising import revision_key
from worker.domain.errors import EngineFailed, ThinkqError
from worker.domain.messages import Kind, Lane
from worker.engine.pipe import Cancel, Done, Escalated, State, Text
from worker.journal.store import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from worker.daemon.counterfactuals import Counterfactuals
    from worker.daemon.endings import Endings
    from worker.daemon.job import StopReason
    from worker.daemon.outcome import Outcome
    from worker.daemon.parking import Parking
    from worker.daemon.preparing import Preparing
    from worker.daemon.streams import Streams
    from worker.domain.messages import ReplyRoute, Request
    from worker.domain.model import ModelInfo
    from worker.engine.pipe import Step
    from worker.engine.supervisor import Engine
    from worker.router.intents import Intent
    from worker.scheduler.lanes import Lanes, Waiting
    from worker.scheduler.speeds import Speeds
    from worker.transport.packets import Incoming

_POISON_ATTEMPTS = 2

_log = structlog.get_logger(__name__)


class Jobs:
    """The jobs of this daemon. It is the engine's listener.

    Args:
        preparing: Readies a job for the engine, or answers it without.
        outcome: Learns the model's name.
        speeds: Learns how fast the engine is.
        streams: Publishes what jobs say.
        endings: Ends jobs.
        lanes: Decides who is next.
        rows: How many jobs run at once.
        parking: Where jobs are that gave their row to a more urgent one.
        clock: The monotonic clock, in seconds.
        on_model: Called when a model has been loaded.

    """

    def __init__(
        self,
        *,
        preparing: Preparing,
        outcome: Outcome,
        speeds: Speeds,
        streams: Streams,
        endings: Endings,
        lanes: Lanes,
        rows: int,
        parking: Parking,
        clock: Callable[[], float],
        on_model: Callable[[], None] = lambda: None,
    ) -> None:
        self._preparing = preparing
        self._outcome = outcome
        self._streams = streams
        self._endings = endings
        self._rows = rows
        self.parking = parking
        self._clock = clock
        self._on_model = on_model
        self._names = itertools.count()
        self._jobs: dict[int, Job] = {}
        self._by_key: dict[tuple[str, bytes], Job] = {}
        self._running: dict[int, Job] = {}
        # Those that have left their row and whose reply is not on disk yet.
        self._ending: dict[int, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._given_up = asyncio.Event()
        self.lanes = lanes
        self.speeds = speeds
        self.engine: Engine | None = None
        self.draining = False
        self.tokens_produced = 0
        self.idle_work: Counterfactuals | None = None

    def add(
        self,
        request: Request,
        routes: Sequence[ReplyRoute],
        arrived: float,
        *,
        attempts: int = 0,
        as_it_came: Incoming | None = None,
    ) -> None:
        """Take a journaled request; it runs when the scheduler gives it a row.

        Args:
            request: What was accepted.
            routes: Where its reply goes.
            arrived: On the monotonic clock, in seconds.
            attempts: How many engines went down with it before.
            as_it_came: The message, if another worker may get it while it waits.

        """
        if self.idle_work is not None:
            self.idle_work.interrupt()
        job = Job(self.new_row(), request, tuple(routes), arrived)
        job.attempts = attempts
        job.as_it_came = as_it_came
        self._jobs[job.row] = job
        self._by_key[request.client, request.key] = job
        if job.deadline is not None:
            left_s = max(0.0, job.deadline - self._clock())
            loop = asyncio.get_running_loop()
            job.expiry = loop.call_later(left_s, self.stop, job, "deadline")
        intent = None if self._is_held(request.session, job) else self._preparing.intent(request)
        if intent is not None:
            self._in_background(self._answer_intent(job, intent))
            return
        self.lanes.add(job.waiting())
        self._streams.progress(job, "queued", position=self.lanes.ahead_of(job.row))
        self.start_next()

    def add_revision(self, revision: Request, of: Job) -> None:
        """Take the thought about an answer, which has been journaled."""
        self.add(revision, of.routes, of.arrived)

    def _is_held(self, session: str | None, job: Job) -> bool:
        """Tell whether another job of the session comes before this one."""
        return session is not None and any(
            other.request.session == session for other in self._jobs.values() if other is not job
        )

    def join(self, request: Request) -> None:
        """Let a duplicate hear what its live job says, and get its reply."""
        job = self.find(request.client, request.key)
        if job is not None:
            job.add_route(request.reply_to)
            if request.stream or job.request.stream:
                self._streams.join(job, request.reply_to)

    def find(self, client: str, key: bytes) -> Job | None:
        """Return a client's live job, or the revision of one that was answered."""
        found = self._by_key.get((client, key))
        return found or self._by_key.get((client, revision_key(key)))

    def of_client(self, client: str) -> list[Job]:
        """Return a client's live jobs, oldest first."""
        return [job for job in self._jobs.values() if job.request.client == client]

    def stop(self, job: Job, reason: StopReason) -> None:
        """End a job before its time; what it has said so far is its reply."""
        job.stopped = reason
        if job.row in self.parking and self.engine is not None:
            # What it said so far is in the engine, and comes with its end.
            self.engine.cancel(Cancel(job.row, reason))
        elif self.lanes.remove(job.row) is not None:
            self._end(job, self._endings.stopped(job, reason))
        elif job.stage is Stage.RUNNING and self.engine is not None:
            self.engine.cancel(Cancel(job.row, reason))

    def never_begun(self) -> list[Job]:
        """Return the jobs that wait and have not begun, oldest first."""
        return [job for job in self._jobs.values() if job.row in self.lanes and job.never_begun]

    def let_go(self, job: Job) -> None:
        """Forget a waiting job without a word: another worker has it."""
        if job.expiry is not None:
            job.expiry.cancel()
        self.lanes.remove(job.row)
        self._ending[job.row] = job
        self._let_go(job)

    # Running -------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether any job waits or runs."""
        return bool(self._jobs)

    def new_row(self) -> int:
        """Return a name that no row of any engine has had."""
        return next(self._names)

    @property
    def load(self) -> int:
        """How many wait, less the rows that are free."""
        return len(self.lanes) + len(self._running) - self._rows

    @property
    def running(self) -> int:
        """How many jobs have a row."""
        return len(self._running)

    def start_next(self) -> None:
        """Give free rows to whoever is next, and a running job's to one that can't wait."""
        engine = self.engine
        if engine is None or not engine.ready.is_set():
            return
        while True:
            victim = None
            if len(self._running) < self._rows:
                waiting = self.lanes.take(self._may_start)
            else:
                victim = self.parking.victim(self._running.values())
                waiting = None if victim is None else self.lanes.take(self._may_take_a_row)
            if waiting is None:
                return
            if victim is not None:
                self._park(victim, engine)
            self._give_row(self._jobs[waiting.row], engine)

    def _give_row(self, job: Job, engine: Engine) -> None:
        job.begin(self._clock())
        self._running[job.row] = job
        if self.parking.leave(job.row):
            engine.resume(job.row)
        else:
            self._in_background(self._start(job, engine))

    def _park(self, job: Job, engine: Engine) -> None:
        del self._running[job.row]
        job.stage = Stage.WAITING
        self.parking.park(job)
        self.lanes.put_back(job.waiting())
        engine.park(job.row)
        _log.info("parked", id=job.request.id, client=job.request.client, lane=job.lane)

    def _may_take_a_row(self, waiting: Waiting) -> bool:
        return waiting.lane is Lane.INTERACTIVE and self._may_start(waiting)

    def _may_start(self, waiting: Waiting) -> bool:
        if self.draining and waiting.row not in self.parking:
            return False
        job = self._jobs[waiting.row]
        running = self._running.values()
        if waiting.session is not None and any(
            other.request.session == waiting.session
            for other in itertools.chain(running, self._ending.values())
        ):
            return False
        # Of those that may have taken the engine down, one runs at a time: the next crash then
        # names the one to blame.
        return not (job.attempts and any(other.attempts for other in running))

    async def _start(self, job: Job, engine: Engine) -> None:
        try:
            submit = await self._preparing.for_engine(job)
        except ThinkqError as error:
            self._end(job, self._endings.failed(job, error))
            return
        except JournalError as error:
            _log.warning("journal_failed", error=str(error), retry_in_s=JOURNAL_RETRY_S)
            await asyncio.sleep(JOURNAL_RETRY_S)
            self._wait_again(job)
            self.start_next()
            return
        except Exception:  # noqa: BLE001 - a fault of ours is answered and frees its row
            _log.exception("start_failed", id=job.request.id, client=job.request.client)
            fault = EngineFailed("the worker is at fault; its log says how")
            self._end(job, self._endings.failed(job, fault))
            return
        if job.stopped is not None:
            self._end(job, self._endings.stopped(job, job.stopped))
        elif not engine.ready.is_set():
            # It went down while the session was read; the next one gets the job.
            self._wait_again(job)
        else:
            engine.submit(submit)
            job.submitted = True
            job.submit = submit if self.idle_work is not None else None

    async def _answer_intent(self, job: Job, intent: Intent) -> None:
        try:
            await self._preparing.for_intent(job, intent)
        except ThinkqError as error:
            self._end(job, self._endings.failed(job, error))
        except JournalError as error:
            _log.warning("journal_failed", error=str(error))
            self._wait_again(job)
            self.start_next()
        else:
            self._streams.text(job, Kind.ANSWER, intent.json)
            done = Done(row=job.row, finish_reason="stop", prompt_tokens=0)
            self._end(job, self._endings.done(job, done))

    def _wait_again(self, job: Job) -> None:
        self._running.pop(job.row, None)
        job.stage = Stage.WAITING
        job.submitted = False
        if job.stopped is not None:
            self._end(job, self._endings.stopped(job, job.stopped))
        else:
            self.lanes.add(job.waiting())

    def _end(self, job: Job, ending: Coroutine[None, None, None]) -> None:
        """Free a job's row at once, and let go of the job when its reply is on disk."""
        self._running.pop(job.row, None)
        if self.parking.leave(job.row):
            self.lanes.remove(job.row)
        self._ending[job.row] = job
        if job.expiry is not None:
            job.expiry.cancel()
        self._in_background(self._let_go_after(job, ending))
        self.start_next()

    async def _let_go_after(self, job: Job, ending: Coroutine[None, None, None]) -> None:
        try:
            await ending
        finally:
            self._let_go(job)

    def _let_go(self, job: Job) -> None:
        job.stage = Stage.ENDED
        del self._ending[job.row]
        del self._jobs[job.row]
        name = (job.request.client, job.request.key)
        # After a `forget` the same name may be a new job's.
        if self._by_key.get(name) is job:
            del self._by_key[name]
        self.start_next()

    # What the engine says ------------------------------------------------------------------

    def engine_ready(self, model: ModelInfo, load_s: float) -> None:
        """Begin to give rows to the engine that has just loaded its model."""
        self._outcome.model = model
        _log.info("engine_ready", model=model.name, load_s=round(load_s, 2), blas=model.blas)
        self._on_model()
        self.start_next()

    def engine_step(self, step: Step) -> None:
        """Pass on what came of a step."""
        self.speeds.note_step(step.prefill_tokens, step.prefill_s, step.decode_rows, step.decode_s)
        for row, tokens in step.tokens:
            if job := self._in_engine(row):
                job.generated.extend(tokens)
                self.tokens_produced += len(tokens)
        for event in step.events:
            job = self._in_engine(event.row)
            if job is None:
                if self.idle_work is not None:
                    self.idle_work.event(event)
                continue
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
            else:
                self._end(job, self._endings.failed(job, raised(event)))

    def _done(self, job: Job, done: Done) -> None:
        self.speeds.note_request(job.held_row_s(self._clock()))
        if job.refused is None:
            self._end(job, self._endings.done(job, done))
        else:
            self._end(job, self._endings.failed(job, job.refused))

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

    def engine_down(self, why: str, rows: Sequence[int]) -> None:
        """Queue again what the engine took with it; give up on what took it down twice."""
        self._forget_parked()
        if self.idle_work is not None:
            self.idle_work.interrupt()
        for row in rows:
            job = self._running.get(row)
            if job is None:
                continue
            job.attempts += 1
            if job.attempts >= _POISON_ATTEMPTS:
                self._end(job, self._endings.poisoned(job, why))
            else:
                self._wait_again(job)

    def _forget_parked(self) -> None:
        # They wait in their lanes already; the next engine gets them with what they had said.
        for job in self.parking.clear():
            job.submitted = False
            if job.stopped is not None and self.lanes.remove(job.row):
                self._end(job, self._endings.stopped(job, job.stopped))

    async def drain(self, grace_s: float) -> int:
        """Start nothing more, let what runs finish; return how many jobs are handed back.

        What does not finish in time stays in the journal, accepted, for the next start.
        """
        self.draining = True
        self._note_idle()
        over = [asyncio.create_task(event.wait()) for event in (self._idle, self._given_up)]
        await asyncio.wait(over, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        for task in over:
            task.cancel()
        return len(self._jobs)

    def give_up(self) -> None:
        """Stop waiting for what runs; all of it is handed back."""
        self._given_up.set()

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("job_step_failed", exc_info=error)
        self._note_idle()

    def _note_idle(self) -> None:
        if self.draining and not (self._running or self.parking or self._tasks):
            self._idle.set()

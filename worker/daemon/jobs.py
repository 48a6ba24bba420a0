"""Every job from its acceptance to its final reply: waiting, running, ended.

All of it happens on the daemon's event loop. A job gets a row when the scheduler says so, its
text goes out as the engine produces it, and its end is journaled before it is published.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Literal

import structlog
from msgspec import UNSET

from worker.daemon.choice import length_of
from worker.daemon.job import Job, Stage
from worker.daemon.outcome import CANCELLED, EXPIRED, raised, session_after
from worker.domain.errors import DeadlineUnreachable, Poisoned, QueueFull, ThinkqError
from worker.domain.messages import Kind, Mode, Progress, StreamPart
from worker.engine.pipe import Cancel, Done, State, Text
from worker.journal.store import JournalError
from worker.scheduler.lanes import Lanes, Waiting
from worker.scheduler.speeds import Speeds, fit
from worker.sessions import open_session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from worker.daemon.choice import Choice
    from worker.daemon.delivery import Delivery
    from worker.daemon.outcome import Outcome
    from worker.domain.messages import Reply, ReplyRoute, Request
    from worker.domain.model import ModelInfo
    from worker.domain.session import Session
    from worker.engine.pipe import Step
    from worker.engine.supervisor import Engine
    from worker.journal.store import Journal

_POISON_ATTEMPTS = 2
_JOURNAL_RETRY_S = 1.0

_log = structlog.get_logger(__name__)


class Jobs:
    """The jobs of this daemon. It is the engine's listener.

    Args:
        journal: Where requests and replies are kept.
        choice: Chooses mode and budget.
        outcome: Writes final replies.
        speeds: Learns how fast the engine is.
        delivery: Publishes.
        rows: How many jobs run at once.
        queue_limit: How many may wait, in all and for one client.
        clock: The monotonic clock, in seconds.
        on_model: Called when a model has been loaded.

    """

    def __init__(
        self,
        *,
        journal: Journal,
        choice: Choice,
        outcome: Outcome,
        speeds: Speeds,
        delivery: Delivery,
        rows: int,
        queue_limit: tuple[int, int],
        clock: Callable[[], float],
        on_model: Callable[[], None] = lambda: None,
    ) -> None:
        self._journal = journal
        self._choice = choice
        self._outcome = outcome
        self._delivery = delivery
        self._rows = rows
        self._queue_limit = queue_limit
        self._clock = clock
        self._on_model = on_model
        self._names = itertools.count()
        self._jobs: dict[int, Job] = {}
        self._by_key: dict[tuple[str, bytes], Job] = {}
        self._running: dict[int, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.lanes = Lanes()
        self.speeds = speeds
        self.engine: Engine | None = None
        self.draining = False
        self._given_up = False
        self.answered = {Mode.THINK: 0, Mode.NO_THINK: 0}
        self.tokens_produced = 0
        self.failures = 0

    # Admission -----------------------------------------------------------------------------

    def check_room(self, request: Request, arrived: float) -> None:
        """Refuse what can't be taken now, before it is journaled.

        Raises:
            QueueFull: Too many wait, in all or for this client.
            DeadlineUnreachable: At the measured speed nothing fits before its deadline.

        """
        in_all, for_client = self._queue_limit
        waiting = len(self.lanes)
        if waiting >= in_all or self.lanes.of_client(request.client) >= for_client:
            limit = in_all if waiting >= in_all else for_client
            raise QueueFull(
                f"{limit} requests wait already",
                retry_after_ms=self.speeds.wait_ms(waiting, self._rows),
            )
        if request.deadline_ms is None:
            return
        left_s = request.deadline_ms / 1000 - (self._clock() - arrived)
        length = length_of(request)
        if not fit(self.speeds, characters=length, left_s=left_s).reachable:
            raise DeadlineUnreachable(
                f"deadline_ms: reading {length} characters and beginning to answer takes longer "
                f"than the {left_s * 1000:.0f} ms left",
                field="deadline_ms",
            )

    def add(
        self,
        request: Request,
        routes: Sequence[ReplyRoute],
        arrived: float,
        *,
        attempts: int = 0,
    ) -> None:
        """Take a journaled request; it runs when the scheduler gives it a row.

        Args:
            request: What was accepted.
            routes: Where its reply goes.
            arrived: On the monotonic clock, in seconds.
            attempts: How many engines went down with it before.

        """
        job = Job(next(self._names), request, tuple(routes), arrived)
        job.attempts = attempts
        self._jobs[job.row] = job
        self._by_key[request.client, request.key] = job
        if job.deadline is not None:
            left_s = max(0.0, job.deadline - self._clock())
            loop = asyncio.get_running_loop()
            job.expiry = loop.call_later(left_s, self._expire, job)
        self.lanes.add(_waiting(job))
        self._progress(job, "queued", position=self.lanes.ahead_of(job.row))
        self.start_next()

    def join(self, client: str, key: bytes, route: ReplyRoute) -> None:
        """Add a duplicate's reply route to the job it joins."""
        job = self._by_key.get((client, key))
        if job is not None:
            job.add_route(route)

    def find(self, client: str, key: bytes) -> Job | None:
        """Return a client's live job."""
        return self._by_key.get((client, key))

    def of_client(self, client: str) -> list[Job]:
        """Return a client's live jobs, oldest first."""
        return [job for job in self._jobs.values() if job.request.client == client]

    # Running -------------------------------------------------------------------------------

    @property
    def running(self) -> int:
        """How many jobs have a row."""
        return len(self._running)

    def start_next(self) -> None:
        """Give free rows to whoever is next."""
        engine = self.engine
        if engine is None or self.draining or not engine.ready.is_set():
            return
        while len(self._running) < self._rows:
            waiting = self.lanes.take(self._may_start)
            if waiting is None:
                break
            job = self._jobs[waiting.row]
            job.begin(self._clock())
            self._running[job.row] = job
            self._in_background(self._start(job, engine))

    def _may_start(self, waiting: Waiting) -> bool:
        job = self._jobs[waiting.row]
        running = self._running.values()
        if waiting.session is not None and any(
            other.request.session == waiting.session for other in running
        ):
            return False
        # Of those that may have taken the engine down, one runs at a time: the next crash then
        # names the one to blame.
        return not (job.attempts and any(other.attempts for other in running))

    async def _start(self, job: Job, engine: Engine) -> None:
        request = job.request
        try:
            job.session = await self._session(request)
            submit = self._choice.submission(job, self._clock())
            await self._journal.running(request.client, request.key, job.attempts)
        except ThinkqError as error:
            await self._end_with_error(job, error)
            return
        except JournalError as error:
            _log.warning("journal_failed", error=str(error), retry_in_s=_JOURNAL_RETRY_S)
            await asyncio.sleep(_JOURNAL_RETRY_S)
            self._wait_again(job)
            self.start_next()
            return
        if job.stopped is not None:
            await self._end_with_error(job, job.stopped)
            return
        if not engine.ready.is_set():
            # It went down while the session was read; the next one gets the job.
            self._wait_again(job)
            return
        _log.info(
            "started",
            id=request.id,
            client=request.client,
            lane=request.lane,
            mode=submit.mode,
            decided_by=job.route.decided_by if job.route else None,
        )
        engine.submit(submit)

    async def _session(self, request: Request) -> Session | None:
        if request.session is None:
            return None
        existing = await self._journal.session(request.session)
        return open_session(existing, request.session, request.client)

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
            if job := self._running.get(row):
                job.generated.extend(tokens)
                self.tokens_produced += len(tokens)
        for event in step.events:
            job = self._running.get(event.row)
            if job is None:
                continue
            if isinstance(event, Text):
                self._text(job, event.kind, event.text)
            elif isinstance(event, State):
                self._progress(job, event.state, prefilled=event.prefilled)
            elif isinstance(event, Done):
                self._in_background(self._end(job, event))
            else:
                self._in_background(self._end_with_error(job, raised(event)))

    def engine_down(self, why: str, rows: Sequence[int]) -> None:
        """Queue again what the engine took with it; give up on what took it down twice."""
        self.failures += 1
        for row in rows:
            job = self._running.pop(row, None)
            if job is None:
                continue
            job.attempts += 1
            if job.attempts >= _POISON_ATTEMPTS:
                job.stage = Stage.ENDED
                self._in_background(self._bury(job, why))
            else:
                self._wait_again(job)

    def _wait_again(self, job: Job) -> None:
        self._running.pop(job.row, None)
        job.stage = Stage.WAITING
        self.lanes.add(_waiting(job))

    def _text(self, job: Job, kind: Kind, text: str) -> None:
        if kind is Kind.REASONING and not self._delivery.show_reasoning:
            return
        seq = job.add(kind, text, self._clock())
        if job.request.stream:
            self._delivery.part(StreamPart(job.request.id, kind, seq, text), job.routes)

    def _progress(
        self,
        job: Job,
        state: Literal["queued", "prefill", "thinking", "answering", "parked"],
        *,
        position: int | None = None,
        prefilled: float | None = None,
    ) -> None:
        if not job.request.stream:
            return
        progress = Progress(
            id=job.request.id,
            seq=job.progress_seq,
            state=state,
            position=UNSET if position is None else position,
            prefilled=UNSET if prefilled is None else round(prefilled, 3),
            mode=UNSET if job.mode is None else job.mode,
        )
        job.progress_seq += 1
        self._delivery.progress(progress, job.routes)

    # Ends ----------------------------------------------------------------------------------

    def cancel(self, job: Job) -> None:
        """End a job because its client asked; what it has said so far is its reply."""
        self._stop(job, "cancelled", CANCELLED)

    def _expire(self, job: Job) -> None:
        self._stop(job, "deadline", EXPIRED)

    def _stop(self, job: Job, reason: Literal["cancelled", "deadline"], error: ThinkqError) -> None:
        job.stopped = error
        if self.lanes.remove(job.row) is not None:
            self._in_background(self._end_with_error(job, error))
        elif job.stage is Stage.RUNNING and self.engine is not None:
            self.engine.cancel(Cancel(job.row, reason))

    async def _end(self, job: Job, done: Done) -> None:
        now = self._clock()
        self.speeds.note_request(job.held_row_s(now))
        reply = self._outcome.of_end(job, done, now)
        if reply.status == "ok" and job.mode is not None:
            self.answered[job.mode] += 1
        await self._record(job, reply)

    async def _end_with_error(self, job: Job, error: ThinkqError) -> None:
        await self._record(job, self._outcome.of_error(job, error, self._clock()))

    async def _bury(self, job: Job, why: str) -> None:
        error = Poisoned(f"the engine went down {job.attempts} times with this request: {why}")
        reply = self._outcome.of_error(job, error, self._clock())
        self._forget(job)
        history = [f"attempt {attempt + 1}: engine down" for attempt in range(job.attempts)]
        await self._until_journaled(
            lambda: self._journal.dead(
                job.request.client, job.request.key, error.code, reply, history=history
            )
        )
        self._delivery.dead_letter(
            job.request.client, error, request_id=job.request.id, history=history
        )
        self._delivery.reply(job.request.client, job.request.key, reply, job.routes)
        self.start_next()

    async def _record(self, job: Job, reply: Reply) -> None:
        request = job.request
        session = session_after(job, reply)
        lengths = {kind: [len(text) for text in parts] for kind, parts in job.parts.items()}
        self._running.pop(job.row, None)
        await self._until_journaled(
            lambda: self._journal.answer(
                request.client, request.key, reply, stream=lengths, session=session
            )
        )
        self._forget(job)
        _log.info(
            "answered",
            id=request.id,
            client=request.client,
            status=reply.status,
            code=None if reply.error is UNSET else reply.error.code,
            finish_reason=None if reply.finish_reason is UNSET else reply.finish_reason,
            total_ms=job.timing(self._clock()).total_ms,
        )
        self._delivery.reply(request.client, request.key, reply, job.routes)
        self.start_next()

    async def _until_journaled(self, write: Callable[[], Awaitable[None]]) -> None:
        # A full disk holds the answer back, it does not lose it.
        while True:
            try:
                await write()
            except JournalError as error:
                _log.error("journal_failed", error=str(error), retry_in_s=_JOURNAL_RETRY_S)
                await asyncio.sleep(_JOURNAL_RETRY_S)
            else:
                return

    def _forget(self, job: Job) -> None:
        job.stage = Stage.ENDED
        if job.expiry is not None:
            job.expiry.cancel()
        self._running.pop(job.row, None)
        self._jobs.pop(job.row, None)
        self._by_key.pop((job.request.client, job.request.key), None)

    # The end of the daemon -----------------------------------------------------------------

    async def drain(self, grace_s: float) -> int:
        """Start nothing more, let what runs finish; return how many jobs are handed back.

        What does not finish in time stays in the journal, accepted, for the next start.
        """
        self.draining = True
        deadline = self._clock() + grace_s
        while (
            not self._given_up
            and (self._running or self._tasks)
            and (left_s := deadline - self._clock()) > 0
        ):
            ends = [*self._tasks] or [asyncio.create_task(asyncio.sleep(min(0.05, left_s)))]
            await asyncio.wait(ends, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        return len(self._jobs)

    def give_up(self) -> None:
        """Stop waiting for what runs; all of it is handed back."""
        self._given_up = True

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("job_step_failed", exc_info=error)


def _waiting(job: Job) -> Waiting:
    request = job.request
    return Waiting(job.row, request.client, request.lane, job.arrived, request.session)

"""The jobs of this daemon from outside: they are added, found, stopped, drained.

Each waits and runs at the model that serves it, a `Serving`; `Live` knows them all.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from worker.daemon.blame import Blame
from worker.daemon.job import Job
from worker.daemon.tails import restore
from worker.domain.errors import ThinkqError
from worker.domain.messages import Kind, Lane
from worker.engine.pipe import Done
from worker.journal.store import JournalError, Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.daemon.counterfactuals import Counterfactuals
    from worker.daemon.endings import Endings
    from worker.daemon.job import StopReason
    from worker.daemon.live import Live
    from worker.daemon.preparing import Preparing
    from worker.daemon.serving import Serving
    from worker.daemon.streams import Streams
    from worker.domain.messages import ReplyRoute, Request
    from worker.router.intents import Intent
    from worker.transport.packets import Incoming

_NOTHING = Tail()

_log = structlog.get_logger(__name__)


class Jobs:
    """The jobs of this daemon.

    Args:
        live: Those that are live.
        servings: The models, the default one first.
        choose: Says by name which model answers a request.
        preparing: Recognizes what needs no model.
        streams: Publishes what jobs say.
        endings: Ends jobs.
        clock: The monotonic clock, in seconds.

    """

    def __init__(
        self,
        *,
        live: Live,
        servings: Sequence[Serving],
        choose: Callable[[Request], str],
        preparing: Preparing,
        streams: Streams,
        endings: Endings,
        clock: Callable[[], float],
    ) -> None:
        self._live = live
        self._preparing = preparing
        self._streams = streams
        self._endings = endings
        self._clock = clock
        self._idle = asyncio.Event()
        self._given_up = asyncio.Event()
        self._servings = {serving.name: serving for serving in servings}
        self._choose = choose
        self.default = servings[0]
        self.idle_work: Counterfactuals | None = None
        live.on_freed = self._start_next
        live.on_task_ended = self._note_idle

    def add(
        self,
        request: Request,
        routes: Sequence[ReplyRoute],
        arrived: float,
        *,
        attempts: int = 0,
        tail: Tail = _NOTHING,
        size_bytes: int = 0,
        token: object = None,
        as_it_came: Incoming | None = None,
        first_row: int | None = None,
    ) -> None:
        """Take a journaled request; it runs when the scheduler gives it a row.

        Args:
            request: What was accepted.
            routes: Where its reply goes.
            arrived: On the monotonic clock, in seconds.
            attempts: How many engines went down with it before, at one place.
            tail: What it has come to in an earlier life of the worker.
            size_bytes: How much memory it takes, about.
            token: That of its message, which may not be acknowledged yet.
            as_it_came: The message, if another worker may get it while it waits.
            first_row: The row of the answer that it is a revision of.

        """
        if self.idle_work is not None:
            self.idle_work.interrupt()
        job = Job(self._live.new_row(), request, tuple(routes), arrived)
        job.size_bytes, job.token = size_bytes, token
        restore(job, tail)
        job.blame = Blame(attempts, len(job.generated))
        job.as_it_came = as_it_came
        job.first_row = first_row
        self._live.add(job)
        left_s = job.left_s(self._clock())
        if left_s is not None:
            loop = asyncio.get_running_loop()
            job.expiry = loop.call_later(max(0.0, left_s), self.stop, job, "deadline")
        try:
            serving = self.serving_of(request)
        except ThinkqError as error:
            # It was taken when the settings were others.
            self.default.fail(job, error)
            return
        job.served_by = serving.name
        held = job.generated or self._live.is_held(job)
        intent = None if held else self._preparing.intent(request)
        if intent is None:
            serving.add(job)
        else:
            self._live.in_background(self._answer_intent(job, intent, serving))

    def add_revision(self, revision: Request, of: Job) -> None:
        """Take the thought about an answer, which has been journaled."""
        self.add(revision, of.routes, of.arrived, first_row=of.row)

    async def _answer_intent(self, job: Job, intent: Intent, serving: Serving) -> None:
        self._live.take_turn(job)
        try:
            await self._preparing.for_intent(job, intent)
        except ThinkqError as error:
            serving.fail(job, error)
        except JournalError as error:
            _log.warning("journal_failed", error=str(error))
            serving.wait_again(job)
            serving.start_next()
        else:
            self._streams.text(job, Kind.ANSWER, intent.json)
            done = Done(row=job.row, finish_reason="stop", prompt_tokens=0)
            serving.end(job, self._endings.done(job, done))

    def join(self, request: Request) -> None:
        """Let a duplicate hear what its live job says, and get its reply."""
        job = self.find(request.client, request.key)
        if job is not None:
            job.add_route(request.reply_to)
            if request.stream or job.request.stream:
                self._streams.join(job, request.reply_to)

    def find(self, client: str, key: bytes) -> Job | None:
        """Return a client's live job, or the revision of one that was answered."""
        return self._live.find(client, key)

    def of_client(self, client: str) -> list[Job]:
        """Return a client's live jobs, oldest first."""
        return [job for job in self._live if job.request.client == client]

    def stop(self, job: Job, reason: StopReason) -> None:
        """End a job before its time; what it has said so far is its reply."""
        self._servings[job.served_by].stop(job, reason)

    def never_begun(self) -> list[Job]:
        """Return the jobs that wait and have not begun, oldest first."""
        return [job for job in self._live if self._waits(job) and job.never_begun]

    def let_go(self, job: Job) -> None:
        """Forget a waiting job without a word: another worker has it."""
        self._servings[job.served_by].lanes.remove(job.row)
        self._streams.tails.ended(job)
        self._live.let_go(job)

    def serving_of(self, request: Request) -> Serving:
        """Return the model that serves a request.

        Raises:
            BadRequest: It wants one that there is not.
            Forbidden: It wants one that its client may not use.

        """
        return self._servings[self._choose(request)]

    def server_of(self, job: Job) -> Serving:
        """Return the model that a job was given to, whatever the rules say by now."""
        return self._servings[job.served_by]

    def needs_no_model(self, request: Request) -> bool:
        """Tell whether a request is a command that is answered without one."""
        return self._preparing.intent(request) is not None

    def new_row(self) -> int:
        """Return a name that no row of any engine has had."""
        return self._live.new_row()

    def forget_caches(self, client: str, session: str | None) -> None:
        """Have every engine drop what it keeps of a client, or of one of its sessions."""
        for serving in self._servings.values():
            if serving.engine is not None:
                serving.engine.forget(client, session)

    @property
    def engine_processes(self) -> set[int]:
        """The process ids of all engines."""
        engines = (serving.engine for serving in self._servings.values())
        found = (engine.pid for engine in engines if engine is not None)
        return {process_id for process_id in found if process_id is not None}

    # How many ------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether any job waits or runs."""
        return bool(self._live)

    @property
    def load(self) -> int:
        """How many wait, less the default model's rows that are free."""
        return self.waiting + self.running - self.default.rows

    @property
    def running(self) -> int:
        """How many jobs have a row."""
        return sum(serving.running for serving in self._servings.values())

    @property
    def are_short_of_memory(self) -> bool:
        """Whether many jobs of a model wait for memory that others must leave first."""
        return any(serving.is_short_of_memory for serving in self._servings.values())

    @property
    def waiting(self) -> int:
        """How many jobs wait for a row."""
        return sum(len(serving.lanes) for serving in self._servings.values())

    def waiting_of(self, client: str) -> int:
        """How many jobs of a client wait for a row."""
        return sum(serving.lanes.of_client(client) for serving in self._servings.values())

    @property
    def waiting_bytes(self) -> int:
        """How many bytes the requests have that wait for a row."""
        return sum(serving.lanes.bytes_in_all for serving in self._servings.values())

    def waiting_bytes_of(self, client: str) -> int:
        """How many bytes those of a client have."""
        return sum(serving.lanes.bytes_of(client) for serving in self._servings.values())

    def depth(self) -> dict[Lane, int]:
        """How many wait in each lane."""
        depths = [serving.lanes.depth() for serving in self._servings.values()]
        return {lane: sum(depth[lane] for depth in depths) for lane in Lane}

    def position(self, job: Job) -> int | None:
        """Roughly how many stand before a job, None where it does not wait."""
        lanes = self._servings[job.served_by].lanes
        return lanes.ahead_of(job.row) if job.row in lanes else None

    @property
    def parked(self) -> int:
        """How many jobs are parked."""
        return sum(len(serving.parking) for serving in self._servings.values())

    @property
    def parked_in_all(self) -> int:
        """How many jobs were parked so far."""
        return sum(serving.parking.total for serving in self._servings.values())

    @property
    def tokens_produced(self) -> int:
        """Tokens of all models so far."""
        return sum(serving.tokens_produced for serving in self._servings.values())

    # The end -------------------------------------------------------------------------------

    @property
    def draining(self) -> bool:
        """Whether nothing more is started."""
        return self._live.draining

    async def drain(self, grace_s: float) -> int:
        """Start nothing more, let what runs finish; return how many jobs are handed back.

        What does not finish in time stays in the journal, accepted, for the next start.
        """
        self._live.draining = True
        self._note_idle()
        over = [asyncio.create_task(event.wait()) for event in (self._idle, self._given_up)]
        await asyncio.wait(over, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        for task in over:
            task.cancel()
        return len(self._live)

    def give_up(self) -> None:
        """Stop waiting for what runs; all of it is handed back."""
        self._given_up.set()

    def _start_next(self) -> None:
        for serving in self._servings.values():
            serving.start_next()

    def _waits(self, job: Job) -> bool:
        return job.row in self._servings[job.served_by].lanes

    def _note_idle(self) -> None:
        at_work = any(serving.at_work for serving in self._servings.values())
        if self.draining and not (at_work or self._live.at_work):
            self._idle.set()

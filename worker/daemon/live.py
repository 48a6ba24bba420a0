"""The live jobs by name, by client and by session, and how each is let go; knows no engine.

A job is live from its acceptance until its final reply is on disk.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import structlog

from worker.daemon.job import Stage
from worker.daemon.revising import revision_key

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from worker.daemon.job import Job

_log = structlog.get_logger(__name__)


class Live:
    """The live jobs of this daemon."""

    def __init__(self) -> None:
        self._names = itertools.count()
        self._jobs: dict[int, Job] = {}
        self._by_key: dict[tuple[str, bytes], Job] = {}
        self._turns: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.draining = False
        self.on_freed: Callable[[], None] = lambda: None
        """Called when a session's next may start."""
        self.on_task_ended: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        """Go through them, oldest first."""
        return iter(self._jobs.values())

    def __getitem__(self, row: int) -> Job:
        return self._jobs[row]

    @property
    def at_work(self) -> bool:
        """Whether anything of a job is under way in the background."""
        return bool(self._tasks)

    def new_row(self) -> int:
        """Return a name that no row of any engine has had."""
        return next(self._names)

    def add(self, job: Job) -> None:
        """Take a job in."""
        self._jobs[job.row] = job
        self._by_key[job.request.client, job.request.key] = job

    def find(self, client: str, key: bytes) -> Job | None:
        """Return a client's live job, or the revision of one that was answered."""
        found = self._by_key.get((client, key))
        return found or self._by_key.get((client, revision_key(key)))

    def is_held(self, job: Job) -> bool:
        """Tell whether another job of the session comes before this one."""
        session = job.request.session
        return session is not None and any(
            other.request.session == session for other in self if other is not job
        )

    def take_turn(self, job: Job) -> None:
        """Let no other of the job's session run until it is let go, or gives its turn back."""
        if job.request.session is not None:
            self._turns[job.request.session] = job.row

    def give_turn_back(self, job: Job) -> None:
        """Let the job's session have another's turn first."""
        session = job.request.session
        if session is not None and self._turns.get(session) == job.row:
            del self._turns[session]

    def is_free(self, session: str | None) -> bool:
        """Tell whether none of the session runs now."""
        return session is None or session not in self._turns

    def at_turn(self, session: str | None) -> Job | None:
        """Return the job of a session that runs now."""
        row = None if session is None else self._turns.get(session)
        return None if row is None else self._jobs.get(row)

    def end(self, job: Job, ending: Coroutine[None, None, None]) -> None:
        """Let go of a job when its reply is on disk."""
        job.cancel_timers()
        if self.is_free(job.request.session):
            # What it has said already may become a turn of its session.
            self.take_turn(job)
        self.in_background(self._let_go_after(job, ending))

    async def _let_go_after(self, job: Job, ending: Coroutine[None, None, None]) -> None:
        try:
            await ending
        finally:
            self.let_go(job)

    def let_go(self, job: Job) -> None:
        """Forget a job without a word."""
        job.cancel_timers()
        job.stage = Stage.ENDED
        del self._jobs[job.row]
        name = (job.request.client, job.request.key)
        # After a `forget` the same name may be a new job's.
        if self._by_key.get(name) is job:
            del self._by_key[name]
        self.give_turn_back(job)
        self.on_freed()

    def in_background(self, work: Coroutine[None, None, None]) -> None:
        """Do something of a job's that takes its time; a fault of it is logged."""
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("job_step_failed", exc_info=error)
        self.on_task_ended()

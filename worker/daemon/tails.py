"""What running requests come to, into the journal piece by piece, and from there to the stream.

A part of a stream is published when it is on disk and not before, so that after a crash the stream
goes on behind what was heard, with the same text. Many parts share a commit, and there are no more
than `EVERY_S` allows: a commit for each token would cost more than the token, and wear out a disk.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from worker.daemon.job import Stage
from worker.domain.messages import Kind, Progress, StreamPart
from worker.journal.records import Begun, Tail
from worker.journal.store import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.daemon.delivery import Delivery
    from worker.daemon.job import Job, Said
    from worker.journal.store import Journal

EVERY_S = 0.04
"""Between two commits for what is listened to; what a request says first does not wait for it."""

UNHEARD_EVERY_S = 1.0
"""Between two for what nobody listens to: a crash costs the tokens of that time."""

_log = structlog.get_logger(__name__)


class Tails:
    """Keeps what jobs come to, and publishes of it what is kept.

    Args:
        journal: Keeps it.
        delivery: Publishes it.
        clock: The event loop's, in seconds.
        connected: Tells whether anybody could hear anything.

    """

    def __init__(
        self,
        journal: Journal,
        delivery: Delivery,
        clock: Callable[[], float],
        connected: Callable[[], bool],
    ) -> None:
        self._journal = journal
        self._delivery = delivery
        self._clock = clock
        self._connected = connected
        self._unheard: dict[int, tuple[Job, int]] = {}
        self._news: dict[int, Job] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._closed = False
        self._failing = False
        self._written_at = float("-inf")
        self.commits = 0

    def say(self, job: Job, said: Said) -> None:
        """Publish a part or the progress of a job as soon as it is kept."""
        first = isinstance(said, StreamPart) and said.seq == 0
        job.held.append(said)
        if job.listeners:
            now = self._clock()
            self._note(job, now if first else max(now, self._written_at + EVERY_S))

    def note(self, job: Job) -> None:
        """Keep the tokens of a job, soon."""
        self._note(job, self._clock() + UNHEARD_EVERY_S)

    def ended(self, job: Job) -> None:
        """Keep nothing more of a job: its reply will hold all."""
        self._news.pop(job.row, None)
        self._unheard.pop(job.row, None)

    def go_on(self) -> None:
        """Publish what was kept while the broker was away."""
        unheard, self._unheard = self._unheard, {}
        for job, upto in unheard.values():
            self.release(job, upto)

    def release(self, job: Job, upto: int | None = None) -> None:
        """Publish what is on disk now: the first so many of all that a job has said, or all."""
        while job.held and (upto is None or job.released < upto):
            said = job.held.popleft()
            job.released += 1
            if isinstance(said, StreamPart):
                job.heard[said.kind] += 1
                self._delivery.part(said, job.listeners)
            else:
                job.heard[Kind.PROGRESS] += 1
                self._delivery.progress(said, job.listeners)

    async def close(self) -> None:
        """Keep what there is, and take no more: what comes now is said in the next life."""
        if self._timer is not None:
            self._timer.cancel()
        self._flush()
        self._closed = True
        if self._task is not None:
            await self._task

    def _note(self, job: Job, due: float) -> None:
        if self._closed or job.refused is not None:
            return
        self._news[job.row] = job
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0.0, due - self._clock()), self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write(), name="tails")

    async def _write(self) -> None:
        while self._again:
            self._again = False
            self._written_at = self._clock()
            jobs, self._news = list(self._news.values()), {}
            pieces = [(job, self._piece(job), job.released + len(job.held)) for job in jobs]
            try:
                await self._journal.keep(
                    [(job.request.client, job.request.key, piece) for job, piece, _ in pieces]
                )
            except JournalError as error:
                # The disk is full, perhaps: whoever listens hears on, at the risk of a crash now.
                log = _log.debug if self._failing else _log.warning
                log("tails_not_kept", error=str(error))
                self._failing = True
                for job, piece, _ in pieces:
                    job.unkept = piece
            else:
                self.commits += 1
                self._failing = False
            for job, _, upto in pieces:
                if self._connected():
                    self.release(job, upto)
                elif job.stage is not Stage.ENDED:
                    self._unheard[job.row] = job, upto

    def _piece(self, job: Job) -> Tail:
        """Return what is new of a job since the last piece."""
        earlier, job.unkept = job.unkept, Tail()
        fresh = list(job.held)[job.kept - job.released :] if job.kept > job.released else job.held
        begun = None
        if job.summary is not None:
            # What it was summarized to is not kept, and another life would write it otherwise.
            job.kept = job.released + len(job.held)
            return Tail(progress=tuple(said for said in fresh if isinstance(said, Progress)))
        if not job.begun_kept and job.begun_with and job.mode is not None and job.route is not None:
            begun = Begun(job.begun_with, job.mode, job.route, job.remember)
            job.begun_kept = True
        piece = Tail(
            begun,
            tuple(job.generated[job.kept_tokens :]) if job.begun_kept else (),
            tuple((said.kind, said.text) for said in fresh if isinstance(said, StreamPart)),
            tuple(said for said in fresh if isinstance(said, Progress)),
        )
        job.kept = job.released + len(job.held)
        if job.begun_kept:
            job.kept_tokens = len(job.generated)
        return earlier + piece


def restore(job: Job, tail: Tail) -> None:
    """Bring a job to where an earlier life of the worker had it."""
    if tail.begun is not None:
        job.mode, job.route = tail.begun.mode, tail.begun.route
        job.remember, job.begun_with = tail.begun.remember, tail.begun.model
        job.begun_kept = True
        job.generated = list(tail.tokens)
        job.kept_tokens = len(job.generated)
    for kind, text in tail.parts:
        job.parts[kind].append(text)
        job.heard[kind] += 1
    job.progress = list(tail.progress)
    job.heard[Kind.PROGRESS] = len(job.progress)

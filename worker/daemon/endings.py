"""The end of a job: its final reply is journaled, then published; what is given up is reported."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from msgspec import UNSET

from worker.crash_points import CrashPoint, reach
from worker.daemon.outcome import session_after
from worker.daemon.revising import corrected, is_news, revision_of
from worker.domain.errors import Poisoned
from worker.domain.messages import Mode
from worker.journal.store import JournalError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from worker.daemon.access import Access
    from worker.daemon.delivery import Delivery
    from worker.daemon.job import Job, StopReason
    from worker.daemon.outcome import Outcome
    from worker.daemon.streams import Streams
    from worker.domain.errors import ThinkqError
    from worker.domain.messages import Reply, Request
    from worker.domain.session import Session
    from worker.engine.pipe import Done
    from worker.journal.store import Journal

JOURNAL_RETRY_S = 1.0
"""Between two tries to write what the disk did not take."""

_log = structlog.get_logger(__name__)


class Endings:
    """Ends jobs.

    Args:
        journal: Keeps the reply.
        outcome: Writes it.
        delivery: Publishes it.
        streams: Publishes before it what was said last.
        access: Counts what was used.
        clock: The monotonic clock, in seconds.
        log_content: Whether answers may stand in the log.

    """

    def __init__(
        self,
        *,
        journal: Journal,
        outcome: Outcome,
        delivery: Delivery,
        streams: Streams,
        access: Access,
        clock: Callable[[], float],
        log_content: bool = False,
    ) -> None:
        self._journal = journal
        self._outcome = outcome
        self._delivery = delivery
        self._tails = streams.tails
        self._access = access
        self._clock = clock
        self._log_content = log_content
        self.on_answer: Callable[[Job, Reply], None] = lambda _job, _reply: None
        self.on_revision: Callable[[Request, Job], None] = lambda _revision, _job: None
        self.on_turn: Callable[[Job, Reply, Session | None], None] = lambda *_: None
        self.answered = {Mode.THINK: 0, Mode.NO_THINK: 0}

    async def done(self, job: Job, done: Done) -> None:
        """End a job that the engine has ended."""
        reply = self._outcome.of_end(job, done, self._clock())
        if reply.status == "ok" and job.mode is not None:
            self.answered[job.mode] += 1
            self.on_answer(job, reply)
        self._access.spend(job.request.client, done.prompt_tokens + done.completion_tokens)
        await self._answer(job, reply)

    async def stopped(self, job: Job, reason: StopReason) -> None:
        """End a job that is stopped while no engine runs it, or none that answers in time."""
        self._access.spend(job.request.client, len(job.generated))
        await self._answer(job, self._outcome.of_stop(job, reason, self._clock()))

    async def failed(self, job: Job, error: ThinkqError) -> None:
        """End a job that gets no answer."""
        await self._answer(job, self._outcome.of_error(job, error, self._clock()))

    async def poisoned(self, job: Job, why: str) -> None:
        """Give up on a job that has taken too many engines down."""
        request = job.request
        if request.revises is not None:
            await self._drop(job)
            return
        history = job.blame.history
        error = Poisoned(f"the engine went down {len(history)} times with this request: {why}")
        reply = self._outcome.of_error(job, error, self._clock())
        await _until_journaled(
            lambda: self._journal.dead(
                request.client, request.key, error.code, reply, history=history
            )
        )
        self._tails.release(job)
        self._delivery.reply(request.client, request.key, reply, job.routes)
        self._delivery.dead_letter(request.client, error, request_id=request.id, history=history)

    async def _answer(self, job: Job, reply: Reply) -> None:
        request = job.request
        session = session_after(job, reply)
        if request.revises is not None:
            if not is_news(request, reply):
                await self._drop(job)
                return
            session = await self._corrected(request, reply)
        lengths = {kind: [len(text) for text in parts] for kind, parts in job.parts.items()}
        await _until_journaled(
            lambda: self._journal.answer(
                request.client, request.key, reply, stream=lengths, session=session
            )
        )
        reach(CrashPoint.ANSWERED)
        _log.info(
            "answered",
            id=request.id,
            client=request.client,
            status=reply.status,
            code=None if reply.error is UNSET else reply.error.code,
            finish_reason=None if reply.finish_reason is UNSET else reply.finish_reason,
            total_ms=job.timing(self._clock()).total_ms,
            **(_said(reply) if self._log_content else {}),
        )
        self._tails.release(job)
        self._delivery.reply(request.client, request.key, reply, job.routes)
        if reply.status == "ok":
            self.on_turn(job, reply, session)
        revision = revision_of(job, reply)
        if revision is not None:
            await _until_journaled(lambda: self._journal.accept(revision))
            self.on_revision(revision, job)

    async def _drop(self, job: Job) -> None:
        """Let a revision go that has nothing new to say."""
        request = job.request
        await _until_journaled(lambda: self._journal.release(request.client, request.key))
        _log.info("not_revised", id=request.id, client=request.client)

    async def _corrected(self, request: Request, reply: Reply) -> Session | None:
        name = None if request.revises is None else request.revises.session
        if name is None:
            return None
        return corrected(await self._journal.session(name), request, reply)


def _said(reply: Reply) -> dict[str, str]:
    """Return what a reply says of itself, for the log of an operator who asked for it."""
    texts = {"content": reply.content, "reasoning": reply.reasoning}
    return {name: text for name, text in texts.items() if text is not UNSET}


async def _until_journaled(write: Callable[[], Awaitable[object]]) -> None:
    # A full disk holds the answer back, it does not lose it.
    while True:
        try:
            await write()
        except JournalError as error:
            _log.error("journal_failed", error=str(error), retry_in_s=JOURNAL_RETRY_S)
            await asyncio.sleep(JOURNAL_RETRY_S)
        else:
            return

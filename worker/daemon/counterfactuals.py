"""What the other mode would have answered, tried while nobody waits; off unless it is allowed.

An answered request that the router decided runs again in the other mode. Whether its answer
changed becomes an example for `thinkq router tune`, a weaker one than a user's word. Whatever
arrives stops it at once. Nothing of it is published.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import structlog
from msgspec import UNSET
from msgspec.structs import replace

from worker.domain.messages import FinishReason, Kind, Mode
from worker.engine.pipe import Cancel, Done, Failed, NoRoom, Text
from worker.journal.feedback import Verdict
from worker.journal.store import JournalError
from worker.router.answers import differ

if TYPE_CHECKING:
    from worker.daemon.job import Job
    from worker.daemon.jobs import Jobs
    from worker.daemon.serving import Serving
    from worker.domain.messages import Reply
    from worker.engine.pipe import RowEvent, Submit
    from worker.journal.store import Journal

KEPT = 32
"""Answered requests that wait to be tried; older ones are let go."""

_DECIDED_BY = frozenset({"classifier", "rule", "load"})

_log = structlog.get_logger(__name__)


class Counterfactuals:
    """Tries answered requests in the other mode.

    Args:
        jobs: Knows whether anybody waits.
        serving: Has the engine.
        journal: Keeps what was found.
        idle_s: How long nobody may have waited before one is tried, in seconds.

    """

    def __init__(self, jobs: Jobs, serving: Serving, journal: Journal, *, idle_s: float) -> None:
        self._jobs = jobs
        self._serving = serving
        self._journal = journal
        self._idle_s = idle_s
        self._waiting: deque[tuple[Job, Submit, str]] = deque(maxlen=KEPT)
        self._row: int | None = None
        self._said = ""
        self._ended: asyncio.Future[bool] | None = None
        self._disturbed = asyncio.Event()

    def note(self, job: Job, reply: Reply) -> None:
        """Remember an answered request, if the router chose its mode and the answer is whole."""
        route, submit = job.route, job.submit
        if (
            submit is not None
            and route is not None
            and route.decided_by in _DECIDED_BY
            and route.escalated is UNSET
            and reply.finish_reason is FinishReason.STOP
            and reply.content is not UNSET
            and not job.request.tools
        ):
            self._waiting.append((job, submit, reply.content))

    def interrupt(self) -> None:
        """Stop what is being tried: somebody waits, or the engine is gone."""
        self._disturbed.set()
        engine = self._serving.engine
        if self._row is not None and engine is not None:
            engine.cancel(Cancel(self._row, "cancelled"))
        self._finish(whole=False)

    def forget(self, client: str) -> None:
        """Let go of all that a client has asked."""
        self.interrupt()
        kept = [one for one in self._waiting if one[0].request.client != client]
        self._waiting = deque(kept, maxlen=KEPT)

    def event(self, event: RowEvent) -> None:
        """Hear what the engine says of rows that are no job's."""
        if event.row != self._row:
            return
        if isinstance(event, Text):
            self._said += event.text if event.kind is Kind.ANSWER else ""
        elif isinstance(event, Done):
            self._finish(whole=event.finish_reason == "stop")
        elif isinstance(event, Failed | NoRoom):
            self._finish(whole=False)

    async def run(self) -> None:
        """Try one request after another, each after nobody has waited for a while."""
        while True:
            self._disturbed.clear()
            try:
                await asyncio.wait_for(self._disturbed.wait(), self._idle_s)
            except TimeoutError:
                await self._try_next()

    async def _try_next(self) -> None:
        engine = self._serving.ready_engine()
        if not self._waiting or self._jobs.busy or engine is None:
            return
        job, submit, answer = self._waiting.popleft()
        other = Mode.NO_THINK if submit.mode is Mode.THINK else Mode.THINK
        self._row, self._said = self._jobs.new_row(), ""
        self._ended = asyncio.get_running_loop().create_future()
        engine.submit(replace(submit, row=self._row, mode=other, generated=[], doubt=None))
        if not await self._ended:
            return
        verdict = Verdict.CHANGED if differ(answer, self._said) else Verdict.UNCHANGED
        request = job.request
        try:
            await self._journal.feedback(request.client, request.key, verdict)
        except JournalError as error:
            _log.warning("counterfactual_lost", why=str(error))
        else:
            _log.info("counterfactual", client=request.client, id=request.id, verdict=verdict)

    def _finish(self, *, whole: bool) -> None:
        self._row = None
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(whole)

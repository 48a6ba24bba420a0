"""What a job needs before it can run: its session, its mode, a note in the journal; or an intent.

Knows no engine and no row: who gets one, `jobs` decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from worker.crash_points import CrashPoint, reach
from worker.domain.messages import Mode, Route
from worker.sessions import open_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.daemon.choice import At, Choice
    from worker.daemon.job import Job
    from worker.domain.errors import ThinkqError
    from worker.domain.messages import Request
    from worker.domain.session import Session
    from worker.engine.pipe import Submit
    from worker.journal.store import Journal
    from worker.router.intents import Intent, Recognizer

_log = structlog.get_logger(__name__)


class Preparing:
    """Prepares jobs.

    Args:
        journal: Where sessions are kept, and what runs is noted.
        choice: Chooses mode and budget.
        clock: The monotonic clock, in seconds.
        recognizer: Recognizes commands that need no model, if the operator wants it.
        log_content: Whether prompts may stand in the log.

    """

    def __init__(
        self,
        *,
        journal: Journal,
        choice: Choice,
        clock: Callable[[], float],
        recognizer: Recognizer | None = None,
        log_content: bool = False,
    ) -> None:
        self._journal = journal
        self._choice = choice
        self._clock = clock
        self._recognizer = recognizer
        self._log_content = log_content

    def intent(self, request: Request) -> Intent | None:
        """Return the command that a request certainly is."""
        return None if self._recognizer is None else self._recognizer.of_request(request)

    async def for_intent(self, job: Job, intent: Intent) -> None:
        """Note of a job that an intent answers it; its session gets the turn as any other.

        Raises:
            ThinkqError: The session is another client's.
            JournalError: The session can't be read now.

        """
        job.begin(self._clock())
        job.session = await self._session(job.request)
        job.mode = Mode.NO_THINK
        job.route = Route("intent", f"The sentence is the command {intent.intent}.")
        _log.info("intent", id=job.request.id, client=job.request.client, intent=intent.intent)

    async def for_engine(self, job: Job, at: At) -> Submit:
        """Return what the engine shall run, once the journal knows that it will.

        Args:
            job: Whose turn it is.
            at: The model that it runs on.

        Raises:
            ThinkqError: The session is another client's.
            JournalError: The journal can't be read or written now.

        """
        request = job.request
        if job.summary is None:
            job.session = await self._session(request)
        submit = self._choice.submission(job, self._clock(), at)
        await self._journal.running(request.client, request.key, job.blame.crashes)
        reach(CrashPoint.STARTED)
        _log.info(
            "started",
            id=request.id,
            client=request.client,
            lane=request.lane,
            mode=submit.mode,
            decided_by=job.route.decided_by if job.route else None,
            **({"messages": submit.messages} if self._log_content else {}),
        )
        return submit

    def checked_call(self, job: Job, text: str) -> tuple[str, ThinkqError | None]:
        """Return a tool call as its client shall see it, and why it may not be made, if so."""
        rules = self._choice.tool_rules
        call = msgspec.json.decode(text)
        declared = [str(tool["function"]["name"]) for tool in job.request.tools]
        if rules.of(call["function"]["name"]).confirm:
            call["confirm"] = True
            text = msgspec.json.encode(call).decode()
        return text, rules.refusal(call, declared)

    def note_escalation(self) -> None:
        """Count an answer that is thought about after all."""
        self._choice.escalations.note()

    async def _session(self, request: Request) -> Session | None:
        if request.session is None:
            return None
        existing = await self._journal.session(request.session)
        return open_session(existing, request.session, request.client)

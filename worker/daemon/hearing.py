"""What an engine says of a row, made of it what it means for the job; ends, parks, starts nothing.

Text goes to `streams`. Whatever asks for more is said to `Serving`, which does it.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, TypeAlias

import structlog

from worker.daemon.outcome import raised
from worker.daemon.summarizing import Summary
from worker.domain.errors import ContextTooLong, ThinkqError
from worker.domain.messages import Kind, Lane
from worker.engine.pipe import Done, Escalated, NoRoom, State, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.daemon.job import Job
    from worker.daemon.preparing import Preparing
    from worker.daemon.streams import Streams
    from worker.domain.model import ModelInfo
    from worker.engine.pipe import Failed, RowEvent
    from worker.scheduler.speeds import Speeds

_log = structlog.get_logger(__name__)


class Needs(Enum):
    """What a job needs that goes on."""

    NOTHING = auto()
    ANOTHER_ROW = auto()
    """Its next part is to be read, or its answer written."""
    MEMORY = auto()
    """There is none for it until another ends."""
    CANCEL = auto()
    """It wants to do what it may not: its engine shall end its row."""


Heard: TypeAlias = "Needs | Done | ThinkqError"
"""What a job needs, or with what it ends: an answer, or an error."""


class Hearing:
    """Hears what a model says.

    Args:
        preparing: Checks the calls of tools.
        speeds: Learns how long a request holds its row.
        streams: Publishes what jobs say.
        clock: The monotonic clock, in seconds.

    """

    def __init__(
        self,
        *,
        preparing: Preparing,
        speeds: Speeds,
        streams: Streams,
        clock: Callable[[], float],
    ) -> None:
        self._preparing = preparing
        self._speeds = speeds
        self._streams = streams
        self._clock = clock

    def hear(self, job: Job, event: RowEvent, model: ModelInfo | None) -> Heard:
        """Take in what is said of a job's row.

        Args:
            job: Whose row it is.
            event: What is said.
            model: What the engine has loaded.

        """
        if job.summary is not None and job.summary.active:
            heard = self._hear_part(job, job.summary, event)
            if heard is not None:
                return heard
        if isinstance(event, Text):
            return self._say(job, event)
        if isinstance(event, State | Escalated):
            return self._go_on(job, event)
        if isinstance(event, Done):
            return self._done(job, event)
        if isinstance(event, NoRoom):
            return Needs.MEMORY
        return self._summarize(job, event, model) or raised(event)

    def _go_on(self, job: Job, event: State | Escalated) -> Needs:
        if isinstance(event, State):
            self._streams.progress(job, event.state, prefilled=event.prefilled)
        else:
            self._preparing.note_escalation()
            job.think_after_all(event.why)
            _log.info("escalated", id=job.request.id, client=job.request.client)
        return Needs.NOTHING

    def _say(self, job: Job, said: Text) -> Needs:
        text = said.text
        if job.refused is not None:
            return Needs.NOTHING
        if said.kind is Kind.TOOL:
            text, job.refused = self._preparing.checked_call(job, text)
            if job.refused is not None:
                return Needs.CANCEL
        self._streams.text(job, said.kind, text)
        return Needs.NOTHING

    def _done(self, job: Job, done: Done) -> Done | ThinkqError:
        held_s, tokens = job.held_row_s(self._clock()), len(job.generated)
        self._speeds.note_request(held_s, tokens, patient=job.lane is Lane.BATCH)
        if job.refused is not None:
            return job.refused
        return done if job.summary is None else job.summary.total(done)

    # What is read part by part -------------------------------------------------------------

    def _hear_part(self, job: Job, summary: Summary, event: RowEvent) -> Needs | None:
        """Hear of a row that reads a part of what is too long; None for what ends the job."""
        if isinstance(event, Text):
            if event.kind is Kind.ANSWER:
                summary.say(event.text)
            return Needs.NOTHING
        if isinstance(event, Done):
            if job.stopped is not None:
                return None
            summary.part_done(job, event)
            return self._read_on(job, summary)
        return Needs.NOTHING if isinstance(event, State) and event.state != "parked" else None

    def _summarize(self, job: Job, failed: Failed, model: ModelInfo | None) -> Needs | None:
        """Read part by part what is too long, if its client wants that; None where it can't be."""
        if failed.code != ContextTooLong.code or job.request.long is None:
            return None
        job.summary = job.summary or Summary()
        native = 0 if model is None else model.native_context_tokens
        if not job.summary.begin(job, failed, native):
            return None
        return self._read_on(job, job.summary)

    def _read_on(self, job: Job, summary: Summary) -> Needs:
        if summary.active:
            self._streams.progress(job, "summarizing", part=summary.count)
        return Needs.ANOTHER_ROW

"""What a job's end looks like: the final reply, and the turn its session remembers; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from worker.daemon.delivery import error_reply
from worker.domain.errors import (
    BY_CODE,
    Cancelled,
    DeadlineExceeded,
    EngineFailed,
    ThinkqError,
)
from worker.domain.messages import FinishReason, Kind, Message, Reply, ToolCall, Usage
from worker.sessions import with_turn

if TYPE_CHECKING:
    from worker.daemon.job import Job, StopReason
    from worker.domain.messages import Request
    from worker.domain.session import Session
    from worker.engine.pipe import Done, Failed

_STOPPED: dict[str, ThinkqError] = {
    "cancelled": Cancelled("the client cancelled the request"),
    "deadline": DeadlineExceeded("the deadline passed without an answer"),
}
"""What is told to whoever gets no answer, by why the job was stopped."""


class Outcome:
    """Writes final replies.

    Args:
        worker: This worker's name, as it stands in them.

    """

    def __init__(self, worker: str) -> None:
        self._worker = worker

    def of_end(self, job: Job, done: Done, now: float) -> Reply:
        """Return the reply of a job that the engine has ended.

        A job that was stopped before it said anything of an answer ends with an error.
        """
        return self._reply(job, done.finish_reason, done, now)

    def of_stop(self, job: Job, reason: StopReason, now: float) -> Reply:
        """Return the reply of a job that was stopped while no engine ran it.

        What it had said by then is its answer, as in `of_end`; its usage nobody has counted.
        """
        return self._reply(job, reason, None, now)

    def of_error(self, job: Job, error: ThinkqError, now: float, done: Done | None = None) -> Reply:
        """Return the reply of a job that ends without an answer."""
        return error_reply(error, job.request.id, **self._known(job, done, now))

    def _reply(self, job: Job, finish_reason: str, done: Done | None, now: float) -> Reply:
        calls = tuple(msgspec.json.decode(one, type=ToolCall) for one in job.parts[Kind.TOOL])
        stopped = _STOPPED.get(finish_reason)
        # Without an engine to complete it, what was said of a bound answer is not one.
        torn = done is None and job.request.response_format is not None
        if stopped is not None and not calls and (torn or not job.parts[Kind.ANSWER]):
            return self.of_error(job, stopped, now, done)
        return Reply(
            id=job.request.id,
            status="ok",
            content=job.text(Kind.ANSWER),
            reasoning=job.text(Kind.REASONING),
            tool_calls=calls,
            finish_reason=FinishReason(finish_reason),
            notes=tuple(done.notes) if done and done.notes else UNSET,
            logprobs=tuple(done.logprobs) if done and job.request.sampling.logprobs else UNSET,
            **self._known(job, done, now),
        )

    def _known(self, job: Job, done: Done | None, now: float) -> dict[str, Any]:
        request = job.request
        return {
            "mode": UNSET if job.mode is None else job.mode,
            "route": UNSET if job.route is None else job.route,
            "usage": UNSET if done is None else _usage(done),
            "timing": job.timing(now),
            "model": UNSET if job.model is None else job.model.name,
            "worker": self._worker,
            "session": _session_name(request) or UNSET,
            "revision": 1 if request.revises else 0 if request.revise else UNSET,
            "metadata": UNSET if request.metadata is None else request.metadata,
        }


def _session_name(request: Request) -> str | None:
    return request.session if request.revises is None else request.revises.session


def session_after(job: Job, reply: Reply) -> Session | None:
    """Return the job's session with this turn in it; None if there is nothing to remember."""
    if job.session is None or reply.content is UNSET:
        return None
    calls = () if reply.tool_calls is UNSET else reply.tool_calls
    answer = Message(role="assistant", content=reply.content, tool_calls=calls)
    return with_turn(job.session, job.request.messages, answer, job.remember)


def raised(failed: Failed) -> ThinkqError:
    """Return the error that the engine reports, as the exception it is."""
    kind = BY_CODE.get(failed.code, EngineFailed)
    return kind(failed.message, field=failed.field)


def _usage(done: Done) -> Usage:
    return Usage(
        prompt_tokens=done.prompt_tokens,
        cached_tokens=done.cached_tokens,
        reasoning_tokens=done.reasoning_tokens,
        completion_tokens=done.completion_tokens,
    )

"""Every error a client can receive, one class for each code of the contract; imports nothing."""

from __future__ import annotations

from typing import ClassVar


class ThinkqError(Exception):
    """An error that is an answer: it has a code of the contract and can be sent as a reply.

    A bug is never a ThinkqError. Raise the child whose code fits, where the fault is known;
    it becomes a reply in one place, the daemon.

    Args:
        message: One sentence: what came, what was expected.
        field: The request's field at fault, as a path (`messages[0].role`), if there is one.
        retry_after_ms: When trying again may help, an honest estimate in milliseconds.

    """

    code: ClassVar[str]

    def __init__(
        self, message: str, *, field: str | None = None, retry_after_ms: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.retry_after_ms = retry_after_ms


class BadRequest(ThinkqError):
    """The request is not what the contract allows; `field` says where."""

    code = "bad_request"


class UnsupportedMedia(ThinkqError):
    """The Content Type is none of those the worker reads."""

    code = "unsupported_media"


class TooLarge(ThinkqError):
    """The payload, or a part of it, is over a limit."""

    code = "too_large"


class ForbiddenReplyTopic(ThinkqError):
    """The reply topic lies outside what this client may be answered on."""

    code = "forbidden_reply_topic"


class Forbidden(ThinkqError):
    """The operator's rules don't let this client have that; `field` says what."""

    code = "forbidden"


class QuotaExceeded(ThinkqError):
    """The client has used up what it may have; `retry_after_ms` says when there is more."""

    code = "quota_exceeded"


class NotYourSession(ThinkqError):
    """The session was opened by another client."""

    code = "not_your_session"


class UnknownTool(ThinkqError):
    """`tool_choice` or a tool message names a tool the request does not declare."""

    code = "unknown_tool"


class BadSchema(ThinkqError):
    """The schema or grammar of `response_format` can't be enforced."""

    code = "bad_schema"


class ContextTooLong(ThinkqError):
    """The prompt does not fit the model's context; the message gives the limit and the count.

    Args:
        message: As ever.
        field: As ever.
        retry_after_ms: As ever.
        tokens: How many the conversation has.
        limit: How many it may have.

    """

    code = "context_too_long"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        retry_after_ms: int | None = None,
        tokens: int | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__(message, field=field, retry_after_ms=retry_after_ms)
        self.tokens = tokens
        self.limit = limit


class QueueFull(ThinkqError):
    """No room for another request now; `retry_after_ms` says when to come back."""

    code = "queue_full"


class DeadlineUnreachable(ThinkqError):
    """At the measured speed no answer fits before the deadline, so none is begun."""

    code = "deadline_unreachable"


class DeadlineExceeded(ThinkqError):
    """The deadline passed before there was an answer."""

    code = "deadline_exceeded"


class Cancelled(ThinkqError):
    """The client cancelled the request before it had an answer."""

    code = "cancelled"


class EngineFailed(ThinkqError):
    """The engine could not answer, after its retries."""

    code = "engine_failed"


class Poisoned(ThinkqError):
    """This request took the engine down twice and was set aside."""

    code = "poisoned"


class ShuttingDown(ThinkqError):
    """The worker is stopping and takes no new work."""

    code = "shutting_down"


BY_CODE: dict[str, type[ThinkqError]] = {
    error.code: error for error in ThinkqError.__subclasses__()
}
"""Each class under its code, for an error that crosses the engine's pipe as plain data."""

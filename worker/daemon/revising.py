"""The answer at once, and a thought about it afterwards: what a revision is and whether it counts.

A revision is a request of its own in the journal, under the first one's key with a suffix, so that
it survives a crash as any other. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET
from msgspec.structs import replace

from worker.daemon.conversation import conversation
from worker.domain.messages import FinishReason, Revises
from worker.router.answers import differ

if TYPE_CHECKING:
    from worker.daemon.job import Job
    from worker.domain.messages import Reply, Request
    from worker.domain.session import Session

_SUFFIX = b"\x00revision"


def revision_key(key: bytes) -> bytes:
    """Return the key of a request's revision."""
    return key + _SUFFIX


def revision_of(job: Job, reply: Reply) -> Request | None:
    """Return the request for a thought about an answer; None where none was asked for or is due."""
    request = job.request
    whole = reply.content is not UNSET and reply.finish_reason is FinishReason.STOP
    if not (request.revise and whole) or job.route is None or job.route.decided_by == "intent":
        return None
    assert reply.content is not UNSET
    history = job.session.messages if job.session else ()
    return replace(
        request,
        key=revision_key(request.key),
        messages=conversation(history, request),
        mode="think",
        session=None,
        stream=False,
        revise=False,
        revises=Revises(reply.content, request.session),
    )


def is_news(request: Request, reply: Reply) -> bool:
    """Tell whether a revision says something else than the answer it is of."""
    assert request.revises is not None
    return reply.content is not UNSET and differ(request.revises.content, reply.content)


def corrected(session: Session | None, request: Request, reply: Reply) -> Session | None:
    """Return the session with the revision in place of the answer, None if it has gone on since."""
    revises = request.revises
    if session is None or revises is None or reply.content is UNSET or not session.messages:
        return None
    *earlier, last = session.messages
    if session.client != request.client or last.content != revises.content:
        return None
    return replace(session, messages=(*earlier, replace(last, content=reply.content)))

"""Named moments in a request's way at which a crash must lose nothing; unarmed, they do nothing.

`tests/faults` starts a daemon with one of them armed, has it die there by SIGKILL, and holds what
happens next against the promises of docs/reliability.md. Imports nothing of ours.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum


class CrashPoint(StrEnum):
    """Where the daemon can be made to die, in the order a request meets them."""

    RECEIVED = "received"
    """A request came in; nothing was done with it."""
    COMMITTING = "committing"
    """A transaction of the journal is written and not committed."""
    COMMITTED = "committed"
    """It is committed, and nobody knows yet."""
    ACCEPTED = "accepted"
    """A request is on disk and not acknowledged."""
    ACKNOWLEDGED = "acknowledged"
    """Its PUBACK was handed to the connection."""
    STARTED = "started"
    """It is noted as running, and the engine has not got it."""
    ANSWERED = "answered"
    """Its reply is on disk and not published."""
    PUBLISHED = "published"
    """Its reply was handed to the connection and not confirmed."""
    CONFIRMED = "confirmed"
    """The broker has the reply, and the journal does not know."""
    DELIVERED = "delivered"
    """The journal knows."""


class _Fuse:
    def __init__(self) -> None:
        self.point: CrashPoint | None = None
        self.left = 0
        self.burns = False
        """Whether a request has come: what is committed before is in no request's way."""


_fuse = _Fuse()


def arm(point: CrashPoint, time: int = 1) -> None:
    """Have this process kill itself when it reaches a point for the n-th time after a request."""
    _fuse.point = point
    _fuse.left = time


def reach(point: CrashPoint) -> None:
    """Die here if this is the point that was armed."""
    if point is CrashPoint.RECEIVED:
        _fuse.burns = True
    if _fuse.point is point and _fuse.burns:
        _fuse.left -= 1
        if _fuse.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

"""Whether an answer without a thought may be watched and taken back; counted and capped, pure.

Only where nobody asked for a mode, nobody waits at a loudspeaker, and the deadline leaves room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.domain.messages import Lane, Mode

if TYPE_CHECKING:
    from worker.domain.messages import Route

MOST_CREDIT = 5.0

_DECIDED_BY = frozenset({"classifier", "rule"})


class Escalations:
    """How many answers are watched and how many were thought about after all.

    Args:
        share: How many of a hundred watched answers may be, as a share from 0 to 1; what was not
            used is kept for a few.

    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.watched = 0
        self.escalated = 0
        self._credit = MOST_CREDIT

    def watches(self, mode: Mode, route: Route, lane: Lane) -> bool:
        """Tell whether an answer may be taken back, and count it if so."""
        if mode is not Mode.NO_THINK or route.decided_by not in _DECIDED_BY:
            return False
        if lane is Lane.INTERACTIVE or not self.share:
            return False
        self._credit = min(MOST_CREDIT, self._credit + self.share)
        if self._credit < 1.0:
            return False
        self.watched += 1
        return True

    def note(self) -> None:
        """Count an answer that was taken back."""
        self.escalated += 1
        self._credit -= 1.0

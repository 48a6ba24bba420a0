"""Whether batch work steps aside for somebody who waits, and for how long; knows no clock.

A step of sixteen rows takes more than twice as long as a step of one, so a voice command that runs
beside batch work is answered half as fast. Batch work therefore stands still while an interactive
request runs, but not for ever: after `AT_MOST_S` of it, it runs along for as long as it stood
still. However much is asked, it gets half of the time.
"""

from __future__ import annotations

AT_MOST_S = 60.0


class Yielding:
    """How long batch work has stood still lately."""

    def __init__(self, at_most_s: float = AT_MOST_S) -> None:
        self._at_most_s = at_most_s
        self._noted = 0.0
        self._stood_still_s = 0.0
        self._recovering = False
        self.active = False
        """Whether batch work stands still, as of the last look."""

    @property
    def recovering(self) -> bool:
        """Whether batch work runs along, since it has stood still long enough."""
        return self._recovering

    def look(self, now: float, *, hurried: bool) -> bool:
        """Say whether batch work stands still from now on.

        Args:
            now: On the monotonic clock, in seconds.
            hurried: Whether an interactive request runs or could.

        """
        passed_s, self._noted = now - self._noted, now
        if self.active:
            self._stood_still_s += passed_s
        else:
            self._stood_still_s = max(0.0, self._stood_still_s - passed_s)
        if self._stood_still_s >= self._at_most_s:
            self._recovering = True
        elif not self._stood_still_s:
            self._recovering = False
        self.active = hurried and not self._recovering
        return self.active

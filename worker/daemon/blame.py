"""Whether a request is what takes the engine down, judged by the deaths it was in. Pure.

A request that kills its engine does so at the same place each time. One that came further between
two deaths was not stopped by what is there; one whose engine was killed from outside may have had
no part in it, as nothing that a request does sends that signal. The system does when memory is
short, and then the request may be why: so such a death counts, but for less.
"""

from __future__ import annotations

CRASHES = 2
"""So many deaths of the engine's own at one place name who is to blame."""

DEATHS = 6
"""So many of any kind are enough, whatever speaks for the request: each costs everybody a load."""

UNTOLD_TOKENS = 16
"""An engine may have made so many that it had not said (`engine.outbox`)."""


class Blame:
    """The deaths that count against one request.

    Args:
        crashes: How many engines had gone down at one place, in an earlier life of the worker.
        place: How many tokens it had come to then.

    """

    def __init__(self, crashes: int = 0, place: int = 0) -> None:
        self.crashes = crashes
        """How many engines in a row have gone down by themselves without its coming further."""
        self.history = ["engine down, in an earlier life of the worker"] * crashes
        """What each death was that counts."""
        self._place = place

    def note(self, why: str, place: int, *, from_outside: bool) -> None:
        """Count a death, if it says anything.

        Args:
            why: What is known of it.
            place: How many tokens the request had come to.
            from_outside: Whether somebody else has killed the engine.

        """
        came_further = place > self._place + UNTOLD_TOKENS
        if came_further or not self.history:
            self._place = place
        if came_further:
            self.crashes = 0
        if from_outside and came_further:
            return
        if not from_outside:
            self.crashes += 1
        self.history.append(f"engine down at token {place}: {why}")

    @property
    def is_suspect(self) -> bool:
        """Whether it may have been the request."""
        return bool(self.history)

    @property
    def is_guilty(self) -> bool:
        """Whether it is given up on."""
        return self.crashes >= CRASHES or len(self.history) >= DEATHS

"""How much the broker may send while memory is short: acknowledgements that are held back.

A broker sends no more than its window (MQTT 5, 4.9) of what is not acknowledged. What is held back
is on disk all the same, so nothing is promised that is not kept; only as many requests come in as
have left. Imports nothing of ours but values.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.transport.packets import Incoming


class Window:
    """The acknowledgements of one connection.

    Args:
        acknowledge: Tells the broker that a message is dealt with.
        is_short: Tells whether memory is short now.

    """

    def __init__(
        self, acknowledge: Callable[[Incoming], None], is_short: Callable[[], bool]
    ) -> None:
        self._acknowledge = acknowledge
        self._is_short = is_short
        self._held: deque[Incoming] = deque()

    def __len__(self) -> int:
        return len(self._held)

    def ack(self, incoming: Incoming) -> None:
        """Acknowledge a message, or do so when one that came before has been answered."""
        self._held.append(incoming)
        if not self._is_short():
            self.open_wide()

    def open(self) -> None:
        """Let one more in, since one has been answered; all, if memory is not short any more."""
        if not self._is_short():
            self.open_wide()
        elif self._held:
            self._acknowledge(self._held.popleft())

    def open_wide(self) -> None:
        """Hold nothing back."""
        while self._held:
            self._acknowledge(self._held.popleft())

    def forget(self) -> None:
        """Let go of what was held: after a reconnect the broker sends it again."""
        self._held.clear()

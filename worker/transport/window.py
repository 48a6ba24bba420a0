"""How much the broker may send while memory is short: acknowledgements that are held back.

A broker sends no more than its window (MQTT 5, 4.9) of what is not acknowledged. What is held back
is on disk all the same, so nothing is promised that is not kept; only as many requests come in as
have left. Imports nothing of ours but values.
"""

from __future__ import annotations

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
        self._held: dict[object, Incoming] = {}

    def __len__(self) -> int:
        return len(self._held)

    def ack(self, incoming: Incoming) -> None:
        """Acknowledge a message, or do so when it or another one has been answered."""
        self._held[incoming.token] = incoming
        if not self._is_short():
            self.open_wide()

    def open(self, answered: object) -> None:
        """Let one more in, since one has been answered; all, if memory is not short any more.

        Args:
            answered: The token of its message, which is acknowledged before any other: were it
                held back still when the connection is lost, it would come again to be answered.

        """
        if not self._is_short():
            self.open_wide()
        elif self._held:
            token = answered if answered in self._held else next(iter(self._held))
            self._acknowledge(self._held.pop(token))

    def open_wide(self) -> None:
        """Hold nothing back."""
        held, self._held = self._held, {}
        for incoming in held.values():
            self._acknowledge(incoming)

    def forget(self) -> None:
        """Let go of what was held: after a reconnect the broker sends it again."""
        self._held.clear()

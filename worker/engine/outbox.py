"""What the engine says, gathered for a moment: a daemon woken for each token pays more than for it.

The daemon passes a stream on some twenty times a second, as often as it writes the journal. What
comes between two of those times is sent as one message, the pieces of a text as one piece. What
somebody waits for goes at once, with all that was held: how a text begins, that a row ends or
changes its state, what a step that reads a prompt has brought. Imports no mlx.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from worker.domain.messages import Kind
from worker.engine.pipe import Step, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.engine.pipe import RowEvent

HOLD_S = 0.05
"""How long a piece of text is held, at most."""


class Outbox:
    """Gathers steps.

    Args:
        send: Sends one to the daemon.
        clock: The monotonic clock, in seconds.

    """

    def __init__(
        self, send: Callable[[Step], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send = send
        self._clock = clock
        self._held: list[Step] = []
        self._sent_at = self._put_at = clock()
        self._begun: dict[int, Kind] = {}

    def put(self, step: Step) -> None:
        """Send what a step has brought, now or with what the next ones bring."""
        now = self._clock()
        took_s, self._put_at = now - self._put_at, now
        can_wait = self._can_wait(step)
        if self._held and step.decode_rows != self._held[0].decode_rows:
            self.flush()
        self._held.append(step)
        # Sent now if the next step would end too late.
        if not can_wait or now + took_s > self._sent_at + HOLD_S:
            self.flush()

    def flush(self) -> None:
        """Send what is held: the next step may be a long one, or none may follow."""
        if not self._held:
            return
        held, self._held = self._held, []
        self._sent_at = self._clock()
        self._send(held[0] if len(held) == 1 else _joined(held))

    def _can_wait(self, step: Step) -> bool:
        can_wait = not step.prefill_tokens
        for event in step.events:
            if not isinstance(event, Text):
                self._begun.pop(event.row, None)
                can_wait = False
            elif event.kind is Kind.TOOL or self._begun.get(event.row) is not event.kind:
                self._begun[event.row] = event.kind
                can_wait = False
        return can_wait


def _joined(steps: list[Step]) -> Step:
    """Return steps of as many rows as one."""
    texts: dict[tuple[int, Kind], list[str]] = {}
    tokens: dict[int, list[int]] = {}
    others: list[RowEvent] = []
    changed: set[int] = set()
    for step in steps:
        for row, ids in step.tokens:
            tokens.setdefault(row, []).extend(ids)
        for event in step.events:
            if isinstance(event, Text) and event.row not in changed:
                texts.setdefault((event.row, event.kind), []).append(event.text)
            else:
                # Only the last of them has any, so that all that was said before stays before it.
                changed.add(event.row)
                others.append(event)
    said = [Text(row, kind, "".join(pieces)) for (row, kind), pieces in texts.items()]
    return replace(
        steps[-1],
        events=[*said, *others],
        tokens=list(tokens.items()),
        decode_s=sum(step.decode_s for step in steps),
        decode_steps=sum(step.decode_steps for step in steps),
        memory=next((step.memory for step in reversed(steps) if step.memory), None),
        stored=next((step.stored for step in reversed(steps) if step.stored), None),
    )

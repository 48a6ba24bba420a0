"""Rows outside the batch: those that wait for a place, that are parked, that are on their way back.

Knows nothing of the batch; the engine's thread alone touches it.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx_lm.models.cache import can_trim_prompt_cache, trim_prompt_cache
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.engine.row import Row


class Held(Struct):
    """A row outside the batch, with what the batch had of it.

    `tokens` are those in the cache, `unread` those that follow. Without a cache its prompt is read
    again; one that was never let in enters as all do. A cache is in memory, where it takes `bytes`,
    or in a `file`.
    """

    row: Row
    cache: list[Any] | None = None
    tokens: list[int] = []
    unread: list[int] = []
    entered: bool = True
    bytes: int = 0
    file: Path | None = None


def kept(row: Row, cache: list[Any], known: list[int], unread: list[int]) -> Held:
    """Return a row with its KV cache, in the form that can go back into a batch.

    Args:
        row: Whose cache it is.
        cache: A layer each, of as many positions as `known` has tokens.
        known: What has been read.
        unread: What is left of its prompt; nothing where it has begun to write.

    """
    if not known:
        return Held(row)
    if not unread:
        if not can_trim_prompt_cache(cache):
            return Held(row)
        # The batch has sampled one token ahead, which is lost with the row: going back by one
        # samples it again, from the same logits.
        trim_prompt_cache(cache, 1)
        known, unread = known[:-1], known[-1:]
    # Unevaluated, it would keep the whole batch's KV cache alive.
    mx.eval([layer.state for layer in cache])
    size_bytes = sum(layer.nbytes for layer in cache)
    return Held(row, cache, known, unread, bytes=size_bytes)


class Outside:
    """Who is outside, and who comes in next."""

    def __init__(self) -> None:
        self.waiting: deque[Row] = deque()
        self.returning: deque[Held] = deque()
        self._parked: dict[int, Held] = {}

    @property
    def idle(self) -> bool:
        """Whether nobody wants in; parked rows wait to be resumed."""
        return not (self.waiting or self.returning)

    def __iter__(self) -> Iterator[Held]:
        """Go through the rows that have been in the batch."""
        yield from self._parked.values()
        yield from self.returning

    def wait(self, row: Row) -> None:
        """Let a row wait behind those that are as urgent as it is, before those that are less."""
        behind = sum(other.submit.urgency >= row.submit.urgency for other in self.waiting)
        self.waiting.insert(behind, row)

    def park(self, held: Held) -> None:
        """Keep a row until it is resumed."""
        self._parked[held.row.row] = held

    def resume(self, name: int) -> bool:
        """Let a parked row in before all others; False where it is not parked."""
        held = self._parked.pop(name, None)
        if held is None:
            return False
        if held.entered:
            self.returning.append(held)
        else:
            self.waiting.appendleft(held.row)
        return True

    def find(self, name: int) -> Row | None:
        """Return a row, wherever it is."""
        rows = (*self.waiting, *(held.row for held in self))
        return next((row for row in rows if row.row == name), None)

    def take(self, name: int) -> Held | None:
        """Remove a row, wherever it is."""
        if name in self._parked:
            return self._parked.pop(name)
        for held in self.returning:
            if held.row.row == name:
                self.returning.remove(held)
                return held
        for row in self.waiting:
            if row.row == name:
                self.waiting.remove(row)
                return Held(row, entered=False)
        return None

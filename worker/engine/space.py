"""One pool's share of the engine's memory: its rows as the ledger sees them, its rows on disk.

Knows the rows of one batch and counts what became of those that were taken out; touches no array
itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.engine.memory import Ledger, length_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.engine.memory import Store
    from worker.engine.outside import Held, Outside
    from worker.engine.row import Row
    from worker.engine.spill import Spill


class Counts:
    """What was done for want of rows or of memory, of all pools of an engine."""

    def __init__(self) -> None:
        self.parked = 0
        self.resumed = 0
        self.spilled = 0
        self.wasted_tokens = 0
        """Tokens that were in a cache once and had to be computed again."""


class Space:
    """The space of one batch.

    Args:
        ledger: Keeps the whole engine's memory; default: without a limit.
        bytes_per_token: What a token takes in a cache.
        spill: Where caches go that memory is too short for; without one they are dropped.
        counts: Of the engine.

    """

    def __init__(
        self,
        ledger: Ledger | None = None,
        bytes_per_token: int = 0,
        spill: Spill | None = None,
        counts: Counts | None = None,
    ) -> None:
        self.bytes_per_token = bytes_per_token
        self.counts = counts or Counts()
        self.ledger = ledger or Ledger(None)
        self._spill = spill

    def bind(
        self,
        rows: dict[int, Row],
        prefilling: Mapping[int, int],
        outside: Outside,
        store: Store,
        chunk_tokens: int,
    ) -> None:
        """Take note of what the batch keeps; it changes them, this looks."""
        self.rows = rows
        self.store = store
        self._prefilling = prefilling
        self._outside = outside
        self._chunk_tokens = chunk_tokens
        self.ledger.pools.append(self)

    def slack_tokens(self, entering: int | None = None) -> int:
        """Return what reading several prompts at once may pad beyond the longest row.

        The longest may be at its end while another still reads: a chunk, if it has as much.
        """
        lengths = [length_of(self.rows[name]) for name in self._prefilling]
        if entering is not None:
            lengths.append(entering)
        return min(self._chunk_tokens, max(lengths)) if len(lengths) > 1 else 0

    def admit(self, row: Row) -> bool:
        """Reserve memory for a row; False where there is none now."""
        return self.ledger.admit(self, row)

    def leave(self, row: Row) -> None:
        """Give back what a row had reserved."""
        self.ledger.leave(row)

    def held(self) -> Iterator[Held]:
        """Go through the rows outside the batch that have a cache in memory."""
        return (held for held in self._outside if held.cache is not None)

    def spill(self, held: Held) -> None:
        """Move a row's cache to disk; where that can't be, its tokens will be read again."""
        cache, held.cache, held.bytes = held.cache, None, 0
        if cache is None:
            return
        try:
            if self._spill is not None and self._spill.can_take(cache):
                held.file = self._spill.write(cache)
                self.counts.spilled += 1
                return
        except OSError:
            pass
        self.waste(held.row)

    def fetch(self, held: Held) -> None:
        """Bring a row's cache back from disk, if it is there."""
        path, held.file = held.file, None
        if path is None or self._spill is None:
            return
        try:
            held.cache = self._spill.read(path)
        except OSError:
            self.waste(held.row)

    def discard(self, held: Held) -> None:
        """Leave nothing on disk of a row that will not come back."""
        if held.file is not None and self._spill is not None:
            self._spill.remove(held.file)

    def waste(self, row: Row, unread: int = 0) -> None:
        """Count what will be computed again of a row, but for tokens it had not read yet."""
        self.counts.wasted_tokens += max(0, length_of(row) - row.cached_tokens - unread)

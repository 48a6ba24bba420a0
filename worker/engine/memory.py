"""What fits into the memory that the engine may use: forecast before a row enters, kept to after.

All that is live in a batch is padded to its longest row and grows by blocks of 256 tokens
(mlx-lm's `BatchKVCache`), so a pool takes its rows times its longest. Two sums are kept: what is
planned, with the answers that are expected, decides who enters; what may be live by the next
block decides what is left to the stores of ended conversations. Knows rows and numbers; imports
no mlx.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from worker.domain.messages import Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from worker.engine.outside import Held
    from worker.engine.row import Row

BLOCK_TOKENS = 256
"""What mlx-lm's caches grow by."""

CLOSING_TOKENS = 64
"""Room for what is put in to end a thought."""

_WEIGHT = 0.1
_CAUTION = 1.5
_LEAST_EXPECTED = 64


class Store(Protocol):
    """The caches of ended conversations, as far as memory goes."""

    @property
    def bytes(self) -> int:
        """What they take."""

    @property
    def pinned_bytes(self) -> int:
        """What of that stays whatever happens."""

    def shrink(self, to_bytes: int) -> None:
        """Drop what was used longest ago until the rest takes no more."""


class Pool(Protocol):
    """Rows that share a batch."""

    bytes_per_token: int

    @property
    def rows(self) -> Mapping[int, Row]:
        """The rows in the batch, or about to be."""

    def slack_tokens(self, entering: int | None = None) -> int:
        """Return what reading several prompts at once may pad beyond the longest row.

        Args:
            entering: The length of one that is about to be read with the others.

        """

    @property
    def store(self) -> Store:
        """What is kept of ended conversations."""

    def held(self) -> Iterable[Held]:
        """Rows outside the batch that have a cache in memory."""

    def spill(self, held: Held) -> None:
        """Move a cache that is held from memory to disk."""


class Ledger:
    """The memory of one engine.

    Args:
        limit_bytes: All that may be used; None is no limit.
        fixed_bytes: Weights, and what a step needs beside its caches.

    """

    def __init__(self, limit_bytes: int | None, fixed_bytes: int = 0) -> None:
        self.limit_bytes = limit_bytes
        self.fixed_bytes = fixed_bytes
        self._ceiling = limit_bytes
        self.pools: list[Pool] = []
        self._reserved: dict[int, int] = {}
        self._means = {Mode.NO_THINK: 256.0, Mode.THINK: 1024.0}

    # What is known of it -------------------------------------------------------------------

    def tokens_alone(self, bytes_per_token: int) -> int | None:
        """Return how many tokens a row may have that has everything for itself; None: any."""
        if self.limit_bytes is None or not bytes_per_token:
            return None
        return (self.limit_bytes - self.fixed_bytes) // bytes_per_token - BLOCK_TOKENS

    @property
    def live_bytes(self) -> int:
        """The most that live rows take until one of them needs another block."""
        return sum(_padded(pool, length_of) for pool in self.pools)

    @property
    def parked_bytes(self) -> int:
        """What rows outside a batch keep in memory."""
        return sum(held.bytes for pool in self.pools for held in pool.held())

    @property
    def store_bytes(self) -> int:
        """What is kept of ended conversations."""
        return sum(pool.store.bytes for pool in self.pools)

    @property
    def used_bytes(self) -> int:
        """All of it."""
        return self.fixed_bytes + self.live_bytes + self.parked_bytes + self.store_bytes

    @property
    def headroom_bytes(self) -> int | None:
        """What could still be given to rows if the stores were dropped; None without a limit."""
        if self._ceiling is None:
            return None
        return max(0, self._ceiling - self._committed())

    # Who enters ----------------------------------------------------------------------------

    def admit(self, pool: Pool, row: Row) -> bool:
        """Reserve memory for a row and its answer; False where there is none now.

        Rows outside a batch go to disk for it. A row that would be alone is never turned away:
        it was checked against the limit when it came.
        """
        length = length_of(row)
        reserved = min(length + self._expected(row), longest_of(row))
        alone = not any(other.rows for other in self.pools)
        while not self._fits(pool, reserved, length):
            if not self._spill_largest():
                if not alone:
                    return False
                break
        self._reserved[row.row] = reserved
        self.settle(pool, length)
        return True

    def leave(self, row: Row) -> None:
        """Give back what a row had reserved."""
        self._reserved.pop(row.row, None)

    def note_answer(self, mode: Mode, tokens: int) -> None:
        """Learn how long answers are."""
        self._means[mode] += _WEIGHT * (tokens - self._means[mode])

    # What happens then ---------------------------------------------------------------------

    def settle(
        self, entering: Pool | None = None, tokens: int = 0, *, reading_bytes: int = 0
    ) -> None:
        """Leave the stores no more than live and parked rows do, and one that is about to enter."""
        if self._ceiling is None:
            return
        live = sum(
            _padded(pool, length_of, *((tokens, tokens) if pool is entering else ()))
            for pool in self.pools
        )
        room = self._ceiling - self.fixed_bytes - live - self.parked_bytes - reading_bytes
        for pool in self.pools:
            if pool.store.bytes > max(0, room):
                pool.store.shrink(max(0, room))
            room -= pool.store.bytes

    def grown(self, ahead_tokens: int) -> None:
        """Reserve more for rows whose answers turn out to be longer than was expected."""
        for pool in self.pools:
            for row in pool.rows.values():
                needed = min(length_of(row) + ahead_tokens, longest_of(row))
                if needed > self._reserved.get(row.row, 0):
                    self._reserved[row.row] = min(needed + BLOCK_TOKENS, longest_of(row))

    def too_many(self) -> bool:
        """Tell whether a row must go, once all that is parked is on disk."""
        while self._ceiling is not None and not self._fits():
            if not self._spill_largest():
                return sum(len(pool.rows) for pool in self.pools) > 1
        return False

    def note_available(self, available_bytes: int, margin_bytes: int) -> None:
        """Let the system have its share: whatever it has left beside its margin bounds growth."""
        if self.limit_bytes is not None:
            left = self.used_bytes + available_bytes - margin_bytes
            self._ceiling = min(self.limit_bytes, left)

    def _expected(self, row: Row) -> int:
        mode = row.submit.mode
        usual = max(_LEAST_EXPECTED, int(_CAUTION * self._means[mode]))
        return min(row.completion_limit, usual) + CLOSING_TOKENS

    def _fits(self, entering: Pool | None = None, tokens: int = 0, unread: int = 0) -> bool:
        if self._ceiling is None:
            return True
        return self._committed(entering, tokens, unread) <= self._ceiling

    def _committed(self, entering: Pool | None = None, tokens: int = 0, unread: int = 0) -> int:
        """Return what can't be had without taking a row out."""
        planned = sum(
            _padded(pool, self._reservation, *((tokens, unread) if pool is entering else ()))
            for pool in self.pools
        )
        pinned = sum(pool.store.pinned_bytes for pool in self.pools)
        return self.fixed_bytes + planned + pinned + self.parked_bytes

    def _reservation(self, row: Row) -> int:
        return max(self._reserved.get(row.row, 0), length_of(row))

    def _spill_largest(self) -> bool:
        candidates = [(held, pool) for pool in self.pools for held in pool.held()]
        if not candidates:
            return False
        held, pool = max(candidates, key=lambda one: one[0].bytes)
        pool.spill(held)
        return True


def length_of(row: Row) -> int:
    """Return how many tokens a row has when its prompt has been read."""
    return len(row.prompt) + len(row.generated)


def longest_of(row: Row) -> int:
    """Return how many it can have in the end."""
    return len(row.prompt) + row.completion_limit + CLOSING_TOKENS


def _padded(
    pool: Pool,
    tokens_of: Callable[[Row], int],
    entering: int | None = None,
    unread: int | None = None,
) -> int:
    """Return what a pool's rows take, with one that is about to enter and what is unread of it."""
    lengths = [tokens_of(row) for row in pool.rows.values()]
    if entering is not None:
        lengths.append(entering)
    if not lengths:
        return 0
    longest = max(lengths) + BLOCK_TOKENS + pool.slack_tokens(unread)
    return len(lengths) * longest * pool.bytes_per_token

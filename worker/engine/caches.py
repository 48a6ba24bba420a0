"""KV caches of prompts that were read, kept in memory for the next that begin alike.

Each client has its own: nobody else's are ever looked at, so no client can tell from the time a
request takes what another has asked. Only what the operator has pinned is found for everybody.
What has been used longest ago goes first when there is no more room. One thread changes the
store; another may ask it `how_much`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeAlias

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import KVCache

from worker.engine.forest import EVERYBODY, Entry, Forest
from worker.engine.quantized import flat, fresh, regrouped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.engine.disk import Loaded
    from worker.engine.forest import Part
    from worker.engine.quantized import Packing

Layers: TypeAlias = list[tuple[mx.array, mx.array]]
"""Keys and values of each layer, of shape (1, heads, tokens, width); of packed ones their parts."""

SHORTEST_TOKENS = 32
"""A shared beginning that is shorter saves less than the copying of its cache costs."""

_MOST_HELD = 8
"""Whoever lets go of none would otherwise fill the memory."""


class Caches:
    """The caches of one model. Those that can't be cut at a position are not kept.

    Args:
        max_bytes: How much they may take, what is pinned included; 0 keeps none.
        packing: How the model's caches are packed; None: they are as computed.

    """

    def __init__(self, max_bytes: int, packing: Packing | None = None) -> None:
        self.max_bytes = max_bytes
        self._packing = packing
        self._forest: Forest[Layers] = Forest(_shorten, shortest=SHORTEST_TOKENS)
        self._held: dict[int, Entry[Layers]] = {}
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """What they take now, what is pinned included."""
        return self._forest.size_bytes

    @property
    def pinned_bytes(self) -> int:
        """What those take that the operator has pinned."""
        return self._forest.pinned_bytes

    def fresh(self, model: Any) -> list[Any]:
        """Return an empty cache of the kind that is kept here."""
        return fresh(model, self._packing)

    def shrink(self, to_bytes: int) -> None:
        """Drop what was used longest ago until the rest takes so much; what is pinned stays."""
        with self._lock:
            while self._held:
                self._let_go(next(iter(self._held)))
            self._forest.evict(to_bytes)

    def how_much(self, owner: str | None, tokens: Sequence[int]) -> int:
        """Return how many of a prompt's first tokens are known."""
        with self._lock:
            parts = self._forest.longest(owner, tokens)
            return parts[-1].end if parts else 0

    def find(
        self, owner: str | None, tokens: Sequence[int], *, unread: int = 1
    ) -> tuple[list[Any] | None, int]:
        """Return a cache of the longest known beginning of a prompt, and how many tokens it has.

        At least `unread` tokens are left to be read: the last one's logits are what comes next.
        The cache is the caller's own; None where nothing of use is known.
        """
        with self._lock:
            parts = self._forest.longest(owner, tokens[: max(0, len(tokens) - unread)])
            if not parts:
                return None, 0
            self._forest.touch(parts[-1].entry)
            return regrouped(_joined(parts), self._packing), parts[-1].end

    def keep(
        self,
        owner: str | None,
        tokens: Sequence[int],
        cache: list[Any],
        *,
        session: str = "",
        hold: int | None = None,
    ) -> None:
        """Keep what a cache has of a prompt and is not known yet.

        Args:
            owner: The client whose prompt it is; `EVERYBODY`: it is pinned.
            tokens: What the cache was computed from, one for each of its positions.
            cache: A layer each.
            session: The client's session that it was read for.
            hold: A name under which it stays, whatever room there is, until it is let go.

        """
        length = min(len(tokens), *(layer.size() for layer in cache))
        if length < SHORTEST_TOKENS or not can_be_kept(cache):
            return
        with self._lock:
            self._keep(owner, tokens[:length], flat(cache), session, hold)

    def restore(self, owner: str | None, loaded: Loaded, session: str = "") -> None:
        """Keep what was found on disk."""
        cache = []
        for keys, values in loaded.layers:
            layer = KVCache()
            layer.keys, layer.values = (_from_numpy(one, loaded.dtype) for one in (keys, values))
            layer.offset = len(loaded.tokens)
            cache.append(layer)
        self.keep(owner, loaded.tokens, cache, session=session)

    def let_go(self, hold: int) -> None:
        """Let what was held be dropped as all else is; nothing happens if there is none."""
        with self._lock:
            self._let_go(hold)

    def forget(self, owner: str, session: str | None = None) -> None:
        """Drop what a client, or one of its sessions, has left."""
        with self._lock:
            dropped = self._forest.forget(owner, session)
            self._held = {hold: one for hold, one in self._held.items() if one not in dropped}

    def clear(self) -> None:
        """Keep nothing of anybody but what is pinned."""
        with self._lock:
            for owner in {entry.owner for entry in self._forest} - {EVERYBODY}:
                self._forest.forget(owner)
            self._held.clear()

    def _let_go(self, hold: int) -> None:
        entry = self._held.pop(hold, None)
        if entry is not None:
            entry.holds -= 1
            self._forest.evict(self.max_bytes)

    def _keep(
        self,
        owner: str | None,
        tokens: Sequence[int],
        cache: list[Any],
        session: str,
        hold: int | None,
    ) -> None:
        parts = self._forest.longest(owner, tokens)
        known = parts[-1].end if parts else 0
        entry = parts[-1].entry if parts else None
        size_bytes = sum(layer.nbytes // layer.keys.shape[2] for layer in cache)
        size_bytes *= len(tokens) - known
        if hold is None and not self._make_room(size_bytes, entry):
            return
        if known < len(tokens):
            entry = Entry(
                owner,
                np.array(tokens[known:], dtype=np.int32),
                known,
                entry,
                payload=[
                    (
                        _taken(layer.keys, known, len(tokens)),
                        _taken(layer.values, known, len(tokens)),
                    )
                    for layer in cache
                ],
                size_bytes=size_bytes,
            )
            # Unevaluated, it would keep the whole batch's KV cache alive.
            mx.eval(entry.payload)
            self._forest.add(entry)
        assert entry is not None
        self._forest.touch(entry)
        end = len(tokens)
        above: Entry[Layers] | None = entry
        while above is not None:
            if above.owner is not EVERYBODY:
                above.extents[session] = max(end, above.extents.get(session, 0))
            end, above = above.begin, above.parent
        if hold is not None:
            entry.holds += 1
            self._held[hold] = entry
            if len(self._held) > _MOST_HELD:
                self._let_go(next(iter(self._held)))

    def _make_room(self, size_bytes: int, parent: Entry[Layers] | None) -> bool:
        room = self.max_bytes - size_bytes
        if room < 0:
            return False
        if parent is not None:
            parent.holds += 1
        self._forest.evict(room)
        if parent is not None:
            parent.holds -= 1
        return self._forest.size_bytes <= room


def can_be_kept(cache: list[Any]) -> bool:
    """Tell whether a cache can be cut at any position, and joined again."""
    return all(type(layer) is KVCache for layer in flat(cache))


def arrays_of(cache: list[Any], begin: int, end: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return a copy of a stretch of a cache, for another thread."""
    return [
        (_to_numpy(layer.keys[..., begin:end, :]), _to_numpy(layer.values[..., begin:end, :]))
        for layer in cache
    ]


def dtype_of(cache: list[Any]) -> str:
    """Return what a cache's values are."""
    return str(cache[0].keys.dtype).removeprefix("mlx.core.")


def _to_numpy(array: mx.array) -> np.ndarray:
    # numpy has no bfloat16.
    bits = array.view(mx.uint16) if array.dtype == mx.bfloat16 else array
    return np.array(bits, order="C")


def _from_numpy(array: np.ndarray, dtype: str) -> mx.array:
    bits = mx.array(array)
    return bits.view(mx.bfloat16) if dtype == "bfloat16" else bits


def _joined(parts: list[Part[Layers]]) -> list[Any]:
    cache = []
    for number in range(len(parts[0].entry.payload)):
        layer = KVCache()
        layer.keys, layer.values = (
            _concatenated([part.entry.payload[number][which] for part in parts], parts)
            for which in (0, 1)
        )
        layer.offset = parts[-1].end
        cache.append(layer)
    return cache


def _concatenated(arrays: list[mx.array], parts: list[Part[Layers]]) -> mx.array:
    # A slice is an array of its own even where it is the whole: writing to it leaves the store's.
    shares = [
        array[..., : end - entry.begin, :]
        for array, (entry, end) in zip(arrays, parts, strict=True)
    ]
    return shares[0] if len(shares) == 1 else mx.concatenate(shares, axis=2)


def _shorten(entry: Entry[Layers], length: int) -> int:
    entry.payload = [
        (_taken(keys, 0, length), _taken(values, 0, length)) for keys, values in entry.payload
    ]
    mx.eval(entry.payload)
    return sum(keys.nbytes + values.nbytes for keys, values in entry.payload)


def _taken(array: mx.array, begin: int, end: int) -> mx.array:
    # Not a slice, which would keep the whole array's memory.
    return mx.take(array, mx.arange(begin, end), axis=2)

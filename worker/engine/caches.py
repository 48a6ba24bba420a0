"""KV caches of conversations that ended, kept in memory for the next turn; each client has its own.

A prompt that begins as an earlier conversation of the same client did is read only from where the
two part. Nobody else's caches are ever looked at, so no client can tell from the time a request
takes what another has asked. The store is mlx-lm's, least recently used first out.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import LRUPromptCache, can_trim_prompt_cache, trim_prompt_cache

SHORTEST_TOKENS = 32
"""A shared beginning that is shorter saves less than the copying of its cache costs."""

_SEQUENCES = 1024


class Caches:
    """The caches of one model.

    Args:
        max_bytes: How much they may take; 0 keeps none.

    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._store = LRUPromptCache(_SEQUENCES, max_bytes)

    @property
    def bytes(self) -> int:
        """What they take now."""
        return int(self._store.nbytes)

    def find(self, owner: str, tokens: list[int]) -> tuple[list[Any] | None, int]:
        """Return a cache of the longest known beginning of a prompt, and how many tokens it has.

        At least the last token is left to be read, since its logits are what comes next. The cache
        is the caller's own; None where nothing of use is known.
        """
        if not self._max_bytes:
            return None, 0
        cache, rest = self._store.fetch_nearest_cache(owner, tokens)
        known = len(tokens) - len(rest)
        if cache is None or known < SHORTEST_TOKENS:
            return None, 0
        if not rest:
            if not can_trim_prompt_cache(cache):
                return None, 0
            trim_prompt_cache(cache, 1)
            known -= 1
        return cache, known

    def keep(self, owner: str, tokens: list[int], cache: list[Any]) -> None:
        """Keep the cache of a conversation; it is the store's from now on.

        Args:
            owner: The client whose conversation it is.
            tokens: What the cache was computed from, one for each of its positions.
            cache: A layer each.

        """
        if not self._max_bytes or len(tokens) < SHORTEST_TOKENS:
            return
        # Unevaluated, it would keep the whole batch's KV cache alive.
        mx.eval([layer.state for layer in cache])
        self._store.insert_cache(owner, tokens, cache)

    def clear(self) -> None:
        """Keep nothing of anybody: when one client is forgotten, all begin anew."""
        self._store.trim_to(n_sequences=0)

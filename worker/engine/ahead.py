"""Reading ahead while nobody waits: what the next prompts will begin with, in small chunks.

What is read goes into the caches; nothing is sampled. A chunk is as long as an arriving request
can wait without anybody noticing: whoever calls `step` looks at its inbox in between, and calls
`pause` when there is something in it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx_lm.models.cache import KVCache, make_prompt_cache
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.engine.caches import Caches
    from worker.engine.models import LoadedModel
    from worker.engine.pipe import Ahead

_PAUSE_S = 0.06
"""How long a chunk may take, once it is known how fast the model reads."""
_FEWEST_TOKENS = 8
_MOST_TOKENS = 512
_MOST_WISHES = 64
_RANKS = ("prewarm", "history", "pinned")
"""Who speaks now goes before who may speak again."""


class Wish(Struct):
    """What is to be read, and how the prompt begins that will need it."""

    ahead: Ahead
    tokens: list[int]

    @property
    def name(self) -> tuple[str | None, str]:
        """What it is replaced by: the next of the same client and name."""
        return self.ahead.owner, self.ahead.name


class ReadingAhead:
    """What is to be read, and how far it is.

    Args:
        loaded: The model.
        caches: Where it goes.
        on_read: Told of a wish that has been read to its end.

    """

    def __init__(
        self, loaded: LoadedModel, caches: Caches, on_read: Callable[[Wish], None]
    ) -> None:
        self._model = loaded.model
        self._bytes_per_token = loaded.kv_bytes_per_token
        self._caches = caches
        self._on_read = on_read
        self._wishes: dict[tuple[str | None, str], Wish] = {}
        self._wish: Wish | None = None
        self._cache: list[Any] = []
        self._done = 0
        self._chunk_tokens = 2 * _FEWEST_TOKENS
        self._works = all(type(layer) is KVCache for layer in make_prompt_cache(self._model))
        self.tokens_read = 0

    @property
    def tokens_held(self) -> int:
        """How many tokens are read and not kept yet."""
        return 0 if self._wish is None else self._done

    @property
    def pending(self) -> bool:
        """Whether there is anything left to read."""
        return bool(self._wishes)

    def take(self, wish: Wish) -> None:
        """Read this when there is time, in place of an earlier wish of the same name."""
        self.pause()
        self.drop(lambda other: other.name == wish.name)
        needed_bytes = len(wish.tokens) * self._bytes_per_token
        if not self._works or needed_bytes + self._caches.pinned_bytes > self._caches.max_bytes:
            return
        if len(self._wishes) == _MOST_WISHES:
            del self._wishes[max(self._wishes, key=self._rank)]
        self._wishes[wish.name] = wish

    def forget(self, owner: str, session: str | None = None) -> None:
        """Read nothing more for a client, or for one of its sessions."""
        self.drop(lambda wish: wish.ahead.owner == owner and session in (None, wish.ahead.session))

    def drop(self, unwanted: Callable[[Wish], bool]) -> None:
        """Let go of some wishes and of what was begun of them."""
        if self._wish is not None and unwanted(self._wish):
            self._wish = None
        self._wishes = {name: one for name, one in self._wishes.items() if not unwanted(one)}

    def step(self) -> None:
        """Read one chunk of what is most urgent."""
        wish = self._wish or self._begin(self._wishes[min(self._wishes, key=self._rank)])
        chunk = wish.tokens[self._done : self._done + self._chunk_tokens]
        if chunk:
            begun = time.perf_counter()
            # Only the cache is evaluated: what the model would say next is never computed.
            self._model(mx.array([chunk]), cache=self._cache)
            mx.eval([layer.state for layer in self._cache])
            self._fit_chunk(len(chunk), time.perf_counter() - begun)
            self._done += len(chunk)
            self.tokens_read += len(chunk)
        if self._done == len(wish.tokens):
            self._keep(wish)
            del self._wishes[wish.name]
            self._wish = None
            self._on_read(wish)

    def pause(self) -> None:
        """Keep what was read so far; the rest is read when there is time again."""
        wish, self._wish = self._wish, None
        if wish is None:
            return
        self._keep(wish)
        if self._caches.how_much(wish.ahead.owner, wish.tokens) < self._done:
            # There is no room for it: it would be read from its beginning again and again.
            del self._wishes[wish.name]

    def _begin(self, wish: Wish) -> Wish:
        cache, self._done = self._caches.find(wish.ahead.owner, wish.tokens, unread=0)
        self._cache = cache or make_prompt_cache(self._model)
        self._wish = wish
        return wish

    def _keep(self, wish: Wish) -> None:
        ahead = wish.ahead
        known = wish.tokens[: self._done]
        self._caches.keep(ahead.owner, known, self._cache, session=ahead.session)

    def _fit_chunk(self, tokens: int, took_s: float) -> None:
        fitting = int(tokens * _PAUSE_S / max(took_s, 1e-6))
        self._chunk_tokens = min(max(_FEWEST_TOKENS, fitting), 2 * self._chunk_tokens, _MOST_TOKENS)

    def _rank(self, name: tuple[str | None, str]) -> int:
        return _RANKS.index(self._wishes[name].ahead.kind)

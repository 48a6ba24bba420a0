"""Reading ahead while nobody waits: what the next prompts will begin with, in small chunks.

What is read goes into the caches; nothing is sampled. A chunk is as long as an arriving request
can wait without anybody noticing: whoever calls `step` looks at its inbox in between, and calls
`pause` when there is something in it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import mlx.core as mx
from jinja2 import TemplateError
from msgspec import Struct

from worker.domain.errors import ThinkqError
from worker.engine.caches import SHORTEST_TOKENS, can_be_kept
from worker.engine.disk import Loaded  # noqa: TC001 - msgspec reads it at run time
from worker.engine.pipe import Ahead  # noqa: TC001 - msgspec reads it at run time

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.engine.caches import Caches

_PAUSE_S = 0.06
"""How long a chunk may take, once it is known how fast the model reads."""
_FEWEST_TOKENS = 8
_MOST_TOKENS = 512
_MOST_WAITING = 64
_CHARACTERS_PER_TOKEN = 8
_RANKS = ("prewarm", "history", "pinned")
"""Who speaks now goes before who may speak again."""


class Wish(Struct):
    """What is to be read, in tokens, by which model, into which caches; what is on disk of it."""

    ahead: Ahead
    tokens: list[int]
    model: Any
    caches: Caches
    bytes_per_token: int
    loaded: Loaded | None = None


class ReadingAhead:
    """What is to be read, and how far it is.

    Args:
        plan: Renders and tokenizes; done as late as can be, since most transcripts are replaced
            by a later one before anybody has time for them.
        on_read: Told of what has been read to its end.
        most_tokens: How long a prompt may be.

    """

    def __init__(
        self,
        plan: Callable[[Ahead], Wish],
        on_read: Callable[[Wish], None],
        *,
        most_tokens: int,
    ) -> None:
        self._plan = plan
        self._on_read = on_read
        self._most_characters = _CHARACTERS_PER_TOKEN * most_tokens
        self._waiting: dict[tuple[str | None, str], Ahead] = {}
        self._wish: Wish | None = None
        self._cache: list[Any] = []
        self._done = 0
        self._chunk_tokens = 2 * _FEWEST_TOKENS
        self.tokens_read = 0

    @property
    def bytes_held(self) -> int:
        """What the tokens take that are read and not kept yet."""
        return 0 if self._wish is None else self._done * self._wish.bytes_per_token

    @property
    def pending(self) -> bool:
        """Whether there is anything left to read."""
        return bool(self._waiting)

    def take(self, ahead: Ahead) -> None:
        """Read this when there is time, in place of what the same client named alike before."""
        self.pause()
        name = (ahead.owner, ahead.name)
        self._waiting.pop(name, None)
        characters = sum(len(str(message.get("content"))) for message in ahead.messages)
        if characters > self._most_characters:
            return
        if len(self._waiting) == _MOST_WAITING:
            del self._waiting[max(self._waiting, key=self._rank)]
        self._waiting[name] = ahead

    def forget(self, owner: str, session: str | None = None) -> None:
        """Read nothing more for a client, or for one of its sessions."""
        self._wish = None
        self._waiting = {
            name: ahead
            for name, ahead in self._waiting.items()
            if ahead.owner != owner or session not in (None, ahead.session)
        }

    def step(self) -> None:
        """Read one chunk of what is most urgent."""
        wish = self._wish or self._begin(min(self._waiting, key=self._rank))
        if wish is None:
            return
        chunk = wish.tokens[self._done : self._done + self._chunk_tokens]
        if chunk:
            begun = time.perf_counter()
            # Only the cache is evaluated: what the model would say next is never computed.
            wish.model(mx.array([chunk]), cache=self._cache)
            mx.eval([layer.state for layer in self._cache])
            self._fit_chunk(len(chunk), time.perf_counter() - begun)
            self._done += len(chunk)
            self.tokens_read += len(chunk)
        if self._done == len(wish.tokens):
            self._keep(wish)
            self._wish = None
            del self._waiting[wish.ahead.owner, wish.ahead.name]
            self._on_read(wish)

    def pause(self) -> None:
        """Keep what was read so far; the rest is read when there is time again."""
        wish, self._wish = self._wish, None
        if wish is None:
            return
        self._keep(wish)
        known = wish.caches.how_much(wish.ahead.owner, wish.tokens)
        # A beginning that is too short to be kept is soon read once more.
        if self._done >= SHORTEST_TOKENS and known < self._done:
            # There is no room for it: it would be read from its beginning again and again.
            del self._waiting[wish.ahead.owner, wish.ahead.name]

    def _begin(self, name: tuple[str | None, str]) -> Wish | None:
        ahead = self._waiting[name]
        try:
            wish = self._plan(ahead)
        except (ThinkqError, TemplateError):
            # The request itself will be told.
            del self._waiting[name]
            return None
        needed_bytes = len(wish.tokens) * wish.bytes_per_token
        fresh = wish.caches.fresh(wish.model)
        if (
            needed_bytes + wish.caches.pinned_bytes > wish.caches.max_bytes
            # Others can't be kept: see `Caches`.
            or not can_be_kept(fresh)
        ):
            del self._waiting[name]
            return None
        if wish.loaded is not None:
            wish.caches.restore(ahead.owner, wish.loaded, ahead.session)
            wish.loaded = None
        cache, self._done = wish.caches.find(ahead.owner, wish.tokens, unread=0)
        self._cache = cache or fresh
        self._wish = wish
        return wish

    def _keep(self, wish: Wish) -> None:
        ahead = wish.ahead
        known = wish.tokens[: self._done]
        wish.caches.keep(ahead.owner, known, self._cache, session=ahead.session)

    def _fit_chunk(self, tokens: int, took_s: float) -> None:
        fitting = int(tokens * _PAUSE_S / max(took_s, 1e-6))
        self._chunk_tokens = min(max(_FEWEST_TOKENS, fitting), 2 * self._chunk_tokens, _MOST_TOKENS)

    def _rank(self, name: tuple[str | None, str]) -> int:
        return _RANKS.index(self._waiting[name].kind)

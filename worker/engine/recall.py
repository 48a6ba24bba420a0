"""What is known of prompts beyond a batch's own caches: what is read ahead, what is on disk.

For the engine's thread, but `look_up`, which the thread calls that prepares rows. Only the caches
of the model as it is go to disk: those of stretched ones are of rare use and great length, and may
be packed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.engine.ahead import ReadingAhead, Wish
from worker.engine.caches import arrays_of, dtype_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.engine.caches import Caches
    from worker.engine.disk import Disk, Loaded
    from worker.engine.generation import Generation
    from worker.engine.pipe import Ahead
    from worker.engine.row import Row


class Recall:
    """What is known of one model's prompts.

    Args:
        beginning: Returns the tokens that certain prompts begin with.
        place: Returns the batch that so many tokens run in.
        native: The batch of the model as it is.
        disk: Where its caches survive a restart.
        most_tokens: How long a prompt may be.

    """

    def __init__(
        self,
        beginning: Callable[[Ahead], list[int]],
        place: Callable[[int], Generation],
        native: Generation,
        disk: Disk | None,
        *,
        most_tokens: int,
    ) -> None:
        self._beginning = beginning
        self._place = place
        self._native = native
        self._disk = disk
        self._most_tokens = most_tokens
        self.ahead = ReadingAhead(self._plan, self._has_read, most_tokens=most_tokens)

    @property
    def disk_bytes(self) -> int:
        """What the files take."""
        return 0 if self._disk is None else self._disk.bytes

    @property
    def disk_trouble(self) -> str:
        """Why the last file could not be written."""
        return "" if self._disk is None else self._disk.trouble

    def look_up(self, row: Row, *, native: bool) -> None:
        """Fetch what is on disk of a row's prompt, if it runs in the model as it is."""
        if native:
            row.loaded = self._from_disk(row.submit.owner, row.prompt, self._native.caches)

    def forget(self, owner: str, session: str | None) -> None:
        """Drop what a client, or one of its sessions, has left."""
        self.ahead.forget(owner, session)
        if self._disk is not None:
            self._disk.forget(owner, session)

    def flush(self, timeout_s: float) -> None:
        """Wait until what shall be on disk is there."""
        if self._disk is not None:
            self._disk.flush(timeout_s)

    def _plan(self, ahead: Ahead) -> Wish:
        tokens = self._beginning(ahead)
        tokens = tokens[: min(ahead.context_tokens or len(tokens), self._most_tokens)]
        pool = self._place(len(tokens))
        loaded = None
        if pool is self._native:
            loaded = self._from_disk(ahead.owner, tokens, pool.caches)
        return Wish(ahead, tokens, pool.model, pool.caches, pool.bytes_per_token, loaded)

    def _has_read(self, wish: Wish) -> None:
        """Let what was read ahead survive a restart, where it is worth that."""
        ahead = wish.ahead
        if self._disk is None or not ahead.lasting or wish.caches is not self._native.caches:
            return
        cache, known = wish.caches.find(ahead.owner, wish.tokens, unread=0)
        if cache is None or known < len(wish.tokens):
            return
        self._disk.keep(
            ahead.owner,
            wish.tokens,
            ahead.session,
            dtype_of(cache),
            lambda begin: arrays_of(cache, begin, known),
        )

    def _from_disk(self, owner: str | None, tokens: list[int], caches: Caches) -> Loaded | None:
        if self._disk is None:
            return None
        return self._disk.load(owner, tokens, caches.how_much(owner, tokens))

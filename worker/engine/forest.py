"""Known beginnings of prompts, each client's apart: what was read, in what order, and by whom.

An entry holds the tokens from one position to another of some prompt. Another prompt that begins
alike hangs its own tokens on it at the position where the two part, so what they share is held
once. Only what an operator has pinned is found for everybody. Entries are never split; one whose
end nobody goes on from is cut back to where its children hang. Pure: what an entry holds of a
cache, in memory or in a file, is its `payload`. Not for several threads at once.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Payload = TypeVar("Payload")

EVERYBODY = None
"""The owner of what was pinned."""


class Entry(Generic[Payload]):
    """A part of some prompts.

    Args:
        owner: The client whose prompts they are; `EVERYBODY` for what was pinned.
        tokens: What stands in it.
        begin: The position of its first token in the prompt.
        parent: What it hangs on; None where it begins a prompt.
        payload: What is known of these tokens.
        size_bytes: What that takes.

    """

    __slots__ = (
        "begin",
        "children",
        "extents",
        "holds",
        "owner",
        "parent",
        "payload",
        "size_bytes",
        "tokens",
        "used",
    )

    def __init__(
        self,
        owner: str | None,
        tokens: np.ndarray,
        begin: int,
        parent: Entry[Payload] | None,
        *,
        payload: Payload,
        size_bytes: int,
    ) -> None:
        self.owner = owner
        self.tokens = tokens
        self.begin = begin
        self.parent = parent
        self.payload = payload
        self.size_bytes = size_bytes
        self.children: list[Entry[Payload]] = []
        self.extents: dict[str, int] = {}
        """The position up to which each session has used it."""
        self.holds = 0
        self.used = 0

    @property
    def end(self) -> int:
        """The position behind its last token."""
        return self.begin + len(self.tokens)

    @property
    def needed_to(self) -> int:
        """The position up to which its children need it."""
        return max((child.begin for child in self.children), default=self.begin)


class Part(NamedTuple, Generic[Payload]):
    """An entry's share of a prompt, to the position `end`."""

    entry: Entry[Payload]
    end: int


class Forest(Generic[Payload]):
    """All entries, and which of them go first when there is no room.

    Args:
        cut: Shortens an entry's payload to its first tokens and returns what that leaves in
            bytes; None where a payload can't be shortened.
        shortest: A beginning of fewer tokens counts as unknown.
        pinned_stay: Whether what is pinned is never dropped to make room.

    """

    def __init__(
        self,
        cut: Callable[[Entry[Payload], int], int] | None = None,
        *,
        shortest: int = 1,
        pinned_stay: bool = True,
    ) -> None:
        self._cut = cut
        self._shortest = shortest
        self._pinned_stay = pinned_stay
        self._roots: list[Entry[Payload]] = []
        self._clock = itertools.count(1)
        self.size_bytes = 0
        self.pinned_bytes = 0

    def __iter__(self) -> Iterator[Entry[Payload]]:
        """Go through all entries, each before its children."""
        left = list(self._roots)
        while left:
            entry = left.pop()
            left += entry.children
            yield entry

    def longest(self, owner: str | None, tokens: Sequence[int] | np.ndarray) -> list[Part[Payload]]:
        """Return the parts, first to last, that together are the longest known beginning."""
        wanted = np.asarray(tokens, dtype=np.int32)
        best: Part[Payload] | None = None
        left = [(entry, 0) for entry in self._roots]
        while left:
            entry, known = left.pop()
            if (
                entry.begin > known
                or entry.begin >= len(wanted)
                or entry.owner not in (EVERYBODY, owner)
                or entry.tokens[0] != wanted[entry.begin]
            ):
                continue
            end = entry.begin + _common(entry.tokens, wanted[entry.begin :])
            if best is None or end > best.end:
                best = Part(entry, end)
            left += [(child, end) for child in entry.children]
        return [] if best is None or best.end < self._shortest else _path(*best)

    def add(self, entry: Entry[Payload]) -> None:
        """Take a new entry; its parent is known already."""
        (self._roots if entry.parent is None else entry.parent.children).append(entry)
        self._count(entry, entry.size_bytes)
        self.touch(entry)

    def touch(self, entry: Entry[Payload]) -> None:
        """Note that a prompt ended in this entry just now."""
        entry.used = next(self._clock)

    def remove(self, entry: Entry[Payload]) -> list[Entry[Payload]]:
        """Drop an entry and all that hangs on it; return what was dropped."""
        (self._roots if entry.parent is None else entry.parent.children).remove(entry)
        dropped = [entry]
        for one in dropped:
            dropped += one.children
            self._count(one, -one.size_bytes)
        return dropped

    def shorten(self, entry: Entry[Payload], end: int) -> list[Entry[Payload]]:
        """Keep an entry to a position, and what hangs on it before; return what was dropped."""
        if self._cut is None or end <= entry.begin:
            return self.remove(entry)
        dropped = [
            one for child in list(entry.children) if child.begin > end for one in self.remove(child)
        ]
        if end < entry.end:
            left_bytes = self._cut(entry, end - entry.begin)
            entry.tokens = entry.tokens[: end - entry.begin].copy()
            self._count(entry, left_bytes - entry.size_bytes)
            entry.size_bytes = left_bytes
        return dropped

    def evict(self, to_bytes: int) -> list[Entry[Payload]]:
        """Drop what was used longest ago until the rest fits; return what was dropped.

        What is held or pinned stays.
        """
        dropped: list[Entry[Payload]] = []
        while self.size_bytes > to_bytes:
            oldest = min(filter(self._may_go, self), key=_used, default=None)
            if oldest is None:
                break
            if oldest.children:
                self.shorten(oldest, oldest.needed_to)
                continue
            parent = oldest.parent
            dropped += self.remove(oldest)
            if parent is not None:
                parent.used = max(parent.used, oldest.used)
        return dropped

    def forget(self, owner: str | None, session: str | None = None) -> list[Entry[Payload]]:
        """Drop what a client, or one of its sessions, has left; return what was dropped."""
        dropped: list[Entry[Payload]] = []
        gone: set[int] = set()
        for entry in list(self):
            if entry.owner != owner or id(entry) in gone:
                continue
            if session is None:
                fresh = self.remove(entry)
            elif entry.extents.pop(session, None) is not None:
                fresh = self.shorten(entry, max(entry.extents.values(), default=entry.begin))
            else:
                continue
            gone.update(map(id, fresh))
            dropped += fresh
        return dropped

    def _may_go(self, entry: Entry[Payload]) -> bool:
        if entry.holds or (self._pinned_stay and entry.owner is EVERYBODY):
            return False
        return not entry.children or (self._cut is not None and entry.needed_to < entry.end)

    def _count(self, entry: Entry[Payload], change_bytes: int) -> None:
        self.size_bytes += change_bytes
        if entry.owner is EVERYBODY:
            self.pinned_bytes += change_bytes


def _path(entry: Entry[Payload], end: int) -> list[Part[Payload]]:
    parts = [Part(entry, end)]
    while entry.parent is not None:
        parts.append(Part(entry.parent, entry.begin))
        entry = entry.parent
    return parts[::-1]


def _common(one: np.ndarray, other: np.ndarray) -> int:
    length = min(len(one), len(other))
    differing = np.flatnonzero(one[:length] != other[:length])
    return int(differing[0]) if len(differing) else length


def _used(entry: Entry[Payload]) -> int:
    return entry.used

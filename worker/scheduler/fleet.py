"""Which worker of a group gets a request: who holds it, who is there, who has less to do.

Knows no broker and no clock: times are told, in seconds of any monotonic clock. The simulation of
`bench/fleet.py` runs this very code.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal, TypeAlias

from msgspec import Struct

Name: TypeAlias = tuple[str, ...]
"""What a claim is on: `("request", client, id)` or `("session", session)`."""

MOST_CLAIMS = 500_000
"""Claims remembered; of more the oldest are forgotten, as if they had expired."""


class Member(Struct):
    """Another worker of the group, as it was last heard of."""

    status: Literal["online", "draining", "offline"] = "offline"
    incarnation: int = 0
    changed: float = 0.0
    load: int = 0


class Fleet:
    """The group as one worker sees it.

    Args:
        own: This worker's name.
        away_s: How long a worker may be away before what it holds is anybody's.
        claim_ahead: How many requests may wait here before new ones go to a worker where fewer
            wait: more could not start soon anyway. To one with a free row they go at once.

    A worker's load is how many requests wait there, less the rows that are free.
    """

    def __init__(self, own: str, *, away_s: float, claim_ahead: int) -> None:
        self._own = own
        self._away_s = away_s
        self._claim_ahead = claim_ahead
        self._members: dict[str, Member] = {}
        self._claims: OrderedDict[Name, str] = OrderedDict()

    def note_status(self, worker: str, status: str, incarnation: int, now: float) -> None:
        """Hear a status; the will of a life that is over is not believed."""
        member = self._members.setdefault(worker, Member())
        if worker == self._own or incarnation < member.incarnation:
            return
        known: dict[str, Literal["online", "draining", "offline"]] = {
            "online": "online", "draining": "draining",
        }  # fmt: skip
        heard = known.get(status, "offline")
        if heard != member.status or incarnation != member.incarnation:
            member.changed = now
        member.status, member.incarnation = heard, incarnation

    def note_load(self, worker: str, load: int) -> None:
        """Hear how much a worker has to do."""
        self._members.setdefault(worker, Member()).load = load

    def note_claim(self, name: Name, worker: str | None) -> None:
        """Hear who holds something; None: nobody does any more."""
        self._claims.pop(name, None)
        if worker is None:
            return
        self._claims[name] = worker
        if len(self._claims) > MOST_CLAIMS:
            self._claims.popitem(last=False)

    def holder(self, name: Name) -> str | None:
        """Return who holds something, this worker too."""
        return self._claims.get(name)

    def lost(self, name: Name) -> bool:
        """Tell whether another worker has taken over what was this one's."""
        return self._claims.get(name, self._own) != self._own

    def place(self, names: list[Name], load: int, now: float) -> str | None:
        """Return which other worker should have a request; None: this one.

        Args:
            names: What the request is about: itself, and its session if it has one.
            load: How much this worker has to do, without the request.
            now: On the clock that statuses are noted by.

        """
        for name in names:
            holder = self._claims.get(name)
            if holder == self._own:
                return None
            if holder is not None and self._counts_as_there(holder, now):
                return holder
        if load < 0:
            return None
        return self.lighter(0 if load < self._claim_ahead else load - self._claim_ahead // 2)

    def lighter(self, than: int) -> str | None:
        """Return the worker with the least load, if it is below; it then counts as one more.

        What it says of itself comes now and then; in between the requests sent there are counted.
        """
        there = [
            (member.load, worker)
            for worker, member in self._members.items()
            if worker != self._own and member.status == "online"
        ]
        if not there or min(there)[0] >= than:
            return None
        _, chosen = min(there)
        self._members[chosen].load += 1
        return chosen

    def _counts_as_there(self, worker: str, now: float) -> bool:
        member = self._members.get(worker)
        if member is None:
            return False
        return member.status == "online" or now - member.changed < self._away_s

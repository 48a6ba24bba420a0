"""Who is next: lanes with head starts, clients in turn, sessions in order; knows no clock.

A lane's head start is what makes it urgent: the request that arrived first, counted from its
arrival plus its lane's head start, is next. So a voice command overtakes any analytics request of
the last two minutes, and one that has waited longer than that is overtaken no more: batch work
always progresses. Within a lane the clients take turns, whose last turn is longest ago first, so a
flood by one delays no other.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from worker.domain.messages import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Sessions: TypeAlias = "dict[str, deque[int]]"
"""The rows of each session that wait, the next first."""

HEAD_START_S = {Lane.INTERACTIVE: 0.0, Lane.STANDARD: 20.0, Lane.BATCH: 120.0}
"""Seconds a request of each lane lets a request of the first lane go ahead."""

_TURNS_KEPT = 1024


class Waiting(Struct, frozen=True):
    """A request that waits: `arrived` is on the monotonic clock, in seconds."""

    row: int
    client: str
    lane: Lane
    arrived: float
    session: str | None = None
    size_bytes: int = 0


class Lanes:
    """The requests that wait for a row, in the order in which they will get one.

    Args:
        sessions: The order inside each session, shared by lanes that share sessions.

    """

    def __init__(self, sessions: Sessions | None = None) -> None:
        self._lanes: dict[Lane, OrderedDict[str, deque[Waiting]]] = {
            lane: OrderedDict() for lane in Lane
        }
        self._turns: dict[tuple[Lane, str], int] = {}
        self._turn = 0
        self._sessions: Sessions = {} if sessions is None else sessions
        self._by_row: dict[int, Waiting] = {}
        self._bytes: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._by_row)

    @property
    def hurried(self) -> int:
        """How many wait that somebody waits for."""
        depth = self.depth()
        return depth[Lane.INTERACTIVE] + depth[Lane.STANDARD]

    @property
    def rows(self) -> list[int]:
        """All that wait, in the order in which they came."""
        return list(self._by_row)

    @property
    def oldest(self) -> float | None:
        """When the one that has waited longest arrived, None where nobody waits."""
        heads = (queue[0].arrived for lane in self._lanes.values() for queue in lane.values())
        return min(heads, default=None)

    def __contains__(self, row: int) -> bool:
        return row in self._by_row

    def add(self, waiting: Waiting) -> None:
        """Queue a request behind its client's others in its lane."""
        self._queue_of(waiting).append(waiting)
        self._by_row[waiting.row] = waiting
        self._bytes[waiting.client] += waiting.size_bytes
        if waiting.session is not None:
            self._sessions.setdefault(waiting.session, deque()).append(waiting.row)

    def put_back(self, waiting: Waiting) -> None:
        """Queue a request that had begun before its client's others, and first in its session."""
        self._queue_of(waiting).appendleft(waiting)
        self._by_row[waiting.row] = waiting
        self._bytes[waiting.client] += waiting.size_bytes
        if waiting.session is not None:
            self._sessions.setdefault(waiting.session, deque()).appendleft(waiting.row)

    def take(self, may_start: Callable[[Waiting], bool]) -> Waiting | None:
        """Remove and return the next request, or None if none may start.

        Args:
            may_start: Asked of each candidate; one that may not is passed over and keeps its
                place. A request whose session has an earlier one waiting is never a candidate.

        """
        chosen: Waiting | None = None
        earliest = float("inf")
        for lane in Lane:
            candidate = next(self._candidates(lane, may_start), None)
            if candidate is None:
                continue
            oldest = min(queue[0].arrived for queue in self._lanes[lane].values())
            if oldest + HEAD_START_S[lane] < earliest:
                chosen, earliest = candidate, oldest + HEAD_START_S[lane]
        if chosen is not None:
            self._take_turn(chosen)
            self.remove(chosen.row)
        return chosen

    def _queue_of(self, waiting: Waiting) -> deque[Waiting]:
        clients, client = self._lanes[waiting.lane], waiting.client
        if client not in clients:
            # It keeps the turn that it had when it last waited, or it would gain or lose by that.
            last = self._turns.get((waiting.lane, client), 0)
            later = [one for one in clients if self._turns.get((waiting.lane, one), 0) > last]
            clients[client] = deque()
            for one in later:
                clients.move_to_end(one)
        return clients[client]

    def _take_turn(self, chosen: Waiting) -> None:
        self._turn += 1
        self._turns[chosen.lane, chosen.client] = self._turn
        self._lanes[chosen.lane].move_to_end(chosen.client)
        if len(self._turns) > _TURNS_KEPT:
            self._turns = {
                (lane, client): turn
                for (lane, client), turn in self._turns.items()
                if client in self._lanes[lane] or turn > self._turn - _TURNS_KEPT // 2
            }

    def any_of(self, lane: Lane, may_start: Callable[[Waiting], bool]) -> bool:
        """Tell whether a request of a lane may start."""
        return next(self._candidates(lane, may_start), None) is not None

    def remove(self, row: int) -> Waiting | None:
        """Take a request out, wherever it stands; None if it does not wait."""
        waiting = self._by_row.pop(row, None)
        if waiting is None:
            return None
        self._bytes[waiting.client] -= waiting.size_bytes
        if not self._bytes[waiting.client]:
            del self._bytes[waiting.client]
        clients = self._lanes[waiting.lane]
        clients[waiting.client].remove(waiting)
        if not clients[waiting.client]:
            del clients[waiting.client]
        if waiting.session is not None:
            self._sessions[waiting.session].remove(row)
            if not self._sessions[waiting.session]:
                del self._sessions[waiting.session]
        return waiting

    def clear(self) -> list[Waiting]:
        """Remove and return all, in the order in which they came."""
        waiting = list(self._by_row.values())
        for one in waiting:
            self.remove(one.row)
        return waiting

    def depth(self) -> dict[Lane, int]:
        """How many wait in each lane."""
        return {
            lane: sum(len(queue) for queue in clients.values())
            for lane, clients in self._lanes.items()
        }

    def of_client(self, client: str) -> int:
        """How many requests of a client wait."""
        return sum(len(clients.get(client, ())) for clients in self._lanes.values())

    def bytes_of(self, client: str) -> int:
        """How many bytes the waiting requests of a client have."""
        return self._bytes[client]

    @property
    def bytes_in_all(self) -> int:
        """How many bytes all waiting requests have."""
        return self._bytes.total()

    def ahead_of(self, row: int) -> int:
        """Roughly how many stand before a request: those of its lane and of more urgent ones."""
        waiting = self._by_row[row]
        depth = self.depth()
        more_urgent = sum(
            depth[lane] for lane in Lane if HEAD_START_S[lane] < HEAD_START_S[waiting.lane]
        )
        own = sum(
            other.arrived < waiting.arrived
            for queue in self._lanes[waiting.lane].values()
            for other in queue
        )
        return more_urgent + own

    def before(
        self, client: str, lane: Lane, arrived: float, at_most: int
    ) -> tuple[list[int], int]:
        """Return who is served before a request that comes now: the first rows, how many more.

        Args:
            client: Whose request it is.
            lane: Its lane.
            arrived: On the monotonic clock, in seconds.
            at_most: How many rows are named.

        """
        named: list[int] = []
        count = 0
        own = len(self._lanes[lane].get(client, ()))
        for other, clients in self._lanes.items():
            ahead_s = HEAD_START_S[other] - HEAD_START_S[lane]
            for name, queue in clients.items():
                if other is lane:
                    # In turns: of each client no more than this one has waiting, and one.
                    turns = own if name == client else min(len(queue), own + 1)
                elif ahead_s < 0:
                    turns = len(queue)
                else:
                    overdue = (one for one in queue if one.arrived + ahead_s < arrived)
                    turns = sum(1 for _ in islice(overdue, at_most))
                named += [one.row for one in islice(queue, min(turns, at_most - len(named)))]
                count += turns
        return named, count - len(named)

    def _candidates(self, lane: Lane, may_start: Callable[[Waiting], bool]) -> Iterator[Waiting]:
        for queue in self._lanes[lane].values():
            for waiting in queue:
                if self._first_of_session(waiting) and may_start(waiting):
                    yield waiting
                    break

    def _first_of_session(self, waiting: Waiting) -> bool:
        return waiting.session is None or self._sessions[waiting.session][0] == waiting.row

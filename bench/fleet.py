"""A group of workers on one broker, simulated: what handing on is worth, up to 200 workers.

    python bench/fleet.py [--workers 1,2,3,5,10,20,50,100,200] [--requests 5000] [--load 0.8]

The lanes and the choice of the worker are the daemon's own code (`worker.scheduler`); the clock,
the broker and the model are simulated. The broker deals requests out in turn, as Mosquitto does
with a shared subscription. Compared are workers that keep what they are
dealt (sessions find theirs), workers that hand
on what they can't start soon, and, as the bound that no broker reaches, one queue for all rows.
Waiting times of each lane are in seconds of simulated time.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from worker.domain.messages import Lane
from worker.scheduler.fleet import Fleet
from worker.scheduler.lanes import Lanes, Waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.scheduler.fleet import Name

ROWS = 4
THINKING_SHARE = 0.35
THINKING_S, ANSWER_S = 12.0, 2.0
"""Mean seconds that a request holds its row, with a thought and without."""
MEAN_S = THINKING_SHARE * THINKING_S + (1 - THINKING_SHARE) * ANSWER_S
SHARES = {Lane.INTERACTIVE: 0.3, Lane.STANDARD: 0.5, Lane.BATCH: 0.2}
SESSION_SHARE = 0.3
LOAD_KNOWN_EVERY_S = 1.0
CLIENTS = 50


class Request(NamedTuple):
    """One request: what the lanes know of it, and how long it holds a row."""

    waiting: Waiting
    seconds: float


class Worker:
    """One worker: its lanes and its free rows."""

    def __init__(self, name: str, rows: int) -> None:
        self.name = name
        self.lanes = Lanes()
        self.free = rows
        self.held_sessions: set[str] = set()

    @property
    def load(self) -> int:
        """How many wait, less the rows that are free."""
        return len(self.lanes) - self.free


def arrivals(rng: Random, workers: int, count: int, load: float) -> Iterator[Request]:
    """Yield requests in the order of their arrival, so many that the rows are busy to a share."""
    rate = load * workers * ROWS / MEAN_S
    now = 0.0
    lanes, weights = zip(*SHARES.items(), strict=True)
    for number in range(count):
        now += rng.expovariate(rate)
        mean_s = THINKING_S if rng.random() < THINKING_SHARE else ANSWER_S
        lane = rng.choices(lanes, weights)[0]
        client = f"c{rng.randrange(CLIENTS)}"
        session = f"s{rng.randrange(20 * workers)}" if rng.random() < SESSION_SHARE else None
        yield Request(
            Waiting(number, client, lane, now, session), rng.gammavariate(2.0, mean_s / 2)
        )


class Simulation:
    """Workers and their clock.

    Args:
        workers: The group; or one that stands for all.
        fleet: What they know of each other, None where there is nothing to know.

    """

    def __init__(self, workers: list[Worker], fleet: Fleet | None) -> None:
        self._workers = workers
        self._fleet = fleet
        self._by_name = {worker.name: worker for worker in workers}
        self._turn = itertools.cycle(workers)
        self._ends: list[tuple[float, int, Worker, Waiting]] = []
        self._seconds: dict[int, float] = {}
        self._known = 0.0
        self.waited: dict[Lane, list[float]] = {lane: [] for lane in Lane}
        self.handed_on = 0

    def run(self, requests: list[Request]) -> None:
        """Let all arrive, and all end."""
        for request in requests:
            now = request.waiting.arrived
            self._end_until(now)
            self._seconds[request.waiting.row] = request.seconds
            worker = self._worker_for(request.waiting, now)
            worker.lanes.add(request.waiting)
            self._start(worker, now)
        self._end_until(float("inf"))

    def _worker_for(self, waiting: Waiting, now: float) -> Worker:
        dealt = next(self._turn)
        if self._fleet is None:
            return dealt
        if now - self._known >= LOAD_KNOWN_EVERY_S:
            self._known = now
            for worker in self._workers:
                self._fleet.note_load(worker.name, worker.load)
        names: list[Name] = [] if waiting.session is None else [("session", waiting.session)]
        to = self._fleet.place(names, dealt.load, now)
        if to is not None and to != dealt.name:
            dealt = self._by_name[to]
            self.handed_on += 1
        for name in names:
            self._fleet.note_claim(name, dealt.name)
        return dealt

    def _start(self, worker: Worker, now: float) -> None:
        while worker.free:
            waiting = worker.lanes.take(lambda one: one.session not in worker.held_sessions)
            if waiting is None:
                return
            worker.free -= 1
            if waiting.session is not None:
                worker.held_sessions.add(waiting.session)
            self.waited[waiting.lane].append(now - waiting.arrived)
            end = now + self._seconds.pop(waiting.row)
            heapq.heappush(self._ends, (end, waiting.row, worker, waiting))

    def _end_until(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            at, _, worker, waiting = heapq.heappop(self._ends)
            worker.free += 1
            worker.held_sessions.discard(waiting.session or "")
            self._start(worker, at)


class Keeping(Fleet):
    """Workers that find the holder of a session and hand nothing else on."""

    def lighter(self, than: int) -> str | None:  # noqa: ARG002 - the signature's
        """Return nobody."""
        return None


def group_of(workers: int, kind: type[Fleet] = Fleet) -> Fleet:
    """Return what all workers know of each other; one view serves them all."""
    fleet = kind("nobody", away_s=60.0, claim_ahead=2 * ROWS)
    for number in range(workers):
        fleet.note_status(f"w{number}", "online", 1, 0.0)
    return fleet


def quantile(values: list[float], share: float) -> float:
    """Return the value that a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> None:
    """Print a row for each size of the group and each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", default="1,2,3,5,10,20,50,100,200")
    parser.add_argument("--requests", type=int, default=5_000, help="For each worker.")
    parser.add_argument("--load", type=float, default=0.8)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print(f"{ROWS} rows a worker, busy to {arguments.load:.0%}; seconds waited, median / p99")
    print(f"{'workers':>8} {'requests':>9} {'way':<12}" + "".join(f"{lane:>18}" for lane in Lane)
          + f"{'handed on':>11}{'took':>8}")  # fmt: skip
    told = []
    for size in map(int, arguments.workers.split(",")):
        requests = list(arrivals(Random(size), size, size * arguments.requests, arguments.load))
        ways = {
            "kept": ([Worker(f"w{n}", ROWS) for n in range(size)], group_of(size, Keeping)),
            "handed on": ([Worker(f"w{n}", ROWS) for n in range(size)], group_of(size)),
            "one queue": ([Worker("all", size * ROWS)], None),
        }
        for way, (workers, fleet) in ways.items():
            began = time.monotonic()
            simulation = Simulation(workers, fleet)
            simulation.run(requests)
            waits, handed_on = simulation.waited, simulation.handed_on
            took_s = time.monotonic() - began
            figures = {lane: (quantile(w, 0.5), quantile(w, 0.99)) for lane, w in waits.items()}
            print(f"{size:>8} {len(requests):>9} {way:<12}" + "".join(
                f"{f'{half:.2f} / {most:.2f}':>18}" for half, most in figures.values()
            ) + f"{handed_on / len(requests):>11.1%}{took_s:>7.1f}s", flush=True)  # fmt: skip
            told.append({"workers": size, "way": way, "waited_s": figures,
                         "handed_on": handed_on, "requests": len(requests)})  # fmt: skip
    if arguments.json:
        arguments.json.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()

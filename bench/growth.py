"""Whether memory grows: after a thousand mixed requests against after a hundred.

    python bench/growth.py [--quick]

Requests of all kinds, sixteen at a time: with and without a thought, streamed and not, three lanes,
sessions, schemas, cancels. The store for prefixes is small, so that it is full after a hundred.
What is resident at one moment is by a tenth more or less, as the C library keeps or returns the
pages of what sixteen rows freed; so each side is the median of five moments, with requests between.
"""

from __future__ import annotations

import random
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import TYPE_CHECKING, Any

from figures import Effort, Figure, run
from processes import family, resident_mib
from sides import Ours, thinkq

if TYPE_CHECKING:
    from collections.abc import Iterator

WANTED = 1.02
FEW, MANY = 100, 1000
LOOKS, BETWEEN = 5, 20
"""How often is looked on each side, and how many requests are between two looks."""

SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "light",
        "schema": {"type": "object", "properties": {"on": {"type": "boolean"}},
                   "required": ["on"], "additionalProperties": False},
    },
}  # fmt: skip


def mixed(chance: random.Random) -> dict[str, Any]:
    """Return a request of some kind."""
    request: dict[str, Any] = {
        "prompt": f"Turn on light {uuid.uuid4().hex[:6]}.",
        "mode": chance.choice(("think", "no_think", "no_think")),
        "lane": chance.choice(("interactive", "standard", "batch")),
        "stream": chance.random() < 0.5,
        "max_tokens": chance.choice((2, 4, 8)),
    }
    kind = chance.random()
    if kind < 0.2:
        request["session"] = f"s{chance.randrange(8)}"
    elif kind < 0.3:
        request |= {"response_format": SCHEMA, "max_tokens": 12}
    elif kind < 0.4:
        request["seed"] = 7
    return request


def resident(pid: int) -> float:
    """Return what a daemon and its engine take at rest, in MiB."""
    time.sleep(1)
    return sum(map(resident_mib, family(pid)))


def figures(effort: Effort) -> Iterator[Figure]:
    """Yield the ratio."""
    chance = random.Random(7)
    few, many = effort.of(FEW, 10), effort.of(MANY, 30)
    looks, between = effort.of(LOOKS, 1), effort.of(BETWEEN, 2)

    def one(side: Ours, request: dict[str, Any], *, cancelled: bool) -> None:
        name = side.send(request)
        if cancelled:
            side.control(op="cancel", id=name)
        side.final(name)

    running = thinkq(f"max_rows = 16\ncache_bytes = {32 << 20}")
    with running as (side, daemon), ThreadPoolExecutor(16) as pool:

        def ask(count: int) -> None:
            requests = [(mixed(chance), chance.random() < 0.05) for _ in range(count)]
            list(pool.map(lambda asked: one(side, asked[0], cancelled=asked[1]), requests))

        def size() -> float:
            found = []
            for _ in range(looks):
                found.append(resident(daemon.process.pid))
                ask(between)
            return median(found)

        ask(few)
        before = size()
        ask(many - few - looks * between)
        after = size()
    yield Figure(f"memory after {many:,} mixed requests ÷ after {few}", WANTED,
                 after / before, detail=f"{after:.0f} / {before:.0f} MiB")  # fmt: skip


if __name__ == "__main__":
    run(figures, __doc__)

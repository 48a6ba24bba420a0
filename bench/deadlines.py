"""How many of the accepted requests finish before their deadline, under a mixed load.

    python bench/deadlines.py [--quick]

Batch work without an end; beside it, at random times, standard and interactive requests with
deadlines that leave much, little or nothing: some are refused at once, as they could not be met.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from figures import Effort, Figure, run
from sides import STORY, Ours, thinkq
from waits import always_busy

if TYPE_CHECKING:
    from collections.abc import Iterator

WANTED = 0.95
BATCH = 12
EVERY_S = 1.2


def hurried(chance: random.Random) -> dict[str, Any]:
    """Return a request with a deadline."""
    interactive = chance.random() < 0.4
    return {
        "prompt": STORY.format(chance.randrange(9), uuid.uuid4()),
        "mode": chance.choice(("auto", "auto", "think", "no_think")),
        "lane": "interactive" if interactive else "standard",
        "deadline_ms": int(1000 * chance.choice((0.05, 1.0, 2.0, 4.0, 8.0, 15.0))),
        "max_tokens": chance.choice((20, 60, 200)),
        "temperature": 0,
    }


def figures(effort: Effort) -> Iterator[Figure]:
    """Yield the share."""
    chance = random.Random(3)
    counts: Counter[str] = Counter()
    counting = threading.Lock()

    def one(side: Ours, request: dict[str, Any]) -> None:
        seconds, reply = side.ask(request)
        if reply["status"] == "error" and reply["error"]["code"] == "deadline_unreachable":
            outcome = "refused"
        elif reply["status"] == "ok" and reply["finish_reason"] != "deadline":
            outcome = "met" if seconds <= request["deadline_ms"] / 1000 else "late"
        else:
            outcome = "cut"
        with counting:
            counts[outcome] += 1

    with thinkq("max_rows = 16") as (side, _), ThreadPoolExecutor(64) as pool:
        # The speeds of one row and of many are known, as after a day of work.
        side.ask({"prompt": "Tell me a story.", "max_tokens": 24})
        with always_busy(side, effort.of(BATCH, 2)):
            for _ in range(effort.of(60, 6)):
                pool.submit(one, side, hurried(chance))
                time.sleep(chance.expovariate(1 / EVERY_S))
            pool.shutdown()
    accepted = counts.total() - counts["refused"]
    told = ", ".join(f"{counts[name]} {name}" for name in ("met", "cut", "late", "refused"))
    yield Figure("accepted requests that finish before their deadline", WANTED,
                 counts["met"] / max(1, accepted), "more", told)  # fmt: skip


if __name__ == "__main__":
    run(figures, __doc__)

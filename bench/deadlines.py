"""How many of the accepted requests finish before their deadline, under a mixed load.

    python bench/deadlines.py [--quick]

Batch work without an end; beside it, at random times, requests of all lanes and both modes with
deadlines that leave much, little or nothing. Those that could not be met are refused at once. What
was accepted finishes in time if its reply is heard before the deadline and has an answer, whole or
cut by the deadline; both are counted. `late` came after it, `nothing` had no answer to give.
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
from sides import GREEDY, STORY, Ours, thinkq
from waits import always_busy

if TYPE_CHECKING:
    from collections.abc import Iterator

WANTED = 0.95
BATCH = 12
EVERY_S = 1.2
REFUSED_IN_S = 0.5
LANES = ("interactive", "interactive", "standard", "standard", "standard", "batch")
DEADLINES_S = {
    "interactive": (0.05, 1.0, 2.0, 4.0, 8.0),
    "standard": (0.05, 1.0, 2.0, 4.0, 8.0, 15.0),
    "batch": (2.0, 15.0, 30.0, 60.0),
}


def hurried(chance: random.Random) -> dict[str, Any]:
    """Return a request with a deadline."""
    lane = chance.choice(LANES)
    return {
        "prompt": STORY.format(chance.randrange(9), uuid.uuid4()),
        "mode": chance.choice(("auto", "auto", "think", "no_think")),
        "lane": lane,
        "deadline_ms": int(1000 * chance.choice(DEADLINES_S[lane])),
        "max_tokens": chance.choice((20, 60, 200)),
        **GREEDY,
    }


def outcome(seconds: float, reply: dict[str, Any], deadline_s: float) -> str:
    """Say in a word what became of a request that was answered after so many seconds."""
    code = reply["error"]["code"] if reply["status"] == "error" else None
    if code == "deadline_unreachable":
        return "refused" if seconds <= REFUSED_IN_S else "refused late"
    if code is not None:
        return "nothing" if code == "deadline_exceeded" else code
    if seconds > deadline_s:
        return "late"
    return "shortened" if reply["finish_reason"] == "deadline" else "whole"


def warm(side: Ours) -> None:
    """Have the speeds of one row and of many measured, as after a day of work."""
    side.ask({"prompt": STORY.format(1, uuid.uuid4()), "max_tokens": 24, **GREEDY})


def figures(effort: Effort) -> Iterator[Figure]:
    """Yield the shares."""
    chance = random.Random(3)
    counts: Counter[str] = Counter()
    missed: list[str] = []
    counting = threading.Lock()

    def one(side: Ours, request: dict[str, Any]) -> None:
        deadline_s = request["deadline_ms"] / 1000
        seconds, reply = side.ask(request)
        word = outcome(seconds, reply, deadline_s)
        with counting:
            counts[word] += 1
            if word not in ("whole", "shortened", "refused"):
                mode = reply.get("mode", request["mode"])
                missed.append(
                    f"{word}: {request['lane']}, {mode}, {deadline_s:g} s, after {seconds:.2f} s"
                )

    with thinkq("max_rows = 16") as (side, _), ThreadPoolExecutor(64) as pool:
        warm(side)
        with always_busy(side, effort.of(BATCH, 2)):
            for _ in range(effort.of(100, 6)):
                pool.submit(one, side, hurried(chance))
                time.sleep(chance.expovariate(1 / EVERY_S))
            pool.shutdown()
    for line in missed:
        print(f"  {line}")
    accepted = counts.total() - counts["refused"] - counts["refused late"]
    in_time = counts["whole"] + counts["shortened"]
    told = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    yield Figure("accepted requests that finish before their deadline", WANTED,
                 in_time / max(1, accepted), "more", told)  # fmt: skip


if __name__ == "__main__":
    run(figures, __doc__)

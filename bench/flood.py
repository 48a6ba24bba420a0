"""What one client notices of another's flood of a thousand batch requests.

    python bench/flood.py [--quick]

A client asks one thing after the other, in the lane that is the default, alone and while another
client's thousand requests run and wait.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from figures import Effort, Figure, p95, run
from sides import GREEDY, STORY, Ours, thinkq

if TYPE_CHECKING:
    from collections.abc import Iterator

WANTED = 2.0


def answers(side: Ours, count: int) -> list[float]:
    """Return the seconds of so many requests, one after the other."""
    taken = []
    for number in range(count):
        prompt = STORY.format(number, uuid.uuid4())
        taken.append(side.ask({"prompt": prompt, "max_tokens": 20, **GREEDY})[0])
        time.sleep(0.3)
    return taken


def figures(effort: Effort) -> Iterator[Figure]:
    """Yield the ratio."""
    with thinkq() as (quiet, daemon):
        loud = Ours(daemon.port, daemon.root, "loud")
        alone = p95(answers(quiet, effort.of(20, 3)))
        for number in range(effort.of(1000, 60)):
            prompt = STORY.format(number, uuid.uuid4())
            loud.send({"prompt": prompt, "max_tokens": 64, "lane": "batch", **GREEDY})
        flooded = p95(answers(quiet, effort.of(20, 3)))
        loud.close()
    yield Figure("p95 while another floods 1,000 batch requests ÷ alone", WANTED,
                 flooded / alone, detail=f"{flooded:.2f} s / {alone:.2f} s")  # fmt: skip


if __name__ == "__main__":
    run(figures, __doc__)

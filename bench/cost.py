"""Processor time of the daemon for each token it passes on: outside MLX, with an engine of stubs.

    python bench/cost.py [--quick]

One stream, then sixteen; the engine makes a step of one word each at the speed of a real one, the
daemon journals, frames and publishes it. Its own time is from the kernel's accounts.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from figures import Effort, Figure, run
from processes import cpu_s
from sides import Ours, thinkq

if TYPE_CHECKING:
    from collections.abc import Iterator

WANTED = {1: 80, 16: 30}


def cost_us(side: Ours, pid: int, streams: int, words: int) -> float:
    """Return microseconds of the daemon's time for each token of so many streams."""
    # A step makes a word for each stream: 4 ms of it, whatever their number.
    order = f"stub: tokens={words} delay_ms={4 / streams}"
    before = cpu_s([pid])
    names = [side.send({"prompt": order, "stream": True}) for _ in range(streams)]
    for name in names:
        side.final(name)
    return (cpu_s([pid]) - before) / (streams * words) * 1e6


def figures(effort: Effort) -> Iterator[Figure]:
    """Yield the cost for each number of streams."""
    with thinkq("max_rows = 16", model="stub") as (side, daemon):
        cost_us(side, daemon.process.pid, 1, 100)
        for streams, wanted in WANTED.items():
            words = effort.of(2000, 400) if streams == 1 else effort.of(800, 200)
            costs = [
                cost_us(side, daemon.process.pid, streams, words) for _ in range(effort.repeats)
            ]
            yield Figure(f"daemon CPU per token, {streams} streams, µs", wanted,
                         statistics.median(costs))  # fmt: skip


if __name__ == "__main__":
    run(figures, __doc__)

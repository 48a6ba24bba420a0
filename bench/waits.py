"""How long somebody waits: idle, beside sixteen that decode, before forty that run and wait.

    python bench/waits.py [--quick] [--repeats 3]

Against mlx_lm.server, in turn: the first token of a short request, and the longest gap in a live
stream while a prompt of some 2,000 tokens is read. Against thinkq itself when it is idle: a voice
command's whole answer of twenty tokens, many times under each load.
"""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

from figures import Effort, Figure, medians, p95, paired, run
from sides import GREEDY, STORY, VOICE, Ours, Side, both, busy

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG_PROMPT = "the lighthouse stood by the sea and " * 280
LOADS = {16: "while 16 batch rows decode", 40: "while 40 batch requests run and wait"}
WANTED = {0: 0.9, 16: 0.6, 40: 0.05}
WHOLE, GAP = 1.5, 0.3
ASKED_AFTER_S = 1.0
"""When the long prompt comes, after its stream was begun."""
WENT_ON = 5
"""As many pieces of the stream must come after that."""


def first_token(side: Side, others: int, failed: list[str]) -> float:
    """Return the seconds to a short request's first token while others are busy."""
    heard: list[float] = []
    # Now and then the little model has nothing to say to what it does not know.
    while not heard:
        with busy(side, others, 64) as lost:
            _, heard = side.urgent(voice())
        failed += lost
    return heard[0]


def longest_gap(side: Side) -> float:
    """Return the longest pause of a stream during which a long prompt is read."""
    while True:
        with ThreadPoolExecutor(2) as pool:
            live = pool.submit(side.stream, {"prompt": STORY.format(1, uuid.uuid4()),
                                             "max_tokens": 120, **GREEDY})  # fmt: skip
            time.sleep(ASKED_AFTER_S)
            long = {"prompt": f"{uuid.uuid4()} {LONG_PROMPT}", "max_tokens": 4, **GREEDY}
            pool.submit(side.patient, long).result()
            _, heard = live.result()
        # Of a stream that ended before, the pause can't be seen.
        if sum(when > ASKED_AFTER_S for when in heard) > WENT_ON:
            return max(later - earlier for earlier, later in pairwise(heard))


def voice() -> dict[str, object]:
    """Return a voice command that no cache knows."""
    return {**VOICE, "prompt": f"{VOICE['prompt']} {uuid.uuid4()}"}


@contextmanager
def always_busy(side: Ours, count: int) -> Iterator[None]:
    """Keep so many batch requests under way, each followed by another."""
    over = threading.Event()

    def one(number: int) -> None:
        while not over.is_set():
            prompt = STORY.format(number, uuid.uuid4())
            side.patient({"prompt": prompt, "max_tokens": 64, **GREEDY})

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    time.sleep(4.0 if threads else 0.0)
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def answers(side: Ours, count: int) -> list[float]:
    """Return the seconds that each of so many voice commands takes to be answered whole."""
    taken = []
    for _ in range(count):
        taken.append(side.timed({"lane": "interactive", **voice()})[1])
        # Somebody who listens before he speaks again.
        time.sleep(0.5)
    return taken


def figures(effort: Effort) -> Iterator[Figure]:
    """Yield the waits."""
    with both() as (ours, theirs):
        idle = 0.0
        for others in (0, *LOADS):
            failed: list[str] = []
            repeats = effort.repeats if others else effort.of(7, 2)
            pairs = [
                (first_token(ours, others, []), first_token(theirs, others, failed))
                for _ in range(repeats)
            ]
            mine, other = medians(pairs)
            told = f"{mine:.2f} s / {other:.2f} s"
            if others:
                told += f", idle would be {idle / other:.2f}"
            else:
                idle = mine
            if failed:
                told += f", {len(failed)} of its connections failed"
            yield Figure(f"first token ÷ mlx_lm.server, {LOADS.get(others, 'idle')}",
                         WANTED[others], paired(pairs), detail=told)  # fmt: skip
        gaps = [(longest_gap(ours), longest_gap(theirs)) for _ in range(effort.repeats)]
        mine, other = medians(gaps)
        yield Figure("longest gap while 2,000 tokens are read ÷ mlx_lm.server", GAP,
                     paired(gaps), detail=f"{mine:.2f} s / {other:.2f} s")  # fmt: skip
        alone = p95(answers(ours, effort.of(20, 2)))
        for count, load in LOADS.items():
            with always_busy(ours, count):
                loaded = p95(answers(ours, effort.of(20, 2)))
            yield Figure(f"voice answer p95 ÷ idle, {load}", WHOLE, loaded / alone,
                         detail=f"{loaded:.2f} s / {alone:.2f} s")  # fmt: skip


if __name__ == "__main__":
    run(figures, __doc__)

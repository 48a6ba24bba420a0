"""How many tokens are still computed when a request has been cancelled.

    python bench/cancel.py [--quick]

A client streams a long answer and cancels it in the middle. What the reply counts beyond what was
heard when the cancel was sent is computed after it, and one more, which the batch has begun ahead.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from figures import Effort, Figure, run
from sides import GREEDY, STORY, Ours, busy, thinkq

if TYPE_CHECKING:
    from collections.abc import Iterator

WANTED = 2
AHEAD = 1
HEARD = 8


def tokens_after_a_cancel(side: Ours) -> int:
    """Return how many tokens were computed after a cancel was sent."""
    prompt = STORY.format(3, uuid.uuid4())
    name = side.send({"prompt": prompt, "max_tokens": 200, "stream": True, **GREEDY})
    heard = 0
    while heard < HEARD:
        heard += side.heard(name)[1] == "answer"
    side.control(op="cancel", id=name)
    return side.final(name)["usage"]["completion_tokens"] - heard + AHEAD


def figures(effort: Effort) -> Iterator[Figure]:
    """Yield the most there was, alone and in company."""
    with thinkq() as (side, _):
        alone = [tokens_after_a_cancel(side) for _ in range(effort.of(10, 2))]
        with busy(side, 4, effort.of(160, 32), settle_s=2.0):
            beside = [tokens_after_a_cancel(side) for _ in range(effort.of(10, 2))]
    yield Figure("tokens computed after a cancel arrived", WANTED, max(alone + beside),
                 detail=f"alone {max(alone)}, beside four {max(beside)}")  # fmt: skip


if __name__ == "__main__":
    run(figures, __doc__)

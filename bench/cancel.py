"""How many tokens are still computed when a request has been cancelled.

    python bench/cancel.py [--quick]

A client streams a long answer and cancels it in the middle. The worker's log says how many tokens
its engine had told of when the cancel arrived; what the reply counts beyond them was computed after
it, and one more, which the batch begins ahead. What the client had heard by then is no measure: a
token is on disk before it is published, and by then there are more.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from figures import Effort, Figure, run
from sides import GREEDY, STORY, Ours, busy, thinkq

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rig import Daemon

WANTED = 2
AHEAD = 1
HEARD = 8


def tokens_after_a_cancel(side: Ours, daemon: Daemon) -> int:
    """Return how many tokens were computed after a cancel had arrived."""
    prompt = STORY.format(3, uuid.uuid4())
    name = side.send({"prompt": prompt, "max_tokens": 200, "stream": True, **GREEDY})
    heard = 0
    while heard < HEARD:
        heard += side.heard(name)[1] == "answer"
    side.control(op="cancel", id=name)
    reply = side.final(name)
    assert reply["finish_reason"] == "cancelled", reply
    return int(reply["usage"]["completion_tokens"]) - told_at_the_cancel(daemon, name) + AHEAD


def told_at_the_cancel(daemon: Daemon, name: str) -> int:
    """Return how many tokens of a request the worker knew of when its cancel arrived."""
    for line in reversed(daemon.log.read_text().splitlines()):
        if '"event": "cancel"' in line and f'"{name}"' in line:
            return int(json.loads(line)["tokens"])
    raise AssertionError(f"the log has no cancel of {name}")


def figures(effort: Effort) -> Iterator[Figure]:
    """Yield the most there was, alone and in company."""
    with thinkq() as (side, daemon):
        alone = [tokens_after_a_cancel(side, daemon) for _ in range(effort.of(10, 2))]
        with busy(side, 4, effort.of(160, 32), settle_s=2.0):
            beside = [tokens_after_a_cancel(side, daemon) for _ in range(effort.of(10, 2))]
    yield Figure("tokens computed after a cancel arrived", WANTED, max(alone + beside),
                 detail=f"alone {max(alone)}, beside four {max(beside)}")  # fmt: skip


if __name__ == "__main__":
    run(figures, __doc__)

"""How long a request will wait for its row: what runs and what is ahead, at the measured speeds.

A forecast leans to the short side: of what nobody knows (how long an answer will be, who comes
yet) nothing is counted, since a request that is refused for no reason is worse than one that is
cut. Pure; knows no clock.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.scheduler.speeds import Speeds


class Work(Struct, frozen=True):
    """What a request has left to do.

    `characters` are those of its prompt that were not read yet, `tokens` those that it will write.
    `at_most_s` is when it ends in any case, from now.
    """

    characters: int = 0
    tokens: float = 0.0
    at_most_s: float = float("inf")


class Outlook(Struct, frozen=True):
    """What a request would find: the seconds until its turn, and how many rows run then, its too.

    `patient` says that it would step aside for others.
    """

    queue_s: float = 0.0
    rows: int = 1
    patient: bool = False


def queue_s(
    speeds: Speeds,
    *,
    running: Sequence[Work],
    ahead: Sequence[Work],
    more: int,
    rows: int,
    patient: bool = False,
) -> float:
    """Return the seconds until a row is free for one more; 0 while nothing was measured.

    Args:
        speeds: How fast the model has been.
        running: Those that have a row and keep it.
        ahead: Those that get one before, in about that order.
        more: How many come after these and still before, about whom nothing else is known.
        rows: How many may run at once.
        patient: Whether all of them step aside for others.

    """
    speed = speeds.beside_others(rows, patient=patient)
    if speed is None or speeds.prefill_tokens_per_s is None:
        return 0.0
    known = [_holds_s(speeds, work, speed) for work in ahead]
    if known:
        mean_s = sum(known) / len(known)
    else:
        mean_s = _holds_s(speeds, Work(tokens=speeds.answer_tokens), speed)
    free_at = [_holds_s(speeds, work, speed) for work in running]
    free_at += [0.0] * (rows - len(running))
    heapq.heapify(free_at)
    for _ in range(len(running) - rows):
        heapq.heappop(free_at)
    # After a round of those about whom nothing is known the rest take as long each.
    for taken_s in (*known, *[mean_s] * min(more, rows)):
        heapq.heapreplace(free_at, free_at[0] + taken_s)
    wait_s = free_at[0] + max(0, more - rows) * mean_s / rows
    # Prompts are read one after another.
    return max(wait_s, sum(speeds.reading_s(work.characters) for work in running))


def _holds_s(speeds: Speeds, work: Work, speed: float) -> float:
    return min(work.at_most_s, speeds.reading_s(work.characters) + work.tokens / speed)

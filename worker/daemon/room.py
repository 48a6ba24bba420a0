"""Whether one more request may be taken: queues that are full, deadlines that can't be met.

What is being written to the journal counts as waiting already: else everything that arrives while
the disk is busy would find the room that each of them was promised.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from worker.daemon.choice import length_of
from worker.domain.errors import DeadlineUnreachable, QueueFull, ThinkqError
from worker.scheduler.speeds import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.daemon.jobs import Jobs
    from worker.daemon.serving import Serving
    from worker.domain.messages import Request


class Room:
    """The room for requests that wait.

    Args:
        jobs: Knows what waits, and at which model.
        in_all: How many may wait.
        for_client: How many of one client may wait.
        clock: The monotonic clock, in seconds.

    """

    def __init__(
        self,
        jobs: Jobs,
        *,
        in_all: int,
        for_client: int,
        clock: Callable[[], float],
    ) -> None:
        self._jobs = jobs
        self._in_all = in_all
        self._for_client = for_client
        self._clock = clock
        self._held: Counter[str] = Counter()

    def refusal(self, request: Request, arrived: float) -> ThinkqError | None:
        """Return why a new request can't be taken now, or None.

        Args:
            request: What came.
            arrived: On the monotonic clock, in seconds.

        """
        try:
            serving = self._jobs.serving_of(request)
        except ThinkqError as error:
            return error
        return self._full(request.client, serving) or self._unreachable(request, arrived, serving)

    @contextmanager
    def held_for(self, client: str) -> Iterator[None]:
        """Keep a place until the request waits in its lane, or is refused after all."""
        self._held[client] += 1
        try:
            yield
        finally:
            self._held -= Counter((client,))

    def _full(self, client: str, serving: Serving) -> QueueFull | None:
        waiting = self._jobs.waiting + self._held.total()
        if waiting >= self._in_all:
            limit = self._in_all
        elif self._jobs.waiting_of(client) + self._held[client] >= self._for_client:
            limit = self._for_client
        else:
            return None
        return QueueFull(
            f"{limit} requests wait already",
            retry_after_ms=serving.speeds.wait_ms(waiting, serving.rows),
        )

    def _unreachable(
        self, request: Request, arrived: float, serving: Serving
    ) -> DeadlineUnreachable | None:
        if request.deadline_ms is None:
            return None
        left_s = request.deadline_ms / 1000 - (self._clock() - arrived)
        length = length_of(request)
        load_s = serving.ready_in_s
        if fit(
            serving.speeds,
            characters=length,
            left_s=left_s - load_s,
            rows=min(serving.running + 1, serving.rows),
        ).reachable:
            return None
        if load_s > left_s:
            return DeadlineUnreachable(
                f"deadline_ms: loading the model {serving.name} takes longer than the "
                f"{left_s * 1000:.0f} ms left",
                field="deadline_ms",
            )
        return DeadlineUnreachable(
            f"deadline_ms: reading {length} characters and beginning to answer takes longer "
            f"than the {left_s * 1000:.0f} ms left",
            field="deadline_ms",
        )

"""Whether one more request may be taken: queues that are full, deadlines that can't be met.

What is being written to the journal counts as waiting already: else everything that arrives while
the disk is busy would find the room that each of them was promised.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from worker.daemon.choice import length_of
from worker.domain.errors import DeadlineUnreachable, QueueFull, ThinkqError
from worker.scheduler.lanes import HEAD_START_S
from worker.scheduler.speeds import fit, stop_before_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.daemon.jobs import Jobs
    from worker.daemon.serving import Serving
    from worker.domain.messages import Lane, Request


_TRUST = 2.0
"""So much faster than it was may be what nobody has used for a while: else a time when the machine
was busy would have requests refused for ever, and nothing would be measured again."""


class Bounds(Struct, frozen=True):
    """How much may wait: requests, and their bytes."""

    requests: int
    size_bytes: int

    def passed(self, requests: int, size_bytes: int) -> str | None:
        """Say which bound one more request would pass, if any."""
        if requests >= self.requests:
            return f"{self.requests} requests wait already"
        if requests and size_bytes > self.size_bytes:
            return f"with this one, more than {self.size_bytes} bytes of requests would wait"
        return None


class Room:
    """The room for requests that wait.

    Args:
        jobs: Knows what waits, and at which model.
        in_all: What may wait.
        for_client: What of one client may wait.
        clock: The monotonic clock, in seconds.

    """

    def __init__(
        self,
        jobs: Jobs,
        *,
        in_all: Bounds,
        for_client: Bounds,
        clock: Callable[[], float],
    ) -> None:
        self._jobs = jobs
        self._in_all = in_all
        self._for_client = for_client
        self._clock = clock
        self._held: Counter[str] = Counter()
        self._held_bytes: Counter[str] = Counter()
        self._held_in: Counter[Lane] = Counter()

    def refusal(self, request: Request, arrived: float, size_bytes: int) -> ThinkqError | None:
        """Return why a new request can't be taken now, or None.

        Args:
            request: What came.
            arrived: On the monotonic clock, in seconds.
            size_bytes: Of its payload.

        """
        try:
            serving = self._jobs.serving_of(request)
        except ThinkqError as error:
            return error
        full = self._full(request.client, size_bytes, serving)
        return full or self._unreachable(request, arrived, serving)

    @contextmanager
    def held_for(self, request: Request, size_bytes: int) -> Iterator[None]:
        """Keep a place until the request waits in its lane, or is refused after all."""
        client, lane = request.client, request.lane
        self._held[client] += 1
        self._held_in[lane] += 1
        self._held_bytes[client] += size_bytes
        try:
            yield
        finally:
            self._held_in[lane] -= 1
            self._held -= Counter((client,))
            self._held_bytes -= Counter({client: size_bytes})

    def _full(self, client: str, size_bytes: int, serving: Serving) -> QueueFull | None:
        jobs = self._jobs
        waiting = jobs.waiting + self._held.total()
        waiting_bytes = jobs.waiting_bytes + self._held_bytes.total() + size_bytes
        of_client = jobs.waiting_of(client) + self._held[client]
        bytes_of_client = jobs.waiting_bytes_of(client) + self._held_bytes[client] + size_bytes
        why = self._in_all.passed(waiting, waiting_bytes) or self._for_client.passed(
            of_client, bytes_of_client
        )
        if why is None:
            return None
        return QueueFull(why, retry_after_ms=serving.speeds.wait_ms(waiting, serving.rows))

    def _unreachable(
        self, request: Request, arrived: float, serving: Serving
    ) -> DeadlineUnreachable | None:
        if request.deadline_ms is None:
            return None
        deadline_s = request.deadline_ms / 1000
        left_s = deadline_s - stop_before_s(deadline_s) - (self._clock() - arrived)
        length = length_of(request)
        outlook = serving.outlook(request, arrived, self._held_before(request.lane))
        if fit(
            serving.speeds,
            characters=length,
            left_s=left_s * _TRUST if serving.is_idle else left_s,
            rows=outlook.rows,
            queue_s=outlook.queue_s,
            wanted_tokens=request.sampling.max_tokens,
            patient=outlook.patient,
            thinks=request.mode == "think",
        ).reachable:
            return None
        if self._jobs.needs_no_model(request):
            return None
        if serving.ready_in_s > left_s:
            why = f"loading the model {serving.name} takes"
        elif outlook.queue_s:
            why = (
                f"waiting about {outlook.queue_s * 1000:.0f} ms for its turn, reading {length} "
                "characters and beginning to answer take"
            )
        else:
            why = f"reading {length} characters and beginning to answer takes"
        return DeadlineUnreachable(
            f"deadline_ms: {why} longer than the {max(0.0, left_s) * 1000:.0f} ms left",
            field="deadline_ms",
        )

    def _held_before(self, lane: Lane) -> int:
        """How many at least as urgent are on their way to the lanes, whatever their model."""
        return sum(
            count
            for other, count in self._held_in.items()
            if HEAD_START_S[other] <= HEAD_START_S[lane]
        )

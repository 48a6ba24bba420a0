"""What a request says while it runs: parts and progress, live and once more for who joins late.

A stream goes to each topic once: a duplicate of a request on the same topic hears what the first
one hears, as two copies of a part could not be told from a gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import UNSET

from worker.domain.messages import Kind, Progress, StreamPart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from worker.daemon.delivery import Delivery
    from worker.daemon.job import Job
    from worker.daemon.tails import Tails
    from worker.domain.messages import ReplyRoute


class Streams:
    """Publishes the streams of jobs.

    Args:
        delivery: Publishes what was published before.
        tails: Publishes what is new, when it is on disk.
        clock: The monotonic clock, in seconds.

    """

    def __init__(self, delivery: Delivery, tails: Tails, clock: Callable[[], float]) -> None:
        self._delivery = delivery
        self.tails = tails
        self._clock = clock

    def text(self, job: Job, kind: Kind, text: str) -> None:
        """Note a piece of text, and pass it on to whoever listens."""
        if kind is Kind.REASONING and not self._delivery.show_reasoning:
            return
        seq = job.add(kind, text, self._clock())
        self.tails.say(job, StreamPart(job.request.id, kind, seq, text))

    def progress(
        self,
        job: Job,
        state: Literal[
            "queued", "loading", "prefill", "thinking", "answering", "parked", "summarizing"
        ],
        *,
        position: int | None = None,
        prefilled: float | None = None,
        part: tuple[int, int] | None = None,
    ) -> None:
        """Note how far a job is, and tell whoever listens."""
        progress = Progress(
            id=job.request.id,
            seq=len(job.progress),
            state=state,
            position=UNSET if position is None else position,
            part=UNSET if part is None else part[0],
            parts=UNSET if part is None else part[1],
            prefilled=UNSET if prefilled is None else round(prefilled, 3),
            mode=UNSET if job.mode is None else job.mode,
        )
        job.progress.append(progress)
        self.tails.say(job, progress)

    def join(self, job: Job, route: ReplyRoute) -> None:
        """Let one more route hear a job's stream, from its beginning; no topic hears it twice."""
        if job.listen(route):
            self.resume(job, route, {})

    def resume(self, job: Job, route: ReplyRoute, from_seq: Mapping[Kind, int]) -> None:
        """Repeat a running job's stream on a route.

        Args:
            job: Whose stream.
            route: Where to.
            from_seq: The first sequence number wanted of each kind; of the others all.

        """
        for progress in job.progress[from_seq.get(Kind.PROGRESS, 0) : job.heard[Kind.PROGRESS]]:
            self._delivery.progress(progress, [route])
        # What nobody has heard yet comes to all of them when it is on disk.
        heard = {kind: texts[: job.heard[kind]] for kind, texts in job.parts.items()}
        self.repeat(job.request.id, heard, route, from_seq)

    def repeat(
        self,
        request_id: str,
        parts: Mapping[Kind, Sequence[str]],
        route: ReplyRoute,
        from_seq: Mapping[Kind, int],
    ) -> None:
        """Publish parts that were published before; arguments as in `resume`."""
        for kind, texts in parts.items():
            for seq in range(from_seq.get(kind, 0), len(texts)):
                self._delivery.part(StreamPart(request_id, kind, seq, texts[seq]), [route])

"""What the worker says of itself on its retained topics, and when: status, card, metrics.

`observe.presence` knows how each looks. This only reads of the parts, and changes none.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from worker.daemon import models
from worker.observe import presence
from worker.transport import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.daemon.endings import Endings
    from worker.daemon.engines import Engines
    from worker.daemon.intake import Intake
    from worker.daemon.jobs import Jobs
    from worker.domain.catalogue import Catalogue
    from worker.domain.model import ModelInfo
    from worker.domain.policy import Limits
    from worker.transport.connection import Connection
    from worker.transport.packets import Outgoing
    from worker.transport.topics import Topics


def will(topics: Topics, worker: str, incarnation: int) -> Outgoing:
    """Return what the broker says of a worker that has vanished."""
    body = presence.status(
        "offline",
        worker=worker,
        incarnation=incarnation,
        why="the connection was lost",
        model=None,
    )
    return codec.encode_retained(body, topics.status())


class Announcing:
    """This worker's retained topics.

    Args:
        topics: Where they are.
        worker: Its name.
        incarnation: The same as in its will.
        limits: Of its messages.
        rows: How many requests the default model runs at once.
        cache_bytes: What its caches may take in memory.
        connection: Publishes them.
        catalogue: Which models there are.
        engines: Knows where each is.
        jobs: How many wait and run.
        intake: How many were accepted and refused.
        endings: How many were answered.
        escalated: How many answers were thought about after all.

    """

    def __init__(
        self,
        *,
        topics: Topics,
        worker: str,
        incarnation: int,
        limits: Limits,
        rows: int,
        cache_bytes: int,
        connection: Connection,
        catalogue: Catalogue,
        engines: Engines,
        jobs: Jobs,
        intake: Intake,
        endings: Endings,
        escalated: Callable[[], int],
    ) -> None:
        self._topics = topics
        self._worker = worker
        self._incarnation = incarnation
        self._limits = limits
        self._rows = rows
        self._cache_bytes = cache_bytes
        self._connection = connection
        self._catalogue = catalogue
        self._engines = engines
        self._jobs = jobs
        self._intake = intake
        self._endings = endings
        self._escalated = escalated
        self._presence: presence.Presence = "online"
        self._why = "started"

    def birth(self) -> Sequence[Outgoing]:
        """Return all of them, as they are now."""
        return [
            self._status(),
            codec.encode_retained(self._card(), self._topics.card()),
            self._metrics(),
        ]

    def announce(self) -> None:
        """Publish all of them: something has changed that the others go by."""
        for message in self.birth():
            self._connection.publish(message)

    def draining(self, why: str) -> None:
        """Publish that nothing more is begun."""
        self._presence, self._why = "draining", why
        self._connection.publish(self._status())

    def offline(self) -> Outgoing:
        """Return the last thing to say."""
        self._presence = "offline"
        return self._status()

    async def publish_metrics(self, every_s: float) -> None:
        """Publish the metrics when they have changed, until cancelled."""
        last: Outgoing | None = None
        while True:
            await asyncio.sleep(every_s)
            message = self._metrics()
            if message != last and self._connection.connected:
                self._connection.publish(message)
                last = message

    def _status(self) -> Outgoing:
        model = self._loaded_model() if self._presence == "online" else None
        body = presence.status(
            self._presence,
            worker=self._worker,
            incarnation=self._incarnation,
            why=self._reason(),
            model=None if model is None else model.name,
        )
        return codec.encode_retained(body, self._topics.status())

    def _reason(self) -> str:
        place = self._engines.places[0]
        if self._presence != "online":
            return self._why
        if place.failure is not None:
            return f"there is no engine: {place.failure}"
        return "the model is loaded" if place.residency == "resident" else self._why

    def _loaded_model(self) -> ModelInfo | None:
        place = self._engines.places[0]
        return place.serving.model if place.residency == "resident" else None

    def _card(self) -> dict[str, Any]:
        return presence.card(
            worker=self._worker,
            model=self._jobs.default.model,
            limits=self._limits,
            rows=self._rows,
            speeds=self._speeds(),
            cache={
                "max_bytes": self._cache_bytes,
                "pinned_bytes": models.stored(self._engines.places).pinned_bytes,
            },
            models=[models.card(place, self._catalogue) for place in self._engines.places],
        )

    def _metrics(self) -> Outgoing:
        body = presence.metrics(
            queue=self._jobs.depth(),
            running=self._jobs.running,
            rows=self._rows,
            parked=self._jobs.parked,
            parked_in_all=self._jobs.parked_in_all,
            accepted=self._intake.accepted,
            refused=self._intake.refused,
            answered=self._endings.answered,
            escalated=self._escalated(),
            tokens=self._jobs.tokens_produced,
            speeds=self._speeds(),
            memory=self._jobs.default.memory,
            engine_starts=self._engines.starts,
            models={place.serving.name: models.metrics(place) for place in self._engines.places},
            cache=msgspec.structs.asdict(models.stored(self._engines.places)),
        )
        return codec.encode_retained(body, self._topics.metrics(), qos=0)

    def _speeds(self) -> dict[str, float | None]:
        speeds = self._jobs.default.speeds
        return {
            "prefill_tokens_per_s": models.rounded(speeds.prefill_tokens_per_s),
            "row_tokens_per_s": models.rounded(speeds.row_tokens_per_s),
        }

"""Which models are in memory: loaded when a request wants them, unloaded when nobody has for long.

Each has an engine process of its own: what one does wrong leaves the others alone, and its exit
gives back all that it had. A model is let in if it and all that are there fit into the limit; for
one that waits, those that are idle go, the one used longest ago first, and after a while one that
works is stopped too, when what it runs has ended. So models that don't fit together take turns.
Pinned ones never go. Nothing here waits: a model that loads holds up only its own requests.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, TypeAlias

import structlog
from msgspec import Struct

from worker.domain.errors import EngineFailed
from worker.engine.pins import ModelError
from worker.engine.pipe import Stored
from worker.engine.supervisor import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.daemon.serving import Serving
    from worker.engine.pipe import EngineOptions

Residency: TypeAlias = Literal["away", "loading", "resident", "failed"]

_FIRST_DELAY_S = 1.0

_log = structlog.get_logger(__name__)


class Source(Struct, frozen=True, kw_only=True):
    """Where a model comes from, and what it may take.

    `options` and `bytes` are asked at each load, since files come and go. Without `bytes` it has
    what is left of the memory, whoever else is there.

    Raises:
        ModelError: What the two raise if the model is not on this machine.

    """

    options: Callable[[], EngineOptions]
    bytes: Callable[[], int] = lambda: 0
    pinned: bool = False


class Patience(Struct, frozen=True, kw_only=True):
    """How long is waited for what, in seconds.

    `start_s` for a sign of an engine that loads, `step_s` of one that runs, `retry_s` at most
    before a model that failed is tried again, `idle_s` before one that nobody uses is unloaded,
    `turn_s` before one that works is stopped for one that waits.
    """

    start_s: float = 600.0
    step_s: float = 120.0
    retry_s: float = 30.0
    idle_s: float = 600.0
    turn_s: float = 10.0


class Place:
    """One model's place in memory, taken or not."""

    def __init__(self, serving: Serving, source: Source) -> None:
        self.serving = serving
        self.source = source
        self.bytes = 0
        self.sized = False
        self.used_at = 0.0
        self.begun_at = 0.0
        self.ready_at = 0.0
        self.retry_at = 0.0
        self.delay_s = _FIRST_DELAY_S
        self.failure: str | None = None
        self.loads = 0
        self.timer: asyncio.TimerHandle | None = None

    @property
    def residency(self) -> Residency:
        """Where the model is."""
        engine = self.serving.engine
        if engine is None:
            return "away" if self.failure is None else "failed"
        return "resident" if engine.ready.is_set() else "loading"

    @property
    def granted_bytes(self) -> int:
        """What its engine may take now."""
        model = self.serving.model
        if self.serving.engine is None:
            return 0
        return self.bytes or (0 if model is None else model.memory_bytes)

    @property
    def may_go(self) -> bool:
        """Whether it could be unloaded now."""
        serving = self.serving
        waited_for = bool(serving.lanes) and not serving.held
        return not (
            self.source.pinned or self.residency != "resident" or serving.at_work or waited_for
        )


class Engines:
    """The models' engines.

    Args:
        limit_bytes: What those may take together that don't have the rest.
        patience: How long is waited for what.
        clock: The monotonic clock, in seconds.
        on_change: Called when a model has come or gone.

    """

    def __init__(
        self,
        *,
        limit_bytes: int,
        patience: Patience,
        clock: Callable[[], float],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._limit_bytes = limit_bytes
        self._patience = patience
        self._clock = clock
        self._on_change = on_change
        self.on_ready: Callable[[Engine], None] = lambda _engine: None
        """Called when a model has been loaded."""
        self._places: dict[str, Place] = {}
        self._leaving: dict[asyncio.Task[None], int] = {}
        self._starts = 0
        self._stopping = False

    def add(self, serving: Serving, source: Source) -> None:
        """Make a model known."""
        self._places[serving.name] = Place(serving, source)
        serving.engines = self

    def start(self) -> None:
        """Load the pinned models."""
        for place in self._places.values():
            if place.source.pinned:
                self._want(place)

    async def stop(self) -> None:
        """End all engines, gently first."""
        self._stopping = True
        for place in self._places.values():
            if place.timer is not None:
                place.timer.cancel()
            self._let_go(place)
        await asyncio.gather(*self._leaving, return_exceptions=True)

    # What is known of them -----------------------------------------------------------------

    @property
    def places(self) -> Sequence[Place]:
        """All models' places, the default's first."""
        return tuple(self._places.values())

    @property
    def starts(self) -> int:
        """How many engines were started in all."""
        running = (place.serving.engine for place in self._places.values())
        return self._starts + sum(engine.starts for engine in running if engine is not None)

    def ready_in_s(self, serving: Serving) -> float:
        """Estimate how long it takes until a model can begin, by how long loading took before."""
        place = self._places[serving.name]
        if place.residency == "resident":
            return 0.0
        load_s = serving.speeds.load_s or 0.0
        begun = self._clock() - place.begun_at if place.residency == "loading" else 0.0
        return max(0.0, load_s - begun)

    # What their servings say ---------------------------------------------------------------

    def wanted(self, serving: Serving) -> None:
        """Hear that requests wait for a model that is not there."""
        self._want(self._places[serving.name])

    def ready(self, serving: Serving, load_s: float) -> None:
        """Hear that a model has been loaded."""
        place = self._places[serving.name]
        serving.speeds.note_load(load_s)
        place.ready_at = self._clock()
        place.failure, place.delay_s = None, _FIRST_DELAY_S
        self._on_change()
        if serving.engine is not None:
            self.on_ready(serving.engine)
        self._look_again()
        if not serving.at_work:
            self.rested(serving)

    def rested(self, serving: Serving) -> None:
        """Hear that a model has nothing to do, or nothing that it may begin."""
        place = self._places[serving.name]
        place.used_at = self._clock()
        self._look_again()
        if place.may_go and place.timer is None:
            self._look_later(place, self._patience.idle_s)

    def failed(self, serving: Serving, why: str) -> None:
        """Hear that a model can't be loaded."""
        place = self._places[serving.name]
        self._fail(place, why)

    # Who comes -----------------------------------------------------------------------------

    def _want(self, place: Place) -> None:
        if place.serving.engine is not None or self._stopping:
            return
        wait_s = place.retry_at - self._clock()
        if place.failure is not None and wait_s > 0:
            if not place.source.pinned:
                self._refuse_waiting(place, wait_s)
            return
        try:
            if not place.sized:
                # Once for all that wait: this is asked again with each of them.
                place.bytes, place.sized = place.source.bytes(), True
            if self._has_room(place):
                self._load(place)
        except (ModelError, OSError) as error:
            self._fail(place, str(error))

    def _load(self, place: Place) -> None:
        serving, patience = place.serving, self._patience
        engine = Engine(
            place.source.options(),
            serving,
            start_timeout_s=patience.start_s,
            step_timeout_s=patience.step_s,
            restart_delay_max_s=patience.retry_s,
        )
        serving.engine, serving.held = engine, False
        place.loads += 1
        place.sized = False
        place.begun_at = place.used_at = self._clock()
        engine.start()
        _log.info("model_loading", model=serving.name, bytes=place.bytes)
        if not place.source.pinned:
            serving.say_loading()
        self._on_change()

    def _has_room(self, place: Place) -> bool:
        """Tell whether a model fits now; if not, see to it that it will."""
        if place.source.pinned:
            return True
        others = [other for other in self._places.values() if other.serving.engine is not None]
        kept = sum(other.bytes for other in self._places.values() if other.source.pinned)
        if kept + place.bytes > self._limit_bytes:
            left = max(0, self._limit_bytes - kept)
            self._fail(place, f"it takes {place.bytes} bytes, and there are {left} for it")
            return False
        leaving = sum(self._leaving.values())
        free = self._limit_bytes - sum(other.bytes for other in others) - leaving
        if place.bytes <= free:
            return True
        missing = place.bytes - free - leaving
        for other in sorted(others, key=lambda other: other.used_at):
            if missing > 0 and other.may_go:
                missing -= other.bytes
                self._unload(other, "another one is wanted")
        if missing > 0:
            self._ask_for_a_turn(place, others, missing)
        return False

    def _ask_for_a_turn(self, place: Place, others: list[Place], missing: int) -> None:
        """Have those that work begin nothing more, once a request has waited for its turn."""
        since = place.serving.waiting_since
        if since is None:
            return
        for other in sorted(others, key=lambda other: other.used_at):
            if missing <= 0 or other.source.pinned or other.residency != "resident":
                continue
            missing -= other.bytes
            # Whoever has just come has its turn as well, however long the other one waits.
            left_s = max(since, other.ready_at) + self._patience.turn_s - self._clock()
            if left_s > 0:
                self._look_later(place, left_s)
                continue
            other.serving.held = True
            if other.may_go:
                self._unload(other, "it is another one's turn")

    # Who goes ------------------------------------------------------------------------------

    def _unload(self, place: Place, why: str) -> None:
        _log.info("model_unloaded", model=place.serving.name, why=why)
        self._let_go(place)
        self._on_change()

    def _let_go(self, place: Place) -> None:
        serving = place.serving
        engine, serving.engine, serving.held = serving.engine, None, False
        serving.stored = Stored()
        if engine is None:
            return
        self._starts += engine.starts
        task = asyncio.create_task(engine.stop(), name=f"unload {place.serving.name}")
        self._leaving[task] = place.bytes
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        del self._leaving[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("unload_failed", exc_info=error)
        self._look_again()

    def _fail(self, place: Place, why: str) -> None:
        delay_s, place.sized = place.delay_s, False
        place.delay_s = min(2 * delay_s, self._patience.retry_s)
        place.failure, place.retry_at = why, self._clock() + delay_s
        _log.error("model_failed", model=place.serving.name, why=why, retry_in_s=delay_s)
        self._let_go(place)
        if place.source.pinned:
            # Who waits for a model that is always there waits until it is again.
            self._look_later(place, delay_s)
        else:
            self._refuse_waiting(place, delay_s)
        self._on_change()

    def _refuse_waiting(self, place: Place, wait_s: float) -> None:
        # What is at fault may name a path of this machine: that is for the log.
        name = place.serving.name
        place.serving.fail_waiting(
            lambda: EngineFailed(
                f"the model {name} can't be loaded; the worker's log says why",
                retry_after_ms=int(wait_s * 1000) + 1,
            )
        )

    # Looking again -------------------------------------------------------------------------

    def _look_later(self, place: Place, delay_s: float) -> None:
        if place.timer is not None:
            place.timer.cancel()
        loop = asyncio.get_running_loop()
        place.timer = loop.call_later(delay_s, self._timer_over, place)

    def _timer_over(self, place: Place) -> None:
        place.timer = None
        if place.serving.engine is None:
            if place.serving.lanes or place.source.pinned:
                self._want(place)
            return
        if not place.may_go:
            return
        left_s = place.used_at + self._patience.idle_s - self._clock()
        if left_s <= 0:
            self._unload(place, "nobody wants it")
        else:
            self._look_later(place, left_s)

    def _look_again(self) -> None:
        """Let who waits longest try again; who was stopped, and for nobody any more, goes on."""
        servings = [place.serving for place in self._places.values()]
        held = [serving for serving in servings if serving.held]
        for serving in held:
            serving.held = False
        waiting = [one for one in servings if one.engine is None and one.lanes]
        for serving in sorted(waiting, key=lambda serving: serving.waiting_since or 0.0):
            self.wanted(serving)
        for serving in held:
            serving.start_next()

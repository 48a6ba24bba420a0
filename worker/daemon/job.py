"""One request on its way through the daemon: what it waits for, what it has said so far."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from enum import Enum, auto
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec.structs import replace

from worker.daemon.blame import Blame
from worker.domain.catalogue import DEFAULT
from worker.domain.messages import (
    Kind,
    Lane,
    Mode,
    Progress,
    ReplyRoute,
    Request,
    Route,
    StreamPart,
    Timing,
)
from worker.journal.records import Tail
from worker.scheduler.lanes import Waiting
from worker.scheduler.speeds import stop_before_s

if TYPE_CHECKING:
    import asyncio

    from worker.daemon.summarizing import Summary
    from worker.domain.errors import ThinkqError
    from worker.domain.model import ModelInfo
    from worker.domain.session import Session
    from worker.engine.pipe import Submit
    from worker.transport.packets import Incoming


StopReason: TypeAlias = Literal["cancelled", "deadline"]
Said: TypeAlias = StreamPart | Progress

MAX_ROUTES = 16
"""As many as the journal keeps of one request."""


class Stage(Enum):
    """Where a job is."""

    WAITING = auto()
    RUNNING = auto()
    ENDED = auto()


class Job:
    """The daemon's record of one accepted request.

    Args:
        row: Its name in the scheduler and in the engine.
        request: What was accepted.
        routes: Where its reply goes: more than one when a duplicate named another.
        arrived: On the monotonic clock, in seconds.

    """

    def __init__(
        self, row: int, request: Request, routes: tuple[ReplyRoute, ...], arrived: float
    ) -> None:
        self.row = row
        self.request = request
        self.routes = list(routes)
        self.listeners: list[ReplyRoute] = []
        if request.stream:
            for route in routes:
                self.listen(route)
        self.arrived = arrived
        self.stage = Stage.WAITING
        self.blame = Blame()
        self.size_bytes = 0
        # Of its message, which may not be acknowledged yet.
        self.token: object = None
        self.submitted = False
        self.submit: Submit | None = None
        self.first_row: int | None = None
        """The row of the answer that this is a revision of."""
        self.as_it_came: Incoming | None = None
        """The message itself, where another worker may get it as long as it waits."""
        self.times_parked = 0
        self.stopped: StopReason | None = None
        self.refused: ThinkqError | None = None
        """Why what the model wants to do may not be done."""
        self.mode: Mode | None = None
        self.route: Route | None = None
        self.remember: Mode | None = None
        self.session: Session | None = None
        self.budget_tokens: int | None = None
        self.summary: Summary | None = None
        """Where what it brought was too long to be read at once, and is summarized."""
        self.served_by = DEFAULT
        self.model: ModelInfo | None = None
        """What answers it, once that is known."""
        self.parts: dict[Kind, list[str]] = defaultdict(list)
        self.generated: list[int] = []
        self.progress: list[Progress] = []
        self.held: deque[Said] = deque()
        """What was said and is not on disk yet, so that nobody has heard it."""
        self.released = 0
        """How much of what was said in this life has been let go."""
        self.heard: Counter[Kind] = Counter()
        """How much of each kind has been, in all lives."""
        self.begun_with: str | None = None
        """The fingerprint of the model whose tokens these are."""
        # What the journal has: so much of what was said in this life, so many tokens.
        self.kept = self.kept_tokens = 0
        self.unkept = Tail()
        self.begun_kept = False
        self.expiry: asyncio.TimerHandle | None = None
        self.conclusion: asyncio.TimerHandle | None = None
        self._started: float | None = None
        self._first_token: float | None = None
        self._first_answer: float | None = None

    @property
    def never_begun(self) -> bool:
        """Whether it has had no row yet, in this life of the worker."""
        return self._started is None

    @property
    def lane(self) -> Lane:
        """The request's lane."""
        return self.request.lane

    @property
    def deadline(self) -> float | None:
        """When nobody can use the answer any more, on the monotonic clock; None for never."""
        wanted = self.request.deadline_ms
        return None if wanted is None else self.arrived + wanted / 1000

    @property
    def stops_at(self) -> float | None:
        """When it is ended, so that the reply is there before the deadline; None for never."""
        return None if self.deadline is None else self.deadline - self.stops_before_s

    @property
    def stops_before_s(self) -> float:
        """Seconds between that and the deadline."""
        wanted = self.request.deadline_ms
        return 0.0 if wanted is None else stop_before_s(wanted / 1000)

    def left_s(self, now: float) -> float | None:
        """Seconds until it is ended, None for ever."""
        return None if self.stops_at is None else self.stops_at - now

    def cancel_timers(self) -> None:
        """Have nothing more done about its deadline."""
        for timer in (self.expiry, self.conclusion):
            if timer is not None:
                timer.cancel()

    def waiting(self) -> Waiting:
        """Return what the lanes know of the job."""
        request = self.request
        return Waiting(
            self.row, request.client, self.lane, self.arrived, request.session, self.size_bytes
        )

    def text(self, kind: Kind) -> str:
        """All the text of a kind so far."""
        return "".join(self.parts[kind])

    def add_route(self, route: ReplyRoute) -> None:
        """Send the reply to a duplicate's route too; of very many the later ones are left out."""
        if route not in self.routes and len(self.routes) < MAX_ROUTES:
            self.routes.append(route)

    def listen(self, route: ReplyRoute) -> bool:
        """Let a route hear the stream; False where its topic does already."""
        if len(self.listeners) == MAX_ROUTES or any(
            route.topic == other.topic for other in self.listeners
        ):
            return False
        self.listeners.append(route)
        return True

    def follow(self, route: ReplyRoute) -> None:
        """Let a topic hear the rest of the stream and the reply, if it does not already."""
        if self.listen(route) and all(route.topic != other.topic for other in self.routes):
            self.add_route(route)

    def begin(self, now: float) -> None:
        """Note that the job got its row."""
        self.stage = Stage.RUNNING
        if self._started is None:
            self._started = now

    def add(self, kind: Kind, text: str, now: float) -> int:
        """Note a piece of text; return its sequence number within its kind."""
        if self._first_token is None:
            self._first_token = now
        if self._first_answer is None and kind is not Kind.REASONING:
            self._first_answer = now
        self.parts[kind].append(text)
        return len(self.parts[kind]) - 1

    def think_after_all(self, why: str) -> None:
        """Begin anew with a thought; nothing of the answer so far has been heard."""
        self.mode = Mode.THINK
        self._begin_anew()
        if self.route is not None:
            self.route = replace(self.route, reason=why, escalated=True)

    def start_over(self) -> None:
        """Forget what another model had said: this one could not go on with it."""
        self.parts.clear()
        self.heard = Counter({Kind.PROGRESS: self.heard[Kind.PROGRESS]})
        self._begin_anew()

    def _begin_anew(self) -> None:
        # A list of its own: what was handed to an engine may still be on its way.
        self.generated = []
        self.kept_tokens = 0
        self.begun_kept = False

    def held_row_s(self, now: float) -> float:
        """Seconds since the job got its row."""
        return now - (self._started or now)

    def timing(self, now: float) -> Timing:
        """Return the reply's `timing`, as of now."""
        started = now if self._started is None else self._started
        return Timing(
            queue_ms=self._since(started) or 0.0,
            first_token_ms=self._since(self._first_token),
            first_answer_ms=self._since(self._first_answer),
            total_ms=self._since(now) or 0.0,
        )

    def _since(self, moment: float | None) -> float | None:
        return None if moment is None else round((moment - self.arrived) * 1000, 2)

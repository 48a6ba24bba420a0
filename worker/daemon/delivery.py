"""What leaves the daemon: final replies, streams, dead letters; decides nothing about them."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import TYPE_CHECKING

import structlog
from msgspec import UNSET
from msgspec.structs import replace

from worker.crash_points import CrashPoint, reach
from worker.daemon.patience import delays
from worker.domain.errors import TooLarge
from worker.domain.messages import ErrorBody, Kind, Progress, Reply, ReplyRoute, StreamPart
from worker.transport import codec
from worker.transport.publishing import LargerThanTaken, PublishFailed, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from worker.domain.errors import ThinkqError
    from worker.domain.messages import Json
    from worker.journal.store import Journal
    from worker.transport.packets import Outgoing
    from worker.transport.topics import Topics

    Publish = Callable[[Outgoing], asyncio.Future[None]]

_TRIES = 8
"""How often a reply is offered to a broker that refuses it, before the next start."""

_IN_VAIN = (LargerThanTaken, Stopped)

_log = structlog.get_logger(__name__)


class Delivery:
    """Publishes, and tells the journal when a final reply has arrived at the broker.

    Args:
        publish: Hands a message to the connection; done when the broker has it.
        topics: Names.
        journal: Learns what was delivered.
        show_reasoning: Whether thoughts may go on the wire at all.

    """

    def __init__(
        self, publish: Publish, topics: Topics, journal: Journal, *, show_reasoning: bool = True
    ) -> None:
        self._publish = publish
        self._topics = topics
        self._journal = journal
        self.show_reasoning = show_reasoning
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_their_way: Counter[tuple[str, bytes, ReplyRoute]] = Counter()

    def reply(self, client: str, key: bytes, reply: Reply, routes: Sequence[ReplyRoute]) -> None:
        """Publish a recorded final reply on each of its routes, until the broker has it.

        A thought that was recorded before an operator wanted none on the wire stays away from it.
        """
        if not self.show_reasoning and reply.reasoning is not UNSET:
            reply = replace(reply, reasoning=UNSET)
        names = [(client, key, route) for route in routes]
        self._on_their_way.update(names)
        delivery = self._in_background(self._deliver(client, key, reply, routes))
        delivery.add_done_callback(lambda _: self._at_its_end(names))

    def is_on_its_way(self, client: str, key: bytes, route: ReplyRoute) -> bool:
        """Tell whether a request's final reply goes to a route, and may not have arrived yet."""
        return (client, key, route) in self._on_their_way

    async def refuse(self, error: ThinkqError, request_id: str, route: ReplyRoute) -> None:
        """Publish an error for something that was never accepted and has no record."""
        await self._told(codec.encode_reply(error_reply(error, request_id), route))

    def part(self, part: StreamPart, routes: Sequence[ReplyRoute]) -> None:
        """Publish a piece of a stream, unless it is of a thought and none may be published."""
        if part.kind is Kind.REASONING and not self.show_reasoning:
            return
        for route in routes:
            self._publish(codec.encode_part(part, route))

    def progress(self, progress: Progress, routes: Sequence[ReplyRoute]) -> None:
        """Publish where a streamed request stands."""
        for route in routes:
            self._publish(codec.encode_progress(progress, route))

    async def control_reply(self, body: dict[str, Json], route: ReplyRoute) -> None:
        """Answer a control message."""
        await self._told(codec.encode_control_reply(body, route))

    def dead_letter(
        self, client: str, error: ThinkqError, *, request_id: str, history: Sequence[str] = ()
    ) -> asyncio.Task[None]:
        """Report to the operator a request that was given up on; await it to know it arrived."""
        body = {
            "id": request_id,
            "client": client,
            "status": "error",
            "error": error_body(error),
            "history": list(history),
        }
        _log.warning("dead_letter", client=client, id=request_id, code=error.code)
        return self._in_background(self._told(codec.encode_dead(body, self._topics.dead(client))))

    async def finish(self, timeout_s: float) -> None:
        """Wait for what is under way, so that nothing is cut off at the end."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)

    async def _told(self, outgoing: Outgoing) -> None:
        """Publish what has no record; what the broker does not take is lost, and logged."""
        try:
            await self._publish(outgoing)
        except PublishFailed as error:
            _log.warning("not_told", topic=outgoing.topic, error=str(error))

    async def _deliver(
        self, client: str, key: bytes, reply: Reply, routes: Sequence[ReplyRoute]
    ) -> None:
        try:
            await self._until_published(reply, routes)
        except LargerThanTaken as error:
            await self._give_up(client, key, reply, routes, str(error))
            return
        reach(CrashPoint.CONFIRMED)
        await self._journal.delivered(client, key, routes)
        reach(CrashPoint.DELIVERED)

    async def _until_published(self, reply: Reply, routes: Sequence[ReplyRoute]) -> None:
        """Publish a reply; where the broker refuses it, again a few times, longer apart."""
        for delay_s in itertools.islice(delays(last_s=60), _TRIES):
            published = [self._publish(codec.encode_reply(reply, to)) for to in routes]
            reach(CrashPoint.PUBLISHED)
            done = await asyncio.gather(*published, return_exceptions=True)
            failures = [one for one in done if isinstance(one, BaseException)]
            if not failures:
                return
            worst = max(failures, key=lambda one: isinstance(one, _IN_VAIN))
            if isinstance(worst, _IN_VAIN) or not isinstance(worst, PublishFailed):
                raise worst
            routes = [to for to, one in zip(routes, done, strict=True) if one is not None]
            _log.warning("reply_refused", error=str(failures[0]), retry_in_s=delay_s)
            await asyncio.sleep(delay_s)
        raise PublishFailed(f"the broker has refused it {_TRIES} times")

    async def _give_up(
        self, client: str, key: bytes, reply: Reply, routes: Sequence[ReplyRoute], why: str
    ) -> None:
        """Tell a client that its reply can't be sent, and record that this is its reply."""
        error = TooLarge(f"the answer is larger than the broker lets through: {why}")
        told = error_reply(error, reply.id)
        await self._journal.dead(client, key, error.code, told, history=[why], instead=True)
        self.dead_letter(client, error, request_id=reply.id, history=[why])
        await self._until_published(told, routes)
        await self._journal.delivered(client, key, routes)

    def _at_its_end(self, names: Sequence[tuple[str, bytes, ReplyRoute]]) -> None:
        self._on_their_way.subtract(names)
        for name in names:
            if not self._on_their_way[name]:
                del self._on_their_way[name]

    def _in_background(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The record stays undelivered, and the next start publishes it again.
            _log.error("delivery_failed", error=str(error))


def error_body(error: ThinkqError) -> ErrorBody:
    """Return an error in the shape the contract gives it."""
    return ErrorBody(error.code, error.message, error.retry_after_ms, error.field)


def error_reply(error: ThinkqError, request_id: str, **known: Json) -> Reply:
    """Return the final reply that says what went wrong."""
    return Reply(id=request_id, status="error", error=error_body(error), **known)

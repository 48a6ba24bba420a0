"""The door: a message becomes a journaled request, a control operation, or a clear refusal.

A message is acknowledged when what it asked for is on disk, or refused for good; never before.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import structlog
from msgspec.structs import replace

from worker.crash_points import CrashPoint, reach
from worker.daemon.fleet import ANY_LOAD
from worker.daemon.patience import delays
from worker.daemon.revising import revision_key
from worker.domain.errors import (
    BadRequest,
    EngineFailed,
    ForbiddenReplyTopic,
    ShuttingDown,
    ThinkqError,
)
from worker.journal.store import Answered, Dead, Joined, JournalError
from worker.sessions import open_session
from worker.transport import codec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from worker.daemon.access import Access
    from worker.daemon.control import Control
    from worker.daemon.delivery import Delivery
    from worker.daemon.fleet import Group
    from worker.daemon.jobs import Jobs
    from worker.daemon.room import Room
    from worker.domain.messages import Reply, Request
    from worker.domain.policy import Limits
    from worker.journal.store import Admission, Journal
    from worker.transport.packets import Incoming
    from worker.transport.topics import Topics

_RESTART_MS = 10_000

_log = structlog.get_logger(__name__)


class Intake:
    """Takes messages from the connection, one task each.

    Many requests wait for the disk at once, so that they share a commit. What belongs together
    keeps its order all the same: a duplicate waits for its first, a control message for all that
    its client sent before.

    Args:
        topics: Names.
        limits: What a payload may hold.
        reply_allow: The operator's topic filters for replies outside a client's own.
        journal: Makes a request durable.
        jobs: Runs it.
        room: Says whether there is room for it.
        access: Says whether its client may have it.
        delivery: Publishes refusals and recorded replies.
        control: Carries out control messages.
        acknowledge: Tells the broker that a message is dealt with.
        is_ours: Tells whether a message can still be acknowledged; if not, it comes again.
        group: The other workers, where requests are shared.

    """

    def __init__(
        self,
        *,
        topics: Topics,
        limits: Limits,
        reply_allow: Sequence[str],
        journal: Journal,
        jobs: Jobs,
        room: Room,
        access: Access,
        delivery: Delivery,
        control: Control,
        acknowledge: Callable[[Incoming], None],
        is_ours: Callable[[Incoming], bool],
        group: Group | None = None,
    ) -> None:
        self._topics = topics
        self._limits = limits
        self._reply_allow = reply_allow
        self._journal = journal
        self._jobs = jobs
        self._room = room
        self._access = access
        self._delivery = delivery
        self._control = control
        self._acknowledge = acknowledge
        self._is_ours = is_ours
        self._finishing = asyncio.Event()
        self._refused_by_disk = False
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()
        self._admitting: dict[tuple[str, bytes], asyncio.Event] = {}
        self.accepted = 0
        self.refused = 0

    def message(self, incoming: Incoming) -> None:
        """Take one message from the broker."""
        task = asyncio.create_task(self._take(incoming))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def finish(self, timeout_s: float) -> None:
        """Wait for what is under way: what is refused now must not come back at the next start."""
        self._finishing.set()
        await self.settle(timeout_s)

    async def settle(self, timeout_s: float) -> None:
        """Wait until what is at the door now is in, or refused."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)

    async def _take(self, incoming: Incoming) -> None:
        # A broker sends what is not acknowledged again when we connect the next time, and not
        # before. So what the disk does not take waits here; the receive maximum bounds how much.
        for delay_s in delays():
            try:
                is_done = await self._deal_with(incoming)
            except JournalError as error:
                log = _log.debug if self._refused_by_disk else _log.error
                log("not_accepted", error=str(error))
                self._refused_by_disk = True
            else:
                self._refused_by_disk = False
                if is_done:
                    self._acknowledge(incoming)
                    reach(CrashPoint.ACKNOWLEDGED)
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._finishing.wait(), delay_s)
            if self._finishing.is_set() or not self._is_ours(incoming):
                return

    async def _deal_with(self, incoming: Incoming) -> bool:
        """Do what a message asks; False leaves it to our next life."""
        try:
            requested = self._topics.as_requested(incoming.topic)
            if requested is not None:
                if self._jobs.draining:
                    # Not acknowledged: it comes again at our next start.
                    return False
                incoming = replace(incoming, topic=requested)
            client = self._topics.client(incoming.topic)
            if incoming.retain:
                # A retained request would be run again at every start: nobody wants that.
                _log.warning("retained_request_ignored", topic=incoming.topic)
            elif self._topics.is_control(incoming.topic):
                await self._admitted(client)
                await self._control.message(incoming)
            else:
                reach(CrashPoint.RECEIVED)
                await self._request(incoming, client, handed_on=requested is not None)
                reach(CrashPoint.ACCEPTED)
        except BadRequest as error:
            _log.warning("no_client", topic=incoming.topic, error=error.message)
        return True

    async def _request(self, incoming: Incoming, client: str, *, handed_on: bool) -> None:
        request: Request | None = None
        try:
            request = codec.decode_request(
                incoming, topics=self._topics, limits=self._limits, reply_allow=self._reply_allow
            )
            # Before anything is waited for: the reply may arrive meanwhile.
            if incoming.duplicate and self._is_under_way(request):
                return
            if not handed_on and await self._is_handed_on(incoming, request):
                return
            async with self._turn_of(request):
                await self._accept(request, incoming)
                await self._revision_again(request)
        except ThinkqError as error:
            await self._refuse(incoming, client, error, request)
        except JournalError:
            raise
        except Exception:  # noqa: BLE001 - a fault of ours is answered, not delivered for ever
            _log.exception("request_failed", client=client)
            fault = EngineFailed("the worker is at fault; its log says how")
            await self._refuse(incoming, client, fault, request)

    def _is_under_way(self, request: Request) -> bool:
        """Tell whether what comes again, as its acknowledgement was lost, will have its reply.

        That goes out on this connection, or once more on it, so behind what asked for it.
        """
        client, key, route = request.client, request.key, request.reply_to
        job = self._jobs.find(client, key)
        # Not its revision, which is found under its key too.
        if job is not None and job.request.key == key and route in job.routes:
            return True
        return self._delivery.is_on_its_way(client, key, route)

    async def _is_handed_on(self, incoming: Incoming, request: Request) -> bool:
        """Give a request to the worker that holds it, or that has less to do."""
        group = self._group
        if group is None:
            return False
        await group.until_known()
        if self._jobs.draining:
            to = group.lighter(ANY_LOAD)
        else:
            to = group.place(request, self._jobs.load)
        if to is None:
            return False
        _, lane = self._topics.parse_request(incoming.topic)
        return await group.hand_on(incoming, request, lane, to)

    async def _accept(self, request: Request, incoming: Incoming) -> None:
        arrived = incoming.arrived
        if self._jobs.find(request.client, request.key) is not None:
            self._go_on(await self._journal.accept(request), request, incoming)
            return
        size_bytes = len(incoming.payload)
        refusal = self._refusal(request, arrived, size_bytes)
        with self._room.held_for(request, size_bytes):
            if refusal is not None and not await self._is_known(request):
                raise refusal
            if request.session is not None:
                existing = await self._journal.session(request.session)
                open_session(existing, request.session, request.client)
            self._go_on(await self._journal.accept(request), request, incoming)

    def _refusal(self, request: Request, arrived: float, size_bytes: int) -> ThinkqError | None:
        if self._jobs.draining:
            return ShuttingDown("this worker is stopping", retry_after_ms=_RESTART_MS)
        return self._access.refusal(request) or self._room.refusal(request, arrived, size_bytes)

    async def _is_known(self, request: Request) -> bool:
        return await self._journal.find(request.client, request.key) is not None

    def _go_on(self, admission: Admission, request: Request, incoming: Incoming) -> None:
        if isinstance(admission, Joined):
            _log.info("joined", id=request.id, client=request.client)
            self._jobs.join(request)
        elif isinstance(admission, (Answered, Dead)):
            _log.info("answered_again", id=request.id, client=request.client)
            if admission.reply is not None:
                self._again(request, request.key, admission.reply)
        else:
            self.accepted += 1
            self._access.count(request.client)
            if self._group is not None:
                self._group.claim(request)
            self._jobs.add(
                request,
                (request.reply_to,),
                incoming.arrived,
                size_bytes=len(incoming.payload),
                token=incoming.token,
                as_it_came=None if self._group is None else incoming,
            )

    def _again(self, request: Request, key: bytes, reply: Reply) -> None:
        self._delivery.reply(request.client, key, reply, (request.reply_to,))

    async def _revision_again(self, request: Request) -> None:
        key = revision_key(request.key)
        revised = await self._journal.parts(request.client, key) if request.revise else None
        if revised is not None:
            self._again(request, key, revised[0])

    async def _refuse(
        self, incoming: Incoming, client: str, error: ThinkqError, request: Request | None
    ) -> None:
        self.refused += 1
        named = codec.request_name(incoming, self._limits) if request is None else request.id
        try:
            route = codec.reply_route(
                incoming, client, self._topics, self._reply_allow, limits=self._limits
            )
        except ForbiddenReplyTopic as forbidden:
            await self._delivery.dead_letter(client, forbidden, request_id=named)
            return
        _log.info("refused", client=client, id=named, code=error.code, field=error.field)
        await self._delivery.refuse(error, named, route)

    @asynccontextmanager
    async def _turn_of(self, request: Request) -> AsyncIterator[None]:
        """Wait until no request of the same name is at the door, and stand there."""
        name = (request.client, request.key)
        while (earlier := self._admitting.get(name)) is not None:
            await earlier.wait()
        admitted = self._admitting[name] = asyncio.Event()
        try:
            yield
        finally:
            del self._admitting[name]
            admitted.set()

    async def _admitted(self, client: str) -> None:
        """Wait for all requests of a client that are at the door now."""
        for (owner, _), admitted in list(self._admitting.items()):
            if owner == client:
                await admitted.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("intake_failed", exc_info=error)

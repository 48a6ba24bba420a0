"""The door: a message becomes a journaled request, a control operation, or a clear refusal.

A message is acknowledged when what it asked for is on disk, or refused for good; never before.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from worker.domain.errors import ForbiddenReplyTopic, ShuttingDown, ThinkqError
from worker.journal.store import Answered, Dead, Joined, JournalError
from worker.sessions import open_session
from worker.transport import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.daemon.control import Control
    from worker.daemon.delivery import Delivery
    from worker.daemon.jobs import Jobs
    from worker.domain.messages import ReplyRoute, Request
    from worker.domain.policy import Limits
    from worker.journal.store import Journal
    from worker.transport.packets import Incoming
    from worker.transport.topics import Topics

_RESTART_MS = 10_000

_log = structlog.get_logger(__name__)


class Intake:
    """Takes messages from the connection, one task each, in order.

    Args:
        topics: Names.
        limits: What a payload may hold.
        reply_allow: The operator's topic filters for replies outside a client's own.
        journal: Makes a request durable.
        jobs: Runs it.
        delivery: Publishes refusals and recorded replies.
        control: Carries out control messages.
        acknowledge: Tells the broker that a message is dealt with.

    """

    def __init__(
        self,
        *,
        topics: Topics,
        limits: Limits,
        reply_allow: Sequence[str],
        journal: Journal,
        jobs: Jobs,
        delivery: Delivery,
        control: Control,
        acknowledge: Callable[[Incoming], None],
    ) -> None:
        self._topics = topics
        self._limits = limits
        self._reply_allow = reply_allow
        self._journal = journal
        self._jobs = jobs
        self._delivery = delivery
        self._control = control
        self._acknowledge = acknowledge
        self._tasks: set[asyncio.Task[None]] = set()
        self.accepted = 0
        self.refused = 0

    def message(self, incoming: Incoming) -> None:
        """Take one message from the broker."""
        task = asyncio.create_task(self._take(incoming))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def _take(self, incoming: Incoming) -> None:
        if incoming.retain:
            # A retained request would be run again at every start: nobody wants that.
            _log.warning("retained_request_ignored", topic=incoming.topic)
        elif self._topics.is_control(incoming.topic):
            await self._control.message(incoming)
        else:
            try:
                await self._request(incoming)
            except JournalError as error:
                # Not acknowledged: the broker keeps it and sends it again.
                _log.error("not_accepted", error=str(error))
                return
        self._acknowledge(incoming)

    async def _request(self, incoming: Incoming) -> None:
        try:
            client = self._topics.client(incoming.topic)
        except ThinkqError as error:
            _log.warning("no_client", topic=incoming.topic, error=error.message)
            return
        named = codec.request_name(incoming)
        try:
            route = codec.reply_route(incoming, client, self._topics, self._reply_allow)
        except ForbiddenReplyTopic as error:
            self.refused += 1
            await self._delivery.dead_letter(client, error, request_id=named)
            return
        try:
            request = self._decoded(incoming)
            await self._accept(request, incoming)
        except ThinkqError as error:
            self.refused += 1
            _log.info("refused", client=client, id=named, code=error.code, field=error.field)
            await self._delivery.refuse(error, named, route)

    def _decoded(self, incoming: Incoming) -> Request:
        if self._jobs.draining:
            raise ShuttingDown("this worker is stopping", retry_after_ms=_RESTART_MS)
        return codec.decode_request(
            incoming, topics=self._topics, limits=self._limits, reply_allow=self._reply_allow
        )

    async def _accept(self, request: Request, incoming: Incoming) -> None:
        known = await self._journal.find(request.client, request.key)
        if known is None:
            self._jobs.check_room(request, incoming.arrived)
            if request.session is not None:
                existing = await self._journal.session(request.session)
                open_session(existing, request.session, request.client)
        admission = await self._journal.accept(request)
        if isinstance(admission, Joined):
            _log.info("joined", id=request.id, client=request.client)
            self._jobs.join(request.client, request.key, request.reply_to)
        elif isinstance(admission, (Answered, Dead)):
            _log.info("answered_again", id=request.id, client=request.client)
            self._answer_again(admission, request.client, request.key, request.reply_to)
        else:
            self.accepted += 1
            self._jobs.add(request, (request.reply_to,), incoming.arrived)

    def _answer_again(
        self, admission: Answered | Dead, client: str, key: bytes, route: ReplyRoute
    ) -> None:
        if admission.reply is not None:
            self._delivery.reply(client, key, admission.reply, (route,))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("intake_failed", exc_info=error)

"""Control messages: cancel, feedback, forget, prewarm, resume, status; of the client's own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from msgspec.structs import replace

from worker.daemon.job import Stage
from worker.domain.errors import BadRequest, EngineFailed, Forbidden, ThinkqError
from worker.domain.messages import Control as ControlMessage
from worker.domain.messages import Kind
from worker.engine import cache_files, spill_files
from worker.journal.feedback import TRIED, Verdict
from worker.transport import codec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from pathlib import Path

    from worker.daemon.access import Access
    from worker.daemon.ahead import ReadingAhead
    from worker.daemon.delivery import Delivery
    from worker.daemon.job import Job
    from worker.daemon.jobs import Jobs
    from worker.daemon.streams import Streams
    from worker.domain.policy import Limits
    from worker.journal.store import Journal
    from worker.transport.packets import Incoming
    from worker.transport.topics import Topics

_OPERATORS_OPS = ("cancel", "forget", "status")
"""What an operator may do for another client: nothing that would show it what was said."""

_log = structlog.get_logger(__name__)


class Control:
    """Carries out control messages.

    Args:
        topics: Names.
        limits: What a payload may hold.
        reply_allow: The operator's topic filters for replies outside a client's own.
        journal: Knows what was answered.
        jobs: Knows what runs.
        streams: Repeats what was said.
        delivery: Publishes.
        access: Knows who is an operator.
        ahead: Has read what a client will go on with.
        caches: Where the engines keep KV caches, in a folder for each model.
        spilled: Where they put those of parked rows, in a folder for each process.
        unlearn: Takes from the router what only the forgotten have taught it.

    """

    def __init__(
        self,
        *,
        topics: Topics,
        limits: Limits,
        reply_allow: Sequence[str],
        journal: Journal,
        jobs: Jobs,
        streams: Streams,
        delivery: Delivery,
        access: Access,
        ahead: ReadingAhead,
        caches: Path,
        spilled: Path,
        unlearn: Callable[[], Awaitable[None]],
    ) -> None:
        self._topics = topics
        self._limits = limits
        self._reply_allow = reply_allow
        self._journal = journal
        self._jobs = jobs
        self._streams = streams
        self._delivery = delivery
        self._access = access
        self._ahead = ahead
        self._caches = caches
        self._spilled = spilled
        self._unlearn = unlearn

    async def message(self, incoming: Incoming) -> None:
        """Carry out one control message, or say on its reply topic why not."""
        try:
            client = self._topics.parse_control(incoming.topic)
            route = codec.reply_route(
                incoming, client, self._topics, self._reply_allow, limits=self._limits
            )
        except ThinkqError as error:
            _log.warning("control_unanswerable", topic=incoming.topic, error=error.message)
            return
        try:
            control = codec.decode_control(
                incoming, topics=self._topics, limits=self._limits, reply_allow=self._reply_allow
            )
            await self._carry_out(control)
        except ThinkqError as error:
            await self._delivery.refuse(error, codec.request_name(incoming, self._limits), route)

    async def _carry_out(self, control: ControlMessage) -> None:
        if not self._access.rules.admits(control.client):
            raise Forbidden(f"this worker does not answer {control.client}")
        if control.of is not None:
            control = self._for_another(control)
        if control.op == "cancel":
            await self._cancel(control)
        elif control.op == "forget":
            await self._forget(control)
        elif control.op == "resume":
            await self._resume(control)
        elif control.op == "prewarm":
            await self._prewarm(control)
        elif control.op == "feedback":
            await self._feedback(control)
        else:
            await self._status(control)

    def _for_another(self, control: ControlMessage) -> ControlMessage:
        """Return an operator's message as one of the client that it is about."""
        if not self._access.rules.is_operator(control.client):
            raise Forbidden(f"of: {control.client} is no operator", field="of")
        if control.op not in _OPERATORS_OPS:
            expected = ", ".join(_OPERATORS_OPS)
            raise BadRequest(f"op: for another client expected one of {expected}", field="op")
        assert control.of is not None
        return replace(control, client=control.of)

    async def _feedback(self, control: ControlMessage) -> None:
        if control.key is None:
            raise BadRequest("id: feedback needs the id of a request", field="id")
        if control.verdict is None:
            told = ", ".join(one for one in Verdict if one not in TRIED)
            raise BadRequest(f"verdict: expected one of {told}, got nothing", field="verdict")
        verdict = Verdict(control.verdict)
        if not await self._journal.feedback(control.client, control.key, verdict):
            raise BadRequest(f"id: there is no answer on record to {control.id!r}", field="id")
        await self._confirm(control, verdict=verdict)

    async def _cancel(self, control: ControlMessage) -> None:
        job = self._job(control)
        if job is None:
            # It may have ended a moment ago: its final reply says all there is to say.
            _log.info("nothing_to_cancel", client=control.client, id=control.id)
        else:
            # How much was written by then shows what a cancel is too late for (`bench/cancel.py`).
            written = len(job.generated)
            _log.info("cancel", client=control.client, id=job.request.id, tokens=written)
            self._jobs.stop(job, "cancelled")
        await self._confirm(control, found=job is not None)

    async def _forget(self, control: ControlMessage) -> None:
        for job in self._jobs.of_client(control.client):
            if control.session is None or job.request.of_session == control.session:
                self._jobs.stop(job, "cancelled")
        self._jobs.forget_caches(control.client, control.session)
        if self._jobs.idle_work is not None:
            self._jobs.idle_work.forget(control.client)
        forgotten = await self._journal.forget(control.client, control.session)
        # Not left to the engines: that of a model that is not in memory can't be told, and whose
        # it is what a dead one has left, nobody knows.
        try:
            await asyncio.to_thread(
                cache_files.forget, self._caches, control.client, control.session
            )
            await asyncio.to_thread(
                spill_files.remove_left_behind, self._spilled, self._jobs.engine_processes
            )
        except OSError as error:
            _log.error("caches_not_forgotten", client=control.client, error=str(error))
            raise EngineFailed("KV caches on disk could not be deleted") from error
        await self._unlearn()
        await self._confirm(control, session=control.session, forgotten=forgotten)

    async def _prewarm(self, control: ControlMessage) -> None:
        assert control.about is not None
        await self._ahead.prewarm(control.about)
        await self._confirm(control, session=control.session)

    async def _resume(self, control: ControlMessage) -> None:
        if control.key is None:
            raise BadRequest("id: resume needs the id of a request", field="id")
        from_seq = {Kind(kind): seq for kind, seq in control.from_seq.items()}
        job = self._job(control)
        if job is not None:
            job.follow(control.reply_to)
            self._streams.resume(job, control.reply_to, from_seq)
            return
        recorded = await self._journal.parts(control.client, control.key)
        if recorded is None:
            raise BadRequest(f"id: there is no record of {control.id!r}", field="id")
        reply, parts = recorded
        self._streams.repeat(reply.id, parts, control.reply_to, from_seq)
        self._delivery.reply(control.client, control.key, reply, [control.reply_to])

    async def _status(self, control: ControlMessage) -> None:
        if control.key is not None:
            await self._status_of_one(control)
            return
        jobs = self._jobs.of_client(control.client)
        await self._delivery.control_reply(
            {
                "op": "status",
                "waiting": _ids(jobs, Stage.WAITING),
                "running": _ids(jobs, Stage.RUNNING),
                "queue": {str(lane): depth for lane, depth in self._jobs.depth().items()},
                "draining": self._jobs.draining,
            },
            control.reply_to,
        )

    async def _status_of_one(self, control: ControlMessage) -> None:
        body: dict[str, Any] = {"op": "status", "id": control.id, "state": "unknown"}
        job = self._job(control)
        if job is not None:
            body["state"] = job.stage.name.lower()
            if (position := self._jobs.position(job)) is not None:
                body["position"] = position
        elif control.key is not None:
            found = await self._journal.find(control.client, control.key)
            if found is not None:
                body["state"] = str(found)
        await self._delivery.control_reply(body, control.reply_to)

    def _job(self, control: ControlMessage) -> Job | None:
        if control.key is None:
            raise BadRequest(f"id: {control.op} needs the id of a request", field="id")
        job = self._jobs.find(control.client, control.key)
        if job is None:
            # Correlation Data that is no name has its request named by its digits.
            live = self._jobs.of_client(control.client)
            job = next((job for job in live if job.request.id == control.id), None)
        return job

    async def _confirm(self, control: ControlMessage, **what: Any) -> None:
        # Only where a reply topic was named: on the default topic it would stand between the
        # client's final replies, which are one for each request.
        if control.reply_to.topic != self._topics.reply(control.client):
            body = {"op": control.op, "id": control.id, **what}
            await self._delivery.control_reply(body, control.reply_to)


def _ids(jobs: Iterable[Job], stage: Stage) -> list[str]:
    return [job.request.id for job in jobs if job.stage is stage]

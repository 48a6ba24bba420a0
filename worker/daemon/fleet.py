"""What the workers of a group tell each other over the broker; decides nothing itself.

A claim is a retained message that names who holds a request or a session, and nothing of what was
said. It is published after the journal's commit and before the PUBACK, so whoever gets a request
that was taken already knows. A request that another worker holds is handed on to it as it came.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec
import structlog

from worker.transport.codec import encode_retained
from worker.transport.packets import Outgoing
from worker.transport.publishing import PublishFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.daemon.jobs import Jobs
    from worker.domain.messages import Lane, Request
    from worker.journal.store import Journal
    from worker.scheduler.fleet import Fleet, Name
    from worker.transport.packets import Incoming
    from worker.transport.topics import Topics

KNOWN_WITHIN_S = 10.0
ANY_LOAD = 1 << 30

_log = structlog.get_logger(__name__)


class Group:
    """One worker's side of the talk.

    Args:
        fleet: Who holds what, and who is there.
        topics: Names.
        publish: Publishes; the future is done at the PUBACK.
        clock: The monotonic clock, in seconds.
        claim_s: How long a claim is kept: as long as a record.

    """

    def __init__(
        self,
        fleet: Fleet,
        *,
        topics: Topics,
        publish: Callable[[Outgoing], asyncio.Future[None]],
        clock: Callable[[], float],
        claim_s: float,
    ) -> None:
        self._fleet = fleet
        self._topics = topics
        self._publish = publish
        self._clock = clock
        self._claim_s = int(claim_s)
        self._known = asyncio.Event()
        self._patience: asyncio.TimerHandle | None = None

    def hear(self, incoming: Incoming) -> bool:
        """Take a message of the group; False if it is none of its talk."""
        if (name := self._topics.claimed(incoming.topic)) is not None:
            self._fleet.note_claim(name, _text(incoming.payload, "worker"))
        elif (worker := self._topics.status_of(incoming.topic)) is not None:
            status, incarnation = _text(incoming.payload, "status"), _number(incoming.payload)
            self._fleet.note_status(worker, status or "offline", incarnation, self._clock())
        elif (worker := self._topics.metrics_of(incoming.topic)) is not None:
            self._fleet.note_load(worker, _load(incoming.payload))
        elif incoming.topic == self._topics.echo():
            self._known.set()
        else:
            return False
        return True

    def ask_for_all(self) -> None:
        """Send a message to ourselves: what was retained has come when it comes back."""
        self._known.clear()
        if self._patience is not None:
            self._patience.cancel()
        self._patience = asyncio.get_running_loop().call_later(KNOWN_WITHIN_S, self._known.set)
        self._publish(Outgoing(topic=self._topics.echo(), payload=b""))

    async def until_known(self) -> None:
        """Wait until it is known what others hold, or for as long as that may take.

        A broker delivers what we did not acknowledge before it tells us of claims: another worker
        may have answered that while we were away.
        """
        await self._known.wait()

    def place(self, request: Request, load: int) -> str | None:
        """Return which other worker should have a request; None: this one."""
        return self._fleet.place(names_of(request), load, self._clock())

    def lighter(self, than: int) -> str | None:
        """Return a worker with less to do than that, or None."""
        return self._fleet.lighter(than)

    async def release_lost(self, journal: Journal, earlier: set[tuple[str, bytes]]) -> None:
        """Let go of what others have taken over while we were away, once that is known.

        Without a broker it is not waited for longer than a while: what was accepted runs then,
        whatever others may have done.

        Args:
            journal: Has what we held.
            earlier: Client and key of what is an earlier life's in it.

        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._known.wait(), KNOWN_WITHIN_S)
        held = [(one.request.client, one.request.id, one.request.key) for one in journal.backlog()]
        # What we answered and did not publish is another's too: its client has that answer.
        held += [(one.client, one.reply.id, one.key) for one in journal.undelivered()]
        for client, request_id, key in held:
            if (client, key) in earlier and self._fleet.lost(("request", client, request_id)):
                _log.info("taken_over", id=request_id, client=client)
                await journal.release(client, key)

    async def hand_over(self, jobs: Jobs, journal: Journal) -> None:
        """Give what has not begun to other workers: this one is about to stop."""
        for job in jobs.never_begun():
            request, came = job.request, job.as_it_came
            # Who joined later can't be told on; they wait for our next start.
            to = None if came is None or len(job.routes) > 1 else self.lighter(ANY_LOAD)
            if came is None or to is None:
                continue
            if await self.hand_on(came, request, request.lane, to):
                jobs.let_go(job)
                await journal.release(request.client, request.key)

    def claim(self, request: Request) -> None:
        """Say that a request, and its session, are ours from now on."""
        for name in names_of(request):
            self._claim_for(self._topics.worker, name)

    def _claim_for(self, worker: str, name: Name) -> None:
        if self._fleet.holder(name) == worker:
            return
        self._fleet.note_claim(name, worker)
        claim = encode_retained({"worker": worker}, self._topics.claim(name))
        self._publish(msgspec.structs.replace(claim, expiry_s=self._claim_s))

    async def hand_on(
        self, incoming: Incoming, request: Request, lane: Lane | None, to: str
    ) -> bool:
        """Send a request to another worker as it came; False if the broker does not take it.

        It is claimed for that one first: if we die now, the broker gives the request to a third,
        which must know.
        """
        client = request.client
        self._claim_for(to, ("request", client, request.id))
        message = Outgoing(
            topic=self._topics.handed_on(to, client, lane),
            payload=incoming.payload,
            correlation_data=incoming.correlation_data,
            content_type=incoming.content_type,
            response_topic=incoming.response_topic,
            expiry_s=incoming.expiry_s,
            user_properties=incoming.user_properties,
        )
        try:
            await self._publish(message)
        except PublishFailed as error:
            _log.warning("not_handed_on", client=client, worker=to, error=str(error))
            return False
        _log.info("handed_on", client=client, worker=to)
        return True


def names_of(request: Request) -> list[Name]:
    """Return what a request is about: itself, and its session if it has one."""
    own: Name = ("request", request.client, request.id)
    return [own] if request.session is None else [own, ("session", request.session)]


class _Said(msgspec.Struct):
    worker: str | None = None
    status: str | None = None
    incarnation: int = 0
    queue: dict[str, int] = {}
    running: int = 0
    rows: int = 0


def _said(payload: bytes) -> _Said:
    try:
        return msgspec.json.decode(payload, type=_Said) if payload else _Said()
    except msgspec.DecodeError:
        return _Said()


def _text(payload: bytes, field: str) -> str | None:
    text: str | None = getattr(_said(payload), field)
    return text


def _number(payload: bytes) -> int:
    return _said(payload).incarnation


def _load(payload: bytes) -> int:
    said = _said(payload)
    return sum(said.queue.values()) + said.running - said.rows

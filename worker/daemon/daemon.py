"""The daemon: builds the parts from the settings, joins them, runs until told to stop.

Threads and processes, all of them: paho's network thread, this event loop, the journal's writer
thread, and the engine's process.
"""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

from worker.daemon import announcing, models, remembered, resuming
from worker.daemon.access import DAY_S, Access
from worker.daemon.ahead import ReadingAhead
from worker.daemon.announcing import Announcing
from worker.daemon.choice import Choice
from worker.daemon.control import Control
from worker.daemon.counterfactuals import Counterfactuals
from worker.daemon.delivery import Delivery
from worker.daemon.endings import Endings
from worker.daemon.intake import Intake
from worker.daemon.jobs import Jobs
from worker.daemon.live import Live
from worker.daemon.outcome import Outcome
from worker.daemon.parts import (
    broker_options,
    cache_folder,
    group,
    presets,
    router,
    rules,
    spill_folder,
    tool_rules,
)
from worker.daemon.preparing import Preparing
from worker.daemon.reloading import Reloading
from worker.daemon.room import Bounds, Room
from worker.daemon.streams import Streams
from worker.daemon.tails import Tails
from worker.domain.errors import EngineFailed
from worker.domain.policy import Limits
from worker.engine import spill_files
from worker.journal.storage import FILE_NAME
from worker.journal.store import Journal, JournalError
from worker.transport.connection import Connection
from worker.transport.topics import Topics
from worker.transport.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.daemon.fleet import Group
    from worker.domain.messages import Request
    from worker.settings import Settings
    from worker.transport.connection import State
    from worker.transport.packets import Incoming, Outgoing

_METRICS_EVERY_S = 15.0
_METRICS_IN_GROUP_EVERY_S = 1.0
"""The others go by them."""
_EXPIRE_EVERY_S = 300.0
_GOODBYE_S = 3.0

_log = structlog.get_logger(__name__)


class Daemon:
    """One worker.

    Args:
        settings: What it was told.
        model_path: The model's directory; nothing is fetched.
        reload: Reads the settings again, at SIGHUP.

    Raises:
        JournalError: The data folder can't be used, or another daemon uses it.

    """

    def __init__(
        self, settings: Settings, model_path: str, reload: Callable[[], Settings] | None = None
    ) -> None:
        self._settings = settings
        self._worker = settings.worker.id
        incarnation = time.time_ns() // 1_000_000
        self._topics = Topics(settings.topics.root, self._worker, settings.topics.group)
        limits = Limits(
            payload_bytes=settings.limits.payload_bytes,
            metadata_bytes=settings.limits.metadata_bytes,
            depth=settings.limits.depth,
        )
        self._stop = asyncio.Event()
        self._why = "started"
        self._tasks: list[asyncio.Task[None]] = []
        # A command sends it to whoever has the journal, and who has not come to hear it would die.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        self._journal = Journal.open(
            settings.data_dir / FILE_NAME,
            retention_s=settings.journal.retention_s,
            session_retention_s=settings.journal.session_retention_s,
            max_bytes=settings.journal.max_bytes,
        )
        self._connection = Connection(
            broker_options(settings),
            subscriptions=[
                *self._topics.request_filters(),
                self._topics.control_filter(),
                *self._topics.handed_on_filters(),
            ],
            retained=self._topics.fleet_filters(),
            on_message=self._received,
            on_state=self._connection_changed,
            birth=self._birth,
            will=announcing.will(self._topics, self._worker, incarnation),
        )
        self._window = Window(self._connection.ack, is_short=lambda: self._jobs.are_short_of_memory)
        self._delivery = Delivery(
            self._connection.publish,
            self._topics,
            self._journal,
            show_reasoning=settings.thinking.publish_reasoning,
        )
        self._access = Access(rules(settings), time.monotonic)
        self._tails = Tails(
            self._journal,
            self._delivery,
            time.monotonic,
            connected=lambda: self._connection.connected,
        )
        streams = Streams(self._delivery, self._tails, time.monotonic)
        self._endings = Endings(
            journal=self._journal,
            outcome=Outcome(self._worker),
            delivery=self._delivery,
            streams=streams,
            access=self._access,
            clock=time.monotonic,
            log_content=settings.log.content,
        )
        self._choice = Choice(
            router(settings),
            default_mode=settings.thinking.default_mode,
            budget_tokens=settings.thinking.budget_tokens,
            presets=presets(settings),
            load=lambda: min(1.0, self._serving.lanes.hurried / settings.engine.max_rows),
            quota_of=self._access.quota_of,
            doubt_below=settings.thinking.escalate_below,
            tool_rules=tool_rules(settings),
        )
        self._reloading = Reloading(
            settings,
            reload or (lambda: settings),
            choice=self._choice,
            delivery=self._delivery,
            access=self._access,
        )
        preparing = Preparing(
            journal=self._journal,
            choice=self._choice,
            clock=time.monotonic,
            recognizer=settings.recognizer(),
            log_content=settings.log.content,
        )
        live = Live()
        works: dict[str, Any] = {
            "live": live,
            "preparing": preparing,
            "streams": streams,
            "endings": self._endings,
            "clock": time.monotonic,
        }
        self._catalogue = models.catalogue(settings)
        self._engines, servings = models.serve(settings, model_path, works, self._announce)
        self._serving = servings[0]
        for serving in servings:
            serving.on_end = self._window.open
        self._jobs = Jobs(**works, servings=servings, choose=self._model_of)
        self._endings.on_revision = self._jobs.add_revision
        if settings.thinking.counterfactuals:
            tries = Counterfactuals(
                self._jobs,
                self._serving,
                self._journal,
                idle_s=settings.thinking.counterfactuals_idle_s,
            )
            self._jobs.idle_work = self._serving.idle_work = tries
            self._endings.on_answer = tries.note
        self._group = group(settings, self._topics, self._connection.publish)
        shared: dict[str, Any] = {
            "topics": self._topics,
            "limits": limits,
            "reply_allow": settings.topics.reply_allow,
            "journal": self._journal,
            "jobs": self._jobs,
            "delivery": self._delivery,
            "access": self._access,
        }
        self._ahead = ReadingAhead(
            jobs=self._jobs,
            journal=self._journal,
            choice=self._choice,
            access=self._access,
            pinned=settings.pinned_prompts(),
        )
        self._endings.on_turn = self._ahead.after
        self._engines.on_ready = self._ahead.pin
        self._intake = Intake(
            **shared,
            room=Room(
                self._jobs,
                in_all=Bounds(settings.limits.queued_requests, settings.limits.queued_bytes),
                for_client=Bounds(
                    settings.limits.queued_per_client, settings.limits.queued_bytes_per_client
                ),
                clock=time.monotonic,
            ),
            control=Control(
                **shared,
                streams=streams,
                ahead=self._ahead,
                caches=cache_folder(settings),
                spilled=spill_folder(settings),
                unlearn=self._reloading.unlearn,
            ),
            acknowledge=self._window.ack,
            is_ours=self._connection.is_ours,
            group=self._group,
        )
        self._announcing = Announcing(
            topics=self._topics,
            worker=self._worker,
            incarnation=incarnation,
            limits=limits,
            rows=settings.engine.max_rows,
            cache_bytes=settings.engine.cache_bytes,
            connection=self._connection,
            catalogue=self._catalogue,
            engines=self._engines,
            jobs=self._jobs,
            intake=self._intake,
            endings=self._endings,
            escalated=lambda: self._choice.escalations.escalated,
        )

    async def run(self) -> None:
        """Answer requests until a signal or `stop`, then drain."""
        try:
            await self._run()
        finally:
            # After a fault of ours too, so that whoever keeps us running can start us again: the
            # loop's own end would wait for ever for an engine that is just being started.
            await self._engines.stop()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, signal.Signals(number).name)
        loop.add_signal_handler(signal.SIGHUP, self._look_again)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        # What comes in from now on is no other life's.
        earlier = self._journal.left_over()
        if self._group is None:
            self._resume(earlier)
        if self._access.counts_tokens:
            self._access.restore(self._journal.tokens_spent(DAY_S))
        with suppress(EngineFailed):
            # A `forget` may have been cut short.
            await self._reloading.unlearn()
        try:
            spill_files.remove_left_behind(spill_folder(self._settings))
        except OSError as error:
            _log.warning("spilled_not_removed", error=str(error))
        self._engines.start()
        await self._connection.start()
        every_s = _METRICS_EVERY_S if self._group is None else _METRICS_IN_GROUP_EVERY_S
        self._tasks = [
            asyncio.create_task(self._announcing.publish_metrics(every_s), name="metrics"),
            asyncio.create_task(self._expire_records(), name="expire"),
        ]
        if self._group is not None:
            taken_up = self._resume_in_group(self._group, earlier)
            self._tasks.append(asyncio.create_task(taken_up, name="resume"))
        if self._jobs.idle_work is not None:
            tries = asyncio.create_task(self._jobs.idle_work.run(), name="counterfactuals")
            self._tasks.append(tries)
        _log.info(
            "serving",
            worker=self._worker,
            broker=f"{self._settings.broker.host}:{self._settings.broker.port}",
            root=self._settings.topics.root,
            group=self._settings.topics.group,
        )
        try:
            await self._stop.wait()
        finally:
            await self._shut_down()

    def stop(self, why: str = "stopped") -> None:
        """Begin to drain; a second time, stop waiting for what runs."""
        if self._stop.is_set():
            self._jobs.give_up()
        self._why = why
        self._stop.set()

    async def _resume_in_group(self, group: Group, earlier: set[tuple[str, bytes]]) -> None:
        await group.release_lost(self._journal, earlier)
        self._resume(earlier)

    def _resume(self, earlier: set[tuple[str, bytes]]) -> None:
        resuming.resume(earlier, journal=self._journal, jobs=self._jobs, delivery=self._delivery)

    def _look_again(self) -> None:
        """Take up what commands beside us have changed, and the rules of the settings."""
        self._reloading.reload()
        resuming.take_replayed(self._journal, self._jobs)

    async def _shut_down(self) -> None:
        grace_s = self._settings.shutdown.grace_s
        _log.info("draining", why=self._why, running=self._jobs.running, grace_s=grace_s)
        self._announcing.draining(self._why)
        if self._topics.group is not None:
            # The others of the group get what comes from now on: kept here, it would wait for
            # our next start.
            await self._connection.unsubscribe(self._topics.request_filters(), timeout_s=_GOODBYE_S)
        if self._group is not None:
            # What is accepted later than this waits for our next start.
            await self._intake.settle(_GOODBYE_S)
            await self._group.hand_over(self._jobs, self._journal)
        self._window.open_wide()
        handed_back = await self._jobs.drain(grace_s)
        await self._tails.close()
        await self._intake.finish(_GOODBYE_S)
        await self._delivery.finish(_GOODBYE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._engines.stop()
        self._keep_speeds()
        await self._connection.stop([self._announcing.offline()], timeout_s=_GOODBYE_S)
        await self._journal.close()
        _log.info("stopped", why=self._why, handed_back=handed_back)

    def _connection_changed(self, state: State) -> None:
        if state.connected:
            self._tails.go_on()
        else:
            self._window.forget()
        if self._group is not None and state.connected:
            self._group.ask_for_all()

    def _received(self, incoming: Incoming) -> None:
        if self._group is not None and self._group.hear(incoming):
            self._connection.ack(incoming)
            return
        self._intake.message(incoming)

    def _birth(self) -> Sequence[Outgoing]:
        return self._announcing.birth()

    def _announce(self) -> None:
        self._announcing.announce()

    def _model_of(self, request: Request) -> str:
        return self._catalogue.of_request(request, self._access.quota_of(request.client))

    def _keep_speeds(self) -> None:
        servings = (place.serving for place in self._engines.places)
        measured = {serving.name: serving.speeds.measured for serving in servings}
        remembered.write(self._settings.data_dir, measured)

    async def _expire_records(self) -> None:
        while True:
            self._keep_speeds()
            try:
                gone = await self._journal.expire()
            except JournalError as error:
                _log.warning("not_expired", error=str(error))
            else:
                if gone:
                    _log.info("expired", entries=gone)
            await asyncio.sleep(min(_EXPIRE_EVERY_S, self._settings.journal.retention_s / 4))

"""In which order things give way while the machine's memory shrinks.

A real engine with a tiny model, what the daemon makes of what it says, and the broker's window.
"""

import asyncio
from unittest.mock import AsyncMock, MagicMock

import pytest
from test_long_context import SHORT, Runner
from test_memory import ENDLESS, GREEDY, PLENTY

from worker.daemon.job import Job
from worker.daemon.live import Live
from worker.daemon.parking import Parking
from worker.daemon.serving import Serving
from worker.domain.messages import Lane, Message, Mode, ReplyRoute, Request
from worker.engine import pressure
from worker.engine.models import load
from worker.engine.pipe import Submit
from worker.scheduler.lanes import Lanes
from worker.transport.packets import Incoming
from worker.transport.window import Window

ROWS = 3


class Worker:
    """An engine that shares its memory with others, what the daemon makes of it, and its window."""

    def __init__(self, loaded):
        self.ceiling = None
        self.runner = Runner(
            loaded, memory_bytes=PLENTY, cache_bytes=PLENTY, available=self.available
        )
        self.pools = self.runner.pools
        self.token_bytes = loaded.kv_bytes_per_token
        self.live = Live()
        self.serving = Serving(
            "tiny",
            live=self.live,
            preparing=MagicMock(for_engine=AsyncMock(side_effect=self.submission)),
            speeds=MagicMock(),
            streams=MagicMock(),
            endings=MagicMock(done=lambda *_: asyncio.sleep(0)),
            lanes=Lanes(),
            rows=ROWS,
            parking=Parking(0),
            clock=lambda: 0.0,
        )
        self.serving.engine = self
        self.acknowledged = []
        self.window = Window(
            lambda incoming: self.acknowledged.append(incoming.topic),
            is_short=lambda: self.serving.is_short_of_memory,
        )
        self.serving.on_end = self.window.open
        self.live.on_freed = self.serving.start_next
        self.ready = MagicMock()

    def available(self):
        """Return what others leave, so that all of the engine may take so much; None is plenty."""
        if self.ceiling is None:
            return None
        margin_bytes = int(0.05 * pressure.total_bytes())
        return self.ceiling - self.pools.ledger.used_bytes + margin_bytes

    def leave(self, size_bytes):
        self.ceiling = size_bytes
        self.pools.watch()

    async def submission(self, job, _at):
        messages = [{"role": "user", "content": SHORT}]
        return Submit(
            row=job.row, messages=messages, mode=Mode.NO_THINK, sampling=ENDLESS, owner="me"
        )

    def submit(self, submit):
        self.pools.submit(self.pools.prepare(submit))

    async def arrive(self, name):
        """Take a request from the broker, and let the engine make a step."""
        request = Request(
            id=name,
            key=name.encode(),
            client="me",
            lane=Lane.STANDARD,
            messages=(Message("user", SHORT),),
            reply_to=ReplyRoute("t/reply/me"),
            arrived_at=0.0,
        )
        job = Job(self.live.new_row(), request, (request.reply_to,), 0.0)
        self.live.add(job)
        self.serving.add(job)
        await self.step()
        self.window.ack(Incoming(topic=name, payload=b""))

    async def step(self):
        while tasks := self.live._tasks:
            await asyncio.wait(tasks)
        if not self.pools.idle:
            self.serving.engine_step(self.pools.step())

    @property
    def store_bytes(self):
        return self.pools.memory().store


@pytest.fixture
def worker(short_qwen3):
    worker = Worker(load(short_qwen3))
    # What was said in earlier conversations: short answers are expected.
    for _ in range(100):
        worker.pools.ledger.note_answer(Mode.NO_THINK, 8)
    worker.runner.one("word " * 450, sampling=GREEDY)
    return worker


async def test_the_store_goes_before_rows_and_rows_before_the_brokers_window(worker):
    await worker.arrive("a")
    await worker.arrive("b")
    assert worker.store_bytes > 0
    ledger = worker.pools.ledger
    worker.leave(ledger.used_bytes - ledger.store_bytes + 300 * worker.token_bytes)
    for _ in range(3):
        await worker.step()
    assert worker.store_bytes == 0
    assert (worker.serving.running, worker.serving.rows_now) == (2, ROWS)

    await worker.arrive("c")
    assert (worker.serving.running, worker.serving.rows_now) == (2, 2)
    await worker.arrive("d")
    assert worker.acknowledged == ["a", "b", "c", "d"]

    await worker.arrive("e")
    assert worker.serving.is_short_of_memory
    assert worker.acknowledged == ["a", "b", "c", "d"]

    worker.leave(PLENTY)
    while worker.live.at_work or not worker.pools.idle:
        await worker.step()
    assert worker.acknowledged == ["a", "b", "c", "d", "e"]
    assert len(worker.live) == 0

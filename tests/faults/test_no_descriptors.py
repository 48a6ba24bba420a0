"""No file descriptors left: the engine is started again when there are some."""

import asyncio
import resource
from contextlib import contextmanager

from worker.engine.pipe import EngineOptions
from worker.engine.supervisor import Engine


class Listener:
    """Notes what happens to the engine."""

    def __init__(self):
        self.downs = asyncio.Queue()

    def engine_ready(self, model, load_s):
        pass

    def engine_step(self, step):
        pass

    def engine_down(self, why, rows, *, from_outside):
        self.downs.put_nowait(why)


@contextmanager
def no_descriptors():
    """Let this process open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Not the first free number: what else this process closes meanwhile would be room again.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_the_engine_is_started_again_when_there_are_descriptors():
    listener = Listener()
    engine = Engine(EngineOptions(model_name="stub", model_path=""), listener)
    engine.start()
    try:
        await asyncio.wait_for(engine.ready.wait(), 30)
        with no_descriptors():
            engine._kill()
            await asyncio.wait_for(listener.downs.get(), 30)
            why = await asyncio.wait_for(listener.downs.get(), 30)
        assert "can't be started" in why
        assert "Too many open files" in why
        await asyncio.wait_for(engine.ready.wait(), 30)
    finally:
        await engine.stop()

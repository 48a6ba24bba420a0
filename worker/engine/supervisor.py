"""The daemon's side of the engine: starts it, watches it, starts it again; imports no mlx.

MLX faults abort the process they happen in (out of memory, a lost GPU: mlx-lm #1909, mlx #3186),
so the model lives in a child. Its death loses nothing: the rows it ran are named to the daemon,
which submits them again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog

from worker.engine.pipe import (
    Ahead,
    Cancel,
    Conclude,
    Done,
    EngineOptions,
    Failed,
    Forget,
    FromEngine,
    Loading,
    NoRoom,
    Park,
    Ready,
    Resume,
    Shutdown,
    Step,
    Submit,
    ToEngine,
    decode_from_engine,
    frame,
    is_stub,
    take_frames,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.domain.model import ModelInfo

_FIRST_DELAY_S = 0.1
_STOP_S = 2.0
_LEAVE_S = 2.0
"""What closed its pipe may take so long to end by itself; its status says why it did."""
_ASLEEP_S = 1.0
"""A timer that is so late tells of a machine that slept."""
_READ_BYTES = 1 << 20
_LOAD_TRIES = 3
"""Deaths before the model is loaded, after which it counts as one that can't be."""

_log = structlog.get_logger(__name__)


class Listener(Protocol):
    """What the daemon wants to hear of an engine. All calls come on its event loop."""

    def engine_ready(self, model: ModelInfo, load_s: float) -> None:
        """Hear that the model is loaded."""

    def engine_step(self, step: Step) -> None:
        """Hear what happened to some rows."""

    def engine_down(self, why: str, rows: Sequence[int], *, from_outside: bool) -> None:
        """Hear that the engine is gone with `rows`; another one is being started.

        Args:
            why: How it ended.
            rows: What it was at work on.
            from_outside: Whether somebody else has killed it: a person, or the system.

        """


class Engine:
    """One engine process after another.

    Args:
        options: What each is started with.
        listener: Hears what comes of it.
        start_timeout_s: How long loading may take without a sign of life.
        step_timeout_s: How long live rows may be silent before the engine counts as hung.
        restart_delay_max_s: Where the back-off between starts ends.

    """

    def __init__(
        self,
        options: EngineOptions,
        listener: Listener,
        *,
        start_timeout_s: float = 600.0,
        step_timeout_s: float = 120.0,
        restart_delay_max_s: float = 30.0,
    ) -> None:
        self._options = options
        self._listener = listener
        self._start_timeout_s = start_timeout_s
        self._step_timeout_s = step_timeout_s
        self._restart_delay_max_s = restart_delay_max_s
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._live: set[int] = set()
        self._forgets: list[Forget] = []
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._why = ""
        self._killed_from_outside = False
        self._last_sign = 0.0
        self._look_at = 0.0
        self._watchdog: asyncio.TimerHandle | None = None
        self._failed_loads = 0
        self.ready = asyncio.Event()
        self.starts = 0
        self.cannot_load: str | None = None
        """Why the model can't be loaded, once the engine has said so or died over it repeatedly."""

    @property
    def pid(self) -> int | None:
        """The process id of the engine that runs now."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    def start(self) -> None:
        """Begin to keep an engine running."""
        self._task = asyncio.create_task(self._keep_running(), name="engine")

    def submit(self, submit: Submit) -> None:
        """Hand a row to the engine, which must be ready."""
        self._await_signs()
        self._live.add(submit.row)
        self._send(submit)

    def cancel(self, cancel: Cancel) -> None:
        """Ask for a row's end. It answers with `Done`, unless it has just ended by itself."""
        self._send(cancel)

    def conclude(self, row: int) -> None:
        """Have a row's thought closed; nothing happens to one that is past it."""
        self._send(Conclude(row))

    def park(self, rows: Sequence[int]) -> None:
        """Ask for rows' places; they keep what they have, and are silent until they are resumed."""
        self._live.difference_update(rows)
        self._send(Park(list(rows)))

    def resume(self, row: int) -> None:
        """Let a parked row go on."""
        self._await_signs()
        self._live.add(row)
        self._send(Resume(row))

    def forget(self, owner: str, session: str | None = None) -> None:
        """Have the engine drop what it keeps of a client, or of one of its sessions."""
        if not self.ready.is_set():
            # What it left on disk is there for the next one.
            self._forgets.append(Forget(owner, session))
        self._send(Forget(owner, session))

    def read_ahead(self, ahead: Ahead) -> None:
        """Have what a prompt will begin with read when nobody waits; nothing comes back of it."""
        if self.ready.is_set():
            self._send(ahead)

    async def stop(self) -> None:
        """End the engine, gently first."""
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            self._send(Shutdown())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _STOP_S)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._kill()

    def _await_signs(self) -> None:
        if not self._live:
            self._watch(self._step_timeout_s)

    def _send(self, message: ToEngine) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(frame(message))

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            # Not asyncio's own kill(): it polls, and so takes the exit status from its watcher.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    async def _keep_running(self) -> None:
        delay = _FIRST_DELAY_S
        while True:
            why = await self._run_one()
            if self._stopping:
                return
            if self.ready.is_set():
                delay = _FIRST_DELAY_S
            elif self._failed_loads >= _LOAD_TRIES:
                self.cannot_load = why
            self.ready.clear()
            lost, self._live = sorted(self._live), set()
            _log.warning("engine_down", why=why, rows=len(lost), restart_in_s=round(delay, 2))
            self._listener.engine_down(why, lost, from_outside=self._killed_from_outside)
            # Jitter keeps several workers on one machine from starting in step.
            await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
            delay = min(delay * 2, self._restart_delay_max_s)

    async def _run_one(self) -> str:
        self._killed_from_outside = False
        try:
            process, ours = await self._spawn()
        except OSError as error:
            # No file descriptors, no processes, no memory: that may pass.
            return f"it can't be started: {error}"
        self.starts += 1
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self._why = ""
        try:
            await self._listen(reader)
        finally:
            self._writer.close()
            await self._leave(process)
            code = await process.wait()
        if not self.ready.is_set():
            self._failed_loads += 1
        self._killed_from_outside = code == -signal.SIGKILL and not self._why
        ended = f"killed by signal {-code}" if code < 0 else f"exited with status {code}"
        return self._why or ended

    async def _leave(self, process: asyncio.subprocess.Process) -> None:
        """Let a process whose pipe is closed end, and make it."""
        if not self._why and not self._stopping:
            try:
                await asyncio.wait_for(process.wait(), _LEAVE_S)
            except TimeoutError:
                self._why = "it closed its pipe and did not end"
        self._kill()

    async def _spawn(self) -> tuple[asyncio.subprocess.Process, socket.socket]:
        """Start a process, and return it and our end of the pipe to it."""
        ours, theirs = socket.socketpair()
        module = "stub" if is_stub(self._options.model_name) else "process"
        options = msgspec.json.encode(self._options).decode()
        with theirs:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    f"worker.engine.{module}",
                    str(theirs.fileno()),
                    options,
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                )
            except OSError:
                ours.close()
                raise
        return self._process, ours

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        self._watch(self._start_timeout_s)
        received = bytearray()
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(_READ_BYTES):
                received += piece
                for body in take_frames(received):
                    self._hear(decode_from_engine(body))

    def _hear(self, message: FromEngine) -> None:
        self._last_sign = asyncio.get_running_loop().time()
        if isinstance(message, Step):
            for event in message.events:
                if isinstance(event, Done | NoRoom | Failed):
                    self._live.discard(event.row)
            self._listener.engine_step(message)
        elif isinstance(message, Ready):
            self.ready.set()
            self._failed_loads, self.cannot_load = 0, None
            for forget in self._forgets:
                self._send(forget)
            self._forgets.clear()
            self._listener.engine_ready(message.model, message.load_s)
        elif isinstance(message, Loading):
            _log.debug("engine_loading", what=message.what, fraction=message.fraction)
        else:
            self._why = self.cannot_load = message.message

    def _watch(self, patience_s: float) -> None:
        """Look again when the engine's patience could be over; a live row must show signs."""
        loop = asyncio.get_running_loop()
        self._last_sign = loop.time()
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._look_again(patience_s)

    def _look_again(self, in_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._look_at = loop.time() + in_s
        self._watchdog = loop.call_later(in_s, self._check)

    def _check(self) -> None:
        self._watchdog = None
        waited_for = self._live or not self.ready.is_set()
        if not waited_for or self._stopping:
            return
        loop = asyncio.get_running_loop()
        patience_s = self._step_timeout_s if self.ready.is_set() else self._start_timeout_s
        left_s = patience_s - (loop.time() - self._last_sign)
        if loop.time() - self._look_at > _ASLEEP_S:
            # It is not the engine that was silent: the machine slept, or we were stopped.
            _log.info("woke_up", late_s=round(loop.time() - self._look_at, 1))
            self._watch(patience_s)
        elif left_s <= 0:
            self._why = f"no sign of life for {patience_s:g} s"
            self._kill()
        else:
            self._look_again(left_s)

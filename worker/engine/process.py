"""The engine's process: its inbox, its steps, its events; started by the supervisor.

One thread owns everything of MLX and does nothing but steps. Another reads the pipe, and renders
and tokenizes prompts on the way, so that a long prompt's tokenization delays no stream. When the
pipe ends, the daemon is gone, and so is this process.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from worker.domain.errors import BadRequest, ContextTooLong, EngineFailed, ThinkqError
from worker.engine import blas
from worker.engine.disk import Disk
from worker.engine.outbox import Outbox
from worker.engine.pipe import (
    Ahead,
    Cancel,
    Conclude,
    EngineOptions,
    Failed,
    Fatal,
    Forget,
    FromEngine,
    Loading,
    Park,
    Ready,
    Resume,
    Shutdown,
    Step,
    Submit,
    decode_to_engine,
    frame,
    read_frame,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.engine.pipe import RowEvent
    from worker.engine.pools import Pools
    from worker.engine.row import Row

    Inbox = queue.SimpleQueue[Row | Ahead | Cancel | Conclude | Park | Resume | Forget | Failed]

_LAST_WRITE_S = 1.5
"""Less than the daemon waits for the engine to leave."""


def main(arguments: list[str]) -> int:
    """Serve the pipe whose descriptor and options are the arguments, until it ends."""
    connection = socket.socket(fileno=int(arguments[0]))
    options = msgspec.json.decode(arguments[1], type=EngineOptions)
    # Weights are local by now; a loader that would ask the network must fail instead.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    # The daemon drains first and then closes the pipe; a signal to the group must not cut that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def send(message: FromEngine) -> None:
        connection.sendall(frame(message))

    try:
        generation, ready = _load(options, send)
    except _model_errors() as error:
        send(Fatal("engine_failed", str(error)))
        return 1
    inbox: Inbox = queue.SimpleQueue()
    reader = threading.Thread(
        target=_read, args=(connection, inbox, generation), name="pipe", daemon=True
    )
    reader.start()
    send(ready)
    _serve(generation, inbox, Outbox(send))
    return 0


def _model_errors() -> tuple[type[Exception], ...]:
    # Late, as everything below: what imports mlx must not do so before the BLAS is loaded.
    from jinja2 import TemplateError  # noqa: PLC0415

    from worker.engine.pins import ModelError  # noqa: PLC0415

    return (ModelError, OSError, ValueError, ThinkqError, TemplateError)


def _load(options: EngineOptions, send: Callable[[FromEngine], None]) -> tuple[Pools, Ready]:
    # The libraries count in: who waits for a model waits for them too.
    begun = time.monotonic()
    report = blas.prepare(options.threads)
    # Only now may MLX be imported: it takes the BLAS that is loaded by then.
    from worker.engine import gguf, hub, models  # noqa: PLC0415
    from worker.engine.generation import Limits  # noqa: PLC0415
    from worker.engine.pools import Pools  # noqa: PLC0415

    def tell(what: str, fraction: float) -> None:
        send(Loading(what, fraction))

    path = Path(options.model_path)
    if path.name == hub.EMBEDDED_NAME:
        gguf.ensure(path, tell)
    loaded = models.load(
        options.model_path,
        name=options.model_name,
        progress=tell,
    )
    limits = Limits(
        rows=options.rows,
        prefill_tokens_busy=options.prefill_tokens_busy,
        prefill_tokens_idle=options.prefill_tokens_idle,
        cache_bytes=options.cache_bytes,
        wire_memory=options.wire_memory,
    )
    disk = None
    if options.cache_folder is not None and options.cache_bytes and options.cache_disk_bytes:
        disk = Disk(
            Path(options.cache_folder),
            models.cache_key(loaded),
            max_bytes=options.cache_disk_bytes,
            keep_s=options.cache_keep_s,
        )
    pools = Pools(
        loaded,
        limits,
        yarn_factor=options.yarn_factor,
        context_tokens=options.context_tokens,
        memory_bytes=options.memory_bytes,
        spill_dir=Path(options.spill_dir) if options.spill_dir else None,
        disk=disk,
        long_kv_bits=options.long_kv_bits,
    )
    info = replace(
        models.describe(loaded, rows=options.rows, blas=report.name),
        context_tokens=pools.context_tokens,
        native_context_tokens=pools.native_context_tokens,
        long_kv_bits=pools.long_kv_bits,
        memory_bytes=pools.memory_bytes,
    )
    return pools, Ready(info, time.monotonic() - begun)


def _read(connection: socket.socket, inbox: Inbox, generation: Pools) -> None:
    while (body := read_frame(connection)) is not None:
        message = decode_to_engine(body)
        if isinstance(message, Shutdown):
            break
        if isinstance(message, Submit):
            inbox.put(_prepared(generation, message))
        else:
            inbox.put(message)
    generation.recall.flush(_LAST_WRITE_S)
    # Nobody is left to hear what a running step still has to say.
    os._exit(0)


def _prepared(generation: Pools, submit: Submit) -> Row | Failed:
    from jinja2 import TemplateError  # noqa: PLC0415 - not needed to start

    try:
        return generation.prepare(submit)
    except ThinkqError as error:
        return _failed(submit.row, error)
    except TemplateError as error:
        refusal = BadRequest(
            f"messages: the model's chat template refuses them: {error}", field="messages"
        )
        return _failed(submit.row, refusal)
    except MemoryError:
        # There is none for others either: a new engine has some, and tries again.
        os._exit(1)
    except Exception as error:  # noqa: BLE001 - it would end the thread, and with it all reading
        # Its words may be a client's, so they are told to nobody.
        kind = type(error).__name__
        return _failed(submit.row, EngineFailed(f"the request could not be prepared: {kind}"))


def _failed(row: int, error: ThinkqError) -> Failed:
    if isinstance(error, ContextTooLong):
        tokens, limit = error.tokens, error.limit
        return Failed(row, error.code, error.message, error.field, tokens=tokens, limit=limit)
    return Failed(row, error.code, error.message, error.field)


def _serve(generation: Pools, inbox: Inbox, outbox: Outbox) -> None:
    while True:
        if generation.idle:
            _read_ahead(generation, inbox, outbox)
            _deal_with(inbox.get(), generation, outbox)
        while not inbox.empty():
            _deal_with(inbox.get(), generation, outbox)
        if not generation.idle:
            outbox.put(generation.step())


def _read_ahead(generation: Pools, inbox: Inbox, outbox: Outbox) -> None:
    """Read what may be asked next, a chunk at a time, until there is a message or nothing left."""
    while generation.ahead_pending and inbox.empty():
        generation.step_ahead()
    generation.pause_ahead()
    if (stored := generation.stored()) is not None:
        outbox.put(Step(stored=stored))
    outbox.flush()


def _deal_with(
    message: Row | Ahead | Cancel | Conclude | Park | Resume | Forget | Failed,
    generation: Pools,
    outbox: Outbox,
) -> None:
    events: list[RowEvent] = []
    if isinstance(message, Cancel):
        events = generation.cancel(message)
    elif isinstance(message, Conclude):
        generation.conclude(message.row)
    elif isinstance(message, Park):
        events = generation.park(*message.rows)
    elif isinstance(message, Resume):
        generation.resume(message.row)
    elif isinstance(message, Forget):
        generation.forget(message)
    elif isinstance(message, Failed):
        events = [message]
    elif isinstance(message, Ahead):
        generation.read_ahead(message)
    else:
        generation.submit(message)
    if events:
        outbox.put(Step(events=events))
    # A prompt may follow, whose first chunk takes long.
    outbox.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

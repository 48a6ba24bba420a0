"""Two daemons that differ in one setting, in turn, on the embedded model: what benches share."""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from rig import Daemon, Mosquitto, Wire

from worker.engine import hub
from worker.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 120


@contextmanager
def mosquitto() -> Iterator[tuple[Mosquitto, Path]]:
    """Run a broker in a folder that goes away with it."""
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(folder).start()
        try:
            yield broker, Path(folder)
        finally:
            broker.stop()


def embedded_path() -> Path:
    """Return where the embedded model lies; `make setup` put it there."""
    return hub.model_folder(hub.EMBEDDED_NAME, load().data_dir)


@contextmanager
def daemon_with(
    broker: Mosquitto, folder: Path, engine: str, *, model: str = "embedded"
) -> Iterator[Wire]:
    """Run a daemon with a model and these lines in `[engine]`; yield a client of it.

    The client knows its daemon by `daemon`.
    """
    own = folder / uuid.uuid4().hex
    own.mkdir()
    named = f'name = "{model}"'
    if model == "embedded":
        named = f'name = "bench"\npath = "{embedded_path()}"'
    config = f"[model]\n{named}\n[engine]\n{engine}\n"
    daemon = Daemon(own, broker.port, config=config).start()
    wire = Wire(broker.port, daemon.root).listen(f"{daemon.root}/reply/me/#")
    wire.daemon = daemon
    try:
        yield wire
    finally:
        wire.close()
        daemon.stop()


def timed(wire: Wire, request: dict[str, Any]) -> tuple[float, float, dict[str, Any]]:
    """Stream a request; return seconds to its first token and to its reply, and the reply."""
    name = uuid.uuid4().hex
    begun = time.perf_counter()
    wire.send({"id": name, "stream": True, **request})
    wire.wait(lambda m: m.topic.endswith(f"/{name}/answer"), PATIENCE_S)
    first_s = time.perf_counter() - begun
    reply = wire.reply(name, PATIENCE_S)
    return first_s, time.perf_counter() - begun, reply

"""`thinkq demo`: a broker, a daemon and a model, and real requests of an ordinary client."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from msgspec import Struct
from rich.console import Console

from worker.cli.models import prepare_embedded
from worker.cli.transcript import Transcript
from worker.client import Client, NotConnected, NoWorker
from worker.engine.hub import EMBEDDED_NAME
from worker.settings import load
from worker.settings_sources import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_S = 120.0
_STOP_S = 20.0
_LOOK_AGAIN_S = 5.0

_READINGS = """\
press-1: temperature 61 C (limit 80 C), vibration 2 mm/s (limit 5 mm/s)
press-2: temperature 93 C (limit 80 C), vibration 3 mm/s (limit 5 mm/s)
mill-3: temperature 58 C (limit 80 C), vibration 2 mm/s (limit 5 mm/s)"""

_LIGHT_SCHEMA = {
    "type": "object",
    "properties": {
        "device": {"enum": ["light", "blind", "heating"]},
        "room": {"enum": ["kitchen", "bedroom", "hall"]},
        "state": {"enum": ["on", "off"]},
        "brightness": {"type": "integer", "minimum": 0, "maximum": 100},
    },
    "required": ["device", "room", "state", "brightness"],
    "additionalProperties": False,
}


_COMMAND = "Turn on the kitchen light at 30 percent."

_CONFIRMING = (
    {"role": "system", "content": "You are a smart home. Confirm each command in one sentence."},
    {"role": "user", "content": "Close the blinds in the hall."},
    {"role": "assistant", "content": "OK, closing the blinds in the hall."},
    {"role": "user", "content": "Heat the bedroom to 19 degrees."},
    {"role": "assistant", "content": "OK, heating the bedroom to 19 degrees."},
)

_AS_JSON = """\
Write the command as JSON with device, room, state and brightness in percent. Example: \
'Turn on the hall light at 70 percent.' is \
{"device":"light","room":"hall","state":"on","brightness":70}"""


class _Scene(Struct, frozen=True):
    title: str
    text: str
    fields: dict[str, Any]
    before: tuple[dict[str, str], ...] = ()

    @property
    def messages(self) -> list[dict[str, str]]:
        return [*self.before, {"role": "user", "content": self.text}]


_SCENES = (
    _Scene(
        "A voice command",
        _COMMAND,
        {"lane": "interactive", "max_tokens": 40},
        before=_CONFIRMING,
    ),
    _Scene(
        "The same command, as strict JSON",
        _COMMAND,
        {
            "lane": "interactive",
            "response_format": {"type": "json_schema", "json_schema": {"schema": _LIGHT_SCHEMA}},
        },
        before=({"role": "system", "content": _AS_JSON},),
    ),
    _Scene(
        "A factory's question over a table of readings",
        "Which machine is over a limit, and what should be checked first?",
        {"context": {"readings": _READINGS}},
    ),
    _Scene(
        "A sum, without a thought",
        "What is 47 times 6? /no_think",
        {"session": "demo"},
    ),
    _Scene(
        "The same conversation, with one: thinking pays",
        "What is 47 times 6? /think",
        {"session": "demo"},
    ),
)


def demo() -> None:
    """Show the main job: real requests over MQTT, answered by a local model."""
    console = Console(highlight=False, soft_wrap=True)
    settings = load()
    console.print(
        "An embedded MQTT broker, the daemon, and SmolLM2-135M, taught to think: the smallest "
        "model that shows how all of it works, and no match for Qwen3-4B in what it says."
    )
    prepare_embedded(console, settings.data_dir)
    with tempfile.TemporaryDirectory(prefix="thinkq-demo-") as folder:
        port = _free_port()
        with _daemon(Path(folder), port, settings.data_dir, console):
            begun = time.monotonic()
            _play(port, console)
            console.print(f"\n{len(_SCENES)} requests in {time.monotonic() - begun:.0f} s.")
    console.print(
        "Everything ran on this machine. Go on with `make run` in one terminal and "
        '`.venv/bin/thinkq ask "Why is the sky blue?"` in another.'
    )


def _play(port: int, console: Console) -> None:
    transcript = Transcript(console)
    with Client("127.0.0.1", port, name="demo") as client:
        for scene in _SCENES:
            transcript.asked(scene.title, _shown(scene))
            reply = transcript.follow(client.stream(scene.messages, timeout_s=120, **scene.fields))
            if reply.status != "ok":
                raise typer.Exit(1)


def _shown(scene: _Scene) -> str:
    lines = [scene.text]
    if "context" in scene.fields:
        lines += scene.fields["context"]["readings"].splitlines()
    return "\n".join(lines)


@contextlib.contextmanager
def _daemon(folder: Path, port: int, data_dir: Path, console: Console) -> Iterator[None]:
    config = folder / "thinkq.toml"
    # A data folder of its own: the demo's journal must not meet that of a worker in service.
    config.write_text(
        f"data_dir = {json.dumps(str(folder / 'data'))}\n"
        f'[broker]\nembedded = "iotcore"\nport = {port}\n'
        f'[worker]\nid = "demo"\n'
        f"[model]\nname = {json.dumps(EMBEDDED_NAME)}\n"
        f"path = {json.dumps(str(data_dir / 'models' / EMBEDDED_NAME))}\n"
    )
    log = folder / "daemon.log"
    # What is set for the worker in service is not for this one.
    environment = {key: text for key, text in os.environ.items() if not key.startswith(PREFIX)}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the program itself
            [sys.executable, "-m", "worker.cli", "run", "--config", str(config)],
            stdout=output,
            stderr=output,
            env=environment,
        )
    try:
        with console.status("Starting the embedded broker, the daemon and the model"):
            _wait_until_ready(process, port, log, console)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(
    process: subprocess.Popen[bytes], port: int, log: Path, console: Console
) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(NotConnected, NoWorker), Client("127.0.0.1", port) as client:
            client.wait_for_worker(_LOOK_AGAIN_S)
            return
        time.sleep(0.1)
    console.print(log.read_text(errors="replace")[-3000:])
    console.print("[red]The daemon did not start; its log is above.[/red]")
    raise typer.Exit(1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""A broker of our own, for a first look and for a machine that has none; imports no paho.

Two kinds. `iotcore` comes with the package: rumqttd in a child process, MQTT 5, and nothing kept:
a session does not outlive its connection and nothing unacknowledged is delivered again.
`mosquitto` is used where it is installed and keeps both. Each dies with the process that
started it, however that ends.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import structlog
from msgspec import Struct

_log = structlog.get_logger(__name__)

BrokerKind: TypeAlias = Literal["iotcore", "mosquitto"]

LOOPBACK = "127.0.0.1"
MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
MAX_QUEUED_MESSAGES = 20_000
MAX_IN_FLIGHT = 1000

_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 5.0
_POLL_S = 0.02
_MOSQUITTO_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
"""Where packages put it, which is not on everybody's PATH."""

_GUARDIAN = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
sys.stdin.buffer.read()
child.terminate()
child.wait()
"""
"""Runs a command until its own standard input closes, as it does when its parent is gone."""


class BrokerUnavailable(Exception):
    """No embedded broker could be started; the message says what to do."""


class BoundBroker(Struct, frozen=True):
    """Where a started broker listens."""

    host: str
    port: int
    kind: BrokerKind


class _Process(Protocol):
    def stop(self) -> None: ...


def find_mosquitto() -> str | None:
    """Return the path of an installed Mosquitto, or None."""
    folders = os.pathsep.join((os.environ.get("PATH", os.defpath), *_MOSQUITTO_FOLDERS))
    return shutil.which("mosquitto", path=folders)


class EmbeddedBroker:
    """Starts a broker and stops it."""

    def __init__(self) -> None:
        self._process: _Process | None = None

    def start(
        self,
        kind: Literal["auto", "iotcore", "mosquitto"] = "iotcore",
        host: str = LOOPBACK,
        port: int = 0,
    ) -> BoundBroker:
        """Start a broker and return once it accepts connections.

        Args:
            kind: `auto` takes Mosquitto where it is installed.
            host: The address to listen on; anything but loopback lets the network in.
            port: 0 for any free one.

        Raises:
            BrokerUnavailable: It is not installed, the port is taken, or it does not come up.

        """
        mosquitto = find_mosquitto() if kind != "iotcore" else None
        if kind == "mosquitto" and mosquitto is None:
            raise BrokerUnavailable("mosquitto is not installed: apt or brew install mosquitto")
        port = _free_port(host, port)
        if mosquitto is None:
            bound = BoundBroker(host, port, "iotcore")
            self._process = _Iotcore(bound)
        else:
            bound = BoundBroker(host, port, "mosquitto")
            self._process = _Mosquitto(bound, mosquitto)
        _log.info("embedded_broker_started", kind=bound.kind, host=host, port=port)
        return bound

    def stop(self) -> None:
        """Stop the broker; a second time does nothing."""
        if self._process is not None:
            self._process.stop()
            self._process = None


class _Iotcore:
    def __init__(self, bound: BoundBroker) -> None:
        from iotcore import Broker  # noqa: PLC0415 - 14 MB that only this broker needs

        self._folder = tempfile.TemporaryDirectory(prefix="thinkq-broker-")
        configuration = Path(self._folder.name) / "broker.toml"
        configuration.write_text(_iotcore_configuration(bound), encoding="utf-8")
        self._broker = Broker(config_path=str(configuration))
        try:
            self._broker.start(timeout=_START_TIMEOUT_S)
        except (OSError, RuntimeError) as error:
            self._folder.cleanup()
            raise BrokerUnavailable(f"the embedded broker did not start: {error}") from error

    def stop(self) -> None:
        self._broker.stop(timeout=_STOP_TIMEOUT_S)
        self._folder.cleanup()


class _Mosquitto:
    def __init__(self, bound: BoundBroker, program: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="thinkq-broker-")
        folder = Path(self._folder.name)
        configuration = folder / "mosquitto.conf"
        configuration.write_text(_mosquitto_configuration(bound), encoding="utf-8")
        self._log = (folder / "mosquitto.log").open("w+b")
        self._guardian = subprocess.Popen(  # noqa: S603 - the program found above
            [sys.executable, "-c", _GUARDIAN, program, "-c", str(configuration)],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
        )
        if not _accepts(bound, self._guardian):
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip().splitlines()
            self.stop()
            why = said[-1] if said else f"no answer within {_START_TIMEOUT_S:.0f} s"
            raise BrokerUnavailable(f"mosquitto did not start: {why}")

    def stop(self) -> None:
        assert self._guardian.stdin is not None
        self._guardian.stdin.close()
        try:
            self._guardian.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._guardian.kill()
            self._guardian.wait()
        self._log.close()
        self._folder.cleanup()


def _free_port(host: str, port: int) -> int:
    """Return `port`, or any free one for 0, after making sure that nobody has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise BrokerUnavailable(f"can't listen on {host}:{port}: {reason}") from error
        free: int = probe.getsockname()[1]
        return free


def _accepts(bound: BoundBroker, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the broker takes a connection; False if it ends or takes too long."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection((_reachable(bound.host), bound.port), timeout=1.0):
                return True
        except OSError:
            time.sleep(_POLL_S)
    return False


def _reachable(host: str) -> str:
    return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def _iotcore_configuration(bound: BoundBroker) -> str:
    """Return rumqttd's TOML; only a listener under `v5` speaks MQTT 5."""
    address = f"[{bound.host}]" if ":" in bound.host else bound.host
    return f"""\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 1000
max_segment_size = {MAX_PAYLOAD_BYTES}
max_segment_count = 10

[v5.1]
name = "v5"
listen = "{address}:{bound.port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 10000
max_payload_size = {MAX_PAYLOAD_BYTES}
max_inflight_count = {MAX_IN_FLIGHT}
dynamic_filters = true
"""


def _mosquitto_configuration(bound: BoundBroker) -> str:
    lines = [
        f"listener {bound.port} {bound.host}",
        "allow_anonymous true",
        "set_tcp_nodelay true",
        "persistence false",
        f"max_queued_messages {MAX_QUEUED_MESSAGES}",
        f"max_inflight_messages {MAX_IN_FLIGHT}",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
    ]
    if os.geteuid() == 0:
        # As root it would change to a user of its own, who may not read this folder.
        lines.append("user root")
    return "\n".join(lines) + "\n"

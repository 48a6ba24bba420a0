"""No cloud, proven: the sockets of a daemon through a whole session, and doctor's word on them."""

import json
import socket
import subprocess
import sys
import threading

import pytest
from rig import Daemon, Wire

from worker.doctor import sockets
from worker.doctor.sockets import Peer


@pytest.fixture
def watched(tmp_path, mosquitto):
    """A daemon whose connections are looked at all the time; returns it and what was seen."""
    from worker.engine.models import ensure_embedded
    from worker.settings import load

    config = f'[model]\npath = "{ensure_embedded(load().data_dir)}"\n'
    daemon = Daemon(tmp_path, mosquitto.port, config=config)
    seen, over = set(), threading.Event()

    def watch():
        while not over.wait(0.02):
            try:
                seen.update(sockets.peers(daemon.process.pid))
            except OSError:
                continue  # it is starting, or gone

    daemon.start(wait=False)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        daemon.wait_ready()
        yield daemon, seen
    finally:
        daemon.stop()
        over.set()
        watcher.join()


def test_from_start_to_end_a_daemon_speaks_to_its_broker_alone(watched, mosquitto):
    daemon, seen = watched
    wire = Wire(mosquitto.port, daemon.root).listen(f"{daemon.root}/reply/me/#")
    for body in (
        {"prompt": "What is 3 plus 4?", "mode": "think", "session": "s", "stream": True},
        {"prompt": "See https://example.org/x and tell me what it says.", "session": "s"},
        {"prompt": "a: 1", "response_format": {"type": "json_object"}, "max_tokens": 20},
    ):
        wire.ask({"max_tokens": 30, **body})
    wire.close()
    daemon.stop()
    assert seen == {Peer("127.0.0.1", mosquitto.port)}


def test_a_connection_is_seen_whom_it_is_to():
    import os

    listener = "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); "
    listener += "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", listener], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)):
            assert Peer("127.0.0.1", port) in sockets.peers(os.getpid())
        process.stdin.close()


def test_what_lsof_prints_is_understood():
    said = (
        "p8\nf7\nn127.0.0.1:50112->127.0.0.1:1883\nf8\nn*:1883\nf9\nn[::1]:9->[2001:db8::1]:443\n"
    )
    assert sockets.of_lsof(said) == [
        (Peer("127.0.0.1", 50112), Peer("127.0.0.1", 1883)),
        (Peer("::1", 9), Peer("2001:db8::1", 443)),
    ]


def test_doctor_says_whom_the_running_daemon_is_connected_to(stub_daemon):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "worker.cli", "doctor", "--json"),
            *("--config", stub_daemon.folder / "thinkq.toml"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = {one["check"]: one for one in json.loads(done.stdout)["findings"]}
    assert found["connections"]["said"] == "only the broker's (1)"

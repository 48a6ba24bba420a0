"""No cloud, proven: the sockets of a daemon through a whole session, and doctor's word on them."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading

import pytest
from rig import Daemon, Wire

from worker.doctor import sockets
from worker.doctor.sockets import Peer

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="lsof looks in its own way")


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
    program = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); "
    program += "print(flush=True); sys.stdin.read()"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with subprocess.Popen(
            [sys.executable, "-c", program, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            process.stdout.readline()
            assert sockets.peers(process.pid) == [Peer("127.0.0.1", port)]
            process.stdin.close()


@pytest.fixture
def to_itself():
    """A connection of this process to itself, not taken up: where it listens, and its one end."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as near,
    ):
        yield server, near


def look_while(monkeypatch, this, then=lambda: None):
    """Return the peers of this process while something happens to its connections.

    `this` happens between the list of its sockets and the table, `then` before they are listed
    once more.
    """
    listed = sockets._sockets

    def first(pid):
        monkeypatch.setattr(sockets, "_sockets", second)
        found = listed(pid)
        this()
        return found

    def second(pid):
        then()
        return listed(pid)

    monkeypatch.setattr(sockets, "_sockets", first)
    return sockets.peers(os.getpid())


@ON_LINUX
def test_a_connection_to_itself_is_to_nobody_before_it_is_taken_up(to_itself):
    server, _ = to_itself
    assert Peer(*server.getsockname()) not in sockets.peers(os.getpid())


@ON_LINUX
def test_a_connection_to_itself_is_to_nobody_while_it_is_taken_up(to_itself, monkeypatch):
    server, _ = to_itself
    where = Peer(*server.getsockname())
    with contextlib.ExitStack() as ends:

        def take_up():
            ends.enter_context(server.accept()[0])
            server.close()

        assert where not in look_while(monkeypatch, take_up)


@ON_LINUX
def test_a_connection_to_itself_is_to_nobody_while_it_ends(to_itself, monkeypatch):
    server, near = to_itself
    far, _ = server.accept()
    where = Peer(*server.getsockname())
    server.close()
    assert where not in look_while(monkeypatch, far.close, then=near.close)


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

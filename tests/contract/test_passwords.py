"""A password goes to the broker and nowhere else, whichever way the worker came by it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from exchange import STUB, ask, children_of, kill_engine, wait_in_log
from rig import Daemon, Mosquitto, Wire, find_mosquitto

SECRET = "quetzalcoatl-7"
LOUD = f"{STUB}[log]\nlevel = 'debug'\ncontent = true\n"


def set_password(file, password):
    program = Path(find_mosquitto()).parent.parent / "bin" / "mosquitto_passwd"
    found = str(program) if program.exists() else "mosquitto_passwd"
    subprocess.run([found, "-b", file, "worker", password], check=True, capture_output=True)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """A broker that wants a password of everybody."""
    folder = tmp_path_factory.mktemp("broker")
    (folder / "passwords").touch(0o600)
    set_password(folder / "passwords", SECRET)
    lines = ("allow_anonymous false", f"password_file {folder}/passwords")
    running = Mosquitto(folder, lines=lines)
    config = folder / "mosquitto.conf"
    config.write_text(config.read_text().replace("allow_anonymous true\n", ""))
    yield running.start()
    running.stop()


def from_the_environment(_folder, password, monkeypatch):
    monkeypatch.setenv("THINKQ_BROKER__PASSWORD", password)
    return ""


def from_a_file(folder, password, _monkeypatch):
    (folder / "secret").touch(0o600)
    (folder / "secret").write_text(f"{password}\n")
    return f"password_file = '{folder}/secret'\n"


def from_the_settings(_folder, password, _monkeypatch):
    return f"password = '{password}'\n"


def from_the_keychain(folder, password, monkeypatch):
    program = folder / "bin" / "security"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{password}'\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return "password_keychain = 'worker'\n"


WAYS = [from_the_environment, from_a_file, from_the_settings, from_the_keychain]


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def daemon_with(request, tmp_path, broker, monkeypatch):
    """Make a daemon that has its password in one of the ways: `daemon_with(password)`."""
    made = []

    def make(password):
        line = request.param(tmp_path, password, monkeypatch)
        daemon = Daemon(tmp_path, broker.port, config=LOUD)
        settings = tmp_path / "thinkq.toml"
        given = f"[broker]\nusername = 'worker'\n{line}"
        settings.write_text(settings.read_text().replace("[broker]\n", given))
        settings.chmod(0o600)
        made.append(daemon)
        return daemon.start(wait=False)

    yield make
    for daemon in made:
        daemon.stop()


def thinkq(daemon, *arguments):
    command = [sys.executable, "-m", "worker.cli", *arguments, "--config", "thinkq.toml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=daemon.folder)
    return done.stdout + done.stderr


def test_it_is_in_no_log_no_list_of_processes_and_no_file_of_the_worker(daemon_with, broker):
    daemon = daemon_with(SECRET)
    wait_in_log(daemon, '"broker_connected"')
    wire = Wire(broker.port, daemon.root, "worker", username="worker", password=SECRET)
    try:
        wire.listen(f"{daemon.root}/reply/worker/#", f"{daemon.root}/worker/#")
        assert ask(wire, {"prompt": "hello"}).json["status"] == "ok"
        for parent in (os.getpid(), daemon.process.pid):
            commands = children_of(parent, with_command=True)
            assert commands
            assert [command for _, command in commands if SECRET in command] == []
        kill_engine(daemon)
        wait_in_log(daemon, '"engine_down"')
        daemon.process.send_signal(signal.SIGHUP)
        wait_in_log(daemon, "settings_read_again")
        assert [message for message in wire.heard if SECRET.encode() in message.payload] == []
    finally:
        wire.close()
    assert daemon.stop() == 0
    assert SECRET not in daemon.log.read_text()
    for path in (daemon.folder / "data").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_it_is_in_no_log_where_the_broker_does_not_take_it(daemon_with):
    daemon = daemon_with(SECRET + "-wrong")
    wait_in_log(daemon, '"broker_away"', "check broker.username and broker.password")
    daemon.stop()
    assert SECRET not in daemon.log.read_text()


def test_no_command_shows_it(daemon_with):
    daemon = daemon_with(SECRET + "-wrong")
    daemon.stop()
    said = [
        thinkq(daemon, *command)
        for command in (("config", "show"), ("config", "show", "--json"), ("config", "check"),
                        ("doctor", "--json"), ("--debug", "ask", "hello"))
    ]  # fmt: skip
    assert "broker.password" in said[0]
    assert [words for words in said if SECRET in words] == []


@pytest.mark.parametrize("command", ["run", "ask", "chat", "doctor", "config show", "demo"])
def test_no_command_takes_one_as_an_argument(command):
    program = [sys.executable, "-m", "worker.cli", *command.split()]
    told = subprocess.run([*program, "--help"], capture_output=True, text=True, check=True)
    assert "password" not in told.stdout.lower()
    done = subprocess.run(
        [*program, f"--password={SECRET}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert SECRET not in done.stdout

"""`thinkq run`: its own broker when asked, and a clear end when it can't start."""

import signal
import subprocess
import sys

import pytest
from paho.mqtt import client as mqtt
from rig import Wire, free_port

STUB = '[model]\nname = "stub"\n'


@pytest.fixture
def run(tmp_path):
    """Start `thinkq run`; killed when the test ends."""
    made = []

    def start(config, *arguments):
        path = tmp_path / "thinkq.toml"
        path.write_text(f'data_dir = "{tmp_path}/data"\n[worker]\nid = "w1"\n{config}')
        process = subprocess.Popen(
            [sys.executable, "-m", "worker.cli", "run", "--config", path, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        made.append(process)
        return process

    yield start
    for process in made:
        process.kill()
        process.communicate()


def wait_until_it_serves(process):
    """Return when the broker passes requests on to it and its model is loaded."""
    # In either order; and a request before the first is nobody's.
    awaited = {"broker_connected", "engine_ready"}
    for line in process.stderr:
        awaited -= {word for word in awaited if word in line}
        if not awaited:
            break


@pytest.mark.parametrize("kind", ["iotcore", "mosquitto"])
def test_with_a_broker_of_its_own_it_answers(kind, run):
    port = free_port()
    process = run(f"{STUB}[broker]\nembedded = '{kind}'\nport = {port}\n")
    wait_until_it_serves(process)
    wire = Wire(port, "thinkq").listen("thinkq/reply/me/#")
    try:
        assert wire.ask("hello")["content"] == "hello"
    finally:
        wire.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_an_older_client_is_answered_through_the_embedded_broker(run):
    port = free_port()
    process = run(f"{STUB}[broker]\nport = {port}\n", "--broker", "embedded")
    wait_until_it_serves(process)
    wire = Wire(port, "thinkq", protocol=mqtt.MQTTv311).listen("thinkq/reply/me")
    try:
        assert wire.ask({"id": "a", "prompt": "hello"})["content"] == "hello"
    finally:
        wire.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_a_taken_port_is_one_sentence(run, mosquitto):
    process = run(f"{STUB}[broker]\nembedded = 'mosquitto'\nport = {mosquitto.port}\n")
    _, said = process.communicate(timeout=20)
    assert process.returncode == 3
    assert str(mosquitto.port) in said
    assert "Traceback" not in said


def test_a_log_goes_to_its_file_and_is_rotated(run, tmp_path, mosquitto):
    log = tmp_path / "logs" / "thinkq.log"
    process = run(
        f"{STUB}[broker]\nport = {mosquitto.port}\n[topics]\nroot = 'rotated'\n"
        f"[log]\nfile = '{log}'\nfile_bytes = 300\nfiles_kept = 2\nlevel = 'debug'\n"
    )
    wire = Wire(mosquitto.port, "rotated").listen("rotated/reply/me/#", "rotated/worker/#")
    try:
        wire.wait(lambda message: message.topic.endswith("/card"))
        for number in range(5):
            wire.ask(f"question {number}")
    finally:
        wire.close()
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    assert process.stderr.read() == ""
    assert sorted(path.name for path in log.parent.iterdir()) == [
        "thinkq.log",
        "thinkq.log.1",
        "thinkq.log.2",
    ]

"""The machine sleeps, its clock jumps, it has no file descriptors left: the daemon goes on."""

import os
import resource
import signal
import sys
import time
from pathlib import Path

import pytest
from exchange import Heard, begin, body_of, children_of, final_of, send, wait_in_log
from proxy import Proxy

JUMPING = str(Path(__file__).with_name("jumping_daemon.py"))
FAULTY = str(Path(__file__).with_name("faulty_daemon.py"))
HASTY = str(Path(__file__).with_name("hasty_daemon.py"))
DAY_S = 86_400


def keepalive(daemon, seconds):
    toml = daemon.folder / "thinkq.toml"
    toml.write_text(toml.read_text().replace("[broker]\n", f"[broker]\nkeepalive_s = {seconds}\n"))
    return daemon


def test_after_a_sleep_it_connects_again_and_goes_on_with_the_same_engine(daemon_of, wire_of):
    # A busy machine's own pauses must stay below this: the engine would be taken for hung.
    impatient = '[model]\nname = "stub"\n[engine]\nstep_timeout_s = 4\n'
    daemon = keepalive(daemon_of(config=impatient), 1).start()
    client = wire_of(daemon)
    request_id = begin(client, "stub: tokens=60 delay_ms=20")
    asleep = [*children_of(daemon.process.pid), daemon.process.pid]
    for process in reversed(asleep):
        os.kill(process, signal.SIGSTOP)
    time.sleep(5.6)  # longer than the broker and the watchdog wait for a sign
    for process in asleep:
        os.kill(process, signal.SIGCONT)
    assert Heard(client, request_id).final["content"].endswith("w58 end")
    assert "engine_down" not in daemon.log.read_text()


@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S])
def test_a_jump_of_the_clock_moves_no_deadline_and_forgets_no_record(
    jump_s, tmp_path, daemon_of, wire_of
):
    wrong_by = tmp_path / "wrong_by"
    wrong_by.write_text("0")
    daemon = daemon_of(program=(JUMPING, str(wrong_by))).start()
    client = wire_of(daemon)
    client.ask({"id": "before", "prompt": "hello"})
    running = begin(client, "stub: tokens=60 delay_ms=10", deadline_ms=60_000)
    late = begin(client, "stub: tokens=100000 delay_ms=10", deadline_ms=2_000)
    wrong_by.write_text(str(jump_s))
    assert Heard(client, running).final["finish_reason"] == "stop"
    assert Heard(client, late).final["finish_reason"] == "deadline"
    tokens = client.ask({"id": "before", "prompt": "another"})["content"]
    assert tokens == "hello"
    assert client.ask({"prompt": "hello", "deadline_ms": 60_000})["status"] == "ok"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
def test_without_file_descriptors_it_keeps_trying_to_connect(daemon_of, mosquitto, wire_of):
    proxy = Proxy(mosquitto.port)
    daemon = daemon_of(port=proxy.port).start()
    daemon.port = mosquitto.port
    client = wire_of(daemon)
    limits = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    proxy.cut()
    wait_in_log(daemon, "broker_away", "Too many open files")
    request_id = send(client, "hello there")
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, limits)
    assert body_of(final_of(client, request_id))["content"] == "hello there"
    proxy.close()


def test_after_a_fault_of_its_own_it_ends_so_that_it_can_be_started_again(daemon_of):
    daemon = daemon_of(program=(FAULTY,)).start(wait=False)
    assert daemon.process.wait(20) == 1
    assert "a fault of ours" in daemon.log.read_text()


def test_a_signal_that_comes_while_it_starts_is_heard_when_it_can_be(daemon_of):
    daemon = daemon_of(program=(HASTY,)).start()
    wait_in_log(daemon, "settings_read_again")

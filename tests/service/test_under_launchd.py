"""The job's program under launchd's rules, with the property list that would be installed."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from launchd_rules import Launchd
from rig import Daemon

from worker.service.launchd import Job, Kind, property_list

THROTTLE_S = 1.0


@pytest.fixture
def loaded(tmp_path, mosquitto):
    """Write a daemon's settings, load its job, and return both, the daemon not started by us."""
    made = []

    def load(config="", throttle_s=THROTTLE_S):
        daemon = Daemon(tmp_path, mosquitto.port, config=f'[model]\nname = "stub"\n{config}')
        job = Job(
            kind=Kind.AGENT,
            program=(
                sys.executable,
                "-m",
                "worker.cli",
                "run",
                "--config",
                str(tmp_path / "thinkq.toml"),
            ),
            data_folder=tmp_path,
            log_folder=tmp_path,
            grace_s=5.0,
            environment={"THINKQ_LOG__FILE": str(tmp_path / "thinkq.log")},
        )
        daemon.log = tmp_path / "thinkq.log"
        launchd = Launchd(
            property_list(job), environment={"HOME": str(tmp_path)}, throttle_s=throttle_s
        ).load()
        made.append(launchd)
        daemon.wait_ready()
        return launchd, daemon

    yield load
    for launchd in made:
        launchd.unload()


def test_it_answers_requests(loaded, wire_of):
    _, daemon = loaded()
    assert wire_of(daemon).ask("hello")["status"] == "ok"


def test_it_is_back_after_a_crash_but_not_before_its_throttle_interval(loaded, wire_of):
    launchd, daemon = loaded()
    daemon.started_at = time.time()
    os.kill(launchd.pid, signal.SIGKILL)
    launchd.wait_for_start(2)
    daemon.wait_ready()
    assert wire_of(daemon).ask("hello")["status"] == "ok"
    assert launchd.starts[1] - launchd.starts[0] >= THROTTLE_S


def test_unloaded_in_mid_answer_it_finishes_it_and_ends_before_it_is_killed(loaded, wire_of):
    launchd, daemon = loaded()
    wire = wire_of(daemon)
    wire.send({"id": "1", "prompt": "stub: tokens=40 delay_ms=25", "stream": True})
    wire.wait(lambda message: message.topic.endswith("/1/answer"))
    assert launchd.unload() == 0
    assert not launchd.killed
    assert wire.reply("1")["status"] == "ok"


def test_unloaded_it_stays_away(loaded):
    launchd, _ = loaded()
    launchd.unload()
    assert len(launchd.starts) == 1


def test_its_log_and_its_data_are_its_users_alone(loaded):
    launchd, daemon = loaded()
    log = daemon.folder / "thinkq.log"
    assert log.stat().st_mode & 0o077 == 0
    assert Path(daemon.folder / "data").stat().st_mode & 0o077 == 0
    assert launchd.pid


def test_what_ends_a_start_is_on_the_console(tmp_path):
    (tmp_path / "thinkq.toml").write_text("[broker]\nprot = 1\n")
    job = Job(
        kind=Kind.AGENT,
        program=(sys.executable, "-m", "worker.cli", "run", "--config", f"{tmp_path}/thinkq.toml"),
        data_folder=tmp_path,
        log_folder=tmp_path,
        grace_s=5.0,
    )
    launchd = Launchd(property_list(job), environment={"HOME": str(tmp_path)}, throttle_s=0.2)
    launchd.load().wait_for_start(2)
    launchd.unload()
    assert "did you mean broker.port" in job.console_file.read_text()

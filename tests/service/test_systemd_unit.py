"""The unit in deploy/systemd: what systemd itself says of it, and what it has to promise."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from worker.settings import Settings

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "thinkq.service"


def service():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(UNIT)
    return unit["Service"]


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is what judges its units"
)
def test_systemd_finds_no_fault_in_it(tmp_path):
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/thinkq/bin/thinkq", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert ours == []


def test_it_waits_longer_than_a_drain_takes():
    assert float(service()["TimeoutStopSec"]) > Settings().shutdown.grace_s + 15


def test_only_the_daemon_gets_the_signal_so_that_the_engine_can_finish():
    assert service()["KillMode"] == "mixed"


def test_it_is_started_again_whatever_happened():
    assert service()["Restart"] == "always"

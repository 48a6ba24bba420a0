"""`thinkq doctor`: each fault is found on the real thing, and its cure is named."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from rig import Mosquitto, free_port

from worker.doctor import machine, model
from worker.doctor.finding import Level
from worker.engine import pins


@pytest.fixture
def doctor(tmp_path):
    """Run the command with these settings; return its exit status and the findings by check."""

    def run(config="", **environment):
        (tmp_path / "thinkq.toml").write_text(f'data_dir = "{tmp_path}/data"\n{config}')
        done = subprocess.run(
            [sys.executable, "-m", "worker.cli", "doctor", "--json", "--config", "thinkq.toml"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], **environment},
        )
        assert done.stderr == ""
        report = json.loads(done.stdout)
        assert report["ok"] is (done.returncode == 0)
        return done.returncode, {one["check"]: one for one in report["findings"]}

    return run


STUB = '[model]\nname = "stub"\n'


def test_a_machine_on_which_all_is_well_has_no_problem(doctor, stub_daemon):
    status, found = doctor(
        f"{STUB}[broker]\nport = {stub_daemon.port}\n[topics]\nroot = '{stub_daemon.root}'\n"
    )
    assert status == 0
    assert found["broker"]["level"] == "ok"
    assert found["workers"]["said"] == "w1 is online"


def test_the_blas_in_use_is_named_with_its_speed(doctor):
    _, found = doctor(STUB)
    assert "GFLOP/s" in found["blas"]["said"]
    if sys.platform == "linux":
        assert "openblas" in found["blas"]["said"]


@pytest.mark.skipif(sys.platform != "linux", reason="on a Mac MLX has Accelerate and Metal")
def test_the_slow_blas_is_a_warning(monkeypatch):
    def slow(*_arguments, **_options):
        report = {"name": "reference", "path": "", "threads": 0, "slow": True, "gflops": 2.4}
        said = json.dumps(report | {"advice": "apt-get install libgfortran5"})
        return subprocess.CompletedProcess([], 0, said, "")

    monkeypatch.setattr(machine.subprocess, "run", slow)
    (finding,) = machine.blas()
    assert finding.level is Level.WARNING
    assert "libgfortran5" in finding.cure


def test_a_broker_that_is_not_there_is_a_problem_with_a_cure(doctor):
    status, found = doctor(f"{STUB}[broker]\nport = {free_port()}\n")
    assert status == 1
    assert found["broker"]["level"] == "problem"
    assert "start the broker" in found["broker"]["cure"]


def test_an_embedded_broker_need_not_run_yet(doctor):
    status, found = doctor(f"{STUB}[broker]\nport = {free_port()}\nembedded = 'auto'\n")
    assert status == 0
    assert found["broker"]["said"].startswith("embedded")


def test_a_broker_that_does_not_know_us_is_a_problem(doctor, tmp_path):
    (tmp_path / "broker").mkdir()
    passwords = tmp_path / "broker" / "passwords"
    passwords.touch(0o600)
    broker = Mosquitto(
        tmp_path / "broker", lines=[f"password_file {passwords}", "allow_anonymous false"]
    ).start()
    try:
        _, found = doctor(
            f"{STUB}[broker]\nport = {broker.port}\nusername='w'\n", THINKQ_BROKER__PASSWORD="x"
        )
    finally:
        broker.stop()
    assert found["broker"]["level"] == "problem"
    assert "Not authorized" in found["broker"]["said"]


def test_a_port_that_speaks_no_tls_is_said(doctor, mosquitto):
    tls = f"{STUB}[broker]\nport = {mosquitto.port}\n[broker.tls]\nenabled = true\n"
    status, found = doctor(tls)
    assert status == 1
    assert found["broker"]["level"] == "problem"


def test_wrong_settings_end_the_examination_with_their_fault(doctor):
    status, found = doctor("[broker]\nprot = 1\n")
    assert status == 1
    assert "did you mean broker.port" in found["settings"]["said"]
    assert "broker" not in found


def test_a_password_that_others_can_read_is_a_problem(doctor, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o644)
    status, found = doctor(f"{STUB}[broker]\npassword_file = '{secret}'\n")
    assert status == 1
    assert "chmod 600" in found["settings"]["said"]


def test_a_model_that_is_missing_is_a_problem_that_says_how_to_get_it(doctor):
    status, found = doctor()
    assert status == 1
    assert "thinkq models pull Qwen/Qwen3-4B-MLX-4bit" in found["model"]["said"]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(b"weights")
    return made


def test_a_model_without_pins_is_a_warning(folder, tmp_path):
    (finding,) = model.model("any", folder, tmp_path)
    assert finding.level is Level.WARNING
    assert "thinkq models verify --pin" in finding.cure


def test_a_model_that_is_as_it_was_pinned_is_well(folder, tmp_path):
    pins.write_pins(folder, origin="a/b", revision="1")
    (finding,) = model.model("any", folder, tmp_path)
    assert finding.level is Level.OK


def test_a_model_that_changed_is_a_problem_that_names_the_file(folder, tmp_path):
    pins.write_pins(folder, origin="a/b", revision="1")
    (folder / "model.safetensors").write_bytes(b"Weights")
    (finding,) = model.model("any", folder, tmp_path)
    assert finding.level is Level.PROBLEM
    assert "model.safetensors" in finding.said


def test_a_data_folder_that_is_not_there_yet_is_judged_by_where_it_would_be(tmp_path):
    (finding,) = machine.data_folder(tmp_path / "a" / "b")
    assert finding.level is Level.OK


def test_a_data_folder_that_is_a_file_is_a_problem(tmp_path):
    (tmp_path / "data").touch()
    (finding,) = machine.data_folder(tmp_path / "data")
    assert finding.level is Level.PROBLEM


def test_a_full_disk_is_a_problem(monkeypatch, tmp_path):
    usage = shutil._ntuple_diskusage(100, 90, 10)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path: usage)
    (finding,) = machine.data_folder(tmp_path)
    assert finding.level is Level.PROBLEM


def test_the_doctor_leaves_nothing_behind(doctor, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        doctor(f"{STUB}[broker]\nport = {taken.getsockname()[1]}\n")
    assert not Path(tmp_path / "data").exists()

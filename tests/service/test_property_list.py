"""The property list: right for launchd, without secrets, and the same however it is obtained."""

import plistlib
import subprocess
import sys
from pathlib import Path

import pytest
from launchd_rules import KNOWN_KEYS

from worker.service.launchd import (
    AFTER_DRAIN_S,
    Job,
    Kind,
    domain,
    property_list,
    property_list_path,
)

ROOT = Path(__file__).parents[2]


def job(**changes):
    values = {
        "kind": Kind.DAEMON,
        "program": ("/opt/thinkq/bin/python3", "-m", "worker.cli", "run"),
        "data_folder": Path("/Library/Application Support/thinkq"),
        "log_folder": Path("/Library/Logs/thinkq"),
        "grace_s": 20.0,
        "user": "_thinkq",
    }
    return Job(**values | changes)


def content(**changes):
    return plistlib.loads(property_list(job(**changes)))


def test_it_has_only_keys_that_launchd_knows():
    assert set(content()) <= KNOWN_KEYS


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("Label", str),
        ("UserName", str),
        ("ProcessType", str),
        ("ThrottleInterval", int),
        ("ExitTimeOut", int),
        ("Umask", int),
        ("KeepAlive", bool),
        ("RunAtLoad", bool),
    ],
)
def test_a_key_has_the_type_that_launchd_wants(key, kind):
    assert type(content()[key]) is kind


def test_every_path_in_it_is_absolute():
    made = content()
    paths = [made["ProgramArguments"][0], made["WorkingDirectory"], made["StandardErrorPath"]]
    assert all(Path(path).is_absolute() for path in paths)


@pytest.mark.parametrize("grace_s", [0.0, 20.0, 90.5])
def test_launchd_waits_longer_than_a_drain_takes(grace_s):
    assert content(grace_s=grace_s)["ExitTimeOut"] >= grace_s + AFTER_DRAIN_S


def test_it_is_not_slowed_down_as_background_work():
    assert content()["ProcessType"] == "Interactive"


def test_it_comes_back_whatever_its_exit_status():
    assert content()["KeepAlive"] is True


def test_an_agent_runs_as_who_logged_in():
    assert "UserName" not in content(kind=Kind.AGENT)


def test_a_daemon_and_an_agent_lie_where_launchd_looks_for_them():
    home = Path("/Users/ada")
    assert str(property_list_path(Kind.DAEMON, home)).startswith("/Library/LaunchDaemons/")
    assert str(property_list_path(Kind.AGENT, home)).startswith("/Users/ada/Library/LaunchAgents/")


def test_its_file_is_named_after_its_label():
    assert property_list_path(Kind.DAEMON, Path()).stem == content()["Label"]


def test_a_daemon_is_the_systems_and_an_agent_its_users():
    assert domain(Kind.DAEMON, 501) == "system"
    assert domain(Kind.AGENT, 501) == "gui/501"


def test_the_template_is_in_an_installed_package(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, ROOT],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    listing = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", wheel], capture_output=True, text=True, check=True
    )
    assert "worker/service/org.thinkq.worker.plist" in listing.stdout


def printed(tmp_path, *arguments, **environment):
    return plistlib.loads(
        subprocess.run(
            [sys.executable, "-m", "worker.cli", "service", "install", "--print", *arguments],
            capture_output=True,
            check=True,
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **environment},
        ).stdout
    )


def test_print_shows_it_on_any_machine(tmp_path):
    made = printed(tmp_path)
    assert made["ProgramArguments"] == [sys.executable, "-m", "worker.cli", "run"]
    assert made["UserName"] == "_thinkq"


def test_no_secret_gets_into_it(tmp_path):
    made = printed(tmp_path, THINKQ_BROKER__PASSWORD="hunter2", THINKQ_BROKER__USERNAME="w")
    assert "hunter2" not in str(made)


def test_the_settings_drain_decides_its_exit_timeout(tmp_path):
    assert printed(tmp_path, THINKQ_SHUTDOWN__GRACE_S="60")["ExitTimeOut"] == 60 + AFTER_DRAIN_S


def test_the_settings_file_goes_along_by_its_full_path(tmp_path):
    (tmp_path / "mine.toml").write_text('data_dir = "/Volumes/fast/thinkq"\n')
    made = printed(tmp_path, "--config", "mine.toml")
    assert made["ProgramArguments"][-2:] == ["--config", str(tmp_path / "mine.toml")]


def test_folders_that_the_settings_name_are_not_overruled(tmp_path):
    (tmp_path / "mine.toml").write_text('data_dir = "/Volumes/fast/thinkq"\n')
    made = printed(tmp_path, "--config", "mine.toml")
    assert "THINKQ_DATA_DIR" not in made["EnvironmentVariables"]
    assert made["WorkingDirectory"] == "/Volumes/fast/thinkq"

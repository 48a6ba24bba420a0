"""What would be done to a Mac, shown; and what a step does, done."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_property_list import job

from worker.service import macos
from worker.service.launchd import Kind
from worker.service.steps import Command, File, Folder, Removal, StepFailed, do_all

HOME = Path("/Users/ada")


def shown(steps):
    return [str(step) for step in steps]


def test_a_daemon_gets_an_account_that_nobody_can_log_in_as():
    steps = shown(macos.install(job(), home=HOME, user_id=501, new_user=301))
    assert "run dscl . -create /Users/_thinkq UniqueID 301" in steps
    assert "run dscl . -create /Users/_thinkq UserShell /usr/bin/false" in steps


def test_an_account_that_is_there_is_left_alone():
    steps = macos.install(job(), home=HOME, user_id=501, new_user=None)
    assert not any("dscl" in step for step in shown(steps))


def test_an_agent_needs_no_account():
    steps = macos.install(job(kind=Kind.AGENT), home=HOME, user_id=501, new_user=301)
    assert not any("dscl" in step for step in shown(steps))


def test_an_earlier_job_is_unloaded_before_the_new_one_is_loaded():
    steps = shown(macos.install(job(), home=HOME, user_id=501))
    unload = steps.index("run launchctl bootout system/org.thinkq.worker")
    load = steps.index(
        "run launchctl bootstrap system /Library/LaunchDaemons/org.thinkq.worker.plist"
    )
    assert unload < load


def test_uninstalling_leaves_the_data():
    steps = shown(macos.uninstall(Kind.DAEMON, home=HOME, user_id=501))
    assert steps == [
        "run launchctl bootout system/org.thinkq.worker",
        "delete /Library/LaunchDaemons/org.thinkq.worker.plist",
    ]


def test_stopping_unloads_since_a_killed_job_would_come_back():
    assert shown(macos.stop(Kind.AGENT, user_id=501)) == [
        "run launchctl bootout gui/501/org.thinkq.worker"
    ]


def test_an_accounts_number_is_one_that_nobody_has():
    users = "_www  70\n_thing  300\nada  501\nnobody  -2\n"
    groups = "staff  20\n_other  301\n"
    assert macos.free_user_id([users, groups]) == 302


def test_the_state_of_a_job_is_read_from_what_launchctl_prints():
    said = (
        "system/org.thinkq.worker = {\n\tactive count = 1\n\tstate = running\n\n"
        "\tpid = 4711\n\truns = 2\n\tlast exit code = 0\n\tspawn type = interactive (4)\n"
        '\tendpoints = {\n\t\t"x" = {\n\t\t\tstate = active\n'
    )
    assert macos.parse_status(said) == {
        "state": "running",
        "pid": "4711",
        "runs": "2",
        "last exit code": "0",
    }


def test_folders_and_files_have_the_mode_that_was_asked_for(tmp_path):
    do_all([Folder(tmp_path / "a", 0o700), File(tmp_path / "a" / "b", b"content", 0o644)])
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "a" / "b").read_bytes() == b"content"


def test_deleting_what_is_not_there_is_no_failure(tmp_path):
    do_all([Removal(tmp_path / "nothing")])


def test_a_command_that_fails_is_named_with_what_it_said():
    failing = Command((sys.executable, "-c", "import sys; sys.exit('no such service')"))
    with pytest.raises(StepFailed, match="no such service"):
        do_all([failing])


def test_a_command_that_may_fail_does_not_end_the_steps(tmp_path):
    failing = Command((sys.executable, "-c", "raise SystemExit(1)"), may_fail=True)
    do_all([failing, Folder(tmp_path / "after", 0o700)])
    assert (tmp_path / "after").is_dir()


def test_a_command_with_patience_is_tried_again(tmp_path):
    mark = tmp_path / "mark"
    code = (
        f"import pathlib; p = pathlib.Path({str(mark)!r}); d = p.exists(); p.touch(); exit(not d)"
    )
    do_all([Command((sys.executable, "-c", code), patience_s=30)])


def test_an_owner_that_does_not_exist_is_said(tmp_path):
    with pytest.raises(StepFailed, match="nobody-of-that-name"):
        do_all([Folder(tmp_path / "a", 0o700, "nobody-of-that-name")])


@pytest.mark.skipif(sys.platform == "darwin", reason="on a Mac these commands do what they say")
@pytest.mark.parametrize("command", ["install", "uninstall", "start", "stop", "status", "logs"])
def test_elsewhere_a_command_says_what_it_would_do_and_does_nothing(command, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "worker.cli", "service", command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert done.returncode == 1
    assert "Nothing was done: this is no Mac." in done.stderr
    assert list(tmp_path.iterdir()) == []

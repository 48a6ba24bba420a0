"""`thinkq demo`, whole: it is the first thing that anybody sees."""

import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    return subprocess.run(
        [sys.executable, "-m", "worker.cli", "demo"],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={**os.environ, "HOME": str(home), "THINKQ_TOPICS__ROOT": "elsewhere"},
    )


@pytest.mark.timeout(300)
def test_it_ends_by_itself_and_says_how_to_go_on(shown):
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "make run" in shown.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "scene",
    [
        "A voice command",
        "The same command, as strict JSON",
        "A factory's question over a table of readings",
        "A sum, without a thought",
        "The same conversation, with one: thinking pays",
    ],
)
def test_it_plays_every_scene(scene, shown):
    assert scene in shown.stdout


def test_it_shows_the_strict_json_that_the_command_means(shown):
    assert '"brightness":30' in shown.stdout.replace(" ", "").replace("\n", "")


def test_with_a_thought_the_sum_is_right(shown):
    assert "282" in shown.stdout.partition("with one: thinking pays")[2]


def test_it_says_which_mode_was_chosen_and_why(shown):
    assert "/think" in shown.stdout
    assert "first token" in shown.stdout

"""kill -9 at any moment: what was acknowledged is there, and an answer and its turn go together."""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from worker.journal.storage import open_for_reading
from worker.journal.store import Journal

PROGRAM = Path(__file__).with_name("crashing_daemon.py")


def run_until_killed(path, lines):
    """Let the program journal, kill it after so many lines; return all it had said by then."""
    environment = os.environ | {"PYTHONPATH": str(PROGRAM.parents[2])}
    with subprocess.Popen(
        [sys.executable, PROGRAM, path], stdout=subprocess.PIPE, text=True, env=environment
    ) as program:
        said = [program.stdout.readline() for _ in range(lines)]
        os.kill(program.pid, signal.SIGKILL)
        said += program.stdout.readlines()
    assert program.returncode == -signal.SIGKILL
    return [line.split() for line in said if line.endswith("\n")]


@pytest.mark.parametrize("seed", range(6))
async def test_a_kill_loses_nothing_that_was_acknowledged(path, seed):
    acknowledged = run_until_killed(path, random.Random(seed).randrange(1, 1500))
    journal = Journal.open(path)
    backlog = {entry.request.id for entry in journal.backlog()}
    replies = {entry.reply.id for entry in journal.undelivered()}
    await journal.close()
    assert {name for what, name in acknowledged if what == "accepted"} <= backlog | replies
    assert {name for what, name in acknowledged if what == "answered"} <= replies
    assert not backlog & replies


@pytest.mark.parametrize("seed", range(6, 9))
async def test_a_kill_never_parts_an_answer_from_its_sessions_turn(path, seed):
    run_until_killed(path, random.Random(seed).randrange(300, 1500))
    journal = Journal.open(path)
    answers = Counter(entry.client for entry in journal.undelivered())
    assert answers
    for client, count in answers.items():
        assert len((await journal.session(client)).messages) == count
    await journal.close()


async def test_a_killed_journal_is_sound(path):
    run_until_killed(path, 800)
    with open_for_reading(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []

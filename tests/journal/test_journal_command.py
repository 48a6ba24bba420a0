"""`thinkq journal` and `thinkq dead` on a real file, with the journal open beside them."""

import json
import sqlite3

import pytest
from journal_samples import a_reply, a_request, finish
from typer.testing import CliRunner

from worker.cli.journal import app, dead_app
from worker.journal.storage import open_for_reading
from worker.journal.store import Journal

run = CliRunner().invoke


@pytest.fixture
async def filled(journal):
    await finish(journal, a_request("r1"))
    await journal.accept(a_request("r2", "garage", text="a secret word"))
    await journal.dead("garage", b"r2", "poisoned", a_reply("r2"), history=["engine down"])
    return journal


def test_stats_counts_while_the_daemon_runs(filled, path):
    result = run(app, ["stats", "--file", str(path)])
    assert result.exit_code == 0
    assert result.stdout.split()[:10] == [
        *("accepted", "0", "running", "0", "answered", "0", "delivered", "1", "dead", "1")
    ]


def test_show_prints_one_request_with_its_texts_and_history(filled, path):
    shown = json.loads(run(app, ["show", "kitchen", "r1", "--file", str(path)]).stdout)
    assert shown["request"]["messages"][0]["content"] == "Is the oven on?"
    assert shown["reply"]["content"] == "It is off.."
    assert [event["event"] for event in shown["history"]] == ["accepted", "answered", "delivered"]


def test_show_says_what_it_did_not_find(filled, path):
    result = run(app, ["show", "kitchen", "r9", "--file", str(path)])
    assert result.exit_code == 1
    assert result.stderr == "kitchen has no record with the id 'r9'\n"


def test_export_keeps_the_texts_back_unless_asked(filled, path):
    without = run(app, ["export", "--file", str(path)]).stdout
    assert [json.loads(line)["id"] for line in without.splitlines()] == ["r1", "r2"]
    assert "secret" not in without
    assert "a secret word" in run(app, ["export", "--texts", "--file", str(path)]).stdout


def test_the_dead_are_listed_with_their_reason(filled, path):
    (line,) = run(dead_app, ["list", "--file", str(path)]).stdout.splitlines()
    assert line.split()[-3:] == ["garage", "r2", "poisoned"]


def test_a_dead_request_is_shown_with_its_history(filled, path):
    shown = json.loads(run(dead_app, ["show", "garage", "r2", "--file", str(path)]).stdout)
    assert [event["event"] for event in shown["history"]] == [
        *("accepted", "engine down", "dead, poisoned")
    ]


def test_a_living_request_is_not_shown_among_the_dead(filled, path):
    result = run(dead_app, ["show", "kitchen", "r1", "--file", str(path)])
    assert (result.exit_code, result.stderr) == (
        1,
        "kitchen has no dead request with the id 'r1'\n",
    )


async def test_a_dead_request_that_is_called_back_waits_for_the_next_start(filled, path):
    await filled.close()
    assert run(dead_app, ["replay", "garage", "r2", "--file", str(path)]).exit_code == 0
    journal = Journal.open(path)
    (entry,) = journal.backlog()
    assert (entry.request.id, entry.attempts) == ("r2", 0)
    assert journal.replayed() == [entry]
    await journal.close()


def test_only_the_dead_can_be_called_back(filled, path):
    result = run(dead_app, ["replay", "kitchen", "r1", "--file", str(path)])
    assert (result.exit_code, result.stderr) == (
        1,
        "kitchen has no dead request with the id 'r1'\n",
    )


@pytest.mark.parametrize(
    ("arguments", "deleted"),
    [
        ([], 1),
        (["garage"], 1),
        (["garage", "r2"], 1),
        (["kitchen"], 0),
        (["garage", "r1"], 0),
        # The journal's own clock stands in 1970, and by ours all of it is older than an hour.
        (["--older-than", "1"], 1),
    ],
)
async def test_the_dead_can_be_deleted_beside_a_running_daemon(filled, path, arguments, deleted):
    result = run(dead_app, ["purge", *arguments, "--file", str(path)])
    assert result.stdout == f"{deleted} deleted.\n"
    assert (await filled.stats()).states.get("dead", 0) == 1 - deleted


def test_vacuum_is_refused_while_the_daemon_runs(filled, path):
    result = run(app, ["vacuum", "--file", str(path)])
    assert result.exit_code == 1
    assert "is using this data folder" in result.stderr


async def test_vacuum_makes_the_file_small_when_nobody_uses_it(path):
    journal = Journal.open(path)
    for number in range(20):
        await journal.accept(a_request(f"r{number}", text="x" * 50_000))
    await journal.close()
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM request WHERE record > 1")
    connection.close()
    before = path.stat().st_size
    assert run(app, ["vacuum", "--file", str(path)]).exit_code == 0
    assert path.stat().st_size < before / 5
    with open_for_reading(path) as connection:
        assert connection.execute("SELECT count(*) FROM record").fetchone() == (20,)


def test_a_missing_journal_is_one_sentence(path):
    result = run(app, ["stats", "--file", str(path)])
    assert (result.exit_code, result.stderr) == (1, f"{path}: there is no journal\n")

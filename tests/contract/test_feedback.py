"""Feedback on the mode: kept, learned from when an operator says so, undone, and forgotten."""

import json
import sqlite3
import subprocess
import sys

import pytest
from exchange import STUB, answer, body_of, control, new_id, wait_in_log
from rig import Daemon

SECRET = "quetzalcoatl"
QUESTION = "Please check the palletizer of line {}."


@pytest.fixture(scope="module")
def taught(tmp_path_factory, mosquitto):
    """A daemon that is taught something."""
    daemon = Daemon(tmp_path_factory.mktemp("taught"), mosquitto.port, config=STUB).start()
    yield daemon
    assert daemon.stop() == 0


@pytest.fixture
def foreman(client_of, taught):
    return client_of(taught)


def say(wire, **body):
    """Send a control message and return what is answered on a topic of its own."""
    topic = f"{wire.reply_topic}/control/{new_id()}"
    control(wire, body, reply_to=topic)
    return body_of(wire.wait(lambda message: message.topic == topic))


def judge(wire, line, verdict):
    request = new_id()
    answer(wire, {"id": request, "prompt": QUESTION.format(line)})
    return say(wire, op="feedback", id=request, verdict=verdict)


def teach_a_secret(wire, daemon):
    """Have the router weigh a word that nobody else says; return the file that it is in."""
    for line in range(12):
        request = new_id()
        answer(wire, {"id": request, "prompt": f"Please look after {SECRET} of line {line}."})
        say(wire, op="feedback", id=request, verdict="should_have_thought")
    assert router(daemon, "tune", "--yes")[0] == 0
    learned = daemon.folder / "data" / "router-site.json"
    assert SECRET in learned.read_text()
    return learned


def router(daemon, *arguments):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "worker.cli", "router", *arguments),
            *("--config", daemon.folder / "thinkq.toml"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def routed(daemon, text):
    """Return what `thinkq route` says that the daemon would do."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "worker.cli", "route", "--jsonl"),
            *("--config", daemon.folder / "thinkq.toml"),
        ],
        input=json.dumps({"text": text}),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_verdict_is_confirmed(foreman):
    body = judge(foreman, 1, "need_not_have")
    assert (body["op"], body["verdict"]) == ("feedback", "need_not_have")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"verdict": "good"}, "id"),
        ({"id": "never-asked", "verdict": "good"}, "id"),
        ({"id": "never-asked"}, "verdict"),
        ({"id": "never-asked", "verdict": "bad"}, "verdict"),
    ],
)
def test_a_verdict_on_nothing_or_without_words_is_refused(foreman, body, field):
    assert say(foreman, op="feedback", **body)["error"]["field"] == field


def test_a_verdict_on_another_clients_request_is_refused(foreman, client_of, taught):
    request = new_id()
    answer(client_of(taught), {"id": request, "prompt": "hello"})
    assert say(foreman, op="feedback", id=request, verdict="good")["error"]["field"] == "id"


def test_nothing_is_tuned_of_too_few_examples(tmp_path, mosquitto):
    daemon = Daemon(tmp_path, mosquitto.port, config=STUB)
    status, said = router(daemon, "tune", "--yes")
    assert (status, "There are 0 examples" in said) == (1, True)


def test_what_users_say_is_learned_when_an_operator_agrees_and_can_be_undone(foreman, taught):
    def mode():
        return answer(foreman, QUESTION.format("nine"))["mode"]

    for line in range(12):
        judge(foreman, line, "should_have_thought")
    assert mode() == "no_think"
    assert routed(taught, QUESTION.format("nine"))["mode"] == "no_think"
    assert "Nothing was changed" in router(taught, "tune")[1]
    assert router(taught, "show") == (0, "The router is as it ships.\n")

    assert router(taught, "tune", "--yes")[0] == 0
    wait_in_log(taught, "router_tuned")
    assert mode() == "think"
    # All marks of these questions weigh about the same; which of them are listed first is chance.
    assert "of 13 examples" in router(taught, "show")[1]
    assert routed(taught, QUESTION.format("nine"))["mode"] == "think"

    assert "as it ships" in router(taught, "undo")[1]
    taught.stop()
    taught.start()
    assert mode() == "no_think"


def test_tuning_shows_before_and_after_on_what_ships_and_on_the_sites_own(foreman, taught):
    for line in range(12):
        judge(foreman, line, "should_have_thought")
    status, said = router(taught, "tune")
    assert status == 0
    rows = {line[:26].rstrip(" ()0123456789"): line for line in said.splitlines()}
    for name in ("what ships", "this site's own"):
        assert rows[name].count("→") == 4
    assert router(taught, "show") == (0, "The router is as it ships.\n")


def test_words_that_only_the_forgotten_have_said_leave_what_was_learned(client_of, taught):
    wire, other = client_of(taught), client_of(taught)
    for line in range(12):
        judge(other, line, "should_have_thought")
    learned = teach_a_secret(wire, taught)

    say(wire, op="forget")
    assert SECRET not in learned.read_text()
    assert "palletizer" in learned.read_text()
    router(taught, "undo")


def test_words_that_a_forget_cut_short_has_left_are_gone_after_the_next_start(client_of, taught):
    learned = teach_a_secret(client_of(taught), taught)
    taught.stop()
    with sqlite3.connect(taught.folder / "data" / "journal.sqlite") as connection:
        connection.execute("DELETE FROM example")
    connection.close()
    taught.start()
    assert SECRET not in learned.read_text()
    router(taught, "undo")


def test_a_prompt_of_an_operators_own_outlives_the_forgotten(client_of, taught, tmp_path):
    own = tmp_path / "own.jsonl"
    own.write_text('{"text": "Please look after the sauna.", "label": "think"}\n' * 12)
    assert router(taught, "tune", "--yes", "--data", own)[0] == 0
    wire = client_of(taught)
    answer(wire, "hello")
    say(wire, op="forget")
    assert "sauna" in (taught.folder / "data" / "router-site.json").read_text()
    router(taught, "undo")


def test_forgotten_examples_are_learned_from_no_more(client_of, taught):
    before = router(taught, "tune")[1]
    wire = client_of(taught)
    judge(wire, "ten", "good")
    assert router(taught, "tune")[1] != before
    say(wire, op="forget")
    assert router(taught, "tune")[1] == before

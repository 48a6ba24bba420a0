"""A daemon that was killed goes on with what ran: the stream too, behind what was heard of it."""

import json
import shutil
import signal
from pathlib import Path

import pytest
from exchange import Heard, begin, cancel, control, hear, send
from rig import Wire

OLD_JOURNAL = Path(__file__).parents[1] / "journal" / "data" / "schema-1.sqlite"
LONG = "stub: tokens=120 delay_ms=10"


@pytest.fixture
def daemon(daemon_of):
    return daemon_of().start()


def hear_word(client, request_id, number):
    """Wait until a word of an answer is heard."""
    hear(
        client,
        lambda m: m.topic.endswith(f"/{request_id}/answer") and f"w{number} " in m.json["text"],
    )


def killed_in_mid_answer(daemon, client, request_id):
    """Kill the daemon when a good part of an answer has been heard; start it again."""
    hear_word(client, request_id, 40)
    daemon.stop(signal.SIGKILL)
    daemon.start()


def test_a_stream_goes_on_behind_what_was_heard_with_the_same_text(daemon, wire_of):
    client = wire_of(daemon)
    request_id = begin(client, LONG, mode="think")
    killed_in_mid_answer(daemon, client, request_id)
    heard = Heard(client, request_id)
    for kind, said in (("answer", "content"), ("reasoning", "reasoning")):
        assert heard.seqs(kind) == list(range(len(heard.parts[kind])))
        assert heard.text(kind) == heard.final[said]
    assert heard.final["content"] == "".join(f"w{number} " for number in range(119)) + "end"


def test_its_progress_goes_on_too(daemon, wire_of):
    client = wire_of(daemon)
    request_id = begin(client, LONG)
    killed_in_mid_answer(daemon, client, request_id)
    heard = Heard(client, request_id)
    assert heard.seqs("progress") == list(range(len(heard.parts["progress"])))


def tokens_kept(daemon):
    """Return how many tokens the daemon said it found in its journal when it started."""
    lines = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    return next(line["tokens"] for line in reversed(lines) if line["event"] == "resumed")


def test_no_token_that_the_journal_has_is_made_again(daemon, wire_of):
    client = wire_of(daemon)
    # It must still run at the kill, however late that comes on a busy machine.
    request_id = begin(client, "stub: tokens=400 delay_ms=10")
    killed_in_mid_answer(daemon, client, request_id)
    assert tokens_kept(daemon) > 40
    assert Heard(client, request_id).final["usage"]["completion_tokens"] == 400


def test_a_request_that_nobody_listens_to_goes_on_too(daemon, wire_of):
    client = wire_of(daemon)
    quiet = send(client, "stub: tokens=200 delay_ms=10", mode="no_think")
    watched = begin(client, "stub: tokens=200 delay_ms=10")
    hear_word(client, watched, 80)
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert tokens_kept(daemon) > 120
    assert Heard(client, quiet).final["content"].endswith("w198 end")


def test_a_stream_is_resumed_from_what_was_said_before_the_kill(daemon, wire_of):
    client = wire_of(daemon)
    request_id = begin(client, LONG)
    killed_in_mid_answer(daemon, client, request_id)
    there = f"{client.reply_topic}/late"
    control(client, {"op": "resume", "id": request_id, "seq": 3}, reply_to=there)
    late = Heard(client, request_id, topic=there)
    first = Heard(client, request_id)
    assert late.seqs("answer") == list(range(3, len(first.parts["answer"])))
    assert late.parts["answer"] == first.parts["answer"][3:]


def test_what_the_drain_cut_goes_on_at_the_next_start(daemon_of, wire_of):
    daemon = daemon_of(config='[model]\nname = "stub"\n[shutdown]\ngrace_s = 0.1\n').start()
    client = wire_of(daemon)
    request_id = begin(client, LONG)
    assert daemon.stop() == 0
    daemon.start()
    heard = Heard(client, request_id)
    assert heard.seqs("answer") == list(range(len(heard.parts["answer"])))
    assert heard.text("answer") == heard.final["content"]


def test_a_request_cancelled_after_the_restart_keeps_what_it_said_before(daemon, wire_of):
    client = wire_of(daemon)
    request_id = begin(client, "stub: tokens=100000 delay_ms=10")
    killed_in_mid_answer(daemon, client, request_id)
    cancel(client, request_id)
    heard = Heard(client, request_id)
    assert heard.final["finish_reason"] == "cancelled"
    assert heard.text("answer") == heard.final["content"]


def test_the_work_in_an_older_journal_is_answered(daemon_of):
    daemon = daemon_of(root="thinkq")
    (daemon.folder / "data").mkdir(mode=0o700)
    shutil.copy(OLD_JOURNAL, daemon.folder / "data" / "journal.sqlite")
    client = Wire(daemon.port, "thinkq", "kitchen").listen("thinkq/reply/kitchen")
    daemon.start()
    replies = {name: client.reply(name)["content"] for name in ("answered", "waiting", "running")}
    assert replies == dict.fromkeys(("waiting", "running"), "Is the oven on?") | {
        "answered": "It is off.."
    }
    client.close()

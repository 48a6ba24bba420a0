"""What a real model has read of a client is gone from the disk when the client is forgotten."""

import numpy as np
import pytest
import tiny_qwen3 as tiny
from exchange import cache_files, control, forget, hear, new_id, wait_in_log
from tokenizers import Tokenizer

SECRET = "quetzalcoatl"
STORY = f"The {SECRET} came home at last and the keeper lit his lamp. " * 12


@pytest.fixture
def daemon(tiny_daemon):
    return tiny_daemon()


@pytest.fixture
def marks(tiny_qwen3):
    """The ways in which it would be found: its letters, and its tokens as they lie in a file."""
    tokenizer = Tokenizer.from_file(str(tiny_qwen3 / "tokenizer.json"))
    tokens = tokenizer.encode(f"The {SECRET} came").ids[1:-1]
    return SECRET.encode(), np.array(tokens, dtype=np.int32).tobytes()


@pytest.fixture
def me(daemon, wire_of):
    """A client whose name is a trace as well, who hears the metrics."""
    return wire_of(daemon, f"{SECRET}-client").listen(f"{daemon.root}/worker/+/metrics")


def on_disk(wire, wanted):
    """Wait until the metrics say that so much of prompts is on disk."""

    def told(message):
        return message.topic.endswith("/metrics") and wanted(message.json["cache"]["disk_bytes"])

    wire.wait(told)


def traces(daemon, marks):
    folder = daemon.folder / "data"
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(mark in path.read_bytes() for mark in marks)
    ]


def ask(wire, prompt=STORY, **fields):
    said = wire.ask({"prompt": prompt, "max_tokens": 8, **fields})
    assert said["status"] == "ok", said
    return said["usage"]


def plant(wire):
    """Leave the text wherever a model's way leaves one: caches in memory and on disk, journal."""
    ask(wire, session="talk", mode="no_think", stream=True)
    ask(wire, "And then?", session="talk", mode="think", thinking_budget=8)
    ask(wire, context={"log": STORY}, mode="no_think")
    ask(wire, session="other", mode="no_think")
    # The metrics come when they have changed: what is heard from here on is all that there will be.
    wire.heard.clear()
    control(wire, {"op": "prewarm", "prompt": f"{STORY}So", "session": "early"})
    on_disk(wire, lambda size: size)


def test_nothing_that_a_model_has_read_of_a_client_is_left(daemon, me, marks):
    plant(me)
    found = traces(daemon, marks)
    assert [name for name in found if name.startswith("caches")]
    assert [name for name in found if name.startswith("journal")]
    forget(me)
    on_disk(me, lambda size: size == 0)
    assert traces(daemon, marks) == []
    assert cache_files(daemon) == []
    assert ask(me, session="new", mode="no_think")["cached_tokens"] == 0
    forget(me)
    daemon.stop()
    assert traces(daemon, marks) == []


def test_what_is_read_while_it_is_forgotten_leaves_nothing(daemon, me, marks):
    request_id = new_id()
    # Cooler, a random model soon goes round in circles, and would be ended for that.
    me.send({"id": request_id, "prompt": STORY, "session": "talk", "max_tokens": 2000,
             "temperature": 1.0, "mode": "no_think", "stream": True})  # fmt: skip
    hear(me, lambda message: message.topic.endswith(f"{request_id}/answer"))
    forget(me)
    assert me.reply(request_id)["finish_reason"] == "cancelled"
    assert ask(me, "hello", mode="no_think")
    forget(me)
    daemon.stop()
    assert traces(daemon, marks) == []
    assert cache_files(daemon) == []


def test_what_an_earlier_life_has_read_is_forgotten_before_the_model_is_loaded(daemon, me, marks):
    plant(me)
    daemon.stop()
    daemon.start(wait=False)
    wait_in_log(daemon, '"broker_connected"', times=2)
    forget(me)
    daemon.wait_ready()
    on_disk(me, lambda size: size == 0)
    daemon.stop()
    assert traces(daemon, marks) == []
    assert cache_files(daemon) == []


def test_a_session_is_forgotten_and_what_else_was_read_of_its_client_stays(daemon, me):
    plant(me)
    forget(me, session="other")
    assert ask(me, "And then?", session="talk", mode="no_think")["cached_tokens"] > 0


@pytest.fixture
def further(daemon_of, tiny_qwen3, smollm2_path, tmp_path, monkeypatch):
    """A daemon with two more models, of which memory holds one at a time."""
    # In a group the metrics come every second.
    monkeypatch.setenv("THINKQ_TOPICS__GROUP", "house")
    other = tiny.make(tmp_path / "other", smollm2_path, seed=1)
    return daemon_of(
        config=f"""
[model]
name = "one"
path = "{tiny_qwen3}"
[models]
memory_bytes = 800_000_000
[models.further.second]
name = "two"
path = "{other}"
[models.further.third]
name = "stub"
"""
    ).start()


def test_what_a_model_has_read_that_is_not_in_memory_is_forgotten(further, wire_of, marks):
    me = wire_of(further, f"{SECRET}-client").listen(f"{further.root}/worker/+/metrics")
    ask(me, session="talk", mode="no_think", model="second")
    # What it keeps it reads after the answer, and one that goes before has kept nothing.
    on_disk(me, lambda size: size)
    ask(me, "hello", model="third")
    wait_in_log(further, '"model_unloaded"', '"second"')
    assert len(cache_files(further)) > 0
    forget(me)
    assert cache_files(further) == []
    assert traces(further, marks) == []

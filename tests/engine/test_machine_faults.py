"""A real engine that runs out of memory, and one whose model's file is damaged or gone."""

import os
import resource
import shutil
import signal
import sys
from pathlib import Path

import pytest
from exchange import (
    answer,
    begin,
    body_of,
    children_of,
    final_of,
    hear,
    kill_engine,
    send,
    wait_in_log,
)

from worker.engine import pins


@pytest.fixture
def model(tiny_qwen3, tmp_path):
    """A pinned model of this test's own, which it may damage."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_qwen3, folder)
    pins.write_pins(folder, origin="test/tiny", revision="1")
    return folder


@pytest.fixture
def daemon(daemon_of, model):
    config = f'[model]\nname = "tiny"\npath = "{model}"\n[engine]\nrestart_backoff_max_s = 1\n'
    return daemon_of(config=config).start()


def virtual_bytes(process):
    pages = Path(f"/proc/{process}/statm").read_text().split()[0]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
def test_an_engine_that_runs_out_of_memory_is_replaced_and_the_request_answered(daemon, wire_of):
    client = wire_of(daemon)
    (engine,) = children_of(daemon.process.pid)
    room = virtual_bytes(engine) + 2 * 2**20
    resource.prlimit(engine, resource.RLIMIT_AS, (room, room))
    reply = answer(client, {"prompt": "a long story " * 600, "max_tokens": 4, "mode": "no_think"})
    assert reply["finish_reason"] in ("length", "stop")
    assert "engine_down" in daemon.log.read_text()


def test_a_model_that_was_damaged_is_named_and_what_waits_is_answered_when_it_is_back(
    daemon, model, wire_of
):
    client = wire_of(daemon)
    client.listen(f"{client.root}/worker/w1/status")
    answer(client, {"prompt": "hello", "max_tokens": 4})
    weights = model / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    kill_engine(daemon)
    waiting = send(client, "hello", max_tokens=4)
    status = hear(
        client,
        lambda m: m.topic.endswith("/status") and "no engine" in m.json["why"],
    ).json
    assert "model.safetensors" in status["why"]
    assert status["model"] is None
    # Tried again at growing distances, not in a storm.
    wait_in_log(daemon, "engine_down", '"restart_in_s": 0.2')
    weights.write_bytes(whole)
    assert body_of(final_of(client, waiting))["status"] == "ok"
    assert daemon.log.read_text().count("engine_down") < 6


def test_a_killed_daemon_goes_on_with_the_tokens_that_a_real_model_had_made(daemon, wire_of):
    client = wire_of(daemon)
    request_id = begin(client, "tell me a story", max_tokens=300, temperature=1.0)
    hear(client, lambda m: m.topic.endswith(f"/{request_id}/answer") and m.json["seq"] == 8)
    daemon.stop(signal.SIGKILL)
    daemon.start()
    final = body_of(final_of(client, request_id))
    parts = [m.json for m in client.heard if m.topic.endswith(f"/{request_id}/answer")]
    assert [part["seq"] for part in parts] == list(range(len(parts)))
    assert "".join(part["text"] for part in parts) == final["content"]

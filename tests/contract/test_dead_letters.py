"""A request that was given up on can be called back by the operator, while the daemon runs."""

import subprocess
import sys

import pytest
from exchange import STUB, final_of, hear, send


@pytest.fixture
def daemon(daemon_of):
    return daemon_of(config=f"{STUB}[engine]\nrestart_backoff_max_s = 0.2\n").start()


def thinkq(daemon, *arguments):
    command = [sys.executable, "-m", "worker.cli", "dead", *arguments]
    return subprocess.run(
        [*command, "--config", daemon.folder / "thinkq.toml"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_request_that_is_called_back_runs_again_and_its_client_hears_of_it(daemon, client_of):
    client = client_of(daemon)
    poison = send(client, "stub: die")
    assert final_of(client, poison).json["error"]["code"] == "poisoned"
    assert thinkq(daemon, "replay", client.name, poison).stdout == "It runs again.\n"
    assert final_of(client, poison).json["error"]["code"] == "poisoned"


def test_the_dead_are_listed_while_the_daemon_runs(daemon, client_of):
    client = client_of(daemon)
    poison = send(client, "stub: die")
    final_of(client, poison)
    assert thinkq(daemon, "list").stdout.split()[-2:] == [poison, "poisoned"]


def test_a_request_that_was_deleted_may_be_sent_again(daemon, client_of):
    client = client_of(daemon)
    poison = send(client, "stub: die")
    final_of(client, poison)
    assert thinkq(daemon, "purge", client.name, poison).stdout == "1 deleted.\n"
    send(client, "hello there", id=poison)
    hear(client, lambda m: m.topic == client.reply_topic and m.json["status"] == "ok")

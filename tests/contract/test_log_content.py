"""What is said between a client and the model stands in no log, unless the operator wants it."""

import pytest
from exchange import STUB, Heard, ask, refusal, send

SECRET = "quetzalcoatl"


def said_in_all_ways(client):
    """Let the secret go through the worker in every way it may fail or succeed."""
    Heard(client, send(client, f"tell {SECRET} /think", stream=True, session=SECRET[:5]))
    ask(client, SECRET.encode())
    ask(client, b'{"prompt": "' + SECRET.encode(), ContentType="application/json")
    refusal(client, {"prompt": SECRET, "mode": SECRET})
    refusal(client, {"prompt": f"stub: fail {SECRET}", "metadata": {"a": SECRET}})
    ask(client, {"prompt": "what is it?", "context": {"document": SECRET}})


@pytest.fixture
def log_of(daemon_of, client_of):
    """Return the log of a daemon with this configuration that has heard the secret."""

    def log(config):
        daemon = daemon_of(config=config).start()
        said_in_all_ways(client_of(daemon))
        daemon.stop()
        return daemon.log.read_text()

    return log


@pytest.mark.parametrize("level", ["info", "debug"])
def test_the_log_holds_nothing_of_what_was_said(log_of, level):
    assert SECRET not in log_of(f"{STUB}[log]\nlevel = '{level}'\n")


def test_an_operator_may_have_prompts_and_answers_in_the_log(log_of):
    lines = log_of(f"{STUB}[log]\ncontent = true\n").splitlines()
    for event in ("started", "answered"):
        assert [line for line in lines if f'"event": "{event}"' in line and SECRET in line]

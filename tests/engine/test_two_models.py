"""Two real models at once, each in a process of its own, over a real broker."""

import json

import pytest
from rig import Daemon


@pytest.fixture
def two_models(tmp_path, mosquitto, tiny_qwen3, smollm2_path):
    """A daemon with a model that thinks by itself, and one on demand that does not."""
    config = f"""
[model]
name = "tiny"
path = "{tiny_qwen3}"
[engine]
cache_bytes = 0
[models]
idle_s = 600
[models.further.smol]
name = "smollm2"
path = "{smollm2_path}"
"""
    daemon = Daemon(tmp_path, mosquitto.port, config=config).start()
    yield daemon
    assert daemon.stop() == 0


def test_two_models_answer_side_by_side_and_one_conversation_goes_through_both(two_models, wire_of):
    client = wire_of(two_models).listen(f"{two_models.root}/worker/w1/card")
    asked = {"prompt": "What is the capital of France?", "mode": "no_think", "session": "talk",
             "max_tokens": 12, "temperature": 0}  # fmt: skip
    # The first answer takes a load as well, which is slow where much else runs.
    client.send({**asked, "id": "first", "model": "smol"})
    first = client.reply("first", timeout_s=240)
    assert (first["status"], first["model"]) == ("ok", "smollm2")
    assert "Paris" in first["content"]
    client.send({**asked, "id": "second", "prompt": "And of Italy?"})
    second = client.reply("second", timeout_s=240)
    assert (second["status"], second["model"]) == ("ok", "tiny")
    assert second["usage"]["prompt_tokens"] > len(json.dumps(first["content"]).split())
    states = {model["name"]: model["state"] for model in client.wait(_all_there).json["models"]}
    assert states == {"default": "resident", "smol": "resident"}


def _all_there(message):
    if not message.topic.endswith("/card"):
        return False
    return all(model["state"] == "resident" for model in message.json["models"])

"""Two real models at once, each in a process of its own, over a real broker."""

import pytest
from rig import Daemon


@pytest.fixture
def two_models(tmp_path, mosquitto, tiny_qwen3, smollm2_path):
    """A daemon with a tiny model, and on demand another one with other weights."""
    import tiny_qwen3 as tiny

    other = tiny.make(tmp_path / "other", smollm2_path, seed=1)
    config = f"""
[model]
name = "one"
path = "{tiny_qwen3}"
[models.further.second]
name = "two"
path = "{other}"
"""
    daemon = Daemon(tmp_path, mosquitto.port, config=config).start()
    yield daemon
    assert daemon.stop() == 0


def test_two_models_answer_side_by_side_and_a_conversation_goes_through_both(two_models, wire_of):
    client = wire_of(two_models)

    def said(name, prompt, **fields):
        client.send({"id": name, "prompt": prompt, "mode": "no_think", "max_tokens": 8,
                     "temperature": 0, **fields})  # fmt: skip
        # The first answer takes a load as well, which is slow where much else runs.
        return client.reply(name, timeout_s=90)

    first = said("a", "What is the capital of France?", session="talk", model="second")
    second = said("b", "And of Italy?", session="talk")
    assert [(reply["status"], reply["model"]) for reply in (first, second)] == [
        ("ok", "two"), ("ok", "one"),
    ]  # fmt: skip
    assert second["usage"]["prompt_tokens"] > first["usage"]["prompt_tokens"]
    same = [said(f"c {name}", "Say it.", model=name)["content"] for name in ("one", "two", "one")]
    assert same[0] == same[2] != same[1]

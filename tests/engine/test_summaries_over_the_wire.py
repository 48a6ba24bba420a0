"""Over a real broker, on real models: what no window holds is read part by part, and answered."""

import pytest
from rig import Daemon

LIMIT = 800
QUESTION = "What does the keeper do at night?"
DOCUMENT = "\n\n".join(
    f"Day {day}. The ship came home and the keeper lit his lamp. He wrote down who had passed, "
    "how strong the wind was, and that the sea was grey. At night he trims the wick, winds the "
    "clock and looks for ships that are late."
    for day in range(1, 31)
)


@pytest.fixture(params=["tiny_qwen3", pytest.param("embedded_path", marks=pytest.mark.slow)])
def daemon(request, tmp_path, mosquitto):
    """A daemon with a model that writes nonsense in Qwen3's way, and one that makes sense."""
    path = request.getfixturevalue(request.param)
    config = f'[model]\nname = "real"\npath = "{path}"\ncontext_tokens = {LIMIT}\n'
    running = Daemon(tmp_path, mosquitto.port, config=config).start()
    yield running
    assert running.stop() == 0


def test_a_document_that_no_window_holds_is_answered_after_progress_part_by_part(daemon, wire_of):
    wire = wire_of(daemon, "me")
    asked = {"prompt": QUESTION, "context": {"log": DOCUMENT}, "mode": "no_think", "seed": 7}
    assert wire.ask({**asked, "max_tokens": 24})["error"]["code"] == "context_too_long"

    wire.send({"id": "a", "stream": True, "long": "summarize", "max_tokens": 24, **asked})
    reply = wire.reply("a", timeout_s=100)
    assert reply["status"] == "ok", reply
    assert reply["content"].strip()
    (note,) = [note for note in reply["notes"] if "summarized first" in note]
    topic = f"{wire.reply_topic}/a/progress"
    told = [message.json for message in wire.heard if message.topic == topic]
    parts = [(one["part"], one["parts"]) for one in told if one["state"] == "summarizing"]
    assert parts == [(part, len(parts)) for part in range(1, len(parts) + 1)]
    assert f"in {len(parts)} parts" in note
    assert len(parts) > 3
    # All of it was read, and the answer's own prompt fits what may be read at once.
    assert reply["usage"]["prompt_tokens"] > 2 * LIMIT
    assert [one["state"] for one in told][-1] == "answering"

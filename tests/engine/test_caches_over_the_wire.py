"""Over a real broker: a session after a restart, an early transcript, and who gains from whom."""

import pytest
from exchange import cache_files, forget

LONG = "Here is a long introduction to cats and lighthouses. " * 12
STORY = "The ship came home at last and the keeper lit his lamp. " * 12
HOUSE = " ".join(["You run the house and answer in one sentence."] * 12)


@pytest.fixture
def daemon(tiny_daemon):
    return tiny_daemon(f'[[engine.pinned]]\ntext = "{HOUSE}"\n')


@pytest.fixture
def me(daemon, wire_of):
    """A client that also hears the metrics, and waits until what is pinned has been read."""
    wire = wire_of(daemon, "me").listen(f"{daemon.root}/worker/+/metrics")
    wire.cache = {}
    cache_when(wire, lambda cache: cache["pinned_bytes"])
    return wire


def cache_when(wire, wanted):
    """Return what the metrics say of the caches as soon as it is something."""
    while not (wire.cache and wanted(wire.cache)):
        wire.cache = wire.wait(lambda message: message.topic.endswith("/metrics")).json["cache"]
    return wire.cache


def usage(wire, prompt=None, **fields):
    if prompt is not None:
        fields["prompt"] = prompt
    said = wire.ask({"mode": "no_think", "max_tokens": 8, **fields})
    assert said["status"] == "ok", said
    return said["usage"]


def unread(used):
    return used["prompt_tokens"] - used["cached_tokens"]


def test_a_session_goes_on_after_a_restart_until_it_is_forgotten(daemon, me):
    pinned = cache_when(me, lambda cache: cache["disk_bytes"])["disk_bytes"]
    first = usage(me, LONG, session="talk")
    cache_when(me, lambda cache: cache["disk_bytes"] > pinned)
    daemon.stop()
    assert len(cache_files(daemon)) == 2
    daemon.start()
    second = usage(me, "And dogs?", session="talk")
    assert second["cached_tokens"] > 0.8 * first["prompt_tokens"]
    forget(me, session="talk")
    assert usage(me, LONG, session="talk")["cached_tokens"] == 0


TALK = [
    {"role": "system", "content": "You answer in one sentence and never lie. " * 8},
    {"role": "user", "content": LONG},
    {"role": "assistant", "content": "Cats like lighthouses."},
    {"role": "user", "content": "How warm is it there?"},
]
TAIL = 40
"""More tokens than a value, the question and what the template puts around them have."""


def asked(wire, context):
    return usage(wire, messages=TALK, context=context)


def test_a_changed_value_in_the_context_has_only_the_tail_read_again(me):
    first = asked(me, {"manual": STORY, "outside": "21 degrees"})
    assert first["prompt_tokens"] > 10 * TAIL
    for degrees in (22, 9):
        changed = asked(me, {"manual": STORY, "outside": f"{degrees} degrees"})
        assert 0 < unread(changed) < TAIL


def test_a_changed_document_in_the_context_leaves_system_prompt_and_history_read(me):
    asked(me, {"manual": STORY})
    other = " ".join(reversed(STORY.split()))
    changed = asked(me, {"manual": other})
    document = usage(me, other)["prompt_tokens"]
    assert unread(changed) < document + TAIL
    assert changed["cached_tokens"] > 5 * TAIL


def test_a_client_gains_from_its_early_transcript_and_all_from_what_is_pinned(daemon, me, wire_of):
    you = wire_of(daemon, "you")
    before = cache_when(me, lambda cache: cache["read_ahead_tokens"])["read_ahead_tokens"]
    early = {"op": "prewarm", "prompt": f"{STORY}Where is the li"}
    me.send(early, topic=f"{daemon.root}/control/me")
    cache_when(me, lambda cache: cache["read_ahead_tokens"] > before + len(STORY.split()))
    assert unread(usage(me, f"{STORY}Where is the lighthouse?")) < 24
    assert usage(you, f"{STORY}Where is the lighthouse?")["cached_tokens"] == 0
    for wire in (me, you):
        messages = [{"role": "system", "content": HOUSE}, {"role": "user", "content": "Hi."}]
        assert unread(wire.ask({"messages": messages, "mode": "no_think"})["usage"]) < 32


def test_a_client_is_forgotten_by_a_model_that_is_not_in_memory(daemon_of, tiny_qwen3, wire_of):
    config = f"""
[model]
name = "stub"
[models]
idle_s = 3
[models.further.tiny]
name = "tiny"
path = "{tiny_qwen3}"
"""
    daemon = daemon_of(config=config).start()
    wire = wire_of(daemon, "me").listen(f"{daemon.root}/worker/+/card")
    usage(wire, LONG, session="talk", model="tiny")
    for state in ("resident", "away"):
        while residency(wire.wait(lambda m: m.topic.endswith("/card")).json) != state:
            pass
    assert len(cache_files(daemon)) == 1
    forget(wire)
    assert cache_files(daemon) == []


def residency(card):
    """Where the further model is."""
    return next(model["state"] for model in card["models"] if model["name"] == "tiny")

"""What is forgotten is gone from the data folder, byte for byte, in whatever way it came there."""

import pytest
from exchange import (
    ENDLESS,
    STUB,
    Heard,
    answer,
    begin,
    body_of,
    children_of,
    control,
    final_of,
    hear,
    kill_engine,
    new_id,
    send,
    wait_in_log,
)
from rig import Mosquitto

SECRET = "quetzalcoatl"
GONE = 99_999_999
"""No process has this number."""
QUICK = f"{STUB}[engine]\nrestart_backoff_max_s = 0.2\n"
WITH_TRIES = f"{QUICK}[thinking]\ncounterfactuals = true\ncounterfactuals_idle_s = 0.1\n"


@pytest.fixture
def daemon(daemon_of):
    return daemon_of(config=WITH_TRIES).start()


@pytest.fixture
def client(wire_of, daemon):
    """A client whose name is a trace as well."""
    return wire_of(daemon, f"{SECRET}-client")


def say(wire, **body):
    """Send a control message and return what is answered on a topic of its own."""
    topic = f"{wire.reply_topic}/control/{new_id()}"
    control(wire, body, reply_to=topic)
    return body_of(wire.wait(lambda message: message.topic == topic))


def forget(wire, **which):
    return say(wire, op="forget", **which)["forgotten"]


def traces(daemon, what=SECRET):
    """Return the files of the data folder that a text is in, its name included."""
    folder = daemon.folder / "data"
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if what in path.name or (path.is_file() and what.encode() in path.read_bytes())
    ]


# The ways in which a text comes to be kept.


def in_a_stream(client, session):
    Heard(client, send(client, f"tell {SECRET}", stream=True, session=session)).final  # noqa: B018


def in_a_thought(client, session):
    answer(client, {"prompt": f"why {SECRET}", "mode": "think", "session": session})


def in_what_runs(client, session):
    begin(client, f"{ENDLESS} {SECRET}", session=session)


def in_what_waits(client, session):
    # Behind the turn of its session that runs.
    begin(client, ENDLESS, session=session)
    send(client, f"then {SECRET}", session=session)
    say(client, op="status")


def in_a_revision(client, session):
    request_id = send(client, "stub: waver", revise=True, session=session, metadata={"a": SECRET})
    hear(client, lambda m: m.topic == client.reply_topic and body_of(m).get("revision") == 1)
    assert final_of(client, request_id)


def in_a_document_and_a_tool(client, session):
    tool = {"type": "function", "function": {"name": SECRET, "description": SECRET}}
    fields = {"context": {SECRET: SECRET}, "tools": [tool], "session": session}
    answer(client, {"prompt": "hello", **fields})


def in_a_result_of_a_tool(client, session):
    call = {"id": "c1", "type": "function", "function": {"name": "lamp", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "light"},
        {"role": "assistant", "content": SECRET, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": SECRET},
    ]
    answer(client, {"messages": messages, "session": session})


def in_feedback(client, session):
    request_id = new_id()
    answer(client, {"id": request_id, "prompt": f"is it {SECRET}", "session": session})
    said = say(client, op="feedback", id=request_id, verdict="good")
    assert said["verdict"] == "good"


def in_a_dead_letter(client, session):
    poison = send(client, f"stub: die {SECRET}", session=session)
    assert final_of(client, poison).json["error"]["code"] == "poisoned"


def in_a_prewarm(client, session):
    say(client, op="prewarm", prompt=f"is the {SECRET}", session=session)


def in_a_name(client, _session):
    answer(client, {"id": f"{SECRET}-1", "prompt": "hello", "session": f"{SECRET}-talk"})


WAYS = [
    in_a_stream, in_a_thought, in_a_revision, in_a_document_and_a_tool, in_a_result_of_a_tool,
    in_feedback, in_a_dead_letter, in_a_prewarm, in_what_runs, in_what_waits,
]  # fmt: skip


def test_nothing_of_a_client_is_left_anywhere(daemon, client):
    in_a_name(client, None)
    for way in WAYS:
        way(client, new_id())
    assert traces(daemon)
    assert forget(client) > len(WAYS)
    assert traces(daemon) == []
    # What was under way when it came does not bring anything back.
    assert daemon.stop() == 0
    assert traces(daemon) == []
    assert f"tell {SECRET}" not in daemon.log.read_text()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_nothing_of_a_session_is_left_and_its_client_keeps_the_rest(way, stub_daemon, wire_of):
    client = wire_of(stub_daemon, f"c{new_id()}")
    answer(client, {"prompt": "the rest", "session": f"rest-{client.name}"})
    session = new_id()
    way(client, session)
    forget(client, session=session)
    assert traces(stub_daemon) == []
    assert traces(stub_daemon, session) == []
    turn = answer(client, {"prompt": "and now", "session": f"rest-{client.name}"})
    assert turn["usage"]["prompt_tokens"] == 6


def test_what_waits_for_a_dead_engine_is_forgotten_too(daemon, client):
    answer(client, {"prompt": f"before {SECRET}", "session": "talk"})
    begin(client, f"{ENDLESS} {SECRET}", session="talk")
    kill_engine(daemon)
    forget(client)
    wait_in_log(daemon, '"engine_down"')
    assert answer(client, {"prompt": "hello"})["content"] == "hello"
    forget(client)
    assert traces(daemon) == []


def test_what_the_broker_has_not_had_yet_is_forgotten_too(daemon_of, wire_of, tmp_path):
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Mosquitto(folder).start()
    daemon = daemon_of(config=QUICK, port=broker.port).start()
    try:
        client = wire_of(daemon, f"{SECRET}-client")
        send(client, f"stub: tokens=3 delay_ms=300 {SECRET}")
        broker.stop()
        wait_in_log(daemon, '"broker_away"')
        broker.start()
        forget(wire_of(daemon, f"{SECRET}-client"))
        assert traces(daemon) == []
    finally:
        daemon.stop()
        broker.stop()


def damage(journal):
    """Cut off a journal's end, as a disk that lost its last writes does."""
    content = journal.read_bytes()
    journal.write_bytes(content[: len(content) * 2 // 3])


def test_nothing_is_left_in_a_damaged_journal_that_was_set_aside(daemon, client):
    for number in range(60):
        prompt = f"{SECRET} {number} " * 20
        answer(client, {"prompt": prompt, "session": f"talk-{number % 5}"})
    daemon.stop()
    damage(daemon.folder / "data" / "journal.sqlite")
    daemon.start()
    wait_in_log(daemon, '"journal_damaged"')
    assert [name for name in traces(daemon) if ".damaged-" in name]
    forget(client)
    assert traces(daemon) == []
    wait_in_log(daemon, '"damaged_journal_deleted"', "somebody was forgotten")


def spilled(daemon, process_id):
    """Leave what an engine leaves that was killed while memory was short."""
    folder = daemon.folder / "data" / "spill" / str(process_id)
    folder.mkdir(parents=True)
    (folder / "row.safetensors").write_bytes(b"keys and values")
    return folder


def test_what_a_dead_engine_had_put_on_disk_goes_with_whoever_is_forgotten(daemon, client):
    # Whose it was, nobody knows any more.
    left = spilled(daemon, GONE)
    (engine,) = children_of(daemon.process.pid)
    in_use = spilled(daemon, engine)
    forget(client)
    assert not left.exists()
    assert in_use.exists()


def test_what_the_engines_of_an_earlier_life_had_put_on_disk_is_gone_at_the_start(daemon):
    daemon.stop()
    left = spilled(daemon, GONE)
    daemon.start()
    assert not left.exists()

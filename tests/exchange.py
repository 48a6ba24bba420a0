"""Asking and listening as the contract has it: what the tests say most often.

Knows of the worker what its contract says, and imports nothing of it.
"""

import json
import os
import queue
import signal
import subprocess
import threading
import time
import uuid
from collections import defaultdict

import msgpack
from paho.mqtt import client as mqtt
from rig import ANSWER_S

JSON = "application/json"
MSGPACK = "application/msgpack"
TEXT = "text/plain"
STUB = '[model]\nname = "stub"\n'
TOOL = {"type": "function", "function": {"name": "lamp", "parameters": {"type": "object"}}}
ENDLESS = "stub: tokens=100000 delay_ms=5"
"""An order to the stub that runs until it is cancelled."""
OF_A_SECOND = "stub: tokens=50 delay_ms=20"


def new_id():
    return uuid.uuid4().hex


def body_of(message):
    """Return what a message says, in whichever encoding it says it is."""
    if message.content_type == MSGPACK:
        return msgpack.unpackb(message.payload)
    return json.loads(message.payload)


def is_final(message):
    return message.user.get("seq") == "final"


def hear(wire, wanted, timeout_s=ANSWER_S):
    """Return the first message that is wanted and leave it among those heard."""

    def found():
        return next((message for message in wire.heard if wanted(message)), None)

    with wire._new:
        message = wire._new.wait_for(found, timeout_s)
    assert message is not None, f"nothing wanted came; heard: {[m.topic for m in wire.heard]}"
    return message


def ask(wire, payload, **options):
    """Send a request with Correlation Data of its own and return its final reply as it came."""
    correlation = options.pop("correlation", new_id().encode())
    wire.send(payload, correlation=correlation, **options)
    return wire.wait(lambda message: is_final(message) and message.correlation == correlation)


def answer(wire, body, **options):
    """Send a request and return the body of its final reply, which must be an answer."""
    reply = body_of(ask(wire, {"prompt": body} if isinstance(body, str) else body, **options))
    assert reply["status"] == "ok", reply
    return reply


def refusal(wire, payload, **options):
    """Send a request and return the `error` of its final reply, which must be one."""
    reply = body_of(ask(wire, payload, **options))
    assert reply["status"] == "error", reply
    return reply["error"]


def final_of(wire, request_id, topic=None):
    """Return and remove the final reply to a request."""
    topic = topic or wire.reply_topic
    return wire.wait(
        lambda message: message.topic == topic and body_of(message).get("id") == request_id
    )


def send(wire, prompt, **fields):
    """Send a request and return its id, without waiting."""
    request_id = fields.pop("id", None) or new_id()
    wire.send({"id": request_id, "prompt": prompt, **fields})
    return request_id


def begin(wire, prompt=ENDLESS, **fields):
    """Send a streamed request, return its id when the first piece of its answer is heard."""
    request_id = send(wire, prompt, stream=True, **{"mode": "no_think", **fields})
    hear(wire, lambda message: message.topic.endswith(f"/{request_id}/answer"))
    return request_id


def control(wire, payload, **options):
    """Publish a control message for the wire's client."""
    wire.send(payload, topic=f"{wire.root}/control/{wire.name}", **options)


def cancel(wire, request_id):
    control(wire, {"op": "cancel", "id": request_id})


def forget(wire, **which):
    """Have the wire's client forgotten, or what `which` says; return what the worker says of it."""
    topic = f"{wire.reply_topic}/control/{new_id()}"
    control(wire, {"op": "forget", **which}, reply_to=topic)
    return body_of(wire.wait(lambda message: message.topic == topic))["forgotten"]


def nothing_more(wire):
    """Ask one thing more; when its reply has come, nothing else may have been heard."""
    answer(wire, "anything else?")
    left = [(message.topic, message.payload[:80]) for message in wire.heard]
    assert left == []


class Heard:
    """All that was heard of one request: parts by kind, the final reply, and their order."""

    def __init__(self, wire, request_id, topic=None):
        topic = topic or wire.reply_topic
        hear(wire, lambda m: m.topic == topic and body_of(m).get("id") == request_id)
        below = f"{topic}/{request_id}/"
        self.messages = [
            message
            for message in list(wire.heard)
            if message.topic.startswith(below)
            or (message.topic == topic and body_of(message).get("id") == request_id)
        ]
        for message in self.messages:
            wire.heard.remove(message)
        self.finals = [body_of(m) for m in self.messages if m.topic == topic]
        self.parts = defaultdict(list)
        for message in self.messages:
            if message.topic != topic:
                self.parts[message.topic.removeprefix(below)].append(body_of(message))

    @property
    def final(self):
        assert len(self.finals) == 1, self.finals
        return self.finals[0]

    def text(self, kind):
        return "".join(part["text"] for part in self.parts[kind])

    def seqs(self, kind):
        return [part["seq"] for part in self.parts[kind]]

    def states(self):
        return [part["state"] for part in self.parts["progress"]]


class LastingClient:
    """A client whose session and subscription outlive its connections, and so a broker's death."""

    def __init__(self, port, topic_filter):
        self.bodies = queue.SimpleQueue()
        subscribed = threading.Event()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=f"lasting-{new_id()[:8]}",
            protocol=mqtt.MQTTv311,
            clean_session=False,
        )
        self.client.reconnect_delay_set(1, 1)
        self.client.on_message = lambda _c, _u, message: self.bodies.put(
            json.loads(message.payload)
        )
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.client.subscribe(topic_filter, 1)
        assert subscribed.wait(10)

    def next(self):
        return self.bodies.get(timeout=ANSWER_S)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def wait_in_log(daemon, *words, times=1):
    """Return when the daemon has logged so many lines with all these words."""
    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        lines = daemon.log.read_text().splitlines()
        if sum(all(word in line for word in words) for line in lines) >= times:
            return
        time.sleep(0.05)  # a file tells nobody that it grew
    raise AssertionError(f"no line in the log with {words}")


def errors_logged_by(daemon):
    """Return what a daemon logged of its own faults, and what it said outside its log."""
    lines = daemon.log.read_text().splitlines()
    return [line for line in lines if '"level": "error"' in line or not line.startswith("{")]


def cache_files(daemon):
    """The files in which a daemon's engines keep what they have read."""
    return list((daemon.folder / "data" / "caches").rglob("*.kv"))


def add_to_topics(daemon, line):
    """Write one more line into the `[topics]` of a daemon that is not started yet."""
    path = daemon.folder / "thinkq.toml"
    path.write_text(path.read_text().replace("[topics]\n", f"[topics]\n{line}\n"))
    return daemon


def children_of(process_id, *, with_command=False):
    """Return the process ids of a process's children, and what they were started with if wanted."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,command="],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = [line.split(maxsplit=3) for line in listed.splitlines()]
    # One that is dead and not waited for yet is listed still.
    children = [
        (int(row[0]), row[3])
        for row in rows
        if len(row) == 4 and int(row[1]) == process_id and not row[2].startswith("Z")
    ]
    return children if with_command else [pid for pid, _ in children]


def kill_engine(daemon, number=signal.SIGKILL):
    """Kill the daemon's engine process as the kernel would, or stop it.

    The one before may be dead already, what it said still on its way, and the next not begun.
    """
    deadline = time.monotonic() + ANSWER_S
    while not (engines := children_of(daemon.process.pid)) and time.monotonic() < deadline:
        time.sleep(0.02)  # a process that begins tells nobody
    (engine,) = engines
    os.kill(engine, number)

"""Every check of authority, tried from outside by a client that is logged in under its own name.

Mosquitto runs the configuration of `deploy/mosquitto` as it is shipped: passwords over TLS,
certificates, the ACL; the worker is set up as its README says. `stranger` tries what it should not
be able to, against `kitchen`. A function returns what it got hold of; each must be nothing.
"""

import json
import socket
import ssl
import struct
import sys
import threading
import uuid
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from exchange import ENDLESS, answer, ask, begin, body_of, cancel, control, final_of, hear, new_id
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from rig import Daemon, Wire

sys.path.append(str(Path(__file__).parents[1] / "transport"))

from deployment import DeployedMosquitto, make_certificate, make_passwords

USERS = ("thinkq-worker", "thinkq-operator", "kitchen", "stranger", "poor", "banned")
SECRET = "the cat sleeps behind the red door"
RULES = """
[model]
name = "stub"
[thinking]
publish_reasoning = false
[access]
deny = ["banned"]
operators = ["thinkq-operator"]
[access.quotas.poor]
requests_per_minute = 1
lanes = ["standard"]
tools = ["light_*"]
thinking_tokens = 0
context_tokens = 20
[access.tools.unlock]
arguments.door = ["shed"]
"""
UNLOCK = {
    "type": "function",
    "function": {
        "name": "unlock",
        "parameters": {"type": "object", "properties": {"door": {"type": "string"}}},
    },
}


class World:
    """The broker and the worker, as they are deployed, and whoever speaks to them."""

    def __init__(self, folder):
        self.certificates = folder / "certificates"
        for kind, *names in (("broker", "broker.lan", "127.0.0.1"), ("client", "stranger")):
            made = make_certificate(self.certificates, kind, *names)
            assert made.returncode == 0, made.stderr
        self.passwords = make_passwords(folder / "passwords", *USERS)
        self.broker = DeployedMosquitto(folder, folder / "passwords", self.certificates).start()
        secret = folder / "worker-password"
        secret.touch(0o600)
        secret.write_text(self.passwords["thinkq-worker"])
        tls = f'[broker.tls]\nenabled = true\nca_file = "{self.certificates}/ca.crt"\n'
        self.daemon = Daemon(folder, self.broker.password_port, root="thinkq", config=RULES + tls)
        config = self.daemon.folder / "thinkq.toml"
        named = f'username = "thinkq-worker"\npassword_file = "{secret}"\n'
        named += f'client_id = "worker-{uuid.uuid4().hex}"\n'
        config.write_text(config.read_text().replace("[broker]\n", f"[broker]\n{named}", 1))
        self.daemon.start(wait=False)
        self.made = []
        self.kitchen = self.wire("kitchen").listen("thinkq/reply/kitchen/#")
        status = self.wire("kitchen").listen("thinkq/worker/w1/card")
        status.wait(lambda message: message.json["model"], 60)
        # What there is to get hold of: an answer, a conversation, a running request.
        self.answered = {"id": new_id(), "prompt": SECRET, "mode": "no_think", "session": "den"}
        assert answer(self.kitchen, self.answered)["content"] == SECRET
        self.running = begin(self.kitchen, ENDLESS)

    def wire(self, name, *, port=None, **options):
        options.setdefault("username", name)
        options.setdefault("password", self.passwords.get(options["username"]))
        options.setdefault("tls", self.context())
        wire = Wire(port or self.broker.password_port, "thinkq", name, **options)
        self.made.append(wire)
        return wire

    def context(self, name=None, folder=None):
        made = ssl.create_default_context(cafile=self.certificates / "ca.crt")
        if name is not None:
            folder = folder or self.certificates
            made.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
        return made

    def is_let_in(self, *, port=None, tls=None, username=None, password=None):
        """Say whether the broker takes a connection."""
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        reasons = []
        client.on_connect = lambda _c, _u, _f, reason, _p: reasons.append(reason)
        if tls is not None:
            client.tls_set_context(tls)
        client.username_pw_set(username, password)
        try:
            client.connect("127.0.0.1", port or self.broker.password_port)
            while not reasons and client.loop(0.1) == mqtt.MQTT_ERR_SUCCESS:
                pass
        except OSError:
            return False
        finally:
            client.disconnect()
        return bool(reasons) and not reasons[0].is_failure

    def control_of(self, name, body, **options):
        """Return the answer to a control message of a client's own."""
        wire = self.stranger() if name == "stranger" else self.wire(name)
        topic = f"thinkq/reply/{name}/control/{new_id()}"
        wire.listen(topic)
        control(wire, body, reply_to=topic, **options)
        return body_of(wire.wait(lambda message: message.topic == topic))

    def stranger(self, *filters, name="stranger", **options):
        return self.wire(name, **options).listen(f"thinkq/reply/{name}/#", *filters)

    def still_running(self):
        body = {"op": "status", "id": self.running}
        return self.control_of("kitchen", body)["state"] == "running"

    def close(self):
        cancel(self.kitchen, self.running)
        for wire in self.made:
            wire.close()
        code = self.daemon.stop()
        self.broker.stop()
        return code


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    assert made.close() == 0


ATTEMPTS = {}


def attempt(function):
    """Note a thing that must not succeed."""
    ATTEMPTS[function.__name__.replace("_", " ")] = function
    return function


def attempts(what, values):
    """Note the same with several values."""

    def note(function):
        for value in values:
            ATTEMPTS[f"{what} {value}"] = lambda world, value=value: function(world, value)
        return function

    return note


# The broker's door.


@attempts("come in with", [(None, None), ("kitchen", "guess"), ("kitchen", None), ("nobody", "x")])
def _(world, login):
    return world.is_let_in(tls=world.context(), username=login[0], password=login[1])


@attempt
def come_in_as_another_with_ones_own_password(world):
    own = world.passwords["stranger"]
    return world.is_let_in(tls=world.context(), username="kitchen", password=own)


@attempt
def come_in_on_the_certificates_port_with_a_password(world):
    return world.is_let_in(
        port=world.broker.certificate_port,
        tls=world.context(),
        username="kitchen",
        password=world.passwords["kitchen"],
    )


@attempt
def come_in_with_a_certificate_of_ones_own_authority(world):
    folder = world.daemon.folder / f"forged-{new_id()}"
    make_certificate(folder, "client", "thinkq-worker")
    context = world.context("thinkq-worker", folder)
    return world.is_let_in(port=world.broker.certificate_port, tls=context)


@attempts("speak plainly to port", ["password_port", "certificate_port"])
def _(world, port):
    return world.is_let_in(
        port=getattr(world.broker, port), username="kitchen", password=world.passwords["kitchen"]
    )


# The broker's ACL.


@attempts(
    "publish on",
    [
        "thinkq/reply/kitchen",
        "thinkq/reply/kitchen/x/answer",
        "thinkq/worker/w1/status",
        "thinkq/worker/w1/card",
        "thinkq/worker/w1/metrics",
        "thinkq/worker/w2/status",
        "thinkq/dead/kitchen",
        "thinkq/dead/stranger",
        "thinkq/fleet/g/claim",
    ],
)
def _(world, topic):
    # Between them they may hear whatever there is.
    kitchen = world.wire("kitchen").listen(topic, "thinkq/reply/kitchen")
    operator = world.wire("thinkq-operator").listen(topic)
    stranger = world.stranger()
    stranger.send(b"forged", topic=topic)
    answer(stranger, "barrier")
    heard = [*kitchen.heard, *operator.heard]
    return [message for message in heard if b"forged" in message.payload]


@attempts(
    "ask under another's name on",
    [
        "thinkq/request/kitchen",
        "thinkq/request/kitchen/interactive",
        "thinkq/fleet/g/to/w1/kitchen",
        "thinkq//request/kitchen",
        "/thinkq/request/kitchen",
    ],
)
def _(world, topic):
    kitchen = world.wire("kitchen").listen("thinkq/reply/kitchen")
    stranger = world.stranger()
    stranger.send({"id": new_id(), "prompt": "forged"}, topic=topic)
    answer(stranger, "barrier")
    answer(world.kitchen, "barrier")
    return [message for message in kitchen.heard if b"forged" in message.payload]


@attempt
def cancel_by_publishing_on_anothers_control_topic(world):
    stranger = world.stranger()
    stranger.send({"op": "cancel", "id": world.running}, topic="thinkq/control/kitchen")
    answer(stranger, "barrier")
    return not world.still_running()


@attempts(
    "listen to",
    [
        "thinkq/reply/kitchen/#",
        "thinkq/reply/+",
        "thinkq/#",
        "#",
        "+/+/kitchen",
        "thinkq/request/#",
        "thinkq/control/#",
        "thinkq/dead/#",
        "thinkq/fleet/#",
        "$share/thinkq/thinkq/request/+",
        "$share/x/thinkq/reply/kitchen",
        "$SYS/#",
    ],
)
def _(world, topic_filter):
    stranger = world.stranger(topic_filter)
    answer(world.kitchen, SECRET)
    answer(stranger, "barrier")
    own = "thinkq/reply/stranger"
    known = ("thinkq/worker/w1/status", "thinkq/worker/w1/card")  # everybody's
    return [
        message.topic
        for message in stranger.heard
        if not message.topic.startswith(own) and message.topic not in known
    ]


@attempts("leave a will on", ["thinkq/reply/kitchen", "thinkq/request/kitchen"])
def _(world, topic):
    kitchen = world.wire("kitchen").listen("thinkq/reply/kitchen")
    try:
        stranger = world.wire("stranger", will=(topic, b"forged", 1, False))
        stranger.listen("thinkq/reply/stranger")
        # Without a word, as if it had died.
        linger = struct.pack("ii", 1, 0)
        stranger.client.socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        stranger.client.loop_stop()
        stranger.client.socket().close()
    except (OSError, AssertionError):
        return False  # the broker does not take such a client at all
    answer(world.stranger(), "barrier")
    answer(world.kitchen, "barrier")
    return [message for message in kitchen.heard if b"forged" in message.payload]


@attempt
def take_the_workers_session_over(world):
    thief = world.stranger(client_id="thinkq-w1")
    answer(world.kitchen, "barrier")
    answer(thief, "barrier")
    return [message for message in thief.heard if "kitchen" in message.topic]


@attempt
def take_over_what_waits_for_another_client(world):
    # A session that outlives its connection, with an answer in it: by its client id alone.
    client_id = f"kitchen-{new_id()}"

    def come(name):
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5)
        client.tls_set_context(world.context())
        client.username_pw_set(name, world.passwords[name])
        lasting = Properties(PacketTypes.CONNECT)
        lasting.SessionExpiryInterval = 600
        done = threading.Semaphore(0)
        heard = []
        client.on_connect = client.on_subscribe = lambda *_: done.release()
        client.on_message = lambda _c, _u, message: (heard.append(message), done.release())
        client.connect(
            "127.0.0.1", world.broker.password_port, clean_start=False, properties=lasting
        )
        client.loop_start()
        assert done.acquire(timeout=10)
        return client, done, heard

    kitchen, done, _ = come("kitchen")
    kitchen.subscribe("thinkq/reply/kitchen", 1)
    assert done.acquire(timeout=10)
    kitchen.disconnect()
    kitchen.loop_stop()
    answer(world.kitchen, SECRET)
    thief, done, heard = come("stranger")
    own = f"thinkq/reply/stranger/{new_id()}"
    thief.subscribe(own, 1)
    assert done.acquire(timeout=10)
    answer(world.kitchen, SECRET)
    thief.publish("thinkq/request/stranger", json.dumps({"prompt": "barrier", "reply_to": own}), 1)
    while not any(message.topic == own for message in heard):
        assert done.acquire(timeout=10)
    thief.disconnect()
    thief.loop_stop()
    return [message.topic for message in heard if message.topic != own]


@attempts(
    "as an operator write on",
    ["thinkq/request/kitchen", "thinkq/reply/kitchen", "thinkq/control/kitchen"],
)
def _(world, topic):
    kitchen = world.wire("kitchen").listen("thinkq/reply/kitchen")
    operator = world.stranger(name="thinkq-operator")
    operator.send({"op": "cancel", "id": world.running, "prompt": "forged"}, topic=topic)
    answer(operator, "barrier")
    answer(world.kitchen, "barrier")
    forged = [message for message in kitchen.heard if b"forged" in message.payload]
    return forged or not world.still_running()


# The worker's own checks.


def error_of(world, body, *, name="stranger", **options):
    """Return the code of a refusal, None where there is an answer."""
    reply = body_of(ask(world.stranger(name=name), body, **options))
    return reply["error"]["code"] if reply["status"] == "error" else None


@attempts("name in the payload", ["client", "owner", "user", "username", "from"])
def _(world, field):
    return error_of(world, {"prompt": "x", field: "kitchen"}) is None


@attempts(
    "have the worker answer on",
    [
        "thinkq/reply/kitchen",
        "thinkq/reply/kitchen/deep/down",
        "thinkq/reply/stranger/../kitchen",
        "thinkq/reply/strangerx",
        "thinkq/reply",
        "thinkq/request/kitchen",
        "thinkq/control/kitchen",
        "thinkq/worker/w1/status",
        "thinkq/dead/kitchen",
        "home/front-door/set",
        "",
    ],
)
def _(world, topic):
    everything = world.wire("thinkq-operator").listen("thinkq/#")
    stranger = world.stranger()
    for options in ({"reply_to": topic} if topic else {}, {}):
        body = {"id": new_id(), "prompt": "forged", "reply_to": topic}
        if options and not topic:
            continue
        stranger.send(body, **options)
    answer(stranger, "barrier")
    hear(everything, lambda message: b"barrier" in message.payload)
    return [
        message.topic
        for message in list(everything.heard)  # what runs goes on being heard
        if b"forged" in message.payload
        and not message.topic.startswith(("thinkq/request/stranger", "thinkq/reply/stranger/"))
        and message.topic != "thinkq/reply/stranger"
    ]


@attempts("in a reply topic have a", ["+", "#", "$SYS", "\u202e", "\u200b"])
def _(world, level):
    stranger = world.stranger()
    stranger.send({"prompt": "forged", "reply_to": f"thinkq/reply/stranger/{level}"})
    answer(stranger, "barrier")
    return [message for message in stranger.heard if b'"content":"forged' in message.payload]


@attempt
def go_on_in_anothers_session(world):
    return error_of(world, {"prompt": "what did I say?", "session": "den"}) != "not_your_session"


@attempts("of another's running request", ["cancel", "status", "resume", "feedback"])
def _(world, op):
    body = {"op": op, "id": world.running}
    if op == "feedback":
        body["verdict"] = "good"
    said = world.control_of("stranger", body)
    known = said.get("found") or said.get("state", "unknown") != "unknown"
    return known or said.get("seq") or not world.still_running()


@attempts("of another's answered request", ["status", "resume", "feedback"])
def _(world, op):
    body = {"op": op, "id": world.answered["id"]}
    if op == "feedback":
        body["verdict"] = "good"
    said = world.control_of("stranger", body)
    return SECRET in str(said) or said.get("state", "unknown") != "unknown"


@attempts(
    "without being an operator act for another by",
    ["cancel", "forget", "status", "resume", "feedback", "prewarm"],
)
def _(world, op):
    said = world.control_of("stranger", {"of": "kitchen", **control_body(op, world.running)})
    return said.get("error", {}).get("code") != "forbidden" or not world.still_running()


@attempts("as an operator read or write by", ["resume", "feedback", "prewarm"])
def _(world, op):
    body = {"of": "kitchen", **control_body(op, world.answered["id"])}
    return "error" not in world.control_of("thinkq-operator", body)


def control_body(op, request_id):
    """Return a control message that its own client could send."""
    if op == "prewarm":
        return {"op": op, "prompt": "x", "session": "den"}
    body = {"op": op, "id": request_id}
    return {**body, "verdict": "good"} if op == "feedback" else body


@attempt
def have_anothers_session_read_ahead(world):
    said = world.control_of("stranger", control_body("prewarm", None))
    return said.get("error", {}).get("code") != "not_your_session"


@attempts("control under another's name in the field", ["client", "owner", "user", "from"])
def _(world, field):
    world.control_of("stranger", {"op": "cancel", "id": world.running, field: "kitchen"})
    return not world.still_running()


@attempts(
    "have a control message answered on",
    ["thinkq/reply/kitchen", "thinkq/worker/w1/status", "thinkq/dead/kitchen", "home/door/set"],
)
def _(world, topic):
    everything = world.wire("thinkq-operator").listen("thinkq/#")
    stranger = world.stranger()
    marked = new_id()
    for options in ({"reply_to": topic}, {}):
        body = {"op": "status", "id": marked, "reply_to": topic}
        control(stranger, body, **options)
    world.control_of("stranger", {"op": "status"})
    answer(stranger, "barrier")
    hear(everything, lambda message: b"barrier" in message.payload)
    return [
        message.topic
        for message in list(everything.heard)  # what runs goes on being heard
        if marked.encode() in message.payload
        and not message.topic.startswith(("thinkq/control/stranger", "thinkq/reply/stranger"))
    ]


@attempt
def forget_anothers_session(world):
    world.control_of("stranger", {"op": "forget", "session": "den"})
    again = answer(world.kitchen, world.answered)
    return again["content"] != SECRET or error_of(world, {"prompt": "x", "session": "den"}) is None


@attempts("get another's recorded answer by the same", ["id", "Correlation Data"])
def _(world, name):
    stranger = world.stranger()
    if name == "id":
        reply = answer(stranger, {"id": world.answered["id"], "prompt": "mine"})
    else:
        correlation = new_id().encode()
        ask(world.kitchen, {"prompt": SECRET}, correlation=correlation)
        reply = body_of(ask(stranger, {"prompt": "mine"}, correlation=correlation))
    return reply["content"] != "mine"


@attempt
def be_answered_when_denied(world):
    return error_of(world, {"prompt": "x"}, name="banned") != "forbidden"


@attempt
def control_when_denied(world):
    return "error" not in world.control_of("banned", {"op": "status"})


@attempts(
    "beyond a quota have",
    [
        {"lane": "batch"},
        {"mode": "think"},
        {"tools": [UNLOCK]},
        {"prompt": "word " * 100},
    ],
)
def _(world, wish):
    return error_of(world, {"prompt": "x", **wish}, name="poor") is None


@attempt
def ask_more_often_than_a_quota_allows(world):
    poor = world.stranger(name="poor")
    codes = [body_of(ask(poor, {"prompt": "x"})).get("error", {}).get("code") for _ in range(2)]
    return codes[-1] != "quota_exceeded"


@attempt
def choose_the_lane_of_a_quota_by_the_topic(world):
    topic = "thinkq/request/poor/interactive"
    return error_of(world, {"prompt": "x"}, name="poor", topic=topic) is None


@attempt
def call_a_tool_with_what_the_operator_does_not_allow(world):
    body = {"prompt": "stub: call=unlock door=front", "tools": [UNLOCK], "mode": "no_think"}
    return error_of(world, body) is None


@attempt
def hear_thoughts_that_are_kept_from_the_wire(world):
    stranger = world.stranger()
    body = {"id": new_id(), "prompt": "why?", "mode": "think", "stream": True}
    final = answer(stranger, body)
    topic = f"thinkq/reply/stranger/again/{new_id()}"
    control(stranger, {"op": "resume", "id": body["id"]}, reply_to=topic)
    repeated = body_of(final_of(stranger, body["id"], topic=topic))
    thoughts = [message for message in stranger.heard if message.topic.endswith("/reasoning")]
    return thoughts or final.get("reasoning") or repeated.get("reasoning")


@attempt
def have_a_retained_request_run_at_every_start(world):
    stranger = world.stranger()
    packet = Properties(PacketTypes.PUBLISH)
    stranger.client.publish(
        "thinkq/request/stranger", b'{"id": "kept", "prompt": "x"}', 1, True, properties=packet
    )
    answer(stranger, "barrier")
    state = world.control_of("stranger", {"op": "status", "id": "kept"})["state"]
    # Clear it, as it is the broker's to keep.
    stranger.client.publish("thinkq/request/stranger", b"", 1, retain=True).wait_for_publish(10)
    fresh = world.stranger("thinkq/request/stranger")
    return [message for message in fresh.heard if message.retain] and state != "unknown"


@pytest.mark.parametrize("tried", ATTEMPTS.values(), ids=ATTEMPTS)
def test_a_client_gets_nothing_that_is_not_its_own_by_trying_to(tried, world):
    assert not tried(world)


def test_after_all_that_everybody_is_served(world):
    assert world.still_running()
    assert answer(world.kitchen, "hello")["content"] == "hello"
    assert answer(world.stranger(), "hello")["content"] == "hello"

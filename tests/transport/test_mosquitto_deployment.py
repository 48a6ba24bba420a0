"""The deployment files in `deploy/mosquitto`, on a real Mosquitto: who may say and hear what."""

import asyncio
import re
import subprocess

import paho.mqtt.client as mqtt
import pytest
from deployment import FOLDER, DeployedMosquitto, make_passwords
from rig import Wire

from worker.transport.packets import Outgoing
from worker.transport.publishing import PublishFailed
from worker.transport.topics import Topics

TOPICS = Topics("thinkq", "w1")


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deployed")
    users = ["thinkq-worker", "thinkq-operator", "kitchen", "stranger"]
    passwords = make_passwords(folder / "passwords", *users)
    broker = DeployedMosquitto(folder, folder / "passwords").start()
    broker.passwords = passwords
    yield broker
    broker.stop()


@pytest.fixture
def user_of(deployed):
    """Make plain clients that are logged in: `user_of("kitchen", "topic/#")`."""
    made = []

    def make(name, *filters):
        password = deployed.passwords[name]
        wire = Wire(deployed.port, "thinkq", name, username=name, password=password)
        made.append(wire)
        return wire.listen(*filters)

    yield make
    for wire in made:
        wire.close()


@pytest.fixture
async def worker(deployed, connect):
    """The worker's own connection, subscribed as a daemon is."""
    return await connect(
        deployed.port,
        *TOPICS.request_filters(),
        TOPICS.control_filter(),
        username="thinkq-worker",
        password=deployed.passwords["thinkq-worker"],
    )


async def test_a_client_asks_and_is_answered(worker, user_of):
    connection, ear = worker
    kitchen = user_of("kitchen", "thinkq/reply/kitchen/#")
    kitchen.send(b"hi", topic="thinkq/request/kitchen/interactive")
    assert (await ear.message()).topic == "thinkq/request/kitchen/interactive"
    await connection.publish(Outgoing(topic="thinkq/reply/kitchen", payload=b"hello"))
    assert (await asyncio.to_thread(kitchen.wait)).payload == b"hello"
    await connection.publish(Outgoing(topic="thinkq/reply/kitchen/1/answer", payload=b"he", qos=0))
    assert (await asyncio.to_thread(kitchen.wait)).payload == b"he"


async def test_a_client_controls_its_own_requests(worker, user_of):
    user_of("kitchen").send(b"{}", topic="thinkq/control/kitchen")
    assert (await worker[1].message()).topic == "thinkq/control/kitchen"


@pytest.mark.parametrize(
    "topic",
    ["thinkq/request/kitchen", "thinkq/request/kitchen/batch", "thinkq/control/kitchen"],
)
async def test_nobody_asks_under_anothers_name(worker, user_of, topic):
    stranger = user_of("stranger")
    stranger.send(b"forged", topic=topic)
    stranger.send(b"own", topic="thinkq/request/stranger")
    assert (await worker[1].message()).payload == b"own"


@pytest.mark.parametrize(
    "topic_filter", ["thinkq/reply/kitchen/#", "thinkq/reply/#", "#", "thinkq/request/#"]
)
async def test_nobody_hears_anothers_replies_or_requests(worker, user_of, topic_filter):
    connection, ear = worker
    stranger = user_of("stranger", topic_filter, "thinkq/reply/stranger")
    user_of("kitchen").send(b"secret", topic="thinkq/request/kitchen")
    await ear.message()
    await connection.publish(Outgoing(topic="thinkq/reply/kitchen", payload=b"secret"))
    await connection.publish(Outgoing(topic="thinkq/reply/stranger", payload=b"yours"))
    heard = await asyncio.to_thread(stranger.wait)
    assert (heard.topic, heard.payload) == ("thinkq/reply/stranger", b"yours")


async def test_a_client_can_not_answer_for_the_worker(worker, user_of):
    connection, _ = worker
    kitchen = user_of("kitchen", "thinkq/reply/kitchen", "thinkq/worker/+/status")
    stranger = user_of("stranger")
    stranger.send(b"forged", topic="thinkq/reply/kitchen")
    stranger.send(b"forged", topic="thinkq/worker/w1/status")
    await connection.publish(Outgoing(topic="thinkq/reply/kitchen", payload=b"real"))
    assert (await asyncio.to_thread(kitchen.wait)).payload == b"real"


async def test_all_see_the_worker_and_only_the_operator_the_dead(worker, user_of):
    connection, _ = worker
    operator = user_of("thinkq-operator", "thinkq/dead/#")
    kitchen = user_of("kitchen", "thinkq/dead/#", TOPICS.card())
    await connection.publish(Outgoing(topic=TOPICS.dead("kitchen"), payload=b"dead"))
    await connection.publish(Outgoing(topic=TOPICS.card(), payload=b"card"))
    assert (await asyncio.to_thread(operator.wait)).payload == b"dead"
    assert (await asyncio.to_thread(kitchen.wait)).payload == b"card"


async def test_the_worker_is_told_when_it_may_not_publish(worker):
    connection, _ = worker
    with pytest.raises(PublishFailed, match="Not authorized"):
        await connection.publish(Outgoing(topic="elsewhere", payload=b"x"))


@pytest.mark.parametrize("login", [(None, None), ("kitchen", "wrong"), ("nobody", "x")])
def test_nobody_comes_in_without_a_password(deployed, login):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    reasons = []
    client.on_connect = lambda _c, _u, _f, reason, _p: reasons.append(reason)
    client.username_pw_set(*login)
    client.connect("127.0.0.1", deployed.port)
    while not reasons:
        client.loop(0.1)
    assert reasons[0].is_failure


def test_passwords_are_random_hashed_and_for_the_owner_only(deployed):
    stored = (deployed.folder / "passwords").read_text()
    for password in deployed.passwords.values():
        assert re.fullmatch(r"[0-9a-f]{48}", password)
        assert password not in stored
    assert (deployed.folder / "passwords").stat().st_mode & 0o077 == 0


def test_a_new_password_replaces_the_old(tmp_path):
    file = tmp_path / "passwords"
    for _ in range(2):
        subprocess.run([FOLDER / "make-passwords", file, "a"], check=True, capture_output=True)
    assert file.read_text().count("a:") == 1


def test_a_user_that_can_be_no_level_of_a_topic_is_refused(tmp_path):
    done = subprocess.run(
        [FOLDER / "make-passwords", tmp_path / "passwords", "a/b"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "a/b" in done.stderr
    assert not (tmp_path / "passwords").exists()

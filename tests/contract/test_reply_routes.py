"""Where a reply may go: below the client's own topic, and nowhere else."""

import paho.mqtt.client as mqtt
import pytest
from exchange import (
    JSON,
    Heard,
    add_to_topics,
    ask,
    body_of,
    final_of,
    hear,
    new_id,
    nothing_more,
    refusal,
    send,
)


@pytest.fixture
def old_client(client_of, stub_daemon):
    """A client that speaks MQTT 3.1.1: no properties, only payloads."""
    return client_of(stub_daemon, protocol=mqtt.MQTTv311)


@pytest.fixture
def everything(client_of, stub_daemon):
    """Somebody who hears all that anybody publishes."""
    return client_of(stub_daemon).listen("#")


FORBIDDEN = {
    "outside the root": "elsewhere/{name}",
    "its own request topic": "{root}/request/{name}",
    "a worker's status": "{root}/worker/w1/status",
    "a name that begins alike": "{reply}2",
    "above its name": "{root}/reply",
    "an empty level": "{reply}//a",
    "an empty last level": "{reply}/",
    "one level's wildcard": "{reply}/+/a",
    "all levels' wildcard": "{reply}/#",
    "the broker's": "$SYS/broker/load",
    "a shared name": "$share/group/{reply}",
    "a dollar below": "{reply}/$SYS",
    "an invisible character": "{reply}/a\u200bb",
    "another spelling": "{root}/Reply/{name}",
    "a level too long": "{reply}/" + "a" * 65,
    "too many levels": "{reply}" + "/x" * 600,
    "a root that begins alike": "{root}x/reply/{name}",
}
"""Reply topics that no client may name, by what is wrong with them."""


def topic_of(template, client):
    return template.format(root=client.root, name=client.name, reply=client.reply_topic)


def assert_only_dead_lettered(everything, client, request_id, request_topic=None):
    """Assert that a request was heard of in its dead letter only, and that the daemon goes on."""
    dead_topic = f"{client.root}/dead/{client.name}"
    letter = hear(everything, lambda message: message.topic == dead_topic).json
    assert (letter["id"], letter["error"]["code"]) == (request_id, "forbidden_reply_topic")
    after = client.ask("still there?")["id"]
    hear(
        everything, lambda message: message.topic == client.reply_topic and is_about(message, after)
    )
    about = {message.topic for message in everything.heard if is_about(message, request_id)}
    assert about == {dead_topic, f"{client.root}/request/{client.name}"}


def is_about(message, request_id):
    return request_id.encode() in message.payload or message.correlation == request_id.encode()


def test_a_response_topic_below_the_clients_own_is_used(client):
    topic = f"{client.reply_topic}/kitchen/7"
    assert ask(client, {"prompt": "hello there"}, reply_to=topic).topic == topic


def test_streams_go_below_the_response_topic(client):
    topic, request_id = f"{client.reply_topic}/kitchen", new_id()
    client.send({"id": request_id, "prompt": "a b c", "stream": True}, reply_to=topic)
    heard = Heard(client, request_id, topic=topic)
    assert heard.text("answer") == heard.final["content"]


def test_errors_go_to_the_response_topic_too(client):
    topic = f"{client.reply_topic}/kitchen"
    assert ask(client, {"prompt": 5}, reply_to=topic).topic == topic


def test_reply_to_in_the_payload_is_used(client):
    topic = f"{client.reply_topic}/lamp"
    assert ask(client, {"prompt": "hello there", "reply_to": topic}).topic == topic


def test_the_response_topic_wins_over_reply_to(client):
    topic = f"{client.reply_topic}/property"
    body = {"prompt": "hello there", "reply_to": f"{client.reply_topic}/payload"}
    assert ask(client, body, reply_to=topic).topic == topic


def test_a_response_topic_that_is_another_clients_is_answered_nowhere(
    client, everything, client_of, stub_daemon
):
    victim, request_id = client_of(stub_daemon), new_id()
    client.send({"id": request_id, "prompt": "psst"}, reply_to=victim.reply_topic)
    assert_only_dead_lettered(everything, client, request_id)
    nothing_more(victim)


@pytest.mark.parametrize("template", FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_forbidden_reply_to_is_answered_nowhere(client, everything, template):
    topic = topic_of(template, client)
    request_id = send(client, "hello", reply_to=topic)
    assert_only_dead_lettered(everything, client, request_id)


@pytest.mark.parametrize("which", ["outside the root", "an empty level", "the broker's"])
def test_a_forbidden_response_topic_is_answered_nowhere(client, everything, which):
    request_id = new_id()
    client.send({"id": request_id, "prompt": "hello"}, reply_to=topic_of(FORBIDDEN[which], client))
    assert_only_dead_lettered(everything, client, request_id)


def test_a_malformed_request_with_a_forbidden_response_topic_is_answered_nowhere(
    client, everything
):
    request_id = new_id()
    client.send(b"{", reply_to="elsewhere/x", ContentType=JSON, correlation=request_id.encode())
    assert_only_dead_lettered(everything, client, request_id)


def test_a_reply_to_that_is_no_text_is_a_bad_request(client):
    error = refusal(client, {"prompt": "hello", "reply_to": 5})
    assert (error["code"], error["field"]) == ("bad_request", "reply_to")


def test_an_older_client_is_answered_on_its_default_topic(old_client):
    assert old_client.ask("hello there")["content"] == "hello there"


def test_an_older_client_names_its_reply_topic_in_the_payload(old_client):
    topic, request_id = f"{old_client.reply_topic}/plug", new_id()
    send(old_client, "hello there", id=request_id, reply_to=topic)
    assert body_of(final_of(old_client, request_id, topic))["content"] == "hello there"


def test_an_older_client_reads_its_errors(old_client):
    error = old_client.ask({"prompt": 5})["error"]
    assert (error["code"], error["field"]) == ("bad_request", "prompt")


def test_an_older_clients_forbidden_reply_to_is_answered_nowhere(old_client, everything):
    request_id = send(old_client, "hello", reply_to="elsewhere/old")
    assert_only_dead_lettered(everything, old_client, request_id)


def test_an_older_clients_text_is_answered_with_text(old_client):
    old_client.send(b"just words")
    reply = old_client.wait(lambda message: message.topic == old_client.reply_topic)
    assert reply.payload == b"just words"


def test_an_operator_may_allow_replies_outside_the_clients_own_topic(client_of, daemon_of):
    daemon = add_to_topics(daemon_of(), "reply_allow = ['lamps/%c/#']").start()
    client = client_of(daemon)
    topic = f"lamps/{client.name}/1"
    client.listen(topic)
    assert ask(client, {"prompt": "on", "reply_to": topic}).topic == topic

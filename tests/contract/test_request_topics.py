"""Where requests are taken from, and that they end where the contract says."""

import pytest
from exchange import answer, ask, body_of, final_of, is_final, new_id, nothing_more, refusal, send


def test_a_request_is_answered_on_the_clients_default_reply_topic(client):
    request_id = send(client, "hello there")
    reply = client.wait(is_final)
    assert reply.topic == client.reply_topic
    assert body_of(reply)["id"] == request_id


@pytest.mark.parametrize("lane", ["interactive", "standard", "batch"])
def test_a_lane_may_be_the_topics_last_level(client, lane):
    topic = f"{client.root}/request/{client.name}/{lane}"
    assert answer(client, "one two", topic=topic)["content"] == "one two"


@pytest.mark.parametrize("lane", ["interactive", "standard", "batch"])
def test_a_lane_may_stand_in_the_body(client, lane):
    assert answer(client, {"prompt": "one two", "lane": lane})["content"] == "one two"


def test_an_unknown_lane_in_the_topic_is_refused(client):
    error = refusal(
        client, {"prompt": "hello"}, topic=f"{client.root}/request/{client.name}/express"
    )
    assert (error["code"], error["field"]) == ("bad_request", "lane")


def test_two_different_lanes_in_topic_and_body_are_refused(client):
    topic = f"{client.root}/request/{client.name}/batch"
    error = refusal(client, {"prompt": "hello", "lane": "interactive"}, topic=topic)
    assert (error["code"], error["field"]) == ("bad_request", "lane")


@pytest.mark.parametrize("level", ["$me", "", "x" * 65, "a\u200bb"])
def test_a_client_level_that_is_no_name_is_answered_nowhere(client, stub_daemon, level):
    client.listen(f"{client.root}/reply/+", f"{client.root}/dead/#")
    client.heard.clear()
    client.send({"prompt": "hello"}, topic=f"{client.root}/request/{level}")
    answer(client, "still there?")
    assert {message.topic for message in client.heard} <= {client.reply_topic}


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_requests_are_taken_at_every_quality_of_service(client, qos):
    assert answer(client, "hello there", qos=qos)["content"] == "hello there"


def test_final_replies_are_sent_at_qos_1_and_not_retained(client):
    reply = ask(client, {"prompt": "hello there"})
    assert (reply.qos, reply.retain) == (1, False)


def test_a_client_hears_nothing_of_anothers_requests(client, client_of, stub_daemon):
    other = client_of(stub_daemon)
    answer(other, {"prompt": "my secret", "stream": True})
    nothing_more(client)


def test_equal_ids_of_two_clients_are_two_requests(client, client_of, stub_daemon):
    other, request_id = client_of(stub_daemon), new_id()
    send(client, "first words", id=request_id)
    send(other, "other words", id=request_id)
    assert body_of(final_of(client, request_id))["content"] == "first words"
    assert body_of(final_of(other, request_id))["content"] == "other words"

"""The names of all topics."""

import pytest

from worker.domain.errors import BadRequest
from worker.domain.messages import Kind, Lane
from worker.transport.topics import Topics

TOPICS = Topics("thinkq", "w1")


def test_requests_are_subscribed_with_and_without_a_lane():
    assert TOPICS.request_filters() == ("thinkq/request/+", "thinkq/request/+/+")


def test_a_group_shares_requests_and_not_control():
    grouped = Topics("thinkq", "w1", "macs")
    assert grouped.request_filters() == (
        "$share/macs/thinkq/request/+",
        "$share/macs/thinkq/request/+/+",
    )
    assert grouped.control_filter() == "thinkq/control/+"


def test_a_request_topic_names_its_client():
    assert TOPICS.parse_request("thinkq/request/kitchen") == ("kitchen", None)


def test_a_request_topics_last_level_is_its_lane():
    assert TOPICS.parse_request("thinkq/request/kitchen/batch") == ("kitchen", Lane.BATCH)


def test_an_unknown_lane_is_told_the_three():
    with pytest.raises(BadRequest, match="interactive, standard, batch") as caught:
        TOPICS.parse_request("thinkq/request/kitchen/fast")
    assert caught.value.field == "lane"


def test_the_client_is_known_even_where_the_lane_is_wrong():
    assert TOPICS.client("thinkq/request/kitchen/fast") == "kitchen"


def test_a_control_topic_names_its_client():
    assert TOPICS.is_control("thinkq/control/kitchen")
    assert TOPICS.parse_control("thinkq/control/kitchen") == "kitchen"


@pytest.mark.parametrize(
    "topic",
    [
        "thinkq/request",
        "thinkq/request/",
        "thinkq/request/a/batch/more",
        "thinkq/request/a\u200b",
        "thinkq/reply/a",
        "other/request/a",
        "thinkqs/request/a",
        "",
    ],
)
def test_what_is_no_request_topic_is_refused(topic):
    with pytest.raises(BadRequest):
        TOPICS.parse_request(topic)


@pytest.mark.parametrize("topic", ["thinkq/control/a/b", "thinkq/request/a", "thinkq/control/"])
def test_what_is_no_control_topic_is_refused(topic):
    with pytest.raises(BadRequest):
        TOPICS.parse_control(topic)


def test_a_root_of_several_levels_is_read_back():
    topics = Topics("home/ai", "w1")
    assert topics.parse_request(topics.request("me", Lane.BATCH)) == ("me", Lane.BATCH)
    assert topics.parse_control(topics.control("me")) == "me"


def test_each_kind_of_stream_has_a_topic_below_the_reply_topic():
    assert TOPICS.stream("a/b", "id1", Kind.REASONING) == "a/b/id1/reasoning"


def test_the_workers_own_topics():
    assert TOPICS.status() == "thinkq/worker/w1/status"
    assert TOPICS.card() == "thinkq/worker/w1/card"
    assert TOPICS.metrics() == "thinkq/worker/w1/metrics"
    assert TOPICS.dead("me") == "thinkq/dead/me"
    assert TOPICS.reply("me") == "thinkq/reply/me"


@pytest.mark.parametrize("names", [("a/+", "w"), ("a", "w/x"), ("a", "w", "#"), ("", "w")])
def test_names_that_can_be_no_topic_are_refused_at_the_start(names):
    with pytest.raises(BadRequest):
        Topics(*names)

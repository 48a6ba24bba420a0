"""Names and reply topics: what a client may use."""

import pytest

from worker.domain.errors import BadRequest
from worker.domain.policy import check_name, check_root, reply_topic_allowed

UNSAFE = {
    "empty": "",
    "too long": "a" * 65,
    "a plus": "a+",
    "a hash": "#",
    "a slash": "a/b",
    "a dollar first": "$SYS",
    "a null": "a\0",
    "a newline": "a\nb",
    "a lone surrogate": "a\ud800",
    "a right-to-left override": "a\u202eb",
    "a zero-width space": "a\u200b",
    "a byte order mark": "\ufeffa",
    "a non-character": "a\uffff",
    "a non-character of the Arabic block": "a\ufdd0",
    "a line separator": "a\u2028",
}


@pytest.mark.parametrize("name", UNSAFE.values(), ids=UNSAFE.keys())
def test_an_unsafe_name_is_refused_and_its_field_named(name):
    with pytest.raises(BadRequest, match="session") as caught:
        check_name(name, "session")
    assert caught.value.field == "session"


@pytest.mark.parametrize("name", ["a", "kitchen-1", "küche", "厨房", "a b", "a$", "🏠", "a" * 64])
def test_a_name_a_person_would_choose_is_taken(name):
    assert check_name(name, "client") == name


def test_a_root_may_have_several_levels():
    assert check_root("home/thinkq", "topics.root") == "home/thinkq"


def test_a_root_with_an_empty_level_is_refused():
    with pytest.raises(BadRequest):
        check_root("home//thinkq", "topics.root")


def allowed(topic, *allow, client="me"):
    return reply_topic_allowed(topic, client=client, default=f"thinkq/reply/{client}", allow=allow)


@pytest.mark.parametrize("topic", ["thinkq/reply/me", "thinkq/reply/me/kitchen/lamp"])
def test_a_client_may_be_answered_on_its_own_topic_and_below(topic):
    assert allowed(topic)


@pytest.mark.parametrize(
    "topic",
    [
        "thinkq/reply/you",
        "thinkq/reply/me2",
        "thinkq/reply",
        "thinkq/request/me",
        "thinkq/reply/me/",
        "thinkq/reply/me//x",
        "thinkq/reply/me/+",
        "thinkq/reply/me/#",
        "thinkq/reply/me/\0",
        "thinkq/reply/me/\ud800",
        "$SYS/reply/me",
        "",
        "/",
        "thinkq/reply/me/" + "a/" * 600 + "a",
    ],
)
def test_a_client_may_not_be_answered_elsewhere(topic):
    assert not allowed(topic)


def test_the_operator_can_allow_more_for_everybody():
    assert allowed("lights/hall/answer", "lights/+/answer")


def test_the_operator_can_allow_more_with_the_clients_own_name():
    assert allowed("lights/me/answer", "lights/%c/#")
    assert not allowed("lights/you/answer", "lights/%c/#")


def test_a_filter_ends_where_it_ends():
    assert not allowed("lights/me/answer", "lights/%c")
    assert not allowed("lights", "lights/%c")


def test_wildcards_in_an_allowed_place_are_still_refused():
    assert not allowed("lights/+/answer", "lights/#")

"""`revise: true`: the answer at once, and another one when a thought has changed it."""

import pytest
from exchange import (
    ENDLESS,
    Heard,
    answer,
    begin,
    body_of,
    cancel,
    hear,
    new_id,
    nothing_more,
    refusal,
    send,
)

WAVER = "stub: waver"


def both(client, prompt=WAVER, **fields):
    """Return the answer and its revision."""
    request_id = send(client, prompt, revise=True, **fields)

    def is_revision(message):
        return (
            message.topic == client.reply_topic
            and body_of(message).get("revision") == 1
            and body_of(message)["id"] == request_id
        )

    hear(client, is_revision)
    return Heard(client, request_id).finals


def test_the_answer_comes_unthinking_and_the_revision_thought_about(client):
    first, second = both(client)
    assert (first["revision"], first["mode"], first["content"]) == (0, "no_think", WAVER)
    assert (second["revision"], second["mode"], second["content"]) == (1, "think", "something else")
    assert second["reasoning"] == "Let me see."
    assert first["id"] == second["id"]


def test_a_thought_that_changes_nothing_is_not_sent(client):
    assert answer(client, {"prompt": "one two three", "revise": True})["revision"] == 0
    nothing_more(client)


def test_the_session_remembers_the_revision(client):
    session = new_id()
    both(client, session=session)
    turn = answer(client, {"prompt": "and now", "session": session})
    # stub: waver, something else, and now
    assert turn["usage"]["prompt_tokens"] == 6


def test_the_same_request_again_gets_both(client):
    request_id = new_id()
    assert both(client, id=request_id) == both(client, id=request_id)


def test_a_stream_is_of_the_answer_alone(client):
    request_id = send(client, WAVER, revise=True, stream=True)
    hear(client, lambda m: m.topic == client.reply_topic and body_of(m).get("revision") == 1)
    heard = Heard(client, request_id)
    assert heard.text("answer") == WAVER
    assert heard.text("reasoning") == ""


def test_a_revision_can_be_cancelled_and_then_none_comes(client):
    request_id = begin(client, ENDLESS, mode="auto", revise=True)
    cancel(client, request_id)
    assert Heard(client, request_id).final["finish_reason"] == "cancelled"
    nothing_more(client)


@pytest.mark.parametrize("forbids", [{"mode": "no_think"}, {"thinking_budget": 0}])
def test_what_may_not_be_thought_about_can_not_be_revised(client, forbids):
    error = refusal(client, {"prompt": "hello", "revise": True, **forbids})
    assert (error["code"], error["field"]) == ("bad_request", "revise")

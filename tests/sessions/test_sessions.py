"""Conversations: ownership, growth, and what is dropped when they get too long."""

import pytest

from worker.domain.errors import NotYourSession
from worker.domain.messages import FunctionCall, Message, Mode, ToolCall
from worker.sessions import HistoryLimits, Session, open_session, trimmed, with_turn

SYSTEM = Message("system", "You are a kitchen.")


def turn(number):
    return [Message("user", f"question {number}"), Message("assistant", f"answer {number}")]


def test_a_free_name_opens_an_empty_session():
    assert open_session(None, "talk", "kitchen") == Session("talk", "kitchen")


def test_its_owner_continues_a_session():
    existing = Session("talk", "kitchen", Mode.THINK, tuple(turn(1)), 5.0)
    assert open_session(existing, "talk", "kitchen") is existing


def test_another_client_is_told_that_the_session_is_not_its():
    with pytest.raises(NotYourSession) as refused:
        open_session(Session("talk", "kitchen"), "talk", "garage")
    assert refused.value.field == "session"
    assert "kitchen" not in refused.value.message


def test_a_turn_is_the_new_messages_and_the_answer():
    session = with_turn(Session("talk", "kitchen"), turn(1)[:1], turn(1)[1])
    session = with_turn(session, turn(2)[:1], turn(2)[1])
    assert list(session.messages) == turn(1) + turn(2)


def test_a_mode_is_remembered_until_another_is():
    session = with_turn(Session("talk", "kitchen"), *turn_of(1), Mode.THINK)
    session = with_turn(session, *turn_of(2), None)
    assert session.mode is Mode.THINK
    assert with_turn(session, *turn_of(3), Mode.NO_THINK).mode is Mode.NO_THINK


def turn_of(number):
    question, answer = turn(number)
    return [question], answer


def test_a_system_message_stays_in_front():
    session = with_turn(Session("talk", "kitchen"), [SYSTEM, turn(1)[0]], turn(1)[1])
    session = with_turn(session, *turn_of(2))
    assert list(session.messages) == [SYSTEM, *turn(1), *turn(2)]


def test_a_new_system_message_takes_the_old_ones_place():
    session = with_turn(Session("talk", "kitchen"), [SYSTEM, turn(1)[0]], turn(1)[1])
    other = Message("system", "You are a garage.")
    session = with_turn(session, [other, turn(2)[0]], turn(2)[1])
    assert list(session.messages) == [other, *turn(1), *turn(2)]


def test_a_history_within_its_limits_is_left_alone():
    messages = (SYSTEM, *turn(1), *turn(2))
    assert trimmed(messages, HistoryLimits(messages=5)) == messages


def test_too_many_messages_lose_the_oldest_turns_down_to_half():
    messages = [SYSTEM, *(message for number in range(6) for message in turn(number))]
    kept = trimmed(messages, HistoryLimits(messages=12))
    assert list(kept) == [SYSTEM, *turn(4), *turn(5)]


def test_too_many_characters_lose_the_oldest_turns():
    messages = [Message("user", "x" * 900), Message("assistant", "y"), *turn(1)]
    assert list(trimmed(messages, HistoryLimits(characters=500))) == turn(1)


def test_a_tools_result_never_stands_without_its_call():
    call = Message("assistant", None, tool_calls=(ToolCall("c", FunctionCall("oven", "{}")),))
    result = Message("tool", "off", tool_call_id="c")
    with_tool = [Message("user", "Is it on?"), call, result, Message("assistant", "No.")]
    for limit in range(1, 12):
        kept = trimmed([*with_tool, *turn(1), *turn(2)], HistoryLimits(messages=limit))
        assert (call in kept) == (result in kept)
        assert kept[0].role == "user"


def test_the_last_turn_stays_however_long_it_is():
    last = [Message("user", "x" * 10_000), Message("assistant", "y")]
    assert list(trimmed([*turn(1), *last], HistoryLimits(characters=100))) == last


def test_the_arguments_of_tool_calls_count():
    call = Message("assistant", None, tool_calls=(ToolCall("c", FunctionCall("oven", "x" * 600)),))
    kept = trimmed([Message("user", "?"), call, *turn(1)], HistoryLimits(characters=500))
    assert list(kept) == turn(1)

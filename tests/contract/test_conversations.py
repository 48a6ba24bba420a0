"""Sessions: the worker keeps the conversation, for the client that opened it."""

import signal

import pytest
from exchange import TOOL, answer, begin, body_of, cancel, final_of, is_final, new_id, refusal, send

# The stub counts words, and its answer repeats the question.


def prompt_tokens(client, prompt, session):
    return answer(client, {"prompt": prompt, "session": session})["usage"]["prompt_tokens"]


def test_each_turn_is_read_with_those_before_it(client):
    session = new_id()
    assert prompt_tokens(client, "one two three", session) == 3
    assert prompt_tokens(client, "four", session) == 3 + 3 + 1


def test_sessions_do_not_mix(client):
    prompt_tokens(client, "one two three", new_id())
    assert prompt_tokens(client, "four", new_id()) == 1


def test_requests_without_a_session_remember_nothing(client):
    answer(client, "one two three")
    assert answer(client, "four")["usage"]["prompt_tokens"] == 1


def test_a_mode_switch_keeps_the_context(client):
    session = new_id()
    prompt_tokens(client, "one two /think", session)
    assert prompt_tokens(client, "three /no_think", session) == 2 + 2 + 1


def test_the_thought_is_not_part_of_the_conversation(client):
    session = new_id()
    answer(client, {"prompt": "one two", "mode": "think", "session": session})
    assert prompt_tokens(client, "three", session) == 2 + 2 + 1


def test_a_duplicate_turn_is_in_the_conversation_once(client):
    session, turn_id = new_id(), new_id()
    for _ in range(2):
        answer(client, {"id": turn_id, "prompt": "one two", "session": session})
    assert prompt_tokens(client, "three", session) == 2 + 2 + 1


def test_a_failed_turn_is_not_in_the_conversation(client):
    session = new_id()
    prompt_tokens(client, "one two", session)
    refusal(client, {"prompt": "stub: fail", "session": session})
    assert prompt_tokens(client, "three", session) == 2 + 2 + 1


def test_a_cancelled_turn_keeps_what_was_said(client):
    session = new_id()
    cancel(client, begin(client, session=session))
    said = body_of(client.wait(is_final))["content"]
    asked = 3
    assert prompt_tokens(client, "three", session) == asked + len(said.split()) + 1


def test_turns_of_one_session_are_answered_in_the_order_they_came(client):
    session = new_id()
    turns = [send(client, "stub: tokens=3 delay_ms=5", session=session) for _ in range(5)]
    assert [body_of(client.wait(is_final))["id"] for _ in turns] == turns


def test_a_turn_sent_before_the_last_was_answered_is_read_with_it(client):
    session = new_id()
    send(client, "stub: tokens=20 delay_ms=10", session=session)
    later = send(client, "and now", session=session)
    usage = body_of(final_of(client, later))["usage"]
    assert usage["prompt_tokens"] == 3 + 20 + 2


def test_the_result_of_a_tool_that_an_earlier_turn_called_goes_on_with_it(client):
    session = new_id()
    calling = answer(client, {"prompt": "stub: call", "tools": [TOOL], "session": session})
    result = {"role": "tool", "content": "on", "tool_call_id": calling["tool_calls"][0]["id"]}
    reply = answer(client, {"messages": [result], "tools": [TOOL], "session": session})
    assert reply["content"] == "on"


def test_a_session_goes_through_several_rounds_of_calls_and_results(client):
    session = new_id()
    made = []
    fields = {"tools": [TOOL], "session": session}
    reply = answer(client, {"prompt": "stub: call", **fields})
    for number in range(3):
        made.append(reply["tool_calls"][0]["id"])
        result = {"role": "tool", "content": f"result {number}", "tool_call_id": made[-1]}
        said = answer(client, {"messages": [result], **fields})
        assert (said["finish_reason"], said["content"]) == ("stop", f"result {number}")
        reply = answer(client, {"prompt": "stub: call", **fields})
        assert reply["finish_reason"] == "tool_calls"
    # Everything that was said is read again: 4 calls asked for, 3 results twice, "and now".
    assert prompt_tokens(client, "and now", session) == 4 * 2 + 3 * (2 + 2) + 2


def test_the_results_of_two_calls_may_come_together(client):
    calls = [
        {"id": f"c{n}", "type": "function", "function": {"name": "lamp", "arguments": "{}"}}
        for n in range(2)
    ]
    messages = [
        {"role": "user", "content": "both"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "content": "first", "tool_call_id": "c0"},
        {"role": "tool", "content": "second", "tool_call_id": "c1"},
    ]
    reply = answer(client, {"messages": messages, "tools": [TOOL]})
    assert reply["content"] == "second"


def test_another_clients_session_is_refused(client, client_of, stub_daemon):
    session = new_id()
    prompt_tokens(client, "my secret", session)
    error = refusal(client_of(stub_daemon), {"prompt": "what was it?", "session": session})
    assert (error["code"], error["field"]) == ("not_your_session", "session")


def test_a_session_that_is_being_opened_is_its_clients_already(client, client_of, stub_daemon):
    session, stranger = new_id(), client_of(stub_daemon)
    request_id = begin(client, session=session)
    intruder = send(stranger, "let me in", session=session)
    cancel(client, request_id)
    reply = body_of(final_of(stranger, intruder))
    assert reply["error"]["code"] == "not_your_session"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_session_survives_a_restart(daemon_of, client_of, number):
    daemon = daemon_of().start()
    client, session = client_of(daemon), new_id()
    answer(client, {"prompt": "one two /think", "session": session})
    daemon.stop(number)
    daemon.start()
    reply = answer(client, {"prompt": "three", "session": session})
    assert (reply["usage"]["prompt_tokens"], reply["mode"]) == (2 + 2 + 1, "think")

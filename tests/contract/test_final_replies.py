"""The final reply: one for each request, with every field the contract lists."""

import pytest
from exchange import TOOL, answer, ask, body_of, is_final, new_id, nothing_more, refusal, send

FIELDS = {
    "id": str,
    "status": str,
    "content": str,
    "reasoning": str,
    "tool_calls": list,
    "finish_reason": str,
    "mode": str,
    "route": dict,
    "usage": dict,
    "timing": dict,
    "model": str,
    "worker": str,
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("mode", ["think", "no_think"])
def test_an_answer_has_the_field(client, field, mode):
    reply = answer(client, {"prompt": "hello there", "mode": mode})
    assert isinstance(reply[field], FIELDS[field])


@pytest.mark.parametrize("field", ["session", "metadata"])
def test_what_was_not_given_is_not_in_the_reply(client, field):
    assert field not in answer(client, "hello there")


def test_the_session_is_named_in_the_reply(client):
    session = new_id()
    assert answer(client, {"prompt": "hello", "session": session})["session"] == session


def test_there_is_one_final_reply(client):
    answer(client, "hello there")
    nothing_more(client)


def test_there_is_one_final_reply_to_a_refused_request(client):
    refusal(client, {"prompt": 5})
    nothing_more(client)


def test_the_thought_stands_apart_from_the_answer(client):
    reply = answer(client, {"prompt": "one two", "mode": "think"})
    assert (reply["reasoning"], reply["content"]) == ("Let me see.", "one two")


def test_without_thinking_there_is_no_thought(client):
    assert answer(client, {"prompt": "one two", "mode": "no_think"})["reasoning"] == ""


def test_the_engines_failure_is_one_final_reply(client):
    error = refusal(client, {"prompt": "stub: fail"})
    assert error["code"] == "engine_failed"
    nothing_more(client)


def test_completion_tokens_include_the_reasoning(client):
    usage = answer(client, {"prompt": "one two", "mode": "think"})["usage"]
    assert (usage["reasoning_tokens"], usage["completion_tokens"]) == (3, 5)


def test_a_tool_call_is_in_the_reply_in_openais_shape(client):
    reply = answer(client, {"prompt": "stub: call", "tools": [TOOL]})
    (call,) = reply["tool_calls"]
    assert (reply["finish_reason"], reply["content"]) == ("tool_calls", "")
    assert (call["type"], call["function"]) == ("function", {"name": "lamp", "arguments": "{}"})


@pytest.mark.parametrize("code", ["engine_failed", "bad_schema", "context_too_long"])
def test_an_error_of_the_engine_keeps_its_code(client, code):
    assert refusal(client, {"prompt": f"stub: fail={code}"})["code"] == code


def test_a_prompt_over_the_models_context_is_told_the_limit_and_the_count(client):
    error = refusal(client, {"prompt": "word " * 39_999 + "end"})
    assert error["code"] == "context_too_long"
    assert "32768" in error["message"]
    assert "40000" in error["message"]


@pytest.mark.parametrize(
    "count", ["prompt_tokens", "cached_tokens", "reasoning_tokens", "completion_tokens"]
)
def test_usage_counts_whole_tokens(client, count):
    assert type(answer(client, "hello there")["usage"][count]) is int


def test_no_more_tokens_come_from_a_cache_than_the_prompt_has(client):
    usage = answer(client, "hello there")["usage"]
    assert 0 <= usage["cached_tokens"] <= usage["prompt_tokens"]


def test_times_are_in_the_order_of_what_they_tell(client):
    timing = answer(client, {"prompt": "stub: tokens=5 delay_ms=5", "mode": "think"})["timing"]
    names = ["queue_ms", "first_token_ms", "first_answer_ms", "total_ms"]
    times = [0, *(timing[name] for name in names)]
    assert times == sorted(times)


def test_the_budget_cuts_the_thought(client):
    reply = answer(client, {"prompt": "one two", "mode": "think", "thinking_budget": 2})
    assert (reply["reasoning"], reply["usage"]["reasoning_tokens"]) == ("Let me ", 2)


def test_an_answer_that_ended_by_itself_says_stop(client):
    assert answer(client, "hello there")["finish_reason"] == "stop"


def test_an_answer_of_max_tokens_says_length(client):
    reply = answer(client, {"prompt": "one two three", "mode": "no_think", "max_tokens": 2})
    assert (reply["finish_reason"], reply["content"]) == ("length", "one two ")


def test_a_reply_to_correlation_data_alone_is_one_reply(client):
    reply = ask(client, {"prompt": "hello"}, correlation=b"only-me-" + new_id().encode())
    assert body_of(reply)["status"] == "ok"
    nothing_more(client)


def test_many_requests_at_once_are_each_answered_once(client):
    asked = [send(client, f"number {number}") for number in range(100)]
    heard = [body_of(client.wait(is_final)) for _ in asked]
    assert sorted(reply["id"] for reply in heard) == sorted(asked)
    nothing_more(client)


def test_each_reply_belongs_to_its_request(client):
    asked = {send(client, f"number {number}"): f"number {number}" for number in range(30)}
    heard = [body_of(client.wait(is_final)) for _ in asked]
    assert {reply["id"]: reply["content"] for reply in heard} == asked

"""Every field of a request: what it may be, and the refusal that names it."""

import pytest
from exchange import TOOL, answer, ask, body_of, new_id, refusal

CALL = {"id": "c1", "type": "function", "function": {"name": "lamp", "arguments": "{}"}}

ACCEPTED = [
    ("id", "x" * 64),
    ("mode", "auto"),
    ("mode", "think"),
    ("mode", "no_think"),
    ("thinking_budget", 0),
    ("thinking_budget", 4096),
    ("max_tokens", 1),
    ("temperature", 0),
    ("temperature", 2.0),
    ("top_p", 1),
    ("top_p", 0.05),
    ("top_k", 0),
    ("top_k", 40),
    ("min_p", 0),
    ("min_p", 1.0),
    ("seed", 0),
    ("seed", 2**63 - 1),
    ("repetition_penalty", 1.1),
    ("presence_penalty", -2),
    ("frequency_penalty", 2),
    ("logit_bias", {"7": -100, "9": 0.5}),
    ("logprobs", True),
    ("stop", "END"),
    ("stop", ["END", "\n\n"]),
    ("stop", []),
    ("stream", True),
    ("stream", False),
    ("response_format", {"type": "text"}),
    ("tools", []),
    ("tools", [TOOL]),
    ("tool_choice", "auto"),
    ("tool_choice", "none"),
    ("lane", "batch"),
    ("deadline_ms", 60_000),
    ("context", {}),
    ("metadata", {}),
    ("session", None),
]

REFUSED = [
    ("id", 5, "id"),
    ("id", "", "id"),
    ("id", "x" * 65, "id"),
    ("id", "a/b", "id"),
    ("id", "a+", "id"),
    ("id", "#", "id"),
    ("id", "$SYS", "id"),
    ("id", "a\u0000b", "id"),
    ("id", ["x"], "id"),
    ("prompt", 5, "prompt"),
    ("prompt", "", "prompt"),
    ("prompt", ["hello"], "prompt"),
    ("prompt", None, "prompt"),
    ("mode", "fast", "mode"),
    ("mode", True, "mode"),
    ("thinking_budget", -1, "thinking_budget"),
    ("thinking_budget", 1.5, "thinking_budget"),
    ("thinking_budget", "5", "thinking_budget"),
    ("thinking_budget", True, "thinking_budget"),
    ("session", "", "session"),
    ("session", "a/b", "session"),
    ("session", "x" * 65, "session"),
    ("session", 7, "session"),
    ("max_tokens", 0, "max_tokens"),
    ("max_tokens", -5, "max_tokens"),
    ("max_tokens", 2**31, "max_tokens"),
    ("max_tokens", "7", "max_tokens"),
    ("temperature", -0.1, "temperature"),
    ("temperature", 2.1, "temperature"),
    ("temperature", "hot", "temperature"),
    ("top_p", 0, "top_p"),
    ("top_p", 1.1, "top_p"),
    ("top_k", -1, "top_k"),
    ("top_k", 0.5, "top_k"),
    ("min_p", -0.1, "min_p"),
    ("min_p", 1.1, "min_p"),
    ("seed", -1, "seed"),
    ("seed", 2**63, "seed"),
    ("seed", 0.5, "seed"),
    ("repetition_penalty", 0, "repetition_penalty"),
    ("presence_penalty", 2.1, "presence_penalty"),
    ("frequency_penalty", "much", "frequency_penalty"),
    ("logit_bias", {"cat": 1}, "logit_bias"),
    ("logit_bias", {"7": 101}, "logit_bias[...]"),
    ("logprobs", 1, "logprobs"),
    ("top_logprobs", 21, "top_logprobs"),
    ("top_logprobs", 5, "top_logprobs"),
    ("stop", "", "stop"),
    ("stop", 5, "stop"),
    ("stop", ["x"] * 9, "stop"),
    ("stop", [5], "stop[0]"),
    ("stream", "yes", "stream"),
    ("stream", 1, "stream"),
    ("response_format", "json", "response_format"),
    ("response_format", {}, "response_format.type"),
    ("response_format", {"type": "xml"}, "response_format.type"),
    ("response_format", {"type": "json_schema"}, "response_format.json_schema"),
    ("tools", {}, "tools"),
    ("tools", [5], "tools[0]"),
    ("tools", [{"type": "function"}], "tools[0].function"),
    ("tools", [{"type": "function", "function": {"name": "a b"}}], "tools[0].function.name"),
    ("tools", [TOOL, TOOL], "tools[1].function.name"),
    ("tool_choice", "perhaps", "tool_choice"),
    ("tool_choice", "required", "tool_choice"),
    ("lane", "express", "lane"),
    ("deadline_ms", 0, "deadline_ms"),
    ("deadline_ms", "soon", "deadline_ms"),
    ("context", "a text", "context"),
    ("context", [1], "context"),
    ("metadata", "a text", "metadata"),
    ("metadata", [1], "metadata"),
    ("tempature", 0.5, "tempature"),
    ("Prompt", "hello", "Prompt"),
]

REFUSED_MESSAGES = [
    ([], "messages"),
    ("hello", "messages"),
    ([5], "messages[0]"),
    ([{"content": "hi"}], "messages[0].role"),
    ([{"role": "robot", "content": "hi"}], "messages[0].role"),
    ([{"role": "user"}], "messages[0].content"),
    ([{"role": "user", "content": 5}], "messages[0].content"),
    ([{"role": "user", "content": "hi", "mood": "good"}], "messages[0].mood"),
    ([{"role": "user", "content": [{"type": "image_url"}]}], "messages[0].content[0].type"),
    ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
    (
        [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}],
        "messages[1].role",
    ),
    ([{"role": "user", "content": "hi", "tool_calls": [CALL]}], "messages[0].tool_calls"),
    ([{"role": "tool", "content": "on"}], "messages[0].tool_call_id"),
    ([{"role": "tool", "content": "on", "tool_call_id": "c9"}], "messages[0].tool_call_id"),
    ([{"role": "user", "content": "hi", "tool_call_id": "c1"}], "messages[0].tool_call_id"),
]


def name(case):
    return f"{case[0]}={case[1]!r}"[:50].replace("\0", "NUL")


@pytest.mark.parametrize(("field", "value"), ACCEPTED, ids=map(name, ACCEPTED))
def test_a_field_is_accepted(client, field, value):
    body = {"prompt": "one two", "mode": "no_think", field: value}
    if field == "id":
        body["id"] = value[:32] + new_id()
    assert answer(client, body)["content"].startswith("one")


@pytest.mark.parametrize(("field", "value", "named"), REFUSED, ids=map(name, REFUSED))
def test_a_field_is_refused_by_name(client, field, value, named):
    error = refusal(client, {"prompt": "hello", field: value})
    assert (error["code"], error["field"]) == ("bad_request", named)
    assert named in error["message"]


@pytest.mark.parametrize(("messages", "named"), REFUSED_MESSAGES)
def test_a_message_is_refused_by_its_place(client, messages, named):
    error = refusal(client, {"messages": messages})
    assert (error["code"], error["field"]) == ("bad_request", named)


def test_prompt_and_messages_exclude_each_other(client):
    messages = [{"role": "user", "content": "hello"}]
    error = refusal(client, {"prompt": "hello", "messages": messages})
    assert (error["code"], error["field"]) == ("bad_request", "prompt")


def test_one_of_prompt_and_messages_is_needed(client):
    assert refusal(client, {"mode": "think"})["field"] == "prompt"


def test_messages_are_a_conversation_of_which_the_last_user_message_is_answered(client):
    messages = [
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "second one", "name": "ann"},
    ]
    assert answer(client, {"messages": messages})["content"] == "second one"


def test_a_tools_result_may_be_the_last_message(client):
    messages = [
        {"role": "user", "content": "light"},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "content": "it is on", "tool_call_id": "c1", "name": "lamp"},
    ]
    assert answer(client, {"messages": messages, "tools": [TOOL]})["content"] == "it is on"


def test_content_may_come_in_openais_parts(client):
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    assert answer(client, {"messages": [{"role": "user", "content": parts}]})["content"] == (
        "one two"
    )


def test_a_choice_of_a_tool_that_is_not_declared_is_refused(client):
    choice = {"type": "function", "function": {"name": "door"}}
    error = refusal(client, {"prompt": "hello", "tools": [TOOL], "tool_choice": choice})
    assert (error["code"], error["field"]) == ("unknown_tool", "tool_choice.function.name")


def test_a_result_of_a_tool_that_is_not_declared_is_refused(client):
    messages = [
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "content": "on", "tool_call_id": "c1", "name": "door"},
    ]
    error = refusal(client, {"messages": messages, "tools": [TOOL]})
    assert (error["code"], error["field"]) == ("unknown_tool", "messages[1].name")


def test_documents_of_the_context_stand_before_the_question(client):
    reply = answer(client, {"prompt": "which one?", "context": {"lamp": "red", "n": [1, 2]}})
    assert reply["content"].index("red") < reply["content"].index("which one?")


def test_metadata_is_echoed(client):
    metadata = {"trace": "7", "nested": {"list": [1, 2.5, None, True, "ü"]}}
    assert answer(client, {"prompt": "hello", "metadata": metadata})["metadata"] == metadata


def test_metadata_is_echoed_with_an_error_of_the_engine(client):
    reply = body_of(ask(client, {"prompt": "stub: fail", "metadata": {"trace": 7}}))
    assert (reply["error"]["code"], reply["metadata"]) == ("engine_failed", {"trace": 7})


def test_metadata_of_4_kib_is_echoed(client):
    metadata = {"a": "x" * (4096 - len('{"a":""}'))}
    assert answer(client, {"prompt": "hello", "metadata": metadata})["metadata"] == metadata


def test_metadata_over_4_kib_is_too_large(client):
    error = refusal(client, {"prompt": "hello", "metadata": {"a": "x" * 4096}})
    assert (error["code"], error["field"]) == ("too_large", "metadata")


def test_null_is_the_same_as_absent(client):
    assert answer(client, {"prompt": "one two", "mode": None, "stop": None})["content"] == "one two"

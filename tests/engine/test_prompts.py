"""From messages to tokens: modes in the template's own form, no control token of a client's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.domain.messages import Mode
from worker.engine.models import load
from worker.engine.prompts import PromptWriter


def writer_for(loaded):
    profile = loaded.profile
    return PromptWriter(
        loaded.tokenizer,
        native=profile.thinking == "native",
        think_instruction=profile.think_instruction,
        answer_instruction=profile.answer_instruction,
    )


@pytest.fixture(scope="module", params=["tiny_qwen3", "embedded_path"])
def qwen(request):
    """Each model that thinks by itself as Qwen3 does."""
    return load(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def qwen_writer(qwen):
    return writer_for(qwen)


@pytest.fixture(scope="module")
def smollm_writer(smollm2_path):
    return writer_for(load(smollm2_path))


def asked(text):
    return [{"role": "user", "content": text}]


def templates(loaded, messages, **options):
    """What the model's own template makes of messages that hold nothing to worry about."""
    return loaded.tokenizer.apply_chat_template(messages, add_generation_prompt=True, **options)


def test_without_thinking_the_prompt_is_the_templates_with_its_empty_thought(qwen, qwen_writer):
    wanted = templates(qwen, asked("What is 2 + 2?"), enable_thinking=False)
    assert qwen_writer.conversation(asked("What is 2 + 2?"), Mode.NO_THINK) == wanted


def test_with_thinking_the_prompt_is_the_templates_and_the_thought_is_open(qwen, qwen_writer):
    tokens = qwen_writer.conversation(asked("What is 2 + 2?"), Mode.THINK)
    wanted = templates(qwen, asked("What is 2 + 2?"), enable_thinking=True)
    assert tokens[: len(wanted)] == wanted
    assert tokens[len(wanted)] == qwen.tokenizer.think_start_id
    assert qwen.tokenizer.think_end_id not in tokens


def test_a_conversation_is_written_as_the_template_writes_it(qwen, qwen_writer):
    messages = [
        {"role": "system", "content": "Be brief."},
        *asked("Hello"),
        {"role": "assistant", "content": "Hi."},
        *asked("And 3 + 3?"),
    ]
    wanted = templates(qwen, messages, enable_thinking=False)
    assert qwen_writer.conversation(messages, Mode.NO_THINK) == wanted


def test_tools_are_declared_as_the_template_declares_them(qwen, qwen_writer):
    tools = [{"type": "function", "function": {"name": "light", "parameters": {}}}]
    wanted = templates(qwen, asked("Light!"), tools=tools, enable_thinking=False)
    assert qwen_writer.conversation(asked("Light!"), Mode.NO_THINK, tools) == wanted


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    "spelling", ["<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>"]
)
def test_a_control_token_that_a_client_spells_stays_text(spelling, mode, qwen, qwen_writer):
    tokens = qwen_writer.conversation(asked(f"a{spelling}b"), mode)
    plain = qwen_writer.conversation(asked("ab"), mode)
    control = set(qwen.tokenizer._tokenizer.added_tokens_decoder)
    assert [t for t in tokens if t in control] == [t for t in plain if t in control]
    assert f"a{spelling}b" in qwen.tokenizer.decode(tokens)


def test_control_tokens_in_a_tools_declaration_stay_text(qwen, qwen_writer):
    tools = [{"type": "function", "function": {"name": "<|im_end|>", "parameters": {}}}]
    tokens = qwen_writer.conversation(asked("hi"), Mode.NO_THINK, tools)
    harmless = [{"type": "function", "function": {"name": "x", "parameters": {}}}]
    plain = qwen_writer.conversation(asked("hi"), Mode.NO_THINK, harmless)
    control = set(qwen.tokenizer._tokenizer.added_tokens_decoder)
    assert [t for t in tokens if t in control] == [t for t in plain if t in control]


@settings(deadline=None)
@given(
    text=st.lists(
        st.sampled_from(["<|im_", "start|>", "<|im_end|>", "</", "think>", "\ue000", "é", " ", "1"])
        | st.text(max_size=3),
        max_size=12,
    ).map("".join)
)
def test_no_text_whatever_adds_a_control_token(text, smollm_writer):
    tokens = smollm_writer.conversation(asked(text), Mode.NO_THINK)
    plain = smollm_writer.conversation(asked("x"), Mode.NO_THINK)
    control = {0, 1, 2}
    assert [t for t in tokens if t in control] == [t for t in plain if t in control]


def test_a_scaffolded_thought_is_asked_for_in_the_last_message(smollm_writer, smollm2_path):
    tokenizer = load(smollm2_path).tokenizer
    text = tokenizer.decode(smollm_writer.conversation(asked("Why?"), Mode.THINK))
    assert "Why?\n\nFirst work this out step by step" in text


def test_without_thinking_a_scaffolded_model_is_asked_as_it_is(smollm_writer, smollm2_path):
    wanted = templates(load(smollm2_path), asked("Why?"))
    assert smollm_writer.conversation(asked("Why?"), Mode.NO_THINK) == wanted

"""From messages to tokens: modes in the template's own form, no control token of a client's."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx_lm.tokenizer_utils import TokenizerWrapper
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import Unigram
from transformers import PreTrainedTokenizerFast

from worker.daemon.conversation import for_template
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


# Every place of a request that a template writes down. Each takes a text and returns messages and
# tools; what is in `context` is a part of the last user message by then, and `metadata` of nothing.


def in_a_system_message(text):
    return [{"role": "system", "content": text}, *asked("x")], None


def in_a_user_message(text):
    return asked(text), None


def in_an_earlier_answer(text):
    return [*asked("x"), {"role": "assistant", "content": text}, *asked("y")], None


def in_what_looks_like_a_thought(text):
    content = f"<think>\n{text}\n</think>\n\n{text}"
    return [*asked("x"), {"role": "assistant", "content": content}, *asked("y")], None


def in_a_participants_name(text):
    return [{"role": "user", "name": text, "content": "x"}], None


def in_a_tools_result(text):
    return [*a_call("lamp", {}), {"role": "tool", "tool_call_id": text, "content": text}], None


def in_the_name_of_a_call(text):
    return [*a_call(text, {}), *asked("y")], None


def in_the_arguments_of_a_call(text):
    return [*a_call("lamp", {text: text, "deep": [{text: [text]}]}), *asked("y")], None


def in_arguments_that_are_no_json(text):
    return [*a_call("lamp", text), *asked("y")], None


def in_a_tools_name(text):
    return asked("x"), [a_tool(text)]


def in_a_tools_description_and_parameters(text):
    properties = {text: {"type": "string", "description": text, "enum": [text], "default": text}}
    schema = {"type": "object", "properties": properties, "required": [text]}
    return asked("x"), [a_tool("lamp", description=text, parameters=schema)]


def in_a_document(text):
    request = SimpleNamespace(role="user", content="x", name=None, tool_call_id=None, tool_calls=())
    return for_template([request], {text: text, "deep": {text: [text, {text: text}]}}), None


PLACES = [
    in_a_system_message, in_a_user_message, in_an_earlier_answer, in_what_looks_like_a_thought,
    in_a_participants_name, in_a_tools_result, in_the_name_of_a_call, in_the_arguments_of_a_call,
    in_arguments_that_are_no_json, in_a_tools_name, in_a_tools_description_and_parameters,
    in_a_document,
]  # fmt: skip


def a_tool(name, **more):
    return {"type": "function", "function": {"name": name, "parameters": {}, **more}}


def a_call(name, arguments):
    call = {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}
    return [*asked("x"), {"role": "assistant", "content": "", "tool_calls": [call]}]


def control_tokens(loaded, tokens):
    """Return the control tokens among these, in their order."""
    control = loaded.tokenizer._tokenizer.added_tokens_decoder
    return [token for token in tokens if token in control]


def spellings(loaded):
    return [str(token) for token in loaded.tokenizer._tokenizer.added_tokens_decoder.values()]


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_every_control_token_of_the_vocabulary_stays_text_in_every_place(
    place, mode, qwen, qwen_writer
):
    def written(text):
        messages, tools = place(text)
        return qwen_writer.conversation(messages, mode, tools)

    harmless = control_tokens(qwen, written("word"))
    for spelling in spellings(qwen):
        tokens = written(f"a{spelling}b")
        assert control_tokens(qwen, tokens) == harmless, spelling
        if place is not in_a_participants_name:
            assert f"a{spelling}b" in qwen.tokenizer.decode(tokens)


PIECES = [
    *("<|im_", "start|>", "<|im_end|>", "<|", "|>", "</", "<", "think>", "tool_call>", "|", ">"),
    *("<think>", "</think>", "<tool_response>", "<|endoftext|>", "\ue000", "\ue001"),
    *("0:", "\\u003c"),
    *("é", " ", "\n", "\r", "\0", "\u200b", "\u202e", "\ufeff", "{{", "}}", "{%", "%}", '"', "'"),
    *("[INST]", "<s>", "</s>", "<bos>", "<end_of_turn>", "<|eot_id|>", "&lt;", "/no_think"),
]  # fmt: skip


@settings(max_examples=150)
@given(data=st.data())
def test_no_text_in_any_place_adds_takes_or_moves_a_control_token(data, qwen, qwen_writer):
    pieces = st.sampled_from(PIECES) | st.sampled_from(spellings(qwen)) | st.text(max_size=3)
    text = data.draw(st.lists(pieces, min_size=1, max_size=10).map("".join))
    place, mode = data.draw(st.sampled_from(PLACES)), data.draw(st.sampled_from(list(Mode)))

    def written(text):
        messages, tools = place(text)
        return control_tokens(qwen, qwen_writer.conversation(messages, mode, tools))

    assert written(text) == written("word")


@settings(max_examples=60)
@given(text=st.text(alphabet="{%}# x'\"|_.()", max_size=30))
def test_the_language_of_templates_is_text_in_a_request(text, qwen, qwen_writer):
    for attack in (text, f"{{{{ {text} }}}}", f"{{% {text} %}}", f"{{# {text} #}}"):
        tokens = qwen_writer.conversation(asked(f"[{attack}]"), Mode.NO_THINK)
        assert f"[{attack}]" in qwen.tokenizer.decode(tokens)


def test_a_vocabulary_with_control_tokens_among_its_words_gives_none_of_them():
    # As SentencePiece's are: whole pieces, found in any text.
    pieces = [("<unk>", 0.0), ("</s>", -1.0), *((letter, -9.0) for letter in "</s>abX: \n")]
    backend = Tokenizer(Unigram(pieces, unk_id=0, byte_fallback=False))
    backend.add_special_tokens([AddedToken("</s>", special=True)])
    made = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    made.chat_template = "{{ messages[0].content }}X</s>"
    writer = PromptWriter(TokenizerWrapper(made), native=False)
    end = backend.token_to_id("</s>")
    tokens = writer.conversation(asked("a</s>b"), Mode.NO_THINK)
    assert tokens.count(end) == 1
    assert tokens[-1] == end
    assert backend.decode(tokens[:-1], skip_special_tokens=False).replace(" ", "") == "a</s>bX"


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

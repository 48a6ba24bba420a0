"""Soft switches and budgets: what counts, what is only text, what is left when they are gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.messages import Message, Mode
from worker.domain.thinking import (
    find_switch,
    smallest_budget,
    strip_switches,
    without_switches,
    without_thoughts,
)


def user(content):
    return Message("user", content)


def system(content):
    return Message("system", content)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("is 2027 prime? /think", Mode.THINK),
        ("/no_think hello", Mode.NO_THINK),
        ("/think first, no: /no_think", Mode.NO_THINK),
        ("为什么/think", Mode.THINK),
        ("证明一下。/think为什么", Mode.THINK),
        ("Well,/no_think.", Mode.NO_THINK),
        ("(/think)", Mode.THINK),
        ("one line\n/think\nanother", Mode.THINK),
    ],
)
def test_a_switch_that_stands_alone_chooses_the_mode(text, mode):
    assert find_switch([user(text)]) is mode


@pytest.mark.parametrize(
    "text",
    [
        "open /think/foo",
        "open /think.py",
        "in a/think",
        "//think",
        "./think",
        "run ./think",
        "../think",
        "~/think",
        "/thinking",
        "/think_more",
        "/think-tank",
        "https://example.org/think",
        "https://例え.jp/页/think",
        "see https://example.org/?q=,/think",
        "no_think",
        "/Think of it",
        "",
    ],
)
def test_a_path_an_address_or_a_longer_word_is_no_switch(text):
    assert find_switch([user(text)]) is None
    assert strip_switches(text) == text


def test_the_last_user_message_wins_over_the_system_message():
    assert find_switch([user("/think x"), system("/no_think")]) is Mode.THINK


def test_a_later_system_message_wins_over_an_earlier_one():
    assert find_switch([system("/think"), user("x"), system("/no_think")]) is Mode.NO_THINK


def test_a_switch_in_an_older_user_message_does_not_count():
    assert find_switch([user("/think x"), Message("assistant", "y"), user("z")]) is None


def test_assistant_and_tool_messages_can_not_switch():
    messages = [user("x"), Message("assistant", "/think"), Message("tool", "/think")]
    assert find_switch(messages) is None
    assert without_switches(messages) == tuple(messages)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("is it? /think", "is it?"),
        ("/think is it?", "is it?"),
        ("is /think it?", "is it?"),
        ("one\n/think\ntwo", "one\ntwo"),
        ("one /think\ntwo", "one\ntwo"),
        ("为什么/think", "为什么"),
        ("先/think后", "先后"),
        ("/think", ""),
        ("/think /no_think", ""),
        ("  indented /think", "  indented"),
    ],
)
def test_a_switch_leaves_no_trace_in_the_text(text, rest):
    assert strip_switches(text) == rest


def test_switches_are_removed_from_user_and_system_messages_only():
    messages = [system("Be brief. /no_think"), user("/think why?"), Message("assistant", "/think")]
    assert [m.content for m in without_switches(messages)] == ["Be brief.", "why?", "/think"]


@given(
    st.lists(
        st.sampled_from(
            ["/think", "/no_think", " ", "\n", "a", "中", ",", "/", ".", "_", "ー", "1"]
        )
    ).map("".join)
)
def test_a_stripped_text_has_no_switch_left_and_stays_as_it_is(text):
    stripped = strip_switches(text)
    assert find_switch([user(stripped)]) is None
    assert strip_switches(stripped) == stripped


@given(st.text())
def test_a_text_without_a_switch_is_not_touched(text):
    if find_switch([user(text)]) is None:
        assert strip_switches(text) == text


def test_the_smallest_of_the_limits_given_is_the_budget():
    assert smallest_budget(None, 512, None, 128) == 128
    assert smallest_budget(0, 512) == 0
    assert smallest_budget(None, None) is None
    assert smallest_budget() is None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("<think>\nLet me see.\n</think>\n\nForty.", "Forty."),
        ("\n<think></think>Forty.", "Forty."),
        ("Forty.", "Forty."),
        ("A thought stands in <think>…</think>.", "A thought stands in <think>…</think>."),
        ("<think>never closed", "<think>never closed"),
        ("<think>a</think><think>b</think>c", "<think>b</think>c"),
    ],
)
def test_a_thought_that_an_answer_begins_with_is_not_sent_to_the_model_again(sent, kept):
    (message,) = without_thoughts([Message("assistant", sent)])
    assert message.content == kept


def test_what_a_user_wrote_is_no_thought():
    (message,) = without_thoughts([user("<think>a</think>b")])
    assert message.content == "<think>a</think>b"

"""Which mode answers, what decided it, and that soft switches are heard and not spoken back."""

import pytest
from exchange import answer, new_id

SUM = "A tank loses 3 litres an hour and gains 5. After 17 hours it holds 80. How much at first?"


def decision(reply):
    return reply["mode"], reply["route"]["decided_by"]


@pytest.mark.parametrize("mode", ["think", "no_think"])
def test_the_requests_mode_decides(client, mode):
    assert decision(answer(client, {"prompt": "hello", "mode": mode})) == (mode, "request")


@pytest.mark.parametrize("mode", ["think", "no_think"])
def test_a_switch_in_the_last_user_message_decides(client, mode):
    assert decision(answer(client, f"tell me /{mode}")) == (mode, "switch")


def test_a_switch_in_the_system_message_decides(client):
    messages = [
        {"role": "system", "content": "Be brief. /think"},
        {"role": "user", "content": "hello"},
    ]
    assert decision(answer(client, {"messages": messages})) == ("think", "switch")


def test_the_last_of_several_switches_counts(client):
    assert answer(client, "/think no, rather /no_think")["mode"] == "no_think"


@pytest.mark.parametrize(("mode", "switch"), [("think", "/no_think"), ("no_think", "/think")])
def test_the_requests_mode_wins_over_a_switch(client, mode, switch):
    reply = answer(client, {"prompt": f"{switch} hello", "mode": mode})
    assert decision(reply) == (mode, "request")


def test_a_budget_of_0_means_no_thinking(client):
    reply = answer(client, {"prompt": SUM, "thinking_budget": 0})
    assert decision(reply) == ("no_think", "request")


@pytest.mark.parametrize("switch", ["/think", "/no_think"])
@pytest.mark.parametrize("template", ["{} say hi", "say hi {}", "say {} hi"])
def test_a_switch_is_not_spoken_back(client, switch, template):
    assert answer(client, template.format(switch))["content"] == "say hi"


def test_a_switch_is_not_spoken_back_where_the_mode_is_hard(client):
    assert answer(client, {"prompt": "say hi /think", "mode": "no_think"})["content"] == "say hi"


@pytest.mark.parametrize("text", ["see /thinking", "http://host/think", "a/no_think/b"])
def test_what_only_looks_like_a_switch_is_text(client, text):
    assert answer(client, text)["content"] == text


def test_a_session_remembers_a_switch(client):
    session = new_id()
    answer(client, {"prompt": "/think hello", "session": session})
    assert decision(answer(client, {"prompt": "and now?", "session": session})) == (
        "think",
        "session",
    )


def test_a_later_switch_replaces_what_the_session_remembers(client):
    session = new_id()
    for prompt in ("/think hello", "/no_think again"):
        answer(client, {"prompt": prompt, "session": session})
    assert decision(answer(client, {"prompt": SUM, "session": session})) == ("no_think", "session")


def test_a_session_does_not_remember_a_hard_mode(client):
    session = new_id()
    answer(client, {"prompt": "hello", "session": session, "mode": "think"})
    assert answer(client, {"prompt": "thanks", "session": session})["mode"] == "no_think"


def test_a_mode_for_one_request_leaves_what_the_session_remembers(client):
    session = new_id()
    answer(client, {"prompt": "/think hello", "session": session})
    answer(client, {"prompt": "quick", "session": session, "mode": "no_think"})
    assert answer(client, {"prompt": "and now?", "session": session})["mode"] == "think"


def test_a_switch_is_remembered_in_its_session_only(client):
    answer(client, {"prompt": "/think hello", "session": new_id()})
    assert answer(client, {"prompt": "thanks", "session": new_id()})["mode"] == "no_think"


def test_a_rule_decides_about_a_greeting(client):
    assert decision(answer(client, "hello")) == ("no_think", "rule")


def test_the_classifier_sends_a_calculation_to_thinking(client):
    assert decision(answer(client, SUM)) == ("think", "classifier")


def test_the_classifier_answers_a_voice_command_at_once(client):
    assert decision(answer(client, "Turn on the kitchen lights, please."))[0] == "no_think"


@pytest.mark.parametrize("prompt", ["hello", SUM, "/think x"])
def test_every_decision_has_a_reason_in_words(client, prompt):
    assert len(answer(client, prompt)["route"]["reason"].split()) > 2


def test_what_was_judged_has_a_score(client):
    assert 0 <= answer(client, SUM)["route"]["score"] <= 1


def test_a_clients_preset_says_what_is_worth_a_thought_to_it(wire_of, stub_daemon):
    doubtful = "What should I consider before buying a used car?"
    modes = [answer(wire_of(stub_daemon, name), doubtful)["mode"] for name in ("hasty", "careful")]
    assert modes == ["no_think", "think"]

"""The order in which request, switch, session and router have their say."""

import pytest

from worker.domain.messages import Mode
from worker.router.decide import decide
from worker.router.judge import Question, Verdict


class SaysThink:
    """A router with one answer."""

    def judge(self, question):
        return Verdict(mode=Mode.THINK, score=0.8, decided_by="classifier", reason="It is hard.")


def decision(**said):
    asked = {
        "request_mode": "auto",
        "thinking_budget": None,
        "switch": None,
        "session_mode": None,
        "question": Question(text="why?"),
        "router": SaysThink(),
    }
    return decide(**asked | said)


@pytest.mark.parametrize(
    ("said", "mode", "decided_by"),
    [
        ({"request_mode": "no_think", "switch": Mode.THINK}, Mode.NO_THINK, "request"),
        ({"request_mode": "think", "thinking_budget": 0}, Mode.NO_THINK, "request"),
        ({"thinking_budget": 0, "switch": Mode.THINK}, Mode.NO_THINK, "request"),
        ({"switch": Mode.NO_THINK, "session_mode": Mode.THINK}, Mode.NO_THINK, "switch"),
        ({"session_mode": Mode.NO_THINK}, Mode.NO_THINK, "session"),
        ({"thinking_budget": 5}, Mode.THINK, "classifier"),
        ({}, Mode.THINK, "classifier"),
    ],
)
def test_the_first_that_says_something_decides(said, mode, decided_by):
    made = decision(**said)
    assert (made.mode, made.route.decided_by) == (mode, decided_by)
    assert made.route.reason.endswith(".")


def test_only_a_switch_is_remembered():
    assert decision(switch=Mode.NO_THINK).remember is Mode.NO_THINK
    assert decision(request_mode="think", switch=Mode.NO_THINK).remember is Mode.NO_THINK
    assert decision(request_mode="think").remember is None
    assert decision(session_mode=Mode.THINK).remember is None
    assert decision().remember is None


def test_a_score_is_given_only_where_something_was_judged():
    assert decision().route.score == 0.8
    assert decision(switch=Mode.THINK).route.score is None

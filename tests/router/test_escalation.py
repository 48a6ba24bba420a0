"""Which answers are watched, and how many may be taken back."""

import pytest

from worker.domain.messages import Lane, Mode, Route
from worker.router.escalation import MOST_CREDIT, Escalations

JUDGED = Route("classifier", "It is easy.", 0.1)


def watched(escalations, mode=Mode.NO_THINK, route=JUDGED, lane=Lane.STANDARD):
    return escalations.watches(mode, route, lane)


@pytest.mark.parametrize(
    "other",
    [
        {"mode": Mode.THINK},
        {"route": Route("request", "The request asks for no thinking.")},
        {"route": Route("load", "Others wait.", 0.5)},
        {"lane": Lane.INTERACTIVE},
    ],
)
def test_only_what_the_router_judged_easy_is_watched(other):
    assert watched(Escalations(0.25))
    assert not watched(Escalations(0.25), **other)


def test_a_share_of_none_watches_nothing():
    assert not watched(Escalations(0.0))


def test_no_more_than_the_share_are_taken_back_in_the_long_run():
    escalations = Escalations(0.25)
    asked = 400
    for _ in range(asked):
        if watched(escalations):
            escalations.note()
    assert escalations.escalated <= 0.25 * asked + MOST_CREDIT


def test_what_was_not_used_is_kept_for_a_few():
    escalations = Escalations(0.1)
    for _ in range(100):
        watched(escalations)
    for _ in range(int(MOST_CREDIT)):
        assert watched(escalations)
        escalations.note()
    assert not watched(escalations)

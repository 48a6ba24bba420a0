"""Which worker of a group gets a request."""

import pytest

from worker.scheduler.fleet import MOST_CLAIMS, Fleet

SESSION, REQUEST = ("session", "talk"), ("request", "me", "1")


@pytest.fixture
def fleet():
    """This worker is `own`; `near` and `far` are online since 0."""
    fleet = Fleet("own", away_s=10.0, claim_ahead=4)
    for worker in ("near", "far"):
        fleet.note_status(worker, "online", 1, 0.0)
    return fleet


def test_what_nobody_holds_stays_where_a_row_is_free(fleet):
    fleet.note_load("near", -4)
    assert fleet.place([REQUEST], -1, 0.0) is None


def test_a_free_row_elsewhere_is_better_than_waiting(fleet):
    fleet.note_load("near", -1)
    assert fleet.place([REQUEST], 0, 0.0) == "near"


def test_each_request_sent_counts_until_the_next_word_of_the_load(fleet):
    fleet.note_load("near", -2)
    fleet.note_load("far", -1)
    assert [fleet.place([REQUEST], 0, 0.0) for _ in range(4)].count(None) == 1


def test_with_all_rows_busy_only_a_long_queue_is_shared(fleet):
    fleet.note_load("near", 0)
    fleet.note_load("far", 0)
    assert fleet.place([REQUEST], 3, 0.0) is None
    assert fleet.place([REQUEST], 4, 0.0) in ("near", "far")


@pytest.mark.parametrize("name", [SESSION, REQUEST])
def test_what_another_holds_goes_there_however_busy_it_is(fleet, name):
    fleet.note_claim(name, "far")
    fleet.note_load("far", 1000)
    assert fleet.place([REQUEST, SESSION], 0, 0.0) == "far"


def test_what_this_worker_holds_stays(fleet):
    fleet.note_claim(SESSION, "own")
    fleet.note_load("near", -4)
    assert fleet.place([REQUEST, SESSION], 100, 0.0) is None


@pytest.mark.parametrize(("status", "now", "holder"), [
    ("offline", 109.0, "far"), ("offline", 111.0, None), ("draining", 109.0, "far"),
    ("draining", 111.0, None), ("online", 999.0, "far"),
])  # fmt: skip
def test_a_holder_that_is_away_keeps_what_it_holds_for_a_while(fleet, status, now, holder):
    fleet.note_claim(SESSION, "far")
    fleet.note_status("far", status, 1, 100.0)
    assert fleet.place([SESSION], -1, now) == holder


def test_the_will_of_a_life_that_is_over_is_not_believed(fleet):
    fleet.note_claim(SESSION, "far")
    fleet.note_status("far", "online", 2, 5.0)
    fleet.note_status("far", "offline", 1, 6.0)
    assert fleet.place([SESSION], -1, 1000.0) == "far"


def test_a_holder_that_nobody_has_heard_of_holds_nothing(fleet):
    fleet.note_claim(SESSION, "stranger")
    assert fleet.place([SESSION], -1, 0.0) is None


def test_what_another_took_over_is_lost(fleet):
    fleet.note_claim(REQUEST, "own")
    assert not fleet.lost(REQUEST)
    fleet.note_claim(REQUEST, "near")
    assert fleet.lost(REQUEST)


def test_a_claim_that_is_gone_is_nobodys(fleet):
    fleet.note_claim(SESSION, "far")
    fleet.note_claim(SESSION, None)
    assert fleet.holder(SESSION) is None


def test_of_very_many_claims_the_oldest_is_forgotten(fleet):
    for number in range(MOST_CLAIMS + 1):
        fleet.note_claim(("request", "me", str(number)), "far")
    assert fleet.holder(("request", "me", "0")) is None
    assert fleet.holder(("request", "me", "1")) == "far"

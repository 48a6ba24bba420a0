"""Who is to blame for the engine's deaths: the rules, one by one."""

import pytest

from worker.daemon.blame import CRASHES, DEATHS, UNTOLD_TOKENS, Blame

FURTHER = UNTOLD_TOKENS + 1


def blamed(*deaths, crashes=0):
    """Return the blame after deaths, each a place and whether somebody else killed the engine."""
    blame = Blame(crashes)
    for place, from_outside in deaths:
        blame.note("died", place, from_outside=from_outside)
    return blame


@pytest.mark.parametrize("place", [0, 9])
def test_two_crashes_at_the_same_place_are_enough(place):
    assert not blamed((place, False)).is_guilty
    assert blamed((place, False), (place, False)).is_guilty


def test_a_crash_before_the_place_of_the_last_one_counts_as_one_there():
    assert blamed((9, False), (4, False)).is_guilty


def test_who_came_further_between_two_crashes_is_suspected_and_not_given_up():
    blame = blamed((9, False), (9 + FURTHER, False))
    assert blame.is_suspect
    assert not blame.is_guilty


def test_who_takes_the_engine_down_a_little_further_each_time_is_given_up_in_the_end():
    places = [(place * FURTHER, False) for place in range(1, DEATHS + 1)]
    assert not blamed(*places[:-1]).is_guilty
    assert blamed(*places).is_guilty


def test_a_crash_of_an_earlier_life_counts_at_the_place_that_was_journaled():
    assert blamed((0, False), crashes=CRASHES - 1).is_guilty


def test_being_killed_from_outside_twice_at_one_place_is_not_enough():
    assert not blamed((0, True), (0, True)).is_guilty


def test_being_killed_from_outside_at_one_place_again_and_again_is_enough():
    # The system kills what takes too much memory.
    assert not blamed(*[(0, True)] * (DEATHS - 1)).is_guilty
    assert blamed(*[(0, True)] * DEATHS).is_guilty


def test_being_killed_from_outside_counts_nothing_for_who_came_further():
    assert not blamed(*((place * FURTHER, True) for place in range(1, 100))).is_suspect


def test_tokens_that_an_engine_may_have_made_before_unsaid_are_no_further():
    assert blamed((9, False), (9 + UNTOLD_TOKENS, False)).is_guilty


def test_the_history_says_what_each_death_was():
    assert blamed((3, False)).history == ["engine down at token 3: died"]

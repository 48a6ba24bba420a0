"""Whether two answers say the same."""

import pytest

from worker.router.answers import differ


@pytest.mark.parametrize(
    ("one", "other", "changed"),
    [
        ("It is 42.", "6 times 7 makes 42", False),
        ("It is 42.", "It is 41.", True),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', False),
        ('{"a": 1}', '{"a": 2}', True),
        ("The oven is off.", "The oven is off now.", False),
        ("Check the bearing first.", "Everything is in order, nothing to do.", True),
        ("", "", False),
        ("yes", "", True),
    ],
)
def test_answers_differ_where_a_user_would_act_differently(one, other, changed):
    assert differ(one, other) is changed
    assert differ(other, one) is changed

"""How long batch work stands still for whoever can't wait."""

from hypothesis import given
from hypothesis import strategies as st

from worker.scheduler.yielding import Yielding


def test_batch_work_stands_still_while_somebody_waits():
    yielding = Yielding(at_most_s=20)
    assert yielding.look(0.0, hurried=True)
    assert yielding.look(5.0, hurried=True)
    assert not yielding.look(6.0, hurried=False)


def test_after_its_time_it_runs_along_for_as_long_as_it_stood_still():
    yielding = Yielding(at_most_s=20)
    yielding.look(0.0, hurried=True)
    assert not yielding.look(20.0, hurried=True)
    assert not yielding.look(39.0, hurried=True)
    assert yielding.look(41.0, hurried=True)


def test_what_it_ran_in_between_counts():
    yielding = Yielding(at_most_s=20)
    yielding.look(0.0, hurried=True)
    yielding.look(15.0, hurried=False)
    assert yielding.look(25.0, hurried=True)
    assert yielding.look(39.0, hurried=True)
    assert not yielding.look(40.0, hurried=True)


@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.booleans()), min_size=1, max_size=400))
def test_however_much_is_asked_batch_work_gets_half_of_the_time(looks):
    yielding = Yielding(at_most_s=20)
    now = still = 0.0
    stands = yielding.look(now, hurried=True)
    for passed, hurried in looks:
        now += passed
        still += passed if stands else 0.0
        stands = yielding.look(now, hurried=hurried)
    assert still <= now / 2 + 20 + 3.0

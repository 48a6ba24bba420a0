"""What the order of the queue promises."""

from hypothesis import given
from hypothesis import strategies as st

from worker.domain.messages import Lane
from worker.scheduler.lanes import HEAD_START_S, Lanes, Waiting


def anyone(_waiting):
    return True


def order(lanes, may_start=anyone):
    taken = []
    while (waiting := lanes.take(may_start)) is not None:
        taken.append(waiting.row)
    return taken


def filled(*waiting):
    lanes = Lanes()
    for one in waiting:
        lanes.add(one)
    return lanes


def test_a_voice_command_overtakes_analytics_that_came_earlier():
    lanes = filled(
        Waiting(1, "factory", Lane.BATCH, arrived=0.0),
        Waiting(2, "home", Lane.INTERACTIVE, arrived=60.0),
    )
    assert order(lanes) == [2, 1]


def test_batch_work_that_waited_out_its_head_start_is_overtaken_no_more():
    waited = HEAD_START_S[Lane.BATCH] + 1
    lanes = filled(
        Waiting(1, "factory", Lane.BATCH, arrived=0.0),
        Waiting(2, "home", Lane.INTERACTIVE, arrived=waited),
    )
    assert order(lanes) == [1, 2]


def test_a_flood_by_one_client_does_not_delay_another():
    flood = [Waiting(row, "loud", Lane.STANDARD, arrived=0.0) for row in range(100)]
    lanes = filled(*flood, Waiting(1000, "quiet", Lane.STANDARD, arrived=1.0))
    assert 1000 in order(lanes)[:2]


def test_before_a_request_are_all_that_are_more_urgent_and_none_that_are_less():
    lanes = filled(
        Waiting(1, "home", Lane.INTERACTIVE, arrived=0.0),
        Waiting(2, "home", Lane.STANDARD, arrived=0.0),
        Waiting(3, "home", Lane.BATCH, arrived=0.0),
    )
    assert lanes.before("other", Lane.STANDARD, 1.0, 10) == ([1, 2], 0)
    assert lanes.before("other", Lane.INTERACTIVE, 1.0, 10) == ([1], 0)


def test_before_a_request_is_one_of_a_flood_by_another_client():
    lanes = filled(*(Waiting(row, "loud", Lane.STANDARD, arrived=0.0) for row in range(100)))
    assert lanes.before("quiet", Lane.STANDARD, 1.0, 10) == ([0], 0)


def test_before_a_request_is_all_that_its_client_has_waiting():
    lanes = filled(*(Waiting(row, "loud", Lane.STANDARD, arrived=0.0) for row in range(100)))
    assert lanes.before("loud", Lane.STANDARD, 1.0, 3) == ([0, 1, 2], 97)


def test_before_a_request_is_batch_work_that_waited_out_its_head_start():
    waited = HEAD_START_S[Lane.BATCH] + 1
    lanes = filled(Waiting(1, "factory", Lane.BATCH, arrived=0.0))
    assert lanes.before("home", Lane.INTERACTIVE, waited, 10) == ([1], 0)


def test_requests_of_one_session_keep_their_order_across_lanes():
    lanes = filled(
        Waiting(1, "home", Lane.BATCH, arrived=0.0, session="s"),
        Waiting(2, "home", Lane.INTERACTIVE, arrived=1.0, session="s"),
    )
    assert order(lanes) == [1, 2]


def test_a_request_that_may_not_start_keeps_its_place():
    lanes = filled(
        Waiting(1, "a", Lane.STANDARD, arrived=0.0),
        Waiting(2, "a", Lane.STANDARD, arrived=1.0),
    )
    assert lanes.take(lambda waiting: waiting.row != 1).row == 2
    assert order(lanes) == [1]


def test_a_removed_request_is_not_taken():
    lanes = filled(Waiting(1, "a", Lane.STANDARD, arrived=0.0))
    assert lanes.remove(1).row == 1
    assert lanes.take(anyone) is None
    assert lanes.remove(1) is None


def test_the_place_in_the_queue_counts_more_urgent_lanes_and_earlier_arrivals():
    lanes = filled(
        Waiting(1, "a", Lane.INTERACTIVE, arrived=5.0),
        Waiting(2, "b", Lane.STANDARD, arrived=0.0),
        Waiting(3, "c", Lane.STANDARD, arrived=1.0),
        Waiting(4, "d", Lane.BATCH, arrived=0.0),
    )
    assert lanes.ahead_of(3) == 2


waitings = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(list(Lane)),
        st.floats(0, 300),
        st.sampled_from([None, None, "s", "t"]),
    ),
    max_size=30,
)


@given(waitings)
def test_everything_that_waits_is_taken_once_and_sessions_stay_in_order(drawn):
    every = [Waiting(row, *one) for row, one in enumerate(drawn)]
    taken = order(filled(*every))
    assert sorted(taken) == [waiting.row for waiting in every]
    for session in ("s", "t"):
        of_session = [row for row in taken if every[row].session == session]
        assert of_session == sorted(of_session)

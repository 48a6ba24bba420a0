"""Who waits how long, on a simulated clock: rows, requests of so many seconds, lanes between."""

import heapq
from collections import defaultdict
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.domain.messages import Lane
from worker.scheduler.lanes import HEAD_START_S, Lanes, Waiting

ROWS = 4
LANES = list(Lane)


def simulated(arrivals, rows=ROWS):
    """Run (arrival, client, lane, seconds, session) through the lanes; return starts and ends."""
    lanes, ending = Lanes(), []
    started, ended = {}, {}
    busy_sessions = {}
    coming = sorted(enumerate(arrivals), key=lambda one: one[1][0])
    now = 0.0
    while coming or ending or len(lanes):
        moments = [coming[0][1][0]] if coming else []
        moments += [ending[0][0]] if ending else []
        assert moments, "requests wait and nothing will ever start them"
        now = min(moments)
        while coming and coming[0][1][0] <= now:
            row, (arrived, client, lane, _, session) = coming.pop(0)
            lanes.add(Waiting(row, client, lane, arrived, session))
        while ending and ending[0][0] <= now:
            _, row = heapq.heappop(ending)
            ended[row] = now
            busy_sessions.pop(arrivals[row][4], None)
        while len(ending) < rows:
            taken = lanes.take(lambda one: one.session is None or one.session not in busy_sessions)
            if taken is None:
                break
            started[taken.row] = now
            if taken.session is not None:
                busy_sessions[taken.session] = taken.row
            heapq.heappush(ending, (now + arrivals[taken.row][3], taken.row))
    return started, ended


def p95(values):
    return sorted(values)[int(len(values) * 0.95)]


@given(st.sampled_from(LANES), st.floats(0.5, 2.0), st.integers(1, 16))
@settings(max_examples=20)
def test_a_flood_of_a_thousand_delays_nobody_beyond_one_request(lane, seconds, rows):
    quiet = [(5.0 + 4.0 * n, "quiet", lane, seconds, None) for n in range(20)]
    flood = [(0.001 * n, "loud", lane, seconds, None) for n in range(1000)]
    _, ended = simulated([*quiet, *flood], rows)
    waited = [ended[n] - quiet[n][0] for n in range(len(quiet))]
    assert p95(waited) <= 2.0 * seconds + 1e-6


@given(st.lists(st.tuples(st.floats(0, 60), st.sampled_from("abc"), st.sampled_from(LANES),
                          st.floats(0.1, 5.0), st.none()), min_size=1, max_size=60))  # fmt: skip
def test_every_request_ends(arrivals):
    _, ended = simulated(arrivals)
    assert len(ended) == len(arrivals)


@given(st.integers(1, 4), st.floats(0.2, 2.0))
@settings(max_examples=20)
def test_batch_work_progresses_however_many_voice_commands_come(rows, seconds):
    # More commands than the rows can take, without an end in sight.
    every = seconds / rows / 1.5
    commands = [(every * n, "home", Lane.INTERACTIVE, seconds, None) for n in range(1500)]
    arrivals = [(0.0, "factory", Lane.BATCH, seconds, None), *commands]
    started, _ = simulated(arrivals, rows)
    behind = max(started[n] - arrivals[n][0] for n in range(1, len(arrivals)))
    assert started[0] <= HEAD_START_S[Lane.BATCH] + behind + seconds


@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from(LANES), st.floats(0.1, 3.0),
                          st.sampled_from("xyz")), min_size=2, max_size=40))  # fmt: skip
def test_a_session_is_answered_in_the_order_in_which_it_was_asked(asked):
    arrivals = [(at, "home", lane, seconds, session) for at, lane, seconds, session in asked]
    started, ended = simulated(arrivals)
    sessions = defaultdict(list)
    for row, (at, *_, session) in sorted(enumerate(arrivals), key=lambda one: one[1][0]):
        sessions[session].append((at, row))
    for rows in sessions.values():
        for (_, earlier), (_, later) in pairwise(rows):
            assert ended[earlier] <= started[later]

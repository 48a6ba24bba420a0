"""What the engine gathers before it wakes the daemon, and what goes at once."""

from __future__ import annotations

import pytest

from worker.domain.messages import Kind
from worker.engine.outbox import HOLD_S, Outbox
from worker.engine.pipe import Done, RowEvent, State, Step, Text


class Bench:
    """An outbox, its clock, and what it has sent."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sent: list[Step] = []
        self.outbox = Outbox(self.sent.append, lambda: self.now)
        self.tokens = 0

    def step(
        self, *events: RowEvent, seconds: float = 0.004, rows: int = 1, prefilled: int = 0
    ) -> None:
        self.now += seconds
        self.tokens += 1
        self.outbox.put(
            Step(
                events=list(events),
                tokens=[(1, [self.tokens])],
                decode_s=seconds,
                decode_rows=rows,
                prefill_tokens=prefilled,
            )
        )

    def say(self, word: str, *, seconds: float = 0.004, rows: int = 1, prefilled: int = 0) -> None:
        self.step(Text(1, Kind.ANSWER, word), seconds=seconds, rows=rows, prefilled=prefilled)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def speaking(bench: Bench) -> Bench:
    """A row whose answer has begun."""
    bench.say("It ")
    bench.sent.clear()
    return bench


def test_the_first_piece_of_a_text_goes_at_once(bench: Bench) -> None:
    bench.say("It ")
    assert [step.events for step in bench.sent] == [[Text(1, Kind.ANSWER, "It ")]]


def test_what_follows_is_sent_as_one_piece_before_the_time_is_over(speaking: Bench) -> None:
    while not speaking.sent:
        speaking.say("is ")
    (step,) = speaking.sent
    said = len(step.tokens[0][1])
    assert step.events == [Text(1, Kind.ANSWER, "is " * said)]
    assert step.decode_steps == said
    assert step.decode_s == pytest.approx(0.004 * said)
    assert 0.5 * HOLD_S < 0.004 * said <= HOLD_S


def test_a_step_longer_than_the_time_is_sent_as_it_ends(speaking: Bench) -> None:
    for word in ("is ", "so."):
        speaking.say(word, seconds=0.06)
    assert [step.events for step in speaking.sent] == [
        [Text(1, Kind.ANSWER, "is ")],
        [Text(1, Kind.ANSWER, "so.")],
    ]


def test_an_end_takes_along_what_was_held_in_its_order(speaking: Bench) -> None:
    done = Done(row=1, finish_reason="stop", prompt_tokens=3)
    speaking.say("is ")
    speaking.step(Text(1, Kind.ANSWER, "so."), done)
    assert [step.events for step in speaking.sent] == [[Text(1, Kind.ANSWER, "is so."), done]]
    assert speaking.sent[0].tokens == [(1, [2, 3])]


def test_a_change_of_state_goes_between_the_texts_it_parts(speaking: Bench) -> None:
    state = State(1, "thinking")
    speaking.say("is ")
    speaking.step(state, Text(1, Kind.REASONING, "Hm."))
    assert speaking.sent[0].events == [
        Text(1, Kind.ANSWER, "is "), state, Text(1, Kind.REASONING, "Hm."),
    ]  # fmt: skip


def test_each_call_of_a_tool_is_a_piece_of_its_own(bench: Bench) -> None:
    for call in ('{"id": 1}', '{"id": 2}'):
        bench.step(Text(1, Kind.TOOL, call))
    assert [step.events for step in bench.sent] == [
        [Text(1, Kind.TOOL, '{"id": 1}')],
        [Text(1, Kind.TOOL, '{"id": 2}')],
    ]


def test_a_step_that_reads_a_prompt_holds_nothing_back(speaking: Bench) -> None:
    speaking.say("is ")
    speaking.say("so ", prefilled=256)
    assert speaking.sent[0].events == [Text(1, Kind.ANSWER, "is so ")]


def test_a_text_that_begins_while_another_prompt_is_read_has_begun(bench: Bench) -> None:
    bench.say("It ", prefilled=256)
    bench.say("is ")
    assert len(bench.sent) == 1


def test_steps_of_different_numbers_of_rows_are_not_added_up(speaking: Bench) -> None:
    speaking.say("is ")
    speaking.say("so ", rows=2)
    assert [(step.decode_rows, step.decode_steps) for step in speaking.sent] == [(1, 1)]


def test_what_is_held_is_sent_when_something_else_comes_first(speaking: Bench) -> None:
    speaking.say("is ")
    speaking.outbox.flush()
    speaking.outbox.flush()
    assert [step.events for step in speaking.sent] == [[Text(1, Kind.ANSWER, "is ")]]

"""How tasks are put to an engine; the engine only notes what it is asked."""

from __future__ import annotations

import asyncio

import pytest

from worker.domain.messages import Kind, Message, Mode
from worker.engine.pipe import Done, Step, Submit, Text
from worker.evaluation.running import Examiner
from worker.evaluation.tasks import Task

SCHEMA = {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}


class Asked:
    """Answers each row at once with the same JSON."""

    def __init__(self, examiner: Examiner) -> None:
        self.submits: list[Submit] = []
        self._examiner = examiner

    def submit(self, submit: Submit) -> None:
        self.submits.append(submit)
        done = Done(row=submit.row, finish_reason="stop", prompt_tokens=1)
        step = Step(events=[Text(submit.row, Kind.ANSWER, '{"on": true}'), done])
        asyncio.get_running_loop().call_soon(self._examiner.engine_step, step)


def grammars_of(*, bound: bool) -> list[object]:
    """Return what two tasks are bound to, the second of which has no schema."""
    tasks = [
        Task(
            id=name,
            category="home",
            messages=(Message("user", "On!"),),
            answer='{"on": true}',
            check="json",
            response_schema=schema,
        )
        for name, schema in (("a", SCHEMA), ("b", None))
    ]

    async def asked() -> list[object]:
        examiner = Examiner(bound=bound)
        engine = Asked(examiner)
        outcomes = await examiner.ask(engine, tasks, Mode.NO_THINK, at_once=2)  # type: ignore[arg-type]
        assert all(outcome.right for outcome in outcomes)
        return [submit.grammar for submit in engine.submits]

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("bound", "grammar"), [(True, {"type": "json_schema", "json_schema": SCHEMA}), (False, None)]
)
def test_an_answer_is_bound_to_its_tasks_schema_unless_it_is_to_be_free(bound, grammar):
    assert grammars_of(bound=bound) == [grammar, None]

"""Writes the held-out tasks that ship: `python -m bench.dualmode.tasks`; the same file each time.

A fifth of those to be worked out are of kinds that no training example has. With `--learned FILE`
it writes others instead, to compare with: of the kinds, names and wordings that were learned, only
drawn anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import msgspec

from bench.dualmode import homes, machines, numbers, stories
from bench.dualmode.dataset import messages
from bench.dualmode.example import Example, Side, drawn
from worker.domain.messages import Message
from worker.evaluation.tasks import SHIPPED, Task

if TYPE_CHECKING:
    from types import ModuleType

COUNTS = ((numbers, 150), (machines, 60), (stories, 110), (homes, 160))
NEW_KIND_SHARE = 0.2
LEARNED_COUNT = 96


def held_out() -> list[Task]:
    """Return the tasks, no question twice."""
    rng = Random(20_261_124)
    tasks: list[Task] = []
    asked: set[str] = set()
    for module, count in COUNTS:
        new_kinds = _new_kinds(module, count)
        for index in range(count):
            kinds = (
                [(one, 1) for one in module.HELD_OUT_KINDS]
                if index < new_kinds
                else module.GENERATORS
            )
            example = drawn(rng, Side.HELD_OUT, kinds)
            while example.question in asked:
                example = drawn(rng, Side.HELD_OUT, kinds)
            asked.add(example.question)
            tasks.append(task_of(example, f"{example.category}-{len(tasks) + 1:03}"))
    return tasks


def learned(count: int) -> list[Task]:
    """Return tasks to be worked out as those to learn from are, of another seed."""
    rng = Random(20_261_125)
    total = sum(share for module, share in COUNTS if module is not homes)
    return [
        task_of(drawn(rng, Side.TRAIN, module.GENERATORS), f"{module.__name__}-{index}")
        for module, share in COUNTS
        if module is not homes
        for index in range(round(count * share / total))
    ]


def of_new_kinds(tasks: list[Task]) -> set[str]:
    """Return the names of those tasks whose kind no training example has."""
    names: set[str] = set()
    first = 0
    for module, count in COUNTS:
        names |= {task.id for task in tasks[first : first + _new_kinds(module, count)]}
        first += count
    return names


def _new_kinds(module: ModuleType, count: int) -> int:
    return int(count * NEW_KIND_SHARE) if module.HELD_OUT_KINDS else 0


def task_of(example: Example, name: str) -> Task:
    """Return an example as a task."""
    return Task(
        id=name,
        category=example.category,
        messages=tuple(Message(**message) for message in messages(example)),
        answer=example.expected,
        check="tools" if example.calls else example.check,
        choices=example.choices,
        tools=example.tools,
        response_schema=example.schema,
        label="no_think" if example.category == "home" else "think",
    )


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learned", type=Path, help="Write tasks of learned wordings here.")
    parser.add_argument("--count", type=int, default=LEARNED_COUNT)
    arguments = parser.parse_args()
    if arguments.learned is None:
        path, tasks = SHIPPED, held_out()
    else:
        path, tasks = arguments.learned, learned(arguments.count)
    path.write_bytes(b"".join(msgspec.json.encode(task) + b"\n" for task in tasks))


if __name__ == "__main__":
    main()

"""Whether a thought is worth closing as soon as it has settled on its answer.

    python bench/settled.py [--tasks FILE] [--limit 24] [--model embedded]

Each task that the router thinks about is asked with thoughts of 8, 16, … tokens at most, and
without a bound. So it is known what the answer would have been, had the thought been closed there:

- *whole*: thoughts as they are;
- *at most N*: every thought closed there;
- *settled, probed*: asked for its answer every 8 tokens and closed when two answers in a row say
  the same, which is what a worker could do; what the probes decode is counted;
- *settled, told*: closed at the first of those places from which the answer stays as it is. Nobody
  can know that beforehand: it is the most that any rule could save without changing an answer.

Decoding is greedy, so a shorter thought is the beginning of the longer one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from worker.cli.run import model_path  # noqa: E402 - run as a script
from worker.daemon.parts import engine_options  # noqa: E402
from worker.domain.messages import Mode  # noqa: E402
from worker.engine.supervisor import Engine  # noqa: E402
from worker.evaluation import lines, tasks  # noqa: E402
from worker.evaluation.running import Examiner, Outcome, chosen_modes  # noqa: E402
from worker.observe import logs  # noqa: E402
from worker.router.answers import differ  # noqa: E402
from worker.router.judge import load_router  # noqa: E402
from worker.settings import load  # noqa: E402

STEP, LAST = 8, 48
"""Tokens of a thought between two places where it could be closed, and the last such place."""


class Closed(Struct, frozen=True):
    """What a rule made of one task: was the answer right, and what was decoded for it."""

    right: bool
    tokens: int
    thought: int


async def ask(asked: list[tasks.Task], model: str) -> dict[int | None, list[Outcome]]:
    """Return what came back for each bound on the thought, None for no bound."""
    settings = load(None, {"model.name": model})
    examiner = Examiner()
    engine = Engine(engine_options(settings, model_path(settings)), examiner)
    engine.start()
    found = {}
    try:
        await examiner.until_ready(engine)
        for bound in (None, *range(STEP, LAST + 1, STEP)):
            found[bound] = await examiner.ask(
                engine, asked, Mode.THINK, at_once=8, budget_tokens=bound
            )
            print(f"asked with {bound or 'unbounded'}", file=sys.stderr)
    finally:
        await engine.stop()
    return found


def places(found: dict[int | None, list[Outcome]], task: int) -> list[Outcome]:
    """Return a task's outcomes at the places where its thought was still going on, then the end."""
    whole = found[None][task]
    within = [n for n in found if n is not None and n < whole.reasoning_tokens]
    return [*(found[n][task] for n in sorted(within)), whole]


def probed(found: dict[int | None, list[Outcome]], task: int) -> Closed:
    """Close where two probes in a row say the same; all probes but the last are thrown away."""
    *probes, whole = places(found, task)
    spent = 0
    for before, after in pairwise(probes):
        spent += before.completion_tokens - before.reasoning_tokens
        if not differ(before.answer, after.answer):
            return Closed(after.right, after.completion_tokens + spent, after.reasoning_tokens)
    spent += sum(one.completion_tokens - one.reasoning_tokens for one in probes[-1:])
    return Closed(whole.right, whole.completion_tokens + spent, whole.reasoning_tokens)


def told(found: dict[int | None, list[Outcome]], task: int) -> Closed:
    """Close at the first place from which the answer stays as it is."""
    outcomes = places(found, task)
    settled = outcomes[-1]
    for one in reversed(outcomes):
        if differ(one.answer, outcomes[-1].answer) or one.right is not outcomes[-1].right:
            break
        settled = one
    return Closed(settled.right, settled.completion_tokens, settled.reasoning_tokens)


def at_most(found: dict[int | None, list[Outcome]], task: int, bound: int | None) -> Closed:
    """Close every thought at a bound."""
    whole = found[None][task]
    one = whole if bound is None or whole.reasoning_tokens <= bound else found[bound][task]
    return Closed(one.right, one.completion_tokens, one.reasoning_tokens)


def main() -> None:
    """Print a row for each rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=Path, default=tasks.SHIPPED)
    parser.add_argument("--limit", type=int, default=24)
    parser.add_argument("--model", default="embedded")
    arguments = parser.parse_args()
    logs.configure(level="warning")
    asked = lines.read(arguments.tasks, tasks.Task)
    modes = chosen_modes(asked, load_router())
    hard = [task for task, mode in zip(asked, modes, strict=True) if mode is Mode.THINK]
    hard = hard[:: max(1, len(hard) // arguments.limit)][: arguments.limit]
    found = asyncio.run(ask(hard, arguments.model))
    every = range(len(hard))
    rows = {"whole": [at_most(found, task, None) for task in every]}
    for bound in sorted(one for one in found if one is not None):
        rows[f"at most {bound}"] = [at_most(found, task, bound) for task in every]
    rows["settled, probed"] = [probed(found, task) for task in every]
    rows["settled, told"] = [told(found, task) for task in every]
    print(f"{len(hard)} tasks that the router thinks about")
    print(f"{'':<18}{'right':>8}{'tokens':>9}{'thought':>9}")
    for name, some in rows.items():
        right, tokens, thought = (
            sum(getattr(one, field) for one in some) / len(some)
            for field in ("right", "tokens", "thought")
        )
        print(f"{name:<18}{right:>8.1%}{tokens:>9.1f}{thought:>9.1f}")


if __name__ == "__main__":
    main()

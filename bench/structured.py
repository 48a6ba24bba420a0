"""What binding an answer costs: seconds a step with grammars ÷ without, and to compile the worst.

    python bench/structured.py [--rows 1 4 16] [--steps 24] [--repeats 5]

The embedded model in this process, greedy; all rows of a run are bound, or none is. Runs are
interleaved and the medians of their steps compared. The schemas at the end are as large as the
limits let them be (`worker/engine/schemas.py`).
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from worker.engine import blas

blas.prepare()

from worker.domain.messages import Mode, Sampling  # noqa: E402 - MLX takes the BLAS that is there
from worker.engine import schemas  # noqa: E402
from worker.engine.generation import Generation, Limits  # noqa: E402
from worker.engine.models import ensure_embedded, load  # noqa: E402
from worker.engine.pipe import Cancel, Submit  # noqa: E402
from worker.engine.structured import Grammars  # noqa: E402
from worker.settings import load as load_settings  # noqa: E402

_ITEM = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
}
KINDS: dict[str, dict[str, Any] | None] = {
    "free": None,
    "JSON Schema": {
        "type": "json_schema",
        "json_schema": {"type": "array", "items": _ITEM, "minItems": 40},
    },
    "regex": {"type": "regex", "regex": r"([A-Z][a-z]+( [a-z]+){4,9}\. ){40}"},
}
_PROMPT = "Write a long list of the cities of Europe, with the number of people who live there."


def steps_of(generation: Generation, bound: dict[str, Any] | None, rows: int, count: int) -> float:
    """Return the median seconds of a step in which all rows decode."""
    sampling = Sampling(temperature=0.0, max_tokens=count + 16)
    for row in range(rows):
        messages = [{"role": "user", "content": f"{_PROMPT} Begin with number {row}."}]
        submit = Submit(
            row=row, messages=messages, mode=Mode.NO_THINK, sampling=sampling, grammar=bound
        )
        generation.submit(generation.prepare(submit))
    taken = []
    for _ in range(rows + count + 16):
        begun = time.perf_counter()
        step = generation.step()
        if step.decode_rows == rows and not step.prefill_tokens:
            taken.append(time.perf_counter() - begun)
        if len(taken) == count or generation.idle:
            break
    for row in range(rows):
        generation.cancel(Cancel(row))
    while not generation.idle:
        generation.step()
    return statistics.median(taken[2:] or taken)


def worst_schemas() -> dict[str, Any]:
    """Return schemas that are as expensive as the limits let them be."""
    texts = {f"p{number}": {"type": "string"} for number in range(schemas.MAX_PROPERTIES)}
    numbers = [
        {"type": "integer", "minimum": number, "maximum": 10**9 + number}
        for number in range(schemas.MAX_COST // 3 - 1)
    ]
    kinds = [
        {"properties": {f"p{number}": {"const": number}}, "required": [f"p{number}"]}
        for number in range(schemas.MAX_COST // 2 - 1)
    ]
    return {
        "optional properties": {"type": "object", "properties": texts},
        "bounded numbers": {"type": "array", "prefixItems": numbers},
        "alternatives": {"anyOf": [{"type": "object", **kind} for kind in kinds]},
        "choices": {"enum": [f"value number {n}" for n in range(schemas.MAX_CHOICES)]},
    }


def main() -> None:
    """Print a table of overheads, and one of compile times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    loaded = load(ensure_embedded(load_settings().data_dir))
    generation = Generation(loaded, Limits(rows=max(arguments.rows)))
    print("rows  kind            ms a step   ÷ free   (medians)")
    for rows in arguments.rows:
        taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(arguments.repeats):
            for kind, bound in KINDS.items():
                taken[kind].append(steps_of(generation, bound, rows, arguments.steps))
        for kind in KINDS:
            ratios = [one / free for one, free in zip(taken[kind], taken["free"], strict=True)]
            print(
                f"{rows:>4}  {kind:<15}{statistics.median(taken[kind]) * 1000:>10.1f}"
                f"{statistics.median(ratios):>9.3f}",
                flush=True,
            )
    grammars = Grammars(loaded.tokenizer, loaded.vocabulary)
    print("\nthe largest schemas   s to compile")
    for name, schema in worst_schemas().items():
        begun = time.perf_counter()
        grammars.matcher({"type": "json_schema", "json_schema": {"schema": schema}})
        print(f"{name:<22}{time.perf_counter() - begun:>12.2f}", flush=True)


if __name__ == "__main__":
    main()

"""What binding an answer costs: seconds a step with grammars ÷ without, and to compile the worst.

    python bench/structured.py [--quick] [--repeats 3]

The embedded model in this process, greedy; all rows of a run are bound, or none is. Runs are
interleaved and the medians of their steps compared. The schemas at the end are as large as the
limits let them be (`worker/engine/schemas.py`).
"""

from __future__ import annotations

import statistics
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from figures import Effort, Figure, medians, paired, run

from worker.engine import blas

blas.prepare()

from worker.domain.errors import BadSchema  # noqa: E402
from worker.domain.messages import Mode, Sampling  # noqa: E402 - MLX takes the BLAS that is there
from worker.engine import schemas  # noqa: E402
from worker.engine.generation import Generation, Limits  # noqa: E402
from worker.engine.models import ensure_embedded, load  # noqa: E402
from worker.engine.pipe import Cancel, Submit  # noqa: E402
from worker.engine.structured import Grammars  # noqa: E402
from worker.settings import load as load_settings  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = (1, 4, 16)
WANTED, WANTED_COMPILE_S = 1.1, 1.0

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
BOUND = [kind for kind in KINDS if kind != "free"]
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


def figures(effort: Effort) -> Iterator[Figure]:
    """Yield the overhead for each number of rows and kind of bound, and the dearest schema."""
    loaded = load(ensure_embedded(load_settings().data_dir))
    generation = Generation(loaded, Limits(rows=max(ROWS)))
    for rows in ROWS:
        runs = [
            {
                kind: steps_of(generation, bound, rows, effort.of(24, 4))
                for kind, bound in KINDS.items()
            }
            for _ in range(effort.of(effort.repeats + 2, 1))
        ]
        for kind in BOUND:
            pairs = [(taken[kind], taken["free"]) for taken in runs]
            bound_s, free_s = medians(pairs)
            yield Figure(f"a step bound by a {kind} ÷ free, {rows} rows", WANTED, paired(pairs),
                         detail=f"{1000 * bound_s:.1f} / {1000 * free_s:.1f} ms")  # fmt: skip
    grammars = Grammars(loaded.tokenizer, loaded.vocabulary)
    took = {}
    for name, schema in worst_schemas().items():
        begun = time.perf_counter()
        with suppress(BadSchema):  # Which is an answer too, and takes as long.
            grammars.matcher({"type": "json_schema", "json_schema": {"schema": schema}})
        took[name] = time.perf_counter() - begun
    dearest = max(took, key=took.__getitem__)
    yield Figure(
        "the largest schema to compile, s", WANTED_COMPILE_S, took[dearest], detail=dearest
    )


if __name__ == "__main__":
    run(figures, __doc__)

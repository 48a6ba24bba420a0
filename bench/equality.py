"""How often thinkq's greedy tokens are mlx-lm's own: one row, sixteen, parked and resumed.

    python bench/equality.py [--quick]

Of a hundred prompts, against `mlx_lm.generate.generate_step` on the same tokens. In a batch the
sums of a matrix product are added up in another order, and two tokens that are as good as equally
likely may change places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bare_peer import BarePeer
from figures import Effort, Figure, run
from pairs import embedded_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.engine.generation import Generation

ROWS = 16
THINGS = ("the sea", "a lighthouse", "bread", "a bicycle", "the moon", "a kettle", "an old clock",
          "winter", "a garden", "a river")  # fmt: skip
WORDINGS = (
    "Tell me a story about {}.", "What is {}?", "Write a poem about {}.", "Why do people like {}?",
    "Name three facts about {}.", "Describe {} to a child.", "Compare {} and a stone.",
    "Write a letter to {}.", "How would you draw {}?", "Turn {} into a riddle.",
)  # fmt: skip
PROMPTS = [wording.format(thing) for thing in THINGS for wording in WORDINGS]


def said(
    generation: Generation, prompts: list[str], tokens: int, park_after: int = 0
) -> list[list[int]]:
    """Return the greedy tokens of prompts that run together.

    Args:
        generation: Which batch.
        prompts: What is asked.
        tokens: How many of each.
        park_after: After how many steps all are parked, resumed two at a time; 0 never.

    """
    from worker.domain.messages import Mode, Sampling
    from worker.engine.pipe import Submit

    for row, prompt in enumerate(prompts):
        messages = [{"role": "user", "content": prompt}]
        sampling = Sampling(temperature=0, max_tokens=tokens)
        submit = Submit(row=row, messages=messages, mode=Mode.NO_THINK, sampling=sampling)
        generation.submit(generation.prepare(submit))
    answers: list[list[int]] = [[] for _ in prompts]
    steps = 0
    while not generation.idle:
        for row, ids in generation.step().tokens:
            answers[row] += ids
        steps += 1
        if steps == park_after:
            generation.park(*range(len(prompts)))
            for row in range(len(prompts)):
                generation.resume(row)
    return answers


def figures(effort: Effort) -> Iterator[Figure]:
    """Yield the three shares."""
    prompts, tokens = PROMPTS[:: effort.of(1, 20)], effort.of(16, 8)
    with BarePeer(embedded_path()) as bare:
        wanted = bare.ask(prompts=prompts, tokens=tokens)
    from worker.engine import blas

    blas.prepare()
    # After its BLAS: these bring in mlx.
    from worker.engine import models
    from worker.engine.generation import Generation, Limits

    loaded = models.load(embedded_path())
    stop = set(loaded.tokenizer.eos_token_ids)
    generation = Generation(loaded, Limits(rows=ROWS))

    def share(rows: int, *, park: bool = False) -> float:
        equal = 0
        for first in range(0, len(prompts), rows):
            some = prompts[first : first + rows]
            parked = 3 + first % (tokens - 3) if park else 0
            for theirs, mine in zip(
                wanted[first:], said(generation, some, tokens, parked), strict=False
            ):
                equal += [token for token in mine if token not in stop] == theirs
        return 100 * equal / len(prompts)

    told = f"of {len(prompts)} prompts, {tokens} tokens each"
    yield Figure("greedy as mlx-lm's own, 1 row, %", 100, share(1), "more", told)
    yield Figure("greedy as mlx-lm's own, 16 rows, %", 99, share(ROWS), "more", told)
    yield Figure("greedy as mlx-lm's own, parked and resumed, %", 100, share(1, park=True),
                 "more", told)  # fmt: skip
    generation.close()


if __name__ == "__main__":
    run(figures, __doc__)

"""Plain English by which a model is kept as it was: written by the untouched SmolLM2 itself.

    python -m bench.dualmode.prose MODEL_FOLDER [--seed 7] [--batches 3] > FILE

`prose.jsonl` has the pieces of the seeds 7 and 8; the recipe writes as many again and more.

A model's own text is the text on which it is to say what it said before, and needs no other
source. Each piece begins with a word or two and goes on as the model will, drawn at a temperature
at which it is still fluent.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from random import Random

from bench.dualmode.talk import NOUNS

WRITTEN = Path(__file__).with_name("prose.jsonl")
"""Pieces of text, one JSON string a line."""

OPENINGS = """\
The,When,In the,It was,Most people,For many years,A,There is,My,She,He,They,We,If you,One day,As,After,The first,
Although,At the end of,Every,On a,This,Some,Before,Last,During,No one,By the time,What\
""".replace("\n", "").split(",")
PIECES, LENGTH = 48, 200
"""How many are written at a time, and how long each gets, in tokens."""

TEMPERATURE, TOP_P = 0.8, 0.95


def pieces(path: Path = WRITTEN) -> list[str]:
    """Return what has been written."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def opening(rng: Random) -> str:
    """Return how a piece begins: at once, or under a heading."""
    noun, begin = rng.choice(NOUNS), rng.choice(OPENINGS)
    return begin if rng.random() < 0.5 else f"{noun[0].upper()}{noun[1:]}\n\n{begin}"


def main() -> None:
    """Let the untouched model write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--batches", type=int, default=3)
    arguments = parser.parse_args()
    from worker.engine import blas

    blas.prepare()
    import mlx.core as mx
    from mlx_lm import batch_generate
    from mlx_lm.sample_utils import make_sampler

    from worker.engine import models

    loaded = models.load(arguments.model)
    rng = Random(arguments.seed)
    mx.random.seed(arguments.seed)
    for _ in range(arguments.batches):
        begun = [opening(rng) for _ in range(PIECES)]
        prompts = [
            loaded.tokenizer.encode(f"<|endoftext|>{text}", add_special_tokens=False)
            for text in begun
        ]
        written = batch_generate(
            loaded.model, loaded.tokenizer, prompts, max_tokens=LENGTH,
            sampler=make_sampler(temp=TEMPERATURE, top_p=TOP_P), completion_batch_size=PIECES,
        )  # fmt: skip
        for text, more in zip(begun, written.texts, strict=True):
            print(json.dumps(text + more), flush=True)


if __name__ == "__main__":
    main()

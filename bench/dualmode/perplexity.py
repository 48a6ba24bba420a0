"""Perplexity on general English, of a model over that of another one.

    python -m bench.dualmode.perplexity OURS THEIRS

Each paragraph of english.txt, written for this project, is read by itself.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

TEXT = Path(__file__).with_name("english.txt")


def main() -> None:
    """Print both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ours", type=Path)
    parser.add_argument("theirs", type=Path)
    arguments = parser.parse_args()
    from worker.engine import blas

    blas.prepare()
    ours, theirs = perplexity(arguments.ours), perplexity(arguments.theirs)
    print(f"{ours:.2f} over {theirs:.2f} is {ours / theirs:.3f}")


def perplexity(folder: Path) -> float:
    """Return a model's perplexity on the text."""
    import mlx.core as mx
    from mlx import nn

    from worker.engine import models

    loaded = models.load(folder)
    loss, count = 0.0, 0
    for paragraph in TEXT.read_text("utf-8").split("\n\n"):
        tokens = mx.array(loaded.tokenizer.encode(paragraph, add_special_tokens=False))[None]
        logits = loaded.model(tokens[:, :-1])
        loss += nn.losses.cross_entropy(logits, tokens[:, 1:], reduction="sum").item()
        count += tokens.shape[1] - 1
    return math.exp(loss / count)


if __name__ == "__main__":
    main()

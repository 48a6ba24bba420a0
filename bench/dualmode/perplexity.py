"""Perplexity on general English, of the shipped model over that of the original one.

    python -m bench.dualmode.perplexity

Each paragraph of english.txt, written for this project, is read by itself.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

TEXT = Path(__file__).with_name("english.txt")


def main() -> None:
    """Print both and their ratio."""
    from worker.engine import blas

    blas.prepare()

    from worker.engine import gguf

    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = (
            perplexity(gguf.convert(Path(folder) / str(dual_mode), dual_mode=dual_mode))
            for dual_mode in (True, False)
        )
    print(f"shipped {ours:.2f}, original {theirs:.2f}, ratio {ours / theirs:.3f}")


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

"""From a checkpoint to the adapter file that ships: `export CHECKPOINT [--out FILE]`.

Needs torch to read the checkpoint and MLX to write the file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mlx.core as mx
import numpy as np
import torch

from worker.engine import adapter

CONTROL_IDS = (3, 5, 7, 8, 9, 10)
"""SmolLM2's numbers of the tokens that are renamed, in the order of the checkpoint's rows."""


def factors_of(state: dict[str, torch.Tensor]) -> dict[str, mx.array]:
    """Return the factors of every linear layer by mlx-lm's names, `b` turned to (rank, outputs)."""
    found = {}
    for name, value in state.items():
        parts = name.split(".")
        if parts[0] != "blocks" or parts[-1] not in ("a", "b"):
            continue
        layer = f"model.layers.{parts[1]}.{parts[3].replace('/', '.')}"
        array = mx.array(value.float().numpy().astype(np.float32))
        found[f"{layer}.{parts[-1]}"] = array.T if parts[-1] == "b" else array
    return found


def main() -> None:
    """Write the adapter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, default=adapter.SHIPPED)
    arguments = parser.parse_args()
    state = torch.load(arguments.checkpoint, map_location="cpu")["model"]
    adapter.write(
        arguments.out, factors_of(state), list(CONTROL_IDS), mx.array(state["rows"].float().numpy())
    )
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

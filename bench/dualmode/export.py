"""From what was learned to the adapter file that ships: 8-bit factors by mlx-lm's names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from worker.engine import adapter

if TYPE_CHECKING:
    from pathlib import Path


def export(learned: Path, control: Path, out: Path = adapter.SHIPPED) -> None:
    """Write the adapter.

    Args:
        learned: `learned.npz` of the training.
        control: `control.json` of its data, whose keys are the control tokens.
        out: The file to write.

    """
    arrays = np.load(learned)
    ids = sorted(map(int, json.loads(control.read_text())))
    factors = {}
    for name in arrays.files:
        parts = name.split(".")
        if parts[0] == "blocks":
            layer = f"model.layers.{parts[1]}.{parts[3].replace('/', '.')}"
            array = mx.array(arrays[name])
            # As (rank, outputs), so that the quantized groups run along the longer side.
            factors[f"{layer}.{parts[-1]}"] = array.T if parts[-1] == "b" else array
    adapter.write(out, factors, ids, mx.array(arrays["rows"]))

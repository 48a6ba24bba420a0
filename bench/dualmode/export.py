"""From what was learned to the adapter file that ships: 8-bit factors by mlx-lm's names.

python -m bench.dualmode.export LEARNED CONTROL [--scale 0.9]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import mlx.core as mx
import numpy as np

from worker.engine import adapter


def export(
    learned: Path, control: Path, out: Path = adapter.SHIPPED, *, scale: float = 1.0
) -> None:
    """Write the adapter.

    Args:
        learned: `learned.npz` of the training.
        control: `control.json` of its data, whose keys are the control tokens.
        out: The file to write.
        scale: What is left of each layer's change.

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
            factors[f"{layer}.{parts[-1]}"] = scale * array.T if parts[-1] == "b" else array
    adapter.write(out, factors, ids, mx.array(arrays["rows"]))


def main() -> None:
    """Write the adapter that ships."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("learned", type=Path, help="`learned.npz` of a run.")
    parser.add_argument("control", type=Path, help="`control.json` of its data.")
    parser.add_argument("--scale", type=float, default=1.0)
    arguments = parser.parse_args()
    export(arguments.learned, arguments.control, scale=arguments.scale)


if __name__ == "__main__":
    main()

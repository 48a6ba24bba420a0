"""Makes the embedded model's directory in a process of its own; takes the data folder.

`python -m worker.engine.prepare DIR` prints a line of JSON, `{"what", "fraction"}`, for each step,
so that whoever started it can draw a bar.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from worker.engine import blas
from worker.engine.pins import ModelError


def main(arguments: list[str]) -> int:
    """Convert into the data folder that is the first argument; 0 when the model is there."""
    blas.prepare()
    # Late: what imports mlx must not do so before the BLAS is loaded.
    from worker.engine.models import ensure_embedded  # noqa: PLC0415

    try:
        ensure_embedded(Path(arguments[0]), _say)
    except ModelError as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is a command
        return 4
    return 0


def _say(what: str, fraction: float) -> None:
    print(json.dumps({"what": what, "fraction": round(fraction, 3)}), flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

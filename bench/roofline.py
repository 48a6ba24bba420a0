"""What a machine's memory bandwidth allows, beside what mlx-lm does on it.

    python bench/roofline.py [--quick]

One row's step reads all weights and its KV cache once: bytes by bandwidth is the shortest it can
be. The bandwidth is the vendor's for Apple's chips, and else that of a copy, measured here. On a
GPU a step has a fixed cost too, some 2.4 ms (least squares over mlx-lm's own benchmark table).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from bare_peer import BarePeer
from figures import Effort, Figure, processor, run
from pairs import embedded_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WANTED = 0.6
"""mlx-lm's own share on an M4 Max, with four bits; what is measured here is its and our floor."""

GB_PER_S = {
    "M1": 68, "M1 Pro": 200, "M1 Max": 400, "M1 Ultra": 800,
    "M2": 100, "M2 Pro": 200, "M2 Max": 400, "M2 Ultra": 800,
    "M3": 100, "M3 Pro": 150, "M3 Max": 400, "M3 Ultra": 819,
    "M4": 120, "M4 Pro": 273, "M4 Max": 546,
    "M5": 153, "M5 Pro": 307, "M5 Max": 614,
}  # fmt: skip
READ, WRITTEN = 512, 64


def bandwidth() -> tuple[float, str]:
    """Return the memory's bandwidth in bytes a second, and where the figure is from."""
    name = chip()
    if name in GB_PER_S:
        return GB_PER_S[name] * 1e9, f"{name}, vendor's"
    import numpy as np

    block = np.ones(32 << 20, np.float64)
    target = np.empty_like(block)
    best = 0.0
    for _ in range(5):
        begun = time.perf_counter()
        np.copyto(target, block)
        best = max(best, 2 * block.nbytes / (time.perf_counter() - begun))
    return best, "of a copy"


def chip() -> str:
    """Return the name of Apple's chip, without the maker's; empty elsewhere."""
    if sys.platform != "darwin":
        return ""
    shown = subprocess.run(
        ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=True
    )
    return shown.stdout.strip().removeprefix("Apple ")


def bytes_of_a_step(model: Path, context: int) -> int:
    """Return what a step of one row reads: the weights, and the KV cache at 16 or 32 bits."""
    weights = sum(file.stat().st_size for file in model.glob("*.safetensors"))
    config = json.loads((model / "config.json").read_text())
    heads = config.get("num_key_value_heads", config["num_attention_heads"])
    size = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    width = 4 if config.get("torch_dtype") == "float32" else 2
    return int(weights + context * 2 * config["num_hidden_layers"] * heads * size * width)


def figures(effort: Effort) -> Iterator[Figure]:
    """Yield how near to the roofline one row's decode is."""
    speed, source = bandwidth()
    with BarePeer(embedded_path()) as bare:
        best = {"read": 0.0, "written": 0.0}
        for _ in range(effort.repeats):
            told = bare.ask(read=READ, written=effort.of(WRITTEN, 16))
            best = {name: max(best[name], told[name]) for name in best}
    roof = speed / bytes_of_a_step(embedded_path(), READ)
    yield Figure("decode of one row ÷ memory's roofline", WANTED, best["written"] / roof, "more",
                 f"{best['written']:.1f} of {roof:.1f} tokens/s, {speed / 1e9:.0f} GB/s {source}, "
                 f"reads {best['read']:.0f} tokens/s, {processor()}")  # fmt: skip


if __name__ == "__main__":
    run(figures, __doc__)

"""Whether giving back MLX's unused buffers pays, beyond what mlx-lm does itself.

    python bench/clear_cache.py [--tokens 1500] [--short 12] [--repeats 3] [--json FILE]

mlx-lm's batch empties the allocator's cache after each chunk of a prompt and every 512 steps. Here
it is emptied too when a row ends (`rows end`), or when nothing is left to do (`idle`), or not
(`never`). An engine of its own process each, in turn, medians: a long prompt, then short requests,
two at a time; speeds on the CPU backend by processor time. Resident memory is the process's own, in
MiB, and what of it lies in MLX's cache.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from pairs import embedded_path
from processes import resident_mib

MOMENTS = ("never", "rows end", "idle")
HEAD = ("loaded", "after the long one", "after short ones", "in the cache", "short tok/s")


def measure(moment: str, tokens: int, short: int) -> list[float]:
    """Return the figures of one engine, in the order of `HEAD`."""
    import os

    from worker.engine import blas

    blas.prepare()
    # After its BLAS: these bring in mlx.
    import mlx.core as mx

    from worker.domain.messages import Mode, Sampling
    from worker.engine.generation import Limits
    from worker.engine.models import load
    from worker.engine.pipe import Done, Submit
    from worker.engine.pools import Pools

    # On the processor its own time, which other programs don't change.
    clock = time.process_time if mx.default_device() == mx.Device(mx.cpu) else time.perf_counter
    pools = Pools(load(embedded_path()), Limits(cache_bytes=256 << 20))

    def resident() -> float:
        return resident_mib(os.getpid())

    def ask(row: int, prompt: str, answer: int) -> None:
        submit = Submit(
            row=row,
            messages=[{"role": "user", "content": prompt}],
            mode=Mode.NO_THINK,
            sampling=Sampling(temperature=0, max_tokens=answer),
            owner="me",
        )
        pools.submit(pools.prepare(submit))

    def run() -> float:
        wrote, begun = 0, clock()
        while not pools.idle:
            step = pools.step()
            wrote += step.decode_rows
            if moment == "rows end" and any(isinstance(event, Done) for event in step.events):
                mx.clear_cache()
        if moment == "idle":
            mx.clear_cache()
        return wrote / (clock() - begun)

    ask(0, "Hi.", 2)
    run()
    loaded = resident()
    ask(1, "the lighthouse stood by the sea " * (tokens // 6), 16)
    run()
    long, in_cache = resident(), mx.get_cache_memory() / (1 << 20)
    speeds = []
    for row in range(2, 2 + short, 2):
        for one in (row, row + 1):
            ask(one, f"Tell me about {one} cats.", 24)
        speeds.append(run())
    return [loaded, long, resident(), in_cache, statistics.median(speeds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=1500)
    parser.add_argument("--short", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--moment", choices=MOMENTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.moment:
        print(json.dumps(measure(arguments.moment, arguments.tokens, arguments.short)))
        return
    found: dict[str, list[list[float]]] = {moment: [] for moment in MOMENTS}
    for _ in range(arguments.repeats):
        for moment in MOMENTS:
            command = [sys.executable, __file__, "--moment", moment]
            command += ["--tokens", str(arguments.tokens), "--short", str(arguments.short)]
            root = Path(__file__).parents[1]
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
            found[moment].append(json.loads(done.stdout.splitlines()[-1]))
    print("| emptied | " + " | ".join(HEAD) + " |\n" + "|---" * (len(HEAD) + 1) + "|")
    for moment, runs in found.items():
        medians = [statistics.median(column) for column in zip(*runs, strict=True)]
        print(f"| {moment} | " + " | ".join(f"{one:.1f}" for one in medians) + " |")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

"""A million inputs at every door that bytes come in by; led by coverage where atheris is there.

    python bench/fuzz.py [--inputs 1000000] [--seed 1] [--no-coverage] [--doors envelope …]

The doors, and what each promises, are those of tests/fuzz_targets.py. Prints for each door how many
inputs it took, the slowest one, and stops with the bytes that broke a promise. atheris (libFuzzer
for Python) takes a fifth of the inputs; it has wheels for Linux only and comes with the group
`fuzz`.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import subprocess
import sys
import time
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

SHARES = {"envelope": 0.5, "control": 0.25, "topic": 0.1, "config": 0.13, "journal": 0.02}
BY_COVERAGE = 0.2
SLOWEST_S = 0.1
"""The issue's bound on a hang, in processor time, as a busy machine is no hang; the disk is in the
journal's time, so it is told and not judged."""


def main() -> None:
    """Fuzz every door."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-coverage", action="store_true")
    parser.add_argument("--doors", nargs="+", choices=SHARES, default=list(SHARES))
    parser.add_argument("--led", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    silence()
    if arguments.led:
        led_by_coverage(arguments.led, arguments.inputs, arguments.seed)
        return
    coverage = not arguments.no_coverage and importlib.util.find_spec("atheris") is not None
    print(f"{'door':<10}{'inputs':>10}{'a second':>10}{'slowest':>12}{'by coverage':>13}")
    too_slow = []
    for name in arguments.doors:
        inputs = int(arguments.inputs * SHARES[name])
        led = int(inputs * BY_COVERAGE) if coverage else 0
        rate, slowest = at_random(name, inputs - led, arguments.seed)
        if led:
            command = [sys.executable, __file__, "--led", name, "--inputs", str(led)]
            done = subprocess.run(
                [*command, "--seed", str(arguments.seed)],
                check=False, capture_output=True, text=True,
            )  # fmt: skip
            if done.returncode != 0:
                print(done.stderr[-6000:])
                sys.exit(f"{name}: a promise was broken under coverage")
        print(f"{name:<10}{inputs:>10}{rate:>10.0f}{slowest * 1000:>9.1f} ms{led:>13}")
        if slowest > SLOWEST_S and name != "journal":
            too_slow.append(name)
    if too_slow:
        sys.exit(f"an input took longer than {SLOWEST_S * 1000:.0f} ms at: {', '.join(too_slow)}")


def silence() -> None:
    """Keep the parts from logging each of a million refusals."""
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def at_random(name: str, inputs: int, seed: int) -> tuple[float, float]:
    """Mutate seeds at random; return inputs a second and the slowest one's seconds."""
    import fuzz_targets

    target, seeds = fuzz_targets.TARGETS[name]
    rng, slowest, begun = Random(f"{name}{seed}"), 0.0, time.perf_counter()
    for _ in range(inputs):
        data = fuzz_targets.mutated(rng, seeds)
        start = time.thread_time()
        try:
            target(data)
        except BaseException:
            print(f"{name} broke its promise at {data!r}", file=sys.stderr)
            raise
        took = time.thread_time() - start
        if took > SLOWEST_S and name != "journal":
            print(f"{name}: {took * 1000:.0f} ms for {data!r}", file=sys.stderr)
        slowest = max(slowest, took)
    return inputs / (time.perf_counter() - begun), slowest


def led_by_coverage(name: str, inputs: int, seed: int) -> None:
    """Let libFuzzer look for inputs that reach new code; it ends the process."""
    import tempfile

    import atheris

    with atheris.instrument_imports(include=["worker"]):
        import fuzz_targets

    target, seeds = fuzz_targets.TARGETS[name]
    corpus = Path(tempfile.mkdtemp(prefix="thinkq-fuzz-"))
    for number, data in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(data)
    options = [f"-runs={inputs}", f"-seed={seed}", "-timeout=5", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

"""Every figure that thinkq is held to, in one run: a table, a JSON file and a picture.

    python bench/everything.py [--quick] [--repeats 3] [--only waits,cost] [--out build/bench]

Some 25 minutes on two cores, three with `--quick`, which only shows that all of it works. A figure
is the median of interleaved runs in this one job, against mlx_lm.server on the same weights and
BLAS, and against a bare BatchGenerator. A bench that fails is named, and the others go on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from figures import Figure, add_arguments, machine, picture, to_json

BENCHES = (
    "cost", "throughput", "waits", "session", "cancel", "equality", "flood", "deadlines",
    "structured", "growth", "roofline",
)  # fmt: skip


def main() -> int:
    """Measure all; 1 where a figure is missed or a bench fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--only", default=",".join(BENCHES))
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    arguments = parser.parse_args()
    print(*(f"{name}: {value}" for name, value in machine().items()), sep="\n")
    found: list[Figure] = []
    failed = []
    begun = time.monotonic()
    for name in arguments.only.split(","):
        print(f"\n{name}", flush=True)
        figures, code = measured(name, quick=arguments.quick, repeats=arguments.repeats)
        found += figures
        failed += [name] if code else []
    minutes = (time.monotonic() - begun) / 60
    print(f"\n{len(found)} figures, {sum(one.reached for one in found)} as wanted, "
          f"in {minutes:.0f} min; failed: {', '.join(failed) or 'none'}")  # fmt: skip
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.with_suffix(".json").write_text(to_json(found, failed=failed, minutes=minutes))
    arguments.out.with_suffix(".svg").write_text(picture(found))
    return int(bool(failed) or not all(one.reached for one in found))


def measured(name: str, *, quick: bool, repeats: int) -> tuple[list[Figure], int]:
    """Run one bench in a process of its own; return what it found, and its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "figures.json"
        command = [sys.executable, Path(__file__).with_name(f"{name}.py"), "--json", kept,
                   "--repeats", str(repeats)]  # fmt: skip
        code = subprocess.run([*command, *(["--quick"] if quick else [])], check=False).returncode
        found = msgspec.json.decode(kept.read_bytes(), type=list[Figure]) if kept.exists() else []
    return found, code


if __name__ == "__main__":
    sys.exit(main())

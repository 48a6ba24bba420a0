"""Checks of the machine: system, limits, disk, and the BLAS, which a child process measures."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from worker.doctor.finding import Finding, ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPEN_FILES = 1024
"""macOS gives a shell 256, which a model of many files and a busy journal can use up."""

FREE_BYTES = 1 << 30
"""A journal at its limit, its write-ahead log, and a little."""

SLOW_GFLOPS = 20.0
"""The reference BLAS does 2 to 3 on one core, OpenBLAS 80 and more."""

_MEASURE_TIMEOUT_S = 120.0


def system() -> Iterator[Finding]:
    """Check Python, the processor, and what a process may open."""
    said = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.platform == "darwin" and platform.machine() != "arm64":
        yield problem("system", said, "MLX needs Apple silicon and a Python built for arm64")
    else:
        yield ok("system", said)
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < OPEN_FILES:
        yield warning(
            "open files", f"at most {limit}", f"ulimit -n {OPEN_FILES}, or run it as a service"
        )
    if sys.platform == "darwin":
        yield from _sleep()


def data_folder(folder: Path) -> Iterator[Finding]:
    """Check that the data folder can be written and has room."""
    there = folder
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield problem(
            "data folder", f"{there} can't be written", f"chown it, or set data_dir ({folder})"
        )
        return
    free = shutil.disk_usage(there).free
    said = f"{folder}, {free / 2**30:.0f} GiB free"
    if free < FREE_BYTES:
        yield problem("data folder", said, f"the journal needs {FREE_BYTES >> 30} GiB of room")
    else:
        yield ok("data folder", said)


def blas() -> Iterator[Finding]:
    """Check which BLAS serves MLX and how quick it is, in a process that loads it as engines do."""
    command = [sys.executable, "-m", "worker.engine.measure_blas"]
    try:
        done = subprocess.run(  # noqa: S603 - the program itself
            command, capture_output=True, text=True, check=True, timeout=_MEASURE_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        yield problem("blas", f"MLX did not multiply two matrices in {_MEASURE_TIMEOUT_S:.0f} s")
        return
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-1:] or [f"status {error.returncode}"]
        yield problem("blas", f"MLX does not start: {last[0]}", "make setup, or install it anew")
        return
    report = json.loads(done.stdout)
    said = f"{report['name']}, {report['gflops']:.0f} GFLOP/s"
    if report["threads"]:
        said += f" on {report['threads']} threads"
    if report["path"]:
        said += f" ({report['path']})"
    if report["slow"] or report["gflops"] < SLOW_GFLOPS:
        yield warning(
            "blas",
            f"{said}: slow, the model will crawl",
            report["advice"] or "is the machine busy? then run doctor again",
        )
    else:
        yield ok("blas", said)


def _sleep() -> Iterator[Finding]:
    """Check that a Mac stays awake: asleep, it answers nobody."""
    shown = subprocess.run(
        ["pmset", "-g"],  # noqa: S607 - found by macOS's own PATH
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    words = next((line.split() for line in shown.splitlines() if line.split()[:1] == ["sleep"]), [])
    if len(words) > 1 and words[1] != "0":
        yield warning(
            "sleep",
            f"this Mac sleeps after {words[1]} idle minutes, and then answers nobody",
            "sudo pmset -a sleep 0",
        )

"""A figure, what is wanted of it, and how figures are told: a table, a JSON file, a picture.

Every bench has `figures(effort)`, which yields them as they are measured; `run` makes a command of
it. Nothing is measured here.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


class Effort(Struct, frozen=True):
    """How much is measured: `repeats` of each pair, and whether it is only to see that it works."""

    repeats: int = 3
    quick: bool = False

    def of(self, full: int, quick: int) -> int:
        """Return a number of things to do."""
        return quick if self.quick else full


class Figure(Struct, frozen=True):
    """What was measured beside what is wanted; `detail` says in words what stands behind it."""

    name: str
    wanted: float
    measured: float
    better: Literal["more", "less"] = "less"
    detail: str = ""

    @property
    def reached(self) -> bool:
        """Whether it is as wanted."""
        if self.better == "more":
            return self.measured >= self.wanted
        return self.measured <= self.wanted

    def line(self) -> str:
        """Return the figure as a line of a table."""
        sign = "≥" if self.better == "more" else "≤"
        mark = "yes" if self.reached else "NO"
        wanted = f"{sign} {self.wanted:g}"
        return f"{self.name:<58} {wanted:>8} {self.measured:>8.3g}  {mark:<4} {self.detail}"


HEAD = f"{'':<58} {'wanted':>8} {'measured':>8}"


def paired(pairs: Iterable[Sequence[float]], over: int = 1) -> float:
    """Return the median of the ratios of pairs that were measured in turn: first by `over`-th."""
    return statistics.median(pair[0] / pair[over] for pair in pairs)


def medians(pairs: Sequence[Sequence[float]]) -> list[float]:
    """Return each side's own median."""
    return [statistics.median(side) for side in zip(*pairs, strict=True)]


def p95(values: Sequence[float]) -> float:
    """Return the value that one in twenty exceeds."""
    return sorted(values)[max(0, math.ceil(len(values) * 0.95) - 1)]


def run(figures: Callable[[Effort], Iterator[Figure]], about: str | None) -> None:
    """Measure, print, and write what was asked for: the command of one bench."""
    parser = argparse.ArgumentParser(description=about)
    add_arguments(parser)
    parser.add_argument("--json", type=Path, help="where the figures go for a program")
    arguments = parser.parse_args()
    print(HEAD, flush=True)
    kept = []
    for figure in figures(Effort(1 if arguments.quick else arguments.repeats, arguments.quick)):
        print(figure.line(), flush=True)
        kept.append(figure)
        if arguments.json:
            arguments.json.write_bytes(msgspec.json.encode(kept))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a command be told how much to measure."""
    parser.add_argument("--quick", action="store_true", help="only to see that it works")
    parser.add_argument("--repeats", type=int, default=3)


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""

    def of(package: str) -> str | None:
        try:
            return version(package)
        except PackageNotFoundError:
            return None

    return {
        "system": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": sys.version.split()[0],
        "mlx": of("mlx"),
        "mlx-lm": of("mlx-lm"),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def processor() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].partition(": ")[2]
    return platform.processor()


def to_json(figures: Sequence[Figure], **more: Any) -> str:
    """Return all of it for a program."""
    rows = [{**asdict(figure), "reached": figure.reached} for figure in figures]
    return json.dumps({"machine": machine(), "figures": rows, **more}, indent=1)


def picture(figures: Sequence[Figure]) -> str:
    """Return an SVG: each figure by what is wanted, one being just as wanted, left of it worse."""
    height, left, unit = 24, 430, 170
    size = f'width="{left + 3 * unit}" height="{height * (len(figures) + 1)}"'
    font = 'font-family="sans-serif" font-size="13"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>']
    for index, figure in enumerate(figures):
        share = figure.measured / figure.wanted if figure.wanted else 1.0
        if figure.better == "less":
            share = 1 / share if share > 0 else math.inf
        y, width = index * height + 4, min(2.6, share) * unit
        colour = "#3a7d44" if figure.reached else "#b5543c"
        lines += [
            f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{_escaped(figure.name)}</text>',
            f'<rect x="{left}" y="{y}" width="{width:.0f}" height="16" fill="{colour}"/>',
            f'<text x="{left + width + 6:.0f}" y="{y + 13}">{figure.measured:.3g}</text>',
        ]
    end, middle = height * len(figures), left + unit
    lines += [
        f'<path d="M{middle} 0V{end}" stroke="black"/>',
        f'<text x="{middle}" y="{end + 16}" text-anchor="middle">as wanted</text>',
        "</svg>",
    ]
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")

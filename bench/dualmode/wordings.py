"""More ways to ask each kind of question, to learn from only; no logic but the drawing.

A model that has seen three wordings of a question learns the three; of forty it learns what is
asked. They stand in `wordings.txt`, under the name of their kind; no held-out wording is among
them, which a test sees to.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from bench.dualmode.example import Side, of_side


def wording(rng: Random, side: Side, kind: str, asks: list[str]) -> str:
    """Choose a wording of a side, to learn from also one of `MORE`."""
    own = of_side(side, asks)
    return rng.choice([*own, *MORE.get(kind, ())] if side is Side.TRAIN else own)


def _read(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("# "):
            wordings = found.setdefault(line.removeprefix("# "), [])
        elif line:
            wordings.append(line)
    return found


MORE = _read(Path(__file__).with_name("wordings.txt"))

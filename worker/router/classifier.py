"""The trained classifier: a linear model over marks, and what of it speaks for or against."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
from msgspec import Struct

from worker.router.features import read

MODEL_PATH = Path(__file__).with_name("router.json")
"""The trained file; `python -m bench.router.train` writes it, bit for bit, from the repository."""


class Model(Struct, frozen=True):
    """What training leaves: integers, so that a sum has one value whatever its order.

    `weights` and `bias` are log odds times `unit`, before calibration; `slope` and `offset` are
    Platt's: the score is the logistic of `slope * log_odds + offset`. `concepts` maps a word, stem
    or gram to its concept, `phrases` a concept to the user's words.
    """

    unit: int
    bias: int
    slope: float
    offset: float
    weights: dict[str, int]
    concepts: dict[str, str]
    phrases: dict[str, str]


class Classifier:
    """Scores texts; holds nothing but the model."""

    def __init__(self, model: Model) -> None:
        self.model = model
        # One table for what is known and what it weighs: most of the time goes into waiting for
        # memory, and two tables are twice as much of it.
        self._known = dict.fromkeys(model.concepts, 0) | model.weights

    def weigh(self, text: str) -> dict[str, int]:
        """Return the marks of a text that the model knows, with their weights in its units."""
        weight_of = self._known.get
        marks = read(text, self.model.concepts, self._known.keys())
        return {mark: weight for mark in marks if (weight := weight_of(mark))}

    def log_odds(self, weighed: dict[str, int]) -> float:
        """Return the calibrated log odds that thinking pays for what `weigh` found."""
        total = self.model.bias + sum(weighed.values())
        return self.model.slope * total / self.model.unit + self.model.offset


def load(path: Path = MODEL_PATH) -> Classifier:
    """Read a trained file.

    Raises:
        OSError: The file can't be read.
        msgspec.ValidationError: It is not a trained file of this version.

    """
    return Classifier(msgspec.json.decode(path.read_bytes(), type=Model))


def probability(log_odds: float) -> float:
    """Return the logistic of log odds, without overflow for any finite value."""
    return 0.5 * (1.0 + math.tanh(0.5 * log_odds))

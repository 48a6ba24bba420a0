"""Fits the router's linear model and makes the trained file of it.

The loss is strictly convex and minimised to the end, and weights are rounded to hundredths of
log odds; so the file depends on the data and on nothing of the machine.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from worker.router.classifier import Model
from worker.router.features import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.router.corpus import Example

UNIT = 100
"""Weights are kept in hundredths of log odds."""

FAINTEST = 15
"""Of these units; a smaller weight does not ship. Of ten of these units it would be half as many
marks again, for one decision in 300; waiting for their table's memory is much of a decision."""

MIN_EXAMPLES = 3
MIN_FAMILIES = 2
"""A word must be seen in this many examples and families: what one source says is its accent."""

STRENGTH = {"@": 2.0, "#": 1.5, "^": 1.0, "$": 1.0}
"""How much more a concept or a trait of form may weigh than a bare word (scale of its column)."""
BARE_WORD = 0.6

PENALTY = 0.6
"""Of a squared weight, against the loss of one example; chosen on leave-one-source-out."""

HEARD = 0.5
"""What the speech recognizer's copy of an example counts for beside the example."""

TEMPTING = 0.5
"""What a prompt counts for that is one of many written to mislead: what people ask seldom does."""

FLATTEST, FLAT_ENOUGH = 1e-8, 1e-5
"""The gradient at which a fit has ended: far below what moves a rounded weight, or a figure."""

MOST_STEPS, MOST_TURNS = 60, 400


class Sparse(Struct, frozen=True):
    """Rows of places that are one, all else zero, as `indptr` and `places` of a CSR matrix."""

    begins: np.ndarray
    places: np.ndarray
    row_of: np.ndarray
    width: int

    def times(self, values: np.ndarray) -> np.ndarray:
        """Return for each row the sum of the values at its places; no row is empty."""
        return np.add.reduceat(values[self.places], self.begins)

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Return for each place the sum of the values of its rows."""
        return np.bincount(self.places, weights=values[self.row_of], minlength=self.width)


class Corpus(Struct, frozen=True):
    """Examples as the learner sees them: the marks they have, by place."""

    names: list[str]
    present: Sparse
    think: np.ndarray
    scale: np.ndarray
    sources: np.ndarray
    counted: np.ndarray
    families: list[str]


def corpus_of(examples: Sequence[Example], concepts: dict[str, str]) -> Corpus:
    """Return examples with the marks that enough of them have."""
    marks = [read(example.text, concepts) for example in examples]
    counts: Counter[str] = Counter()
    for example, present in zip(examples, marks, strict=True):
        if not example.heard:
            counts.update(present)
    names = sorted(mark for mark, count in counts.items() if count >= MIN_EXAMPLES)
    columns = {mark: at for at, mark in enumerate(names)}
    rows = [sorted(columns[m] for m in present if m in columns) for present in marks]
    lengths = np.array([len(row) for row in rows])
    sparse = Sparse(
        np.concatenate([[0], np.cumsum(lengths)[:-1]]),
        np.concatenate([np.array(row) for row in rows]),
        np.repeat(np.arange(len(rows)), lengths),
        len(names),
    )
    return Corpus(
        names,
        sparse,
        np.array([example.think for example in examples]),
        np.array([STRENGTH.get(m[0] if len(m) > 1 else "", BARE_WORD) for m in names]),
        np.array([example.source for example in examples]),
        np.array([not example.heard for example in examples]),
        [example.family for example in examples],
    )


def weights_of(examples: Sequence[Example]) -> np.ndarray:
    """Return a weight for each example: sources count by the root of their size, labels equally."""
    sizes = Counter((e.source, e.think) for e in examples if not e.heard)
    raw = np.array(
        [
            sizes[e.source, e.think] ** -0.5
            * (HEARD if e.heard else 1.0)
            * (TEMPTING if e.source == "tempting" else 1.0)
            for e in examples
        ]
    )
    think = np.array([e.think for e in examples])
    for label in (True, False):
        raw[think == label] *= len(examples) / 2 / raw[think == label].sum()
    return raw


def known(corpus: Corpus, kept: np.ndarray) -> np.ndarray:
    """Return which marks are worth a weight, judging by the examples kept."""
    rows = corpus.present.row_of
    counting = (kept & corpus.counted)[rows]
    places, rows = corpus.present.places[counting], rows[counting]
    counts = np.bincount(places, minlength=corpus.present.width)
    numbered = {family: at for at, family in enumerate(sorted(set(corpus.families)))}
    family = np.array([numbered[name] for name in corpus.families])
    pairs = np.unique(places * len(numbered) + family[rows])
    families = np.bincount(pairs // len(numbered), minlength=corpus.present.width)
    of_form = np.array([name[0] in "@#" for name in corpus.names])
    return (counts >= MIN_EXAMPLES) & (of_form | (families >= MIN_FAMILIES))


def fit(
    corpus: Corpus,
    weights: np.ndarray,
    kept: np.ndarray | None = None,
    start: np.ndarray | None = None,
    flat: float = FLATTEST,
) -> np.ndarray:
    """Return the weight of each mark, the bias last, by truncated Newton steps.

    Args:
        corpus: The examples.
        weights: What each counts for.
        kept: Which are learned from, all if None.
        start: Where to begin; the end is the same.
        flat: The gradient to end at.

    """
    kept = np.ones(len(corpus.think), bool) if kept is None else kept
    weights = np.where(kept, weights, 0.0)
    scale = np.where(known(corpus, kept), corpus.scale, 0.0)
    at = np.zeros(len(scale) + 1) if start is None else start.copy()
    at[:-1] = np.where(scale > 0, at[:-1] / np.where(scale > 0, scale, 1.0), 0.0)

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        totals = corpus.present.times(scale * point[:-1]) + point[-1]
        signed = np.where(corpus.think, totals, -totals)
        value = weights @ np.logaddexp(0, -signed) + PENALTY / 2 * point[:-1] @ point[:-1]
        return float(value), totals

    value, totals = loss(at)
    for _ in range(MOST_STEPS):
        chance = 0.5 * (1 + np.tanh(totals / 2))
        off = weights * (chance - corpus.think)
        slope = np.append(scale * corpus.present.gather(off) + PENALTY * at[:-1], off.sum())
        steepest = float(np.abs(slope).max())
        if steepest < flat:
            break
        step = _newton(corpus, scale, weights * chance * (1 - chance), slope)
        length, fall = 1.0, float(slope @ step)
        while True:
            new_value, new_totals = loss(at + length * step)
            if new_value <= value + 1e-4 * length * fall or length < 1e-4:
                break
            length /= 2
        at, value, totals = at + length * step, new_value, new_totals
    return np.append(scale * at[:-1], at[-1])


def _newton(
    corpus: Corpus, scale: np.ndarray, curvature: np.ndarray, slope: np.ndarray
) -> np.ndarray:
    """Return the Newton step by conjugate gradients, preconditioned with the diagonal."""

    def bend(of: np.ndarray) -> np.ndarray:
        bent = curvature * (corpus.present.times(scale * of[:-1]) + of[-1])
        return np.append(scale * corpus.present.gather(bent) + PENALTY * of[:-1], bent.sum())

    diagonal = np.append(scale**2 * corpus.present.gather(curvature) + PENALTY, curvature.sum())
    step, rest = np.zeros_like(slope), -slope
    softened = rest / diagonal
    along, size = softened, float(rest @ softened)
    enough = size * min(0.01, float(np.sqrt(np.abs(slope).max()))) ** 2
    for _ in range(MOST_TURNS):
        if size <= enough:
            break
        bent = bend(along)
        length = size / float(along @ bent)
        step = step + length * along
        rest = rest - length * bent
        softened = rest / diagonal
        before, size = size, float(rest @ softened)
        along = softened + size / before * along
    return step


def shipped(fitted: np.ndarray) -> np.ndarray:
    """Return weights, the bias last, as they ship: rounded to units, the faintest left out."""
    rounded = np.round(fitted * UNIT)
    rounded[:-1][np.abs(rounded[:-1]) < FAINTEST] = 0.0
    return rounded


def totals_of(corpus: Corpus, fitted: np.ndarray) -> np.ndarray:
    """Return the uncalibrated log odds of each example, by weights rounded as they ship."""
    rounded = shipped(fitted)
    return (corpus.present.times(rounded[:-1]) + rounded[-1]) / UNIT


def calibrate(totals: np.ndarray, think: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return Platt's slope and offset, from log odds of examples their model had not seen."""
    at = np.array([1.0, 0.0])
    design = np.stack([totals, np.ones_like(totals)])
    for _ in range(MOST_STEPS):
        chance = 0.5 * (1 + np.tanh((at @ design) / 2))
        bend = (design * (weights * chance * (1 - chance))) @ design.T
        at = at - np.linalg.solve(bend, design @ (weights * (chance - think)))
    return round(float(at[0]), 2), round(float(at[1]), 2)


def model_of(
    corpus: Corpus,
    fitted: np.ndarray,
    platt: tuple[float, float],
    concepts: tuple[dict[str, str], dict[str, str]],
) -> Model:
    """Return what is shipped."""
    rounded = [int(weight) for weight in shipped(fitted)]
    return Model(
        unit=UNIT,
        bias=rounded[-1],
        slope=platt[0],
        offset=platt[1],
        weights={name: w for name, w in zip(corpus.names, rounded, strict=False) if w},
        concepts=dict(sorted(concepts[0].items())),
        phrases=concepts[1],
    )

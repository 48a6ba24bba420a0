"""Fits the router's linear model and makes the trained file of it; needs the `train` group.

The loss is strictly convex and minimised to the end, and weights are rounded to hundredths of
log odds; so the file depends on the data and on nothing of the machine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from worker.router.classifier import Model
from worker.router.features import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.router.corpus import Example

UNIT = 100
"""Weights are kept in hundredths of log odds."""

MIN_EXAMPLES = 3
MIN_FAMILIES = 2
"""A word must be seen in this many examples and families: what one source says is its accent."""

STRENGTH = {"@": 2.0, "#": 1.5, "^": 1.0, "$": 1.0}
"""How much more a concept or a trait of form may weigh than a bare word (scale of its column)."""
BARE_WORD = 0.6

PENALTY = 0.6
"""Inverse of C of the logistic regression; chosen on leave-one-source-out, docs/router.md."""


def marks_of(examples: Sequence[Example], concepts: dict[str, str]) -> list[set[str]]:
    """Return the marks of each example."""
    return [read(example.text, concepts) for example in examples]


def weights_of(examples: Sequence[Example]) -> np.ndarray:
    """Return a weight for each example: sources count by the root of their size, labels equally."""
    sizes = Counter((e.source, e.think) for e in examples)
    raw = np.array([sizes[e.source, e.think] ** -0.5 for e in examples])
    think = np.array([e.think for e in examples])
    for label in (True, False):
        raw[think == label] *= len(examples) / 2 / raw[think == label].sum()
    return raw


def vocabulary(examples: Sequence[Example], marks: Sequence[set[str]]) -> list[str]:
    """Return the marks worth a weight, sorted."""
    counts: Counter[str] = Counter()
    families: defaultdict[str, set[str]] = defaultdict(set)
    for example, present in zip(examples, marks, strict=True):
        counts.update(present)
        for mark in present:
            families[mark].add(example.family)
    return sorted(
        mark
        for mark, count in counts.items()
        if count >= MIN_EXAMPLES and (mark[0] in "@#" or len(families[mark]) >= MIN_FAMILIES)
    )


def matrix(marks: Sequence[set[str]], columns: dict[str, int]) -> csr_matrix:
    """Return the marks as a sparse matrix, columns scaled by how much they may weigh."""
    scale = [STRENGTH.get(mark[0] if len(mark) > 1 else "", BARE_WORD) for mark in columns]
    rows: list[int] = []
    places: list[int] = []
    for row, present in enumerate(marks):
        known = sorted(columns[m] for m in present if m in columns)
        rows.extend([row] * len(known))
        places.extend(known)
    values = np.array([scale[place] for place in places])
    return csr_matrix((values, (rows, places)), shape=(len(marks), len(columns)))


def fit(examples: Sequence[Example], marks: Sequence[set[str]]) -> tuple[dict[str, int], int]:
    """Return the weights by mark and the bias, in units."""
    names = vocabulary(examples, marks)
    columns = {mark: at for at, mark in enumerate(names)}
    model = LogisticRegression(C=1 / PENALTY, tol=1e-7, max_iter=4000)
    model.fit(
        matrix(marks, columns),
        [e.think for e in examples],
        sample_weight=weights_of(examples),
    )
    scale = [STRENGTH.get(mark[0] if len(mark) > 1 else "", BARE_WORD) for mark in names]
    raw = model.coef_[0] * scale
    rounded = {m: round(float(w) * UNIT) for m, w in zip(names, raw, strict=True)}
    return {m: w for m, w in rounded.items() if w}, round(float(model.intercept_[0]) * UNIT)


def total(present: set[str], weights: dict[str, int], bias: int) -> float:
    """Return the uncalibrated log odds of one set of marks."""
    return (bias + sum(weights[m] for m in present if m in weights)) / UNIT


def calibrate(
    totals: Sequence[float], think: Sequence[bool], weights: np.ndarray
) -> tuple[float, float]:
    """Return Platt's slope and offset, from log odds of examples their model had not seen."""
    platt = LogisticRegression(C=1e6, tol=1e-9)
    platt.fit(np.array(totals)[:, None], think, sample_weight=weights)
    return round(float(platt.coef_[0][0]), 4), round(float(platt.intercept_[0]), 4)


def model_of(
    weights: dict[str, int],
    bias: int,
    platt: tuple[float, float],
    concepts: tuple[dict[str, str], dict[str, str]],
) -> Model:
    """Return what is shipped."""
    return Model(
        unit=UNIT,
        bias=bias,
        slope=platt[0],
        offset=platt[1],
        weights=dict(sorted(weights.items())),
        concepts=dict(sorted(concepts[0].items())),
        phrases=concepts[1],
    )

"""Makes a site's layer of its examples: logistic regression on top of the trained model's odds.

Weights are pulled to nothing (a normal prior), so a handful of examples moves little and a word
seen once moves nothing. No package is needed, and the same examples make the same layer.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from worker.router.classifier import probability
from worker.router.site import Site

if TYPE_CHECKING:
    from collections.abc import Sequence

PRIOR_WEIGHT = 0.7
"""Standard deviation of a mark's weight, in log odds."""

PRIOR_BIAS = 0.3
MIN_EXAMPLES = 2
"""A mark must be seen in so many examples."""

FEWEST = 10
"""Examples below which nothing is tuned: two or three say more of a mood than of a site."""

FOLDS = 5
_PASSES = 200
_SMALLEST_STEP = 1e-4
_FAINT = 0.02
_SUREST = 1e-4


class Case(Struct, frozen=True):
    """An example as the fit sees it: its marks, the log odds without a layer, what it needs.

    `weight` is what it counts: a user's word is 1.
    """

    marks: frozenset[str]
    log_odds: float
    think: bool
    weight: float = 1.0


def fit(cases: Sequence[Case], *, made_at: float = 0.0) -> Site:
    """Return the layer that fits the cases best, weighed against changing nothing."""
    counts = Counter(mark for case in cases for mark in case.marks)
    names = sorted(mark for mark, count in counts.items() if count >= MIN_EXAMPLES)
    holders = [[at for at, case in enumerate(cases) if name in case.marks] for name in names]
    holders.append(list(range(len(cases))))
    precisions = [PRIOR_WEIGHT**-2] * len(names) + [PRIOR_BIAS**-2]
    values = [0.0] * len(holders)
    odds = [case.log_odds for case in cases]
    for _ in range(_PASSES):
        moved = 0.0
        for at, held in enumerate(holders):
            slope = sum(
                cases[one].weight * (cases[one].think - probability(odds[one])) for one in held
            )
            slope -= precisions[at] * values[at]
            # A bound on the curvature makes each step safe (Böhning and Lindsay 1988).
            seen = sum(cases[one].weight for one in held)
            step = slope / (0.25 * seen + precisions[at])
            if not step:
                continue
            values[at] += step
            moved = max(moved, abs(step))
            for one in held:
                odds[one] += step
        if moved < _SMALLEST_STEP:
            break
    weights = {
        name: round(value, 4)
        for name, value in zip(names, values[:-1], strict=True)
        if abs(value) >= _FAINT
    }
    return Site(round(values[-1], 4), weights, len(cases), made_at)


def unseen(cases: Sequence[Case]) -> list[float]:
    """Return the log odds of each case under a layer that was made without it."""
    found = [case.log_odds for case in cases]
    for fold in range(min(FOLDS, len(cases))):
        layer = fit([case for at, case in enumerate(cases) if at % FOLDS != fold])
        for at, case in enumerate(cases):
            if at % FOLDS == fold:
                found[at] += layer.correction(case.marks)
    return found


def log_odds_of(score: float) -> float:
    """Return the log odds of a score, one that is surer than 1 in 10,000 counted as that."""
    score = min(max(score, _SUREST), 1 - _SUREST)
    return math.log(score / (1 - score))

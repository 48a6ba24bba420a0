"""Kinds of questions about machines near the one that is held out, to learn from only.

Which machine is furthest over a limit is held out, so which one is over it at all is learned, which
is nearest to it, and which reads most.
"""

from __future__ import annotations

from random import Random

from bench.dualmode.example import WORDS, Example, Side, of_side, words
from bench.dualmode.machines import listed, most_of


def nearest_limit(rng: Random, side: Side) -> Example:
    """Which machine is the only one under or over a limit; each with a number."""
    machines = _machines(rng)
    limit = rng.randint(40, 120)
    under = rng.random() < 0.5
    one = rng.randrange(3)
    values = [
        limit + (1 if (index == one) != under else -1) * rng.randint(1, 30) for index in range(3)
    ]
    unit, what = rng.choice(
        (("C", "temperature"), ("bar", "pressure"), ("A", "current"), ("%", "load"))
    )
    asks = ["The limit is {x} {u}. {l}. Which machine is {w} the limit?",
            "Limit of the {t}: {x} {u}. {l}. Which machine is {w} it?",
            "{l}. The limit is {x} {u}. Name the machine that is {w}."]  # fmt: skip
    question = rng.choice(asks).format(
        x=limit, u=unit, l=listed(machines, values, unit), t=what, w="below" if under else "over"
    )  # fmt: skip
    steps = [
        f"{m} {v} {'>' if v > limit else '<'} {limit}"
        for m, v in zip(machines, values, strict=True)
    ]
    chosen = machines[one]
    return words(
        "machines", "one over", question[0].upper() + question[1:],
        f"{', '.join(steps)}. {'Below' if under else 'Over'}: {chosen}", f"It is {chosen}.",
        machines, chosen,
    )  # fmt: skip


def numbered_most(rng: Random, side: Side) -> Example:
    """Names that end in a number, each with a value, after a sentence that does not matter."""
    machines = _machines(rng)
    values = rng.sample(range(10, 140), 3)
    top = rng.random() < 0.7
    unit = rng.choice(("C", "bar", "A", "kW", "dB"))
    asks = ["The normal value is {x} {u}. {l}. Which machine reads {w}?",
            "The shift began at {x}. {l}. Which machine is {w}?",
            "{l}. Which machine stands {w}?"]  # fmt: skip
    question = rng.choice(asks).format(
        x=rng.randint(5, 90), u=unit, l=listed(machines, values, unit), w=rng.choice(("highest", "hottest", "strongest"))
        if top else rng.choice(("lowest", "weakest")),
    )  # fmt: skip
    return _chosen(machines, values, unit, question, "numbered most", top=top)


def nearest_below(rng: Random, side: Side) -> Example:
    """Which machine has the least or the most room under a limit that none exceeds."""
    machines = _machines(rng)
    limit = rng.randint(50, 130)
    values = [limit - room for room in rng.sample(range(1, 40), 3)]
    near = rng.random() < 0.6
    unit = rng.choice(("C", "bar", "A", "kW", "dB"))
    asks = ["The limit is {x} {u}. {l}. Which machine {w}?",
            "{l}. At most {x} {u} are allowed. Which machine {w}?",
            "Allowed: {x} {u}. {l}. Name the machine that {w}."]  # fmt: skip
    question = rng.choice(asks).format(
        x=limit, u=unit, l=listed(machines, values, unit), w=rng.choice(
            ("is nearest to the limit", "has the least room left", "comes closest to the limit")
            if near else ("is furthest below the limit", "has the most room left")
        ),
    )  # fmt: skip
    return _chosen(machines, values, unit, question, "nearest below", top=near)


def _chosen(
    machines: list[str], values: list[int], unit: str, question: str, kind: str, *, top: bool
) -> Example:
    chosen = machines[values.index((max if top else min)(values))]
    return words(
        "machines", kind, question[0].upper() + question[1:],
        most_of(machines, values, unit, top=top), f"It is {chosen}.", machines, chosen,
    )  # fmt: skip


def _machines(rng: Random) -> list[str]:
    return [f"{kind} {rng.randint(1, 40)}" for kind in rng.sample(of_side(Side.TRAIN, WORDS), 3)]


GENERATORS = [(nearest_limit, 4), (numbered_most, 4), (nearest_below, 4)]

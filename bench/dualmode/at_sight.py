"""Conditions to be seen at sight, to learn from only: many in one example, or each with its command.

A command under a condition has one token in which it can be seen whether that holds. To weigh two
numbers against one another without a thought is learned from hundreds of thousands of such tokens,
not from thousands; a list of conditions has one for each.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from bench.dualmode import devices
from bench.dualmode.example import Example, Side
from bench.dualmode.homes import _action, _dump, _object, _thought
from bench.dualmode.more_homes import COMPARED, IFS, SUBJECTS, _asked, _commands, _one, _state, _the
from bench.dualmode.wordings import MORE

TRAIN = Side.TRAIN
WEATHER = [
    ("outside temperature", "C", "it", "degrees outside", 1, 35, "warmer|colder"),
    ("humidity", "%", "the humidity", "percent", 20, 90, "higher|lower"),
    ("wind", "km/h", "the wind", "km/h", 1, 80, "stronger|weaker"),
]
"""What most conditions are on: its name and unit in the state and as spoken, lowest and highest limit."""

ASKS = """Which of these hold?|Say of each whether it holds.|Is that so?|True or not?|Judge each condition.|Do these hold now?|
Hold these against the state.|Which of the conditions are met?|Is it the case that:|Check each of these."""
ANSWERS: list[tuple[str, Callable[[list[bool]], str]]] = [
    ("Answer yes or no for each, parted by commas.", lambda held: ", ".join("yes" if one else "no" for one in held)),
    ("Say yes or no for each, one a line.", lambda held: "\n".join("yes" if one else "no" for one in held)),
    ('Reply with JSON: {"holds": [true, false]}.', lambda held: _dump({"holds": held})),
    ("Number them: 1 yes, 2 no.", lambda held: ", ".join(f"{i} {'yes' if one else 'no'}" for i, one in enumerate(held, 1))),
    ("Name the numbers of those that hold, or say none.",
     lambda held: ", ".join(str(i) for i, one in enumerate(held, 1) if one) or "none"),
]  # fmt: skip


class Reading(NamedTuple):
    """What is measured, as in `WEATHER` or `SUBJECTS`, where, and what it is now."""

    subject: tuple[Any, ...]
    room: str
    now: int

    @property
    def item(self) -> tuple[str, int, str]:
        """Its name, value and unit."""
        return self.subject[0].format(r=self.room), self.now, self.subject[1]


def verdicts(rng: Random, side: Side) -> Example:
    """Which of several conditions hold, each seen from the state alone."""
    readings = _readings(rng, rng.choice((1, 1, 2, 3)))
    parts = [_clause(rng, rng.choice(readings)) for _ in range(rng.choice((1, 4, 5, 6, 7)))]
    held = [holds for _, holds, _ in parts]
    told, written = rng.choice(ANSWERS)
    numbered = "number" in told.lower() or rng.random() < 0.3
    clauses = [f"{i}. {clause}" if numbered else clause for i, (clause, _, _) in enumerate(parts, 1)]  # fmt: skip
    text = _one(rng, ASKS) + rng.choice((" ", "\n")) + rng.choice(("; ", "\n", ", ")).join(clauses)
    items = [reading.item for reading in readings]
    system = "\n".join(rng.sample([told, _state(rng, items)], 2))
    thought = " ".join(f"{work}, {'yes' if holds else 'no'}." for _, holds, work in parts)
    schema = _object({"holds": {"type": "array", "items": {"type": "boolean"}}}) if "JSON" in told else None  # fmt: skip
    return _asked("verdicts", system, text, thought, written(held), schema)


def conditionals(rng: Random, side: Side) -> Example:
    """One to three commands, each under a condition of its own: those are done whose condition holds."""
    home = devices.home(rng, TRAIN)[: rng.randint(2, 5)]
    readings = _readings(rng, rng.choice((1, 1, 2)))
    said, actions, thought = [], [], []
    for device in rng.sample(home, min(len(home), rng.choice((1, 1, 2, 2, 3)))):
        phrase, action = _action(rng, TRAIN, device)
        clause, holds, work = _clause(rng, rng.choice(readings), rng.choice(MORE["if"]))
        said.append(f"{clause}, {phrase}" if rng.random() < 0.7 else f"{phrase} {clause}")
        thought.append(f"{work}, so {'yes' if holds else 'no'}.")
        if holds:
            actions.append(action)
            thought.append(_thought([action]))
    if not actions:
        thought.append(_thought([]))
    items = [reading.item for reading in readings]
    return _commands(rng, "conditionals", home, said, actions, " ".join(thought), items)


def _readings(rng: Random, count: int) -> list[Reading]:
    """Return what the state tells: mostly of the weather, as commands are mostly put under."""
    weather = rng.sample(WEATHER, min(count, rng.choice((1, 1, count))))
    subjects = weather + rng.sample(SUBJECTS, count - len(weather))
    if rng.random() < 0.25:
        subjects = rng.sample(SUBJECTS, count)
    rng.shuffle(subjects)
    return [Reading(subject, devices.room(rng, TRAIN), rng.randint(subject[4], subject[5])) for subject in subjects]  # fmt: skip


def _clause(rng: Random, reading: Reading, shape: str = "") -> tuple[str, bool, str]:
    """Return a condition on a reading, whether it holds, and how that is seen.

    A `shape` is how a command is put under it; without one the condition stands alone.
    """
    _, _, spoken, said_unit, low, high, own = reading.subject
    gap = rng.randint(1, max(4, (high - low) // rng.choice((2, 2, 4, 10))))
    limit = max(1, reading.now + rng.choice((-1, 1)) * gap)
    if limit == reading.now:
        limit += 1
    more, bound = rng.random() < 0.5, f"{limit} {said_unit}".strip()
    if own and "{x}" not in own:
        comparison = own.split("|")[0 if more else 1]
        clause = (shape or "{s} is {c} than {x}").format(s=spoken, c=comparison, x=bound)
    else:
        pair = own if own and rng.random() < 0.5 else rng.choice(COMPARED)
        clause = pair.split("|")[0 if more else 1]
        clause = clause if pair == own else f"{spoken} {clause} {{x}}"
        clause = clause.format(q=_the(reading.room), x=bound)
        clause = f"{_one(rng, IFS)} {clause}" if shape else clause
    sign = ">" if reading.now > limit else "<"
    return clause, (reading.now > limit) == more, f"{reading.now} {sign} {limit}"


GENERATORS = [(verdicts, 30), (conditionals, 20)]

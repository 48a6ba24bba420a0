"""Readings of a machine held against limits, and what they point to; questions with one answer."""

from __future__ import annotations

from random import Random

from bench.dualmode.example import WORDS, Example, Side, pick
from bench.dualmode.steps import extreme, subtract, within
from bench.dualmode.wordings import wording

MACHINE_KINDS = """\
press,pump,oven,mill,lathe,fan,mixer,conveyor,drill,saw,compressor,extruder,packer,boiler,robot,chiller,turbine,motor,
kiln,dryer,crusher,filter,valve,crane,welder,cutter,grinder,furnace,centrifuge,labeler,filler,palletizer,sorter,
winder,spindle,blower,reactor,separator,stacker,feeder\
""".replace("\n", "").split(",")
READINGS = {
    "temperature": ("C", 40, 120), "pressure": ("bar", 2, 20), "vibration": ("mm/s", 1, 15),
    "current": ("A", 5, 60), "speed": ("rpm", 400, 3000), "flow": ("l/min", 5, 90),
    "oil level": ("%", 10, 95), "humidity": ("%", 15, 90), "voltage": ("V", 180, 420), "torque": ("Nm", 5, 200),
    "load": ("kg", 20, 900), "noise": ("dB", 40, 110), "power": ("kW", 2, 80), "tension": ("N", 10, 300),
}  # fmt: skip
CAUSES = {
    ("temperature high", "flow low"): "blocked cooling",
    ("vibration high", "speed normal"): "worn bearing",
    ("current high", "speed low"): "overload",
    ("pressure low", "oil level low"): "oil leak",
    ("pressure high", "flow low"): "clogged filter",
    ("temperature high", "oil level low"): "lack of oil",
    ("current low", "speed low"): "weak supply",
    ("vibration high", "current high"): "jammed tool",
}


def over_limit(rng: Random, side: Side) -> Example:
    """Which readings are beyond their maxima."""
    names = rng.sample(sorted(READINGS), rng.randint(2, 4))
    lines, steps, out = [], [], []
    for name in names:
        unit, low, high = READINGS[name]
        limit = rng.randint(low, high)
        value = limit + rng.choice((-1, -1, 1)) * rng.randint(1, max(2, limit // 5))
        over = value > limit
        lines.append(f"{name} {value} {unit} (max {limit})")
        steps.append(f"{name}: {value} {'>' if over else '<'} {limit}, {'over' if over else 'ok'}")
        if over:
            out.append(name)
    asks = [
        "{m}: {l}. Which readings are over the limit?",
        "Readings of {m}: {l}. What is above its maximum?",
        "{l} on {m}. Name every reading that exceeds its limit.",
        "Check {m}: {l}. Which values are too high?",
    ]
    question = wording(rng, side, "over_limit", asks).format(
        m=_machine(rng, side), l=", ".join(lines)
    )
    return _named("over limit", question, steps, ", ".join(out) or "none", names)


def in_range(rng: Random, side: Side) -> Example:
    """Whether readings are low, high or in order, with both limits."""
    names = rng.sample(sorted(READINGS), rng.randint(2, 3))
    lines, steps, out = [], [], []
    for name in names:
        unit, bottom, top = READINGS[name]
        low = rng.randint(bottom, (bottom + top) // 2)
        high = low + rng.randint(max(2, (top - bottom) // 5), max(3, (top - bottom) // 2))
        value = rng.choice(
            (rng.randint(low, high), max(0, low - rng.randint(1, 9)), high + rng.randint(1, 9))
        )
        held = within(value, low, high)
        state = held.rsplit(", ", 1)[1]
        lines.append(f"{name} {value} {unit}, allowed {low} to {high}")
        steps.append(f"{name}: {held}")
        if state != "ok":
            out.append(f"{name} {state}")
    asks = [
        "{m}: {l}. What is out of range, and is it low or high?",
        "{m} reports {l}. Which readings are out of range (low or high)?",
        "Look at {m}: {l}. Say what is too low or too high.",
        "State of {m}: {l}. What lies outside, and on which side?",
    ]
    question = wording(rng, side, "in_range", asks).format(
        m=_machine(rng, side), l="; ".join(lines)
    )
    choices = [f"{name} {state}" for name in names for state in ("low", "high")]
    return _named("in range", question, steps, ", ".join(out) or "none", choices)


def diagnosis(rng: Random, side: Side) -> Example:
    """Two readings against their limits, a table of causes, and the cause that fits."""
    causes = rng.sample(sorted(CAUSES), 3)
    chosen = rng.choice(causes)
    lines, steps = [], []
    for sign in chosen:
        name, state = sign.rsplit(" ", 1)
        unit, bottom, top = READINGS[name]
        low = rng.randint(bottom, (bottom + top) // 2)
        high = low + rng.randint(max(3, (top - bottom) // 5), max(4, (top - bottom) // 2))
        value = {
            "low": max(0, low - rng.randint(1, 9)),
            "high": high + rng.randint(1, 20),
            "normal": rng.randint(low, high),
        }[state]
        lines.append(f"{name} {value} {unit} (allowed {low} to {high})")
        steps.append(f"{name}: {within(value, low, high).replace(', ok', ', normal')}")
    rules = "; ".join(f"{' and '.join(cause)}: {CAUSES[cause]}" for cause in causes)
    asks = [
        "{m}: {l}. Causes: {r}. Which cause fits?",
        "{m} shows {l}. Known faults: {r}. What is the most likely fault?",
        "Fault table: {r}. {m} reads {l}. Which fault is it?",
        "Given these rules ({r}), what is wrong with {m} at {l}?",
    ]
    question = wording(rng, side, "diagnosis", asks).format(
        m=_machine(rng, side), l=", ".join(lines), r=rules
    )
    steps.append(f"{' and '.join(chosen)}: {CAUSES[chosen]}")
    return _named("diagnosis", question, steps, CAUSES[chosen], [CAUSES[cause] for cause in causes])


def table(rng: Random, side: Side) -> Example:
    """Which machine of a table is over a limit, and what to look at: as documents in a request."""
    machines = [name.replace(" ", "-") for name in _machines(rng, side)]
    names = rng.sample(sorted(READINGS), 2)
    limits = [rng.randint(*READINGS[name][1:]) for name in names]
    bad = rng.choice((*range(3), *range(3), 3))
    which = rng.randrange(2)
    lines, steps, answer = [], [], "none"
    for index, machine in enumerate(machines):
        shown, thought = [], []
        for place, (name, limit) in enumerate(zip(names, limits, strict=True)):
            unit = READINGS[name][0]
            over = index == bad and place == which
            value = limit + rng.randint(1, 20) if over else max(0, limit - rng.randint(1, 25))
            shown.append(f"{name} {value} {unit} (limit {limit} {unit})")
            thought.append(
                f"{name} {value} {'>' if over else '<'} {limit}, {'over' if over else 'ok'}"
            )
            if over:
                answer = f"Check {machine} first: {name} {value} {unit}, limit {limit} {unit}."
        lines.append(f"{machine}: {', '.join(shown)}")
        steps.append(f"{machine}: {', '.join(thought)}")
    asks = [
        "Which machine is over a limit, and what should be checked first?",
        "Is any machine over its limit? Which one, and why?",
        "What should the shift leader check first?",
        "Which machine needs attention, and for which reading?",
    ]
    text = "\n".join(lines)
    question = f"readings:\n{text}\n\n{wording(rng, side, 'table', asks)}"
    if answer == "none":
        answer = "All machines are within their limits; none needs a check."
    return Example(
        category="machines", kind="table", question=question, thought=". ".join(steps) + ".",
        answer=answer, expected=machines[bad] if bad < 3 else "none", check="words",
        choices=(*machines, "none"),
    )  # fmt: skip


def trend(rng: Random, side: Side) -> Example:
    """Whether a row of readings rises, falls or stays, and by how much in all."""
    name = rng.choice(sorted(READINGS))
    unit, low, high = READINGS[name]
    first = rng.randint(low + 10, high + 20)
    step = rng.choice((-1, 1)) * rng.randint(1, 4)
    values = [first]
    for _ in range(rng.randint(2, 3)):
        values.append(values[-1] + step + rng.choice((0, 0, 1 if step > 0 else -1)))
    values = [max(0, value) for value in values]
    by = abs(values[-1] - values[0])
    word = "rises" if values[-1] > values[0] else "falls"
    asks = [
        "{n} of {m} over the last hours: {v} {u}. Does it rise or fall, and by how much in all?",
        "{m}, {n}: {v} {u}. By how much did it change from first to last, and which way?",
        "The {n} at {m} went {v} {u}. Rising or falling, and by how much?",
        "Trend of the {n} at {m}: {v} {u}. Which way and by how much?",
    ]
    question = wording(rng, side, "trend", asks).format(
        n=name, m=_machine(rng, side), u=unit, v=", ".join(map(str, values))
    )
    thought = (
        f"first {values[0]}, last {values[-1]}, {word}. "
        f"{subtract(max(values[0], values[-1]), min(values[0], values[-1]))}."
    )
    return Example(
        category="machines", kind="trend", question=question[0].upper() + question[1:],
        thought=thought, answer=f"It {word} by {by}", expected=str(by),
    )  # fmt: skip


def margin(rng: Random, side: Side) -> Example:
    """How far a reading is from its limit."""
    name = rng.choice(sorted(READINGS))
    unit, low, high = READINGS[name]
    limit = rng.randint(low + 20, high + 30)
    value = limit + rng.choice((-1, 1)) * rng.randint(2, 19)
    word = "over" if value > limit else "below"
    asks = [
        "{m} has a {n} of {v} {u}; the limit is {x}. How far over or below is it?",
        "The {n} of {m} is {v} {u}, its limit {x}. By how much is it over or below?",
        "{m}: {n} {v} {u}, limit {x}. How many {u} over or below the limit?",
        "Limit {x}, {n} of {m} {v} {u}: how large is the distance, over or below?",
    ]
    question = wording(rng, side, "margin", asks).format(
        m=_machine(rng, side), n=name, v=value, u=unit, x=limit
    )
    thought = f"{value} {'>' if value > limit else '<'} {limit}, {word}. "
    thought += subtract(max(value, limit), min(value, limit)) + "."
    return Example(
        category="machines", kind="margin", question=question, thought=thought,
        answer=f"{word} by {abs(value - limit)} {unit}", expected=str(abs(value - limit)),
    )  # fmt: skip


def highest_reading(rng: Random, side: Side) -> Example:
    """Which machine has the highest or lowest reading."""
    machines = _machines(rng, side)
    name = rng.choice(sorted(READINGS))
    unit, low, high = READINGS[name]
    values = rng.sample(range(low, high + 12), 3)
    top = rng.random() < 0.6
    best = max(values) if top else min(values)
    asks = [
        "{n}: {l}. Which machine has the {w} {n}?",
        "{l}. Where is the {n} {w}?",
        "The {n} was read at three machines: {l}. Which one is {w}?",
        "Readings of the {n}: {l}. At which machine is it {w}?",
    ]
    word = rng.choice(("highest", "largest") if top else ("lowest", "smallest"))
    chosen = machines[values.index(best)]
    question = wording(rng, side, "highest_reading", asks).format(
        n=name, l=listed(machines, values, unit), w=word
    )
    steps = [most_of(machines, values, unit, top=top)]
    return _named("highest reading", question, steps, chosen, machines)


def worst_machine(rng: Random, side: Side) -> Example:
    """A kind that is held out: which machine is furthest over one limit."""
    machines = _machines(rng, side)
    limit = rng.randint(50, 90)
    values = [limit + over for over in rng.sample(range(1, 30), 3)]
    worst = machines[values.index(max(values))]
    question = f"The limit is {limit} C. {listed(machines, values, 'C')}. Which machine is furthest over the limit?"
    steps = [most_of(machines, values, "C", top=True)]
    return _named("worst machine", question, steps, worst, machines)


GENERATORS = [(table, 5), (over_limit, 7), (in_range, 5), (diagnosis, 7), (trend, 3), (margin, 3),
              (highest_reading, 4)]  # fmt: skip
HELD_OUT_KINDS = [worst_machine]


def listed(machines: list[str], values: list[int], unit: str) -> str:
    """Return machines and their readings as a question has them."""
    return ", ".join(f"{m} {v} {unit}" for m, v in zip(machines, values, strict=True))


def most_of(machines: list[str], values: list[int], unit: str, *, top: bool) -> str:
    """Return how the machine with the highest or the lowest value is found."""
    best = (max if top else min)(values)
    return f"{listed(machines, values, unit)}: {extreme(values, top=top)}, that is {machines[values.index(best)]}"


def _machine(rng: Random, side: Side) -> str:
    number = rng.choice((str(rng.randint(1, 40)), rng.choice("ABCDEFGH")))
    return f"{_machine_kind(rng, side)} {number}"


def _machine_kind(rng: Random, side: Side) -> str:
    return pick(rng, side, MACHINE_KINDS if rng.random() < 0.6 else WORDS)


def _machines(rng: Random, side: Side) -> list[str]:
    kinds: list[str] = []
    while len(kinds) < 3:
        kind = _machine_kind(rng, side)
        if kind not in kinds:
            kinds.append(kind)
    return [f"{kind} {rng.randint(1, 40)}" for kind in kinds]


def _named(kind: str, question: str, steps: list[str], answer: str, choices: list[str]) -> Example:
    # A name is copied as it stands in the question, behind a space; at the very start of an answer
    # it would be other tokens.
    said = f"It is {answer}." if kind in {"highest reading", "worst machine"} else answer
    return Example(
        category="machines", kind=kind, question=question[0].upper() + question[1:],
        thought=". ".join(steps) + ".", answer=said, expected=answer, check="words",
        choices=tuple(choices),
    )  # fmt: skip

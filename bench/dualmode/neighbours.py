"""Kinds of questions near those that are held out, to learn from only: never a held-out kind.

A number less a product is held out, so a number and a product, a quotient or a bracket are learned;
the gap between the ends of a list is held out, so other pairs of a list are; counting even numbers
is held out, so counting by other marks is; and so on.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random

from bench.dualmode.example import WORDS, Example, Side, number, of_side, pick, words
from bench.dualmode.steps import add, counted, divide, multiply, subtract
from bench.dualmode.stories import GOODS, NAMES


def number_and_product(rng: Random, side: Side) -> Example:
    """A product that comes second is still worked out first."""
    a, b, c = rng.randint(11, 60), rng.randint(3, 9), rng.randint(11, 300)
    asks = ["What is {c} + {a} * {b}?", "{c} plus {a} times {b}?", "To {c} add {a} times {b}.",
            "Compute {c} + {a} * {b}.", "Add {a} times {b} to {c}.", "{c} + {a} x {b} ="]  # fmt: skip
    question = rng.choice(asks).format(a=a, b=b, c=c)
    thought = f"{c}+{a}*{b}. {multiply(a, b)}. {add(c, a * b)}"
    return number("arithmetic", "number and product", question, thought, c + a * b)


def number_and_quotient(rng: Random, side: Side) -> Example:
    b, quotient = rng.randint(3, 9), rng.randint(6, 40)
    a, c = b * quotient, rng.randint(11, 300)
    less = rng.random() < 0.6
    if less:
        c += quotient
        asks = ["What is {c} - {a} / {b}?", "{c} minus {a} over {b}?", "Take {a} / {b} from {c}.",
                "From {c} subtract {a} divided by {b}.", "Compute {c} - {a} / {b}."]  # fmt: skip
    else:
        asks = ["What is {c} + {a} / {b}?", "{c} plus {a} over {b}?", "Add {a} / {b} to {c}.",
                "To {c} add {a} divided by {b}.", "Compute {c} + {a} / {b}."]  # fmt: skip
    sign, last = ("-", subtract(c, quotient)) if less else ("+", add(c, quotient))
    return number(
        "arithmetic", "number and quotient", rng.choice(asks).format(a=a, b=b, c=c),
        f"{c}{sign}{a}/{b}. {divide(a, b)}. {last}", c - quotient if less else c + quotient,
    )  # fmt: skip


def less_bracket(rng: Random, side: Side) -> Example:
    a, b = rng.randint(11, 99), rng.randint(11, 99)
    c = a + b + rng.randint(5, 300)
    asks = ["What is {c} - ({a} + {b})?", "From {c} take the sum of {a} and {b}.",
            "{c} minus the sum of {a} and {b}?", "Compute {c} - ({a} + {b}).",
            "Subtract {a} + {b} from {c}."]  # fmt: skip
    thought = f"{c}-({a}+{b}). {add(a, b)}. {subtract(c, a + b)}"
    return number(
        "arithmetic", "less bracket", rng.choice(asks).format(a=a, b=b, c=c), thought, c - a - b
    )


def two_products(rng: Random, side: Side) -> Example:
    a, c = rng.randint(11, 40), rng.randint(3, 12)
    b, d = rng.randint(3, 9), rng.randint(2, 9)
    less = rng.random() < 0.5 and a * b > c * d
    sign = "-" if less else "+"
    asks = ["What is {a} * {b} {s} {c} * {d}?", "{a} times {b} {w} {c} times {d}?",
            "Compute {a} * {b} {s} {c} * {d}."]  # fmt: skip
    question = rng.choice(asks).format(
        a=a, b=b, c=c, d=d, s=sign, w="minus" if less else "plus"
    )  # fmt: skip
    last = subtract(a * b, c * d) if less else add(a * b, c * d)
    thought = f"{a}*{b}{sign}{c}*{d}. {multiply(a, b)}. {multiply(c, d)}. {last}"
    value = a * b - c * d if less else a * b + c * d
    return number("arithmetic", "two products", question, thought, value)


def pair_of_list(rng: Random, side: Side) -> Example:
    """Two numbers of a list and what is asked of them, but not the gap between its ends."""
    values = rng.sample(range(10, 200), rng.randint(3, 5))
    ranked = sorted(values, reverse=True)
    given = rng.randint(5, 9)
    places = {
        "first": values[0], "last": values[-1], "largest": ranked[0], "smallest": ranked[-1],
        "second": values[1], "second largest": ranked[1],
    }  # fmt: skip
    one, other = rng.choice((
        ("first", "last"), ("largest", "second largest"), ("first", "second"), ("second", "last"),
        ("largest", ""), ("smallest", ""), ("largest", "second"), ("largest", "last"),
        ("largest", "first"), ("smallest", "first"), ("smallest", "second"), ("smallest", "last"),
        ("second largest", "smallest"),
    ))  # fmt: skip
    x, y = places[one], places[other] if other else given
    listed = ", ".join(map(str, values))
    said = {"largest": "max", "smallest": "min", "second largest": "next"}
    named = f"{said.get(one, one)} {x}" + (f", {said.get(other, other)} {y}" if other else "")
    if x == y:
        return pair_of_list(rng, side)
    if rng.random() < 0.65:
        asks = ["What is the difference between the {p} and the {o} of {v}?",
                "How far are the {p} and the {o} of {v} apart?",
                "In {v}, by how much do the {p} and the {o} differ?",
                "Of {v}, take the {p} and the {o}: what is their difference?"]  # fmt: skip
        if not other:
            asks = ["What is the difference between the {p} of {v} and {o}?",
                    "By how much do {o} and the {p} of {v} differ?"]  # fmt: skip
        work, value = subtract(max(x, y), min(x, y)), abs(x - y)
    else:
        asks = ["What is the sum of the {p} and the {o} of {v}?",
                "Add the {p} and the {o} of {v}.",
                "In {v}, what do the {p} and the {o} make together?"]  # fmt: skip
        if not other:
            asks = ["Add {o} to the {p} of {v}.", "What is the {p} of {v} plus {o}?"]
        work, value = add(x, y), x + y
    question = rng.choice(asks).format(p=one, o=other or given, v=listed)
    return number("comparing", "pair of list", question, f"{named}. {work}", value)


def timer(rng: Random, side: Side) -> Example:
    """A timer that runs down, in minutes and seconds."""
    start, span = rng.randrange(2 * 60, 59 * 60, 5), rng.randrange(5, 60, 5)
    left = start - span
    asks = ["A timer shows {t}. What does it show {s} seconds later, as it runs down?",
            "A countdown stands at {t} (minutes:seconds). {s} seconds pass. What is left?",
            "{s} seconds are used of {t}. What does the countdown show?",
            "A song of {t} has played {s} seconds. How much is left, as minutes:seconds?"]  # fmt: skip
    minutes, seconds = divmod(start, 60)
    return words(
        "times", "timer", rng.choice(asks).format(t=f"{minutes:02}:{seconds:02}", s=span),
        f"{minutes:02}:{seconds:02} - {span}. {less(minutes, seconds, span, 'minute')}"
        f". {left // 60:02}:{left % 60:02}",
        f"{left // 60:02}:{left % 60:02}",
    )  # fmt: skip


def less(big: int, small: int, span: int, unit: str) -> str:
    """Return how `span` is taken from the smaller unit of two, sixty of which make the bigger."""
    if small >= span:
        return f"{small}>={span}, {small}-{span}={small - span}"
    return f"{small}<{span}, {small}+60={small + 60}, {small + 60}-{span}={small + 60 - span}, one {unit} less: {big - 1}"


def chain(rng: Random, side: Side) -> Example:
    """Three people, each with more or fewer than the one before."""
    names = rng.sample(of_side(Side.TRAIN, NAMES), 3)
    goods = pick(rng, side, GOODS)
    value = rng.randint(30, 90)
    told, steps = [f"{names[0]} has {value} {goods}"], []
    for before, name in pairwise(names):
        change = rng.randint(2, 25)
        more = rng.random() < 0.5
        told.append(f"{name} has {change} {'more' if more else 'fewer'} than {before}")
        work = add(value, change) if more else subtract(value, change)
        value += change if more else -change
        steps.append(f"{name} {work}")
    asks = ["{t}. How many {g} does {n} have?", "{t}. What is the number of {n}'s {g}?"]
    question = rng.choice(asks).format(t=". ".join(told), g=goods, n=names[2])
    return number("stories", "chain", question, ". ".join(steps), value)


def then_changed(rng: Random, side: Side) -> Example:
    """What a second person has, and what then comes to it or goes."""
    first, second = rng.sample(of_side(Side.TRAIN, NAMES), 2)
    goods = pick(rng, side, GOODS)
    a, b, c = rng.randint(25, 90), rng.randint(2, 20), rng.randint(2, 20)
    more, gains = rng.random() < 0.5, rng.random() < 0.6
    b = min(b, a - c - 1) if not more else b
    middle = a + b if more else a - b
    last = middle + c if gains else middle - c
    asks = ["{x} has {a} {g}. {y} has {b} {w}. {y} {f} {c} {g}. How many {g} does {y} have then?",
            "{x} has {a} {g} and {y} has {b} {w}. Then {y} {f} {c}. How many {g} has {y} now?"]  # fmt: skip
    question = rng.choice(asks).format(
        x=first, y=second, a=a, b=b, c=c, g=goods, w="more" if more else "fewer",
        f=rng.choice(("finds", "buys", "gets")) if gains else rng.choice(("loses", "sells", "uses")),
    )  # fmt: skip
    one = add(a, b) if more else subtract(a, b)
    two = add(middle, c) if gains else subtract(middle, c)
    return number("stories", "then changed", question, f"{second} {one}. {two}", last)


def age_in(rng: Random, side: Side) -> Example:
    """One person's age in some years, or some years ago."""
    name = rng.choice(of_side(Side.TRAIN, NAMES))
    a, c = rng.randint(20, 60), rng.randint(2, 15)
    later = rng.random() < 0.6
    asks = ["{n} is {a} years old. How old will {n} be in {c} years?",
            "{n} is {a}. What will be {n}'s age {c} years from now?"] if later else [
            "{n} is {a} years old. How old was {n} {c} years ago?",
            "{n} is {a}. What was {n}'s age {c} years back?"]  # fmt: skip
    return number("stories", "age in", rng.choice(asks).format(n=name, a=a, c=c),
                  f"{name} {add(a, c) if later else subtract(a, c)}", a + c if later else a - c)  # fmt: skip


def marked(rng: Random, side: Side) -> Example:
    """How many numbers of a list have a mark: a last digit, a digit, a divisor, their length."""
    values = [rng.randint(1, 130) for _ in range(rng.randint(3, 6))]
    digit, other, third = rng.sample(range(10), 3)
    if rng.random() < 0.6:
        values = [value if rng.random() < 0.6 else value // 10 * 10 + digit for value in values]
    mark, hits, said = rng.choice((
        (f"end in {digit}", [v % 10 == digit for v in values], [f"{v} ends in {v % 10}" for v in values]),
        ("are multiples of 5", [v % 5 == 0 for v in values], [f"{v} ends in {v % 10}" for v in values]),
        ("are multiples of 10", [v % 10 == 0 for v in values], [f"{v} ends in {v % 10}" for v in values]),
        ("have two digits", [9 < v < 100 for v in values], [f"{v} has {len(str(v))}" for v in values]),
        ("begin with 1", [str(v)[0] == "1" for v in values], [f"{v} begins with {str(v)[0]}" for v in values]),
        (f"end in {digit} or {other}", [v % 10 in {digit, other} for v in values], [f"{v} ends in {v % 10}" for v in values]),
        (f"end in {digit}, {other} or {third}", [v % 10 in {digit, other, third} for v in values],
         [f"{v} ends in {v % 10}" for v in values]),
        (f"end in a digit above {digit}", [v % 10 > digit for v in values], [f"{v} ends in {v % 10}" for v in values]),
        ("are round", [v % 10 == 0 for v in values], [f"{v} ends in {v % 10}" for v in values]),
    ))  # fmt: skip
    asks = ["How many of {v} {m}?", "Of {v}, how many {m}?", "{v}: how many {m}?",
            "Look at {v}. How many of them {m}?"]  # fmt: skip
    question = rng.choice(asks).format(v=", ".join(map(str, values)), m=mark)
    return number("logic", "marked", question, counted(hits, said), sum(hits))


def all_even(rng: Random, side: Side) -> Example:
    """Which numbers of a pair are even; not how many of a list."""
    values = rng.sample(range(10, 99), 2)
    kinds = ["odd" if value % 2 else "even" for value in values]
    asked = rng.choice(("even", "odd"))
    asks = ["Are both {a} and {b} {q}?", "{a} and {b}: are both {q}, yes or no?"]
    answer = "yes" if kinds == [asked, asked] else "no"
    thought = ", ".join(
        f"{value} ends in {value % 10}, {kind}" for value, kind in zip(values, kinds, strict=True)
    )
    return words("comparing", "both even", rng.choice(asks).format(a=values[0], b=values[1], q=asked),
                 thought, answer, ["yes", "no"])  # fmt: skip


def nearest_limit(rng: Random, side: Side) -> Example:
    """Which machine is under or over a limit by itself, or has the least room; each with a number."""
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
    listed = _listed(machines, values, unit)
    asks = ["The limit is {x} {u}. {l}. Which machine is {w} the limit?",
            "Limit of the {t}: {x} {u}. {l}. Which machine is {w} it?",
            "{l}. The limit is {x} {u}. Name the machine that is {w}."]  # fmt: skip
    question = rng.choice(asks).format(
        x=limit, u=unit, l=listed, t=what, w="below" if under else "over"
    )  # fmt: skip
    steps = [
        f"{m} {v} {'>' if v > limit else '<'} {limit}"
        for m, v in zip(machines, values, strict=True)
    ]
    chosen = machines[one]
    return words("machines", "one over", question[0].upper() + question[1:],
                 f"{', '.join(steps)}. {'Below' if under else 'Over'}: {chosen}", chosen, machines)  # fmt: skip


def numbered_most(rng: Random, side: Side) -> Example:
    """Names that end in a number, each with a value, after a sentence that does not matter."""
    machines = _machines(rng)
    values = rng.sample(range(10, 140), 3)
    top = rng.random() < 0.7
    unit = rng.choice(("C", "bar", "A", "kW", "dB"))
    best = (max if top else min)(values)
    listed = _listed(machines, values, unit)
    asks = ["The normal value is {x} {u}. {l}. Which machine reads {w}?",
            "The shift began at {x}. {l}. Which machine is {w}?",
            "{l}. Which machine stands {w}?"]  # fmt: skip
    question = rng.choice(asks).format(
        x=rng.randint(5, 90), u=unit, l=listed, w=rng.choice(("highest", "hottest", "strongest"))
        if top else rng.choice(("lowest", "weakest")),
    )  # fmt: skip
    chosen = machines[values.index(best)]
    thought = f"{listed}: {'max' if top else 'min'} {best}, that is {chosen}"
    return words(
        "machines", "numbered most", question[0].upper() + question[1:], thought, chosen, machines
    )


def nearest_below(rng: Random, side: Side) -> Example:
    """Which machine has the least or the most room under a limit that none exceeds."""
    machines = _machines(rng)
    limit = rng.randint(50, 130)
    values = [limit - room for room in rng.sample(range(1, 40), 3)]
    near = rng.random() < 0.6
    unit = rng.choice(("C", "bar", "A", "kW", "dB"))
    best = (max if near else min)(values)
    listed = _listed(machines, values, unit)
    asks = ["The limit is {x} {u}. {l}. Which machine {w}?",
            "{l}. At most {x} {u} are allowed. Which machine {w}?",
            "Allowed: {x} {u}. {l}. Name the machine that {w}."]  # fmt: skip
    question = rng.choice(asks).format(
        x=limit, u=unit, l=listed, w=rng.choice(
            ("is nearest to the limit", "has the least room left", "comes closest to the limit")
            if near else ("is furthest below the limit", "has the most room left")
        ),
    )  # fmt: skip
    chosen = machines[values.index(best)]
    thought = f"{listed}: {'max' if near else 'min'} {best}, that is {chosen}"
    return words(
        "machines", "nearest below", question[0].upper() + question[1:], thought, chosen, machines
    )


def _machines(rng: Random) -> list[str]:
    return [f"{kind} {rng.randint(1, 40)}" for kind in rng.sample(of_side(Side.TRAIN, WORDS), 3)]


def _listed(machines: list[str], values: list[int], unit: str) -> str:
    return ", ".join(f"{m} {v} {unit}" for m, v in zip(machines, values, strict=True))


NUMBERS = [(number_and_product, 5), (number_and_quotient, 4), (less_bracket, 3), (two_products, 3),
           (pair_of_list, 7), (timer, 6), (all_even, 1)]  # fmt: skip
STORIES = [(chain, 4), (then_changed, 5), (age_in, 3), (marked, 7)]
MACHINES = [(nearest_limit, 4), (numbered_most, 4), (nearest_below, 4)]

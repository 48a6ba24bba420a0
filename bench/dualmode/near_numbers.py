"""Kinds of sums, lists and times near those that are held out, to learn from only.

A number less a product is held out, so a number and a product, a quotient or a bracket are learned;
the gap between the ends of a list is held out, so other pairs of a list are; counting minutes back
is held out, so counting days back is. `near_stories` and `near_machines` have the others. Never a
kind that is held out itself.
"""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from bench.dualmode.example import Example, Side, number, words
from bench.dualmode.steps import add, counted, divide, extreme, multiply, subtract
from bench.dualmode.times import DAYS


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
    said = {
        "largest": extreme(values, top=True), "smallest": extreme(values, top=False),
        "second largest": f"{extreme(values, top=True)}. next "
        f"{extreme([v for v in values if v != ranked[0]], top=True)}",
    }  # fmt: skip
    named = ". ".join(
        said.get(place, f"{place} {places[place]}")
        for place in (one, other)
        if place and (one, other, place) != ("largest", "second largest", "largest")
    )
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


def all_even(rng: Random, side: Side) -> Example:
    """Whether both numbers of a pair are even; not how many of a list."""
    values = rng.sample(range(10, 99), 2)
    kinds = ["odd" if value % 2 else "even" for value in values]
    asked = rng.choice(("even", "odd"))
    asks = ["Are both {a} and {b} {q}?", "{a} and {b}: are both {q}, yes or no?"]
    hits = [kind == asked for kind in kinds]
    answer = "yes" if all(hits) else "no"
    thought = counted(hits, [f"{value} ends in {value % 10}" for value in values])
    return words("comparing", "both even", rng.choice(asks).format(a=values[0], b=values[1], q=asked),
                 thought, answer, ["yes", "no"])  # fmt: skip


def days_back(rng: Random, side: Side) -> Example:
    """Which date was so many days before another."""
    end = date(2027, 1, 1) + timedelta(days=rng.randrange(40, 365))
    n = rng.randint(3, 25)
    start = end - timedelta(days=n)
    asks = ["What date was {n} days before {d}?", "Which date is {n} days before {d}?",
            "A bill of {d} was sent {n} days before. On which date?",
            "The filter due on {d} lasts {n} days. When was it put in?"]  # fmt: skip
    said = f"{end:%B} {end.day}"
    if end.day > n:
        work = f"{end.day}>{n}, {end.day}-{n}={end.day - n}"
    else:
        last = (end.replace(day=1) - timedelta(days=1)).day
        work = (
            f"{end.day}<={n}, one month less: {start:%B}, {last} days, {end.day}+{last}="
            f"{end.day + last}, {end.day + last}-{n}={end.day + last - n}"
        )
    return words("times", "days back", rng.choice(asks).format(n=n, d=said),
                 f"{said} - {n}. {work}", f"{start:%B} {start.day}")  # fmt: skip


def weekday_back(rng: Random, side: Side) -> Example:
    """Which weekday was so many days ago."""
    day, n = rng.randrange(7), rng.randint(2, 20)
    asks = ["Today is {d}. Which day was it {n} days ago?", "Which weekday is {n} days before {d}?",
            "What day was it {n} days before {d}?"]  # fmt: skip
    rest, steps = n, []
    while rest >= 7:
        steps.append(f"{rest}-7={rest - 7}")
        rest -= 7
    walk = [DAYS[day], *(f"{i} {DAYS[(day - i) % 7]}" for i in range(1, rest + 1))]
    thought = (f"{', '.join(steps)}. " if steps else "") + f"{rest} days back: {', '.join(walk)}"
    end = DAYS[(day - n) % 7]
    return words("times", "weekday back", rng.choice(asks).format(d=DAYS[day], n=n), thought, end, DAYS)  # fmt: skip


GENERATORS = [(number_and_product, 5), (number_and_quotient, 4), (less_bracket, 3), (two_products, 3),
           (pair_of_list, 8), (timer, 6), (all_even, 1), (days_back, 4), (weekday_back, 2)]  # fmt: skip

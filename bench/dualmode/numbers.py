"""Arithmetic, units, times and dates, comparing and ordering: questions with one exact answer."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from bench.dualmode.example import Example, Side, of_side, pick
from bench.dualmode.steps import add, divide, multiply, subtract

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
THINGS = """\
red,green,blue,north,south,east,west,first,second,third,small,large,front,back,upper,lower,left,right,inner,outer,
old,new,yellow,white,black,grey,brown,pink,purple,orange,round,square,tall,short,long,wide,wooden,metal,glass,plastic,
heavy,light,clean,full,open,main,spare,top,bottom,middle\
""".replace("\n", "").split(",")


def addition(rng: Random, side: Side) -> Example:
    a, b = rng.randint(12, 999), rng.randint(12, 999)
    asks = [
        "What is {a} + {b}?",
        "{a} plus {b}?",
        "Add {a} and {b}.",
        "How much is {a} and {b} together?",
        "Compute {a} + {b}.",
        "Calculate the sum of {a} and {b}.",
        "{a} + {b} =",
        "Please add {b} to {a}.",
    ]
    return _number(
        "arithmetic", "addition", pick(rng, side, asks).format(a=a, b=b), add(a, b), a + b
    )


def subtraction(rng: Random, side: Side) -> Example:
    b, a = sorted((rng.randint(12, 999), rng.randint(12, 999)))
    asks = [
        "What is {a} - {b}?",
        "{a} minus {b}?",
        "Subtract {b} from {a}.",
        "Take {b} away from {a}.",
        "Compute {a} - {b}.",
        "How much is {a} less {b}?",
        "{a} - {b} =",
        "What is left of {a} after {b} is taken?",
    ]
    return _number(
        "arithmetic", "subtraction", pick(rng, side, asks).format(a=a, b=b), subtract(a, b), a - b
    )


def multiplication(rng: Random, side: Side) -> Example:
    a, b = rng.randint(11, 99), rng.choice((rng.randint(3, 9), rng.randint(11, 40)))
    asks = [
        "What is {a} * {b}?",
        "{a} times {b}?",
        "Multiply {a} by {b}.",
        "What is {a} multiplied by {b}?",
        "Compute {a} x {b}.",
        "How much is {b} times {a}?",
        "{a} * {b} =",
        "What is the product of {a} and {b}?",
    ]
    return _number(
        "arithmetic",
        "multiplication",
        pick(rng, side, asks).format(a=a, b=b),
        multiply(a, b),
        a * b,
    )


def division(rng: Random, side: Side) -> Example:
    b, quotient = rng.randint(3, 9), rng.randint(6, 60)
    a = b * quotient
    asks = [
        "What is {a} / {b}?",
        "{a} divided by {b}?",
        "Divide {a} by {b}.",
        "How often does {b} go into {a}?",
        "Compute {a} / {b}.",
        "Share {a} among {b}.",
        "{a} / {b} =",
        "What is one {b}th of {a}, as {a} over {b}?",
    ]
    return _number(
        "arithmetic", "division", pick(rng, side, asks).format(a=a, b=b), divide(a, b), quotient
    )


def two_steps(rng: Random, side: Side) -> Example:
    a, b, c = rng.randint(11, 99), rng.randint(3, 9), rng.randint(12, 199)
    asks = [
        "What is {a} * {b} + {c}?",
        "Compute {a} times {b}, plus {c}.",
        "Multiply {a} by {b} and add {c}.",
        "Take {a} times {b}, then add {c}.",
    ]
    thought = f"{multiply(a, b)}. {add(a * b, c)}"
    return _number(
        "arithmetic", "two steps", pick(rng, side, asks).format(a=a, b=b, c=c), thought, a * b + c
    )


def three_terms(rng: Random, side: Side) -> Example:
    a, b, c = (rng.randint(11, 299) for _ in range(3))
    asks = [
        "What is {a} + {b} + {c}?",
        "Add {a}, {b} and {c}.",
        "Sum up {a}, {b}, {c}.",
        "What do {a}, {b} and {c} make together?",
    ]
    thought = f"{add(a, b)}. {add(a + b, c)}"
    return _number(
        "arithmetic", "three terms", pick(rng, side, asks).format(a=a, b=b, c=c), thought, a + b + c
    )


def subtract_product(rng: Random, side: Side) -> Example:
    """A kind that is held out: a product taken from a number."""
    a, b = rng.randint(11, 49), rng.randint(3, 9)
    c = a * b + rng.randint(11, 300)
    asks = ["What is {c} - {a} * {b}?", "From {c} take {a} times {b}."]
    thought = f"{multiply(a, b)}. {subtract(c, a * b)}"
    return _number(
        "arithmetic",
        "number less product",
        rng.choice(asks).format(a=a, b=b, c=c),
        thought,
        c - a * b,
    )


UNITS = [
    ("hours", "minutes", 60), ("minutes", "seconds", 60), ("days", "hours", 24), ("weeks", "days", 7),
    ("kilometres", "metres", 1000), ("metres", "centimetres", 100), ("kilograms", "grams", 1000), ("years", "months", 12),
    ("litres", "millilitres", 1000), ("dozens", "pieces", 12), ("centimetres", "millimetres", 10), ("feet", "inches", 12),
]  # fmt: skip


def larger_unit(rng: Random, side: Side) -> Example:
    big, small, factor = rng.choice(UNITS)
    n = rng.randint(2, 60)
    asks = [
        "How many {small} are {n} {big}?",
        "Convert {n} {big} to {small}.",
        "{n} {big} in {small}?",
        "What is {n} {big} in {small}?",
    ]
    work = f"{n}*{factor}={n * factor}" if factor in (10, 100, 1000) else multiply(n, factor)
    thought = f"1 {big[:-1]} = {factor} {small}. {work}"
    return _number(
        "units",
        "larger unit",
        pick(rng, side, asks).format(n=n, big=big, small=small),
        thought,
        n * factor,
        f"{n * factor} {small}",
    )


def smaller_unit(rng: Random, side: Side) -> Example:
    big, small, factor = rng.choice(UNITS)
    n = rng.randint(2, 40)
    total = n * factor
    asks = [
        "How many {big} are {t} {small}?",
        "Convert {t} {small} to {big}.",
        "{t} {small} in {big}?",
        "What is {t} {small} in {big}?",
    ]
    work = f"{total}/{factor}={n}" if factor in (10, 100, 1000) else divide(total, factor)
    thought = f"1 {big[:-1]} = {factor} {small}. {work}"
    return _number(
        "units",
        "smaller unit",
        pick(rng, side, asks).format(t=total, big=big, small=small),
        thought,
        n,
        f"{n} {big}",
    )


def mixed_unit(rng: Random, side: Side) -> Example:
    big, small, factor = rng.choice([unit for unit in UNITS if unit[2] < 100])
    n, rest = rng.randint(2, 12), rng.randint(1, factor - 1)
    asks = [
        "How many {small} are {n} {big} and {r} {small}?",
        "Convert {n} {big} {r} {small} to {small}.",
        "{n} {big} and {r} {small}, in {small}?",
        "What is {n} {big} plus {r} {small} in {small}?",
    ]
    thought = f"1 {big[:-1]} = {factor} {small}. {multiply(n, factor)}. {add(n * factor, rest)}"
    return _number(
        "units",
        "mixed unit",
        pick(rng, side, asks).format(n=n, big=big, small=small, r=rest),
        thought,
        n * factor + rest,
        f"{n * factor + rest} {small}",
    )


def later(rng: Random, side: Side) -> Example:
    hour, minute, span = rng.randint(0, 20), rng.randrange(0, 60, 5), rng.randrange(10, 180, 5)
    asks = [
        "It is {t}. What time is it in {m} minutes?",
        "A programme of {m} minutes starts at {t}. When does it end?",
        "What time is {m} minutes after {t}?",
        "The oven starts at {t} and runs {m} minutes. When is it done?",
    ]
    end = _clock(hour * 60 + minute + span)
    full, rest = divmod(span, 60)
    steps = [f"{span} minutes = {full} h {rest} min"] if full else []
    start_hour = hour + full
    if full:
        steps.append(f"{hour:02}:{minute:02} + {full} h = {start_hour % 24:02}:{minute:02}")
    steps.append(f"{minute}+{rest}={minute + rest}")
    if minute + rest >= 60:
        steps.append(
            f"{minute + rest}-60={minute + rest - 60}, one hour more: {(start_hour + 1) % 24}"
        )
    steps.append(end)
    return _words(
        "times",
        "later",
        pick(rng, side, asks).format(t=_clock(hour * 60 + minute), m=span),
        ". ".join(steps),
        end,
    )


def between(rng: Random, side: Side) -> Example:
    start = rng.randrange(0, 20 * 60, 5)
    end = start + rng.randrange(15, 200, 5)
    asks = [
        "How many minutes are there from {a} to {b}?",
        "A meeting lasts from {a} to {b}. How many minutes is that?",
        "The machine ran from {a} to {b}. For how many minutes?",
        "How long is it from {a} until {b}, in minutes?",
    ]
    return _number(
        "times",
        "between",
        pick(rng, side, asks).format(a=_clock(start), b=_clock(end)),
        _span(start, end),
        end - start,
        f"{end - start} minutes",
    )


def earlier(rng: Random, side: Side) -> Example:
    """A kind that is held out: counting back from a time."""
    end, span = rng.randrange(3 * 60, 23 * 60, 5), rng.randrange(10, 60, 5)
    asks = [
        "A train of {m} minutes arrives at {t}. When did it leave?",
        "What time was it {m} minutes before {t}?",
    ]
    minute = end % 60
    if minute >= span:
        work = f"{minute}-{span}={minute - span}"
    else:
        work = f"{minute}+60={minute + 60}, {minute + 60}-{span}={minute + 60 - span}, one hour less: {end // 60 - 1}"
    return _words(
        "times",
        "earlier",
        rng.choice(asks).format(t=_clock(end), m=span),
        f"{work}. {_clock(end - span)}",
        _clock(end - span),
    )


def weekday(rng: Random, side: Side) -> Example:
    day, n = rng.randrange(7), rng.randint(2, 30)
    asks = [
        "Today is {d}. Which day is it in {n} days?",
        "If today is {d}, what weekday is {n} days later?",
        "Which weekday comes {n} days after {d}?",
        "It is {d} now. What day will it be after {n} days?",
    ]
    full, rest = divmod(n, 7)
    steps = [f"{n} = {full}*7+{rest}"] if full else []
    walk = " ".join(DAYS[(day + i) % 7] for i in range(rest + 1))
    steps.append(f"{rest} days on: {walk}" if rest else f"a whole number of weeks: {DAYS[day]}")
    end = DAYS[(day + n) % 7]
    return _words(
        "times",
        "weekday",
        pick(rng, side, asks).format(d=DAYS[day], n=n),
        ". ".join(steps),
        end,
        DAYS,
    )


def day_of_month(rng: Random, side: Side) -> Example:
    start = date(2027, 1, 1) + timedelta(days=rng.randrange(365))
    n = rng.randint(3, 25)
    end = start + timedelta(days=n)
    asks = [
        "What date is {n} days after {d}?",
        "The filter was changed on {d} and lasts {n} days. On which date is it due?",
        "Today is {d}. What is the date in {n} days?",
        "A parcel sent on {d} takes {n} days. On which date does it come?",
    ]
    month_days = (start.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    work = f"{start.day}+{n}={start.day + n}"
    if start.day + n > month_days.day:
        work += (
            f". {start:%B} has {month_days.day} days, {start.day + n}-{month_days.day}="
            f"{start.day + n - month_days.day}, in {end:%B}"
        )
    return _words(
        "times", "date", pick(rng, side, asks).format(n=n, d=_date(start)), work, _date(end)
    )


def largest(rng: Random, side: Side) -> Example:
    count, top = rng.randint(3, 6), rng.choice((99, 999))
    values = rng.sample(range(10, top), count)
    biggest = rng.random() < 0.5
    word = rng.choice(["largest", "biggest", "highest"] if biggest else ["smallest", "lowest"])
    asks = [
        "Which is the {w}: {v}?",
        "Find the {w} of {v}.",
        "What is the {w} number among {v}?",
        "Of {v}, which one is the {w}?",
    ]
    best, steps = values[0], []
    for value in values[1:]:
        wins = value > best if biggest else value < best
        sign = ">" if value > best else "<"
        steps.append(f"{value}{sign}{best}")
        best = value if wins else best
        steps[-1] += f", {'max' if biggest else 'min'} {best}"
    return _number(
        "comparing",
        "largest",
        pick(rng, side, asks).format(w=word, v=", ".join(map(str, values))),
        ". ".join(steps),
        best,
    )


def decimals(rng: Random, side: Side) -> Example:
    whole = rng.randint(0, 40)
    a = f"{whole}.{rng.randint(1, 9)}"
    b = f"{whole}.{rng.randint(1, 98):02}"
    if float(a) == float(b):
        b += "1"
    values = [a, b] if rng.random() < 0.5 else [b, a]
    width = max(len(value.split(".")[1]) for value in values)
    padded = [f"{float(value):.{width}f}" for value in values]
    best = max(values, key=float)
    asks = [
        "Which is larger, {a} or {b}?",
        "Is {a} or {b} the greater number?",
        "Which one is bigger: {a} or {b}?",
        "Tell me the larger of {a} and {b}.",
    ]
    sign = ">" if float(values[0]) > float(values[1]) else "<"
    return _number(
        "comparing",
        "decimals",
        pick(rng, side, asks).format(a=values[0], b=values[1]),
        f"{padded[0]} {sign} {padded[1]}",
        best,
    )


def ordering(rng: Random, side: Side) -> Example:
    values = rng.sample(range(2, 200), rng.randint(3, 5))
    rising = rng.random() < 0.6
    word = rng.choice(
        ["ascending order", "order from small to large"]
        if rising
        else ["descending order", "order from large to small"]
    )
    asks = [
        "Put {v} in {w}.",
        "Sort {v} in {w}.",
        "Arrange these in {w}: {v}.",
        "Write {v} in {w}.",
    ]
    rest, steps = list(values), []
    while len(rest) > 1:
        best = min(rest) if rising else max(rest)
        rest.remove(best)
        steps.append(f"{'min' if rising else 'max'} {best}, left {' '.join(map(str, rest))}")
    answer = ", ".join(map(str, sorted(values, reverse=not rising)))
    return Example(
        category="comparing",
        kind="ordering",
        thought=". ".join(steps),
        answer=answer,
        expected=answer,
        check="words",
        question=pick(rng, side, asks).format(v=", ".join(map(str, values)), w=word),
    )


def who_has_most(rng: Random, side: Side) -> Example:
    names = rng.sample(of_side(side, THINGS), 3)
    values = rng.sample(range(10, 300), 3)
    what = rng.choice(["tank", "box", "shelf", "crate"])
    biggest = rng.random() < 0.5
    listed = ", ".join(
        f"the {name} {what} holds {value}" for name, value in zip(names, values, strict=True)
    )
    asks = [
        "{l}. Which {x} holds the {w}?",
        "If {l}, which {x} has the {w}?",
        "{l}. Name the {x} with the {w}.",
        "{l}. In which {x} is the {w}?",
    ]
    best = (max if biggest else min)(values)
    name = names[values.index(best)]
    question = pick(rng, side, asks).format(l=listed, x=what, w="most" if biggest else "least")
    thought = f"{', '.join(map(str, values))}: {'max' if biggest else 'min'} {best}, that is the {name} {what}"
    return _words(
        "comparing",
        "who has most",
        question[0].upper() + question[1:],
        thought,
        f"the {name} {what}",
        names,
        name,
    )


def difference(rng: Random, side: Side) -> Example:
    """A kind that is held out: how far the ends of a list are apart."""
    values = rng.sample(range(10, 200), 4)
    question = f"What is the difference between the largest and the smallest of {', '.join(map(str, values))}?"
    thought = f"max {max(values)}, min {min(values)}. {subtract(max(values), min(values))}"
    return _number("comparing", "spread", question, thought, max(values) - min(values))


GENERATORS = [
    (addition, 5), (subtraction, 5), (multiplication, 6), (division, 4), (two_steps, 4), (three_terms, 3),
    (larger_unit, 3), (smaller_unit, 3), (mixed_unit, 3), (later, 5), (between, 5), (weekday, 3), (day_of_month, 3),
    (largest, 4), (decimals, 3), (ordering, 4), (who_has_most, 3),
]  # fmt: skip
HELD_OUT_KINDS = [subtract_product, earlier, difference]


def _number(
    category: str, kind: str, question: str, thought: str, value: object, answer: str = ""
) -> Example:
    return Example(
        category=category,
        kind=kind,
        question=question,
        thought=thought + ".",
        answer=answer or str(value),
        expected=str(value),
    )


def _words(
    category: str,
    kind: str,
    question: str,
    thought: str,
    answer: str,
    choices: list[str] | None = None,
    expected: str = "",
) -> Example:
    return Example(
        category=category,
        kind=kind,
        question=question,
        thought=thought + ".",
        answer=answer,
        expected=expected or answer,
        check="words",
        choices=tuple(choices or ()),
    )


def _clock(minutes: int) -> str:
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def _date(day: date) -> str:
    return f"{day:%B} {day.day}"


def _span(start: int, end: int) -> str:
    full = (end - start) // 60
    reached = start + 60 * full
    steps = [f"{_clock(start)} to {_clock(reached)} is {full} h = {60 * full} min"] if full else []
    rest = end - reached
    if not rest:
        return ". ".join(steps)
    to_hour = -reached % 60
    if to_hour and to_hour < rest:
        steps.append(
            f"{_clock(reached)} to {_clock(reached + to_hour)} is {to_hour}, then {rest - to_hour} more: {to_hour}+{rest - to_hour}={rest}"
        )
    else:
        steps.append(f"{_clock(reached)} to {_clock(end)} is {rest}")
    if full:
        steps.append(f"{60 * full}+{rest}={end - start}")
    return ". ".join(steps)

"""Arithmetic, units, comparing and ordering: questions with one exact answer."""

from __future__ import annotations

from random import Random

from bench.dualmode.example import Example, Side, number, of_side, words
from bench.dualmode.steps import add, divide, extreme, multiply, subtract
from bench.dualmode.times import between, day_of_month, earlier, hours_back, later, weekday
from bench.dualmode.wordings import wording

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
    return number(
        "arithmetic",
        "addition",
        wording(rng, side, "addition", asks).format(a=a, b=b),
        add(a, b),
        a + b,
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
    return number(
        "arithmetic",
        "subtraction",
        wording(rng, side, "subtraction", asks).format(a=a, b=b),
        subtract(a, b),
        a - b,
    )


def multiplication(rng: Random, side: Side) -> Example:
    a, b = (
        rng.randint(11, 99),
        rng.choice((rng.randint(3, 9), rng.randint(3, 9), rng.randint(11, 25))),
    )
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
    return number(
        "arithmetic",
        "multiplication",
        wording(rng, side, "multiplication", asks).format(a=a, b=b),
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
    return number(
        "arithmetic",
        "division",
        wording(rng, side, "division", asks).format(a=a, b=b),
        divide(a, b),
        quotient,
    )


def two_steps(rng: Random, side: Side) -> Example:
    a, b, c = rng.randint(11, 99), rng.randint(3, 9), rng.randint(12, 199)
    asks = [
        "What is {a} * {b} + {c}?",
        "Compute {a} times {b}, plus {c}.",
        "Multiply {a} by {b} and add {c}.",
        "Take {a} times {b}, then add {c}.",
    ]
    thought = f"{a}*{b}+{c}. {multiply(a, b)}. {add(a * b, c)}"
    return number(
        "arithmetic",
        "two steps",
        wording(rng, side, "two_steps", asks).format(a=a, b=b, c=c),
        thought,
        a * b + c,
    )


def three_terms(rng: Random, side: Side) -> Example:
    a, b, c = (rng.randint(11, 299) for _ in range(3))
    asks = [
        "What is {a} + {b} + {c}?",
        "Add {a}, {b} and {c}.",
        "Sum up {a}, {b}, {c}.",
        "What do {a}, {b} and {c} make together?",
    ]
    thought = f"{a}+{b}+{c}. {add(a, b)}. {add(a + b, c)}"
    return number(
        "arithmetic",
        "three terms",
        wording(rng, side, "three_terms", asks).format(a=a, b=b, c=c),
        thought,
        a + b + c,
    )


def product_less(rng: Random, side: Side) -> Example:
    a, b = rng.randint(11, 60), rng.randint(3, 9)
    c = rng.randint(3, a * b - 1)
    asks = [
        "What is {a} * {b} - {c}?",
        "Compute {a} times {b}, minus {c}.",
        "Multiply {a} by {b} and subtract {c}.",
        "Take {c} away from {a} times {b}.",
    ]
    return number(
        "arithmetic",
        "product less number",
        wording(rng, side, "product_less", asks).format(a=a, b=b, c=c),
        f"{a}*{b}-{c}. {multiply(a, b)}. {subtract(a * b, c)}",
        a * b - c,
    )


def less_twice(rng: Random, side: Side) -> Example:
    b, c = rng.randint(11, 199), rng.randint(11, 199)
    a = b + c + rng.randint(5, 300)
    asks = [
        "What is {a} - {b} - {c}?",
        "From {a} take {b} and {c}.",
        "Subtract {b} and then {c} from {a}.",
        "Start at {a}, go down {b}, then down {c}. Where are you?",
    ]
    return number(
        "arithmetic",
        "less twice",
        wording(rng, side, "less_twice", asks).format(a=a, b=b, c=c),
        f"{a}-{b}-{c}. {subtract(a, b)}. {subtract(a - b, c)}",
        a - b - c,
    )


def subtract_product(rng: Random, side: Side) -> Example:
    """A kind that is held out: a product taken from a number."""
    a, b = rng.randint(11, 49), rng.randint(3, 9)
    c = a * b + rng.randint(11, 300)
    asks = ["What is {c} - {a} * {b}?", "From {c} take {a} times {b}."]
    thought = f"{c}-{a}*{b}. {multiply(a, b)}. {subtract(c, a * b)}"
    return number(
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
    n = rng.randint(2, 30)
    asks = [
        "How many {small} are {n} {big}?",
        "Convert {n} {big} to {small}.",
        "{n} {big} in {small}?",
        "What is {n} {big} in {small}?",
    ]
    work = f"{n}*{factor}={n * factor}" if factor in (10, 100, 1000) else multiply(n, factor)
    thought = f"1 {_one(big)} = {factor} {small}. {work}"
    return number(
        "units",
        "larger unit",
        wording(rng, side, "larger_unit", asks).format(n=n, big=big, small=small),
        thought,
        n * factor,
        f"{n * factor} {small}",
    )


def smaller_unit(rng: Random, side: Side) -> Example:
    big, small, factor = rng.choice(UNITS)
    n = rng.randint(2, 30)
    total = n * factor
    asks = [
        "How many {big} are {t} {small}?",
        "Convert {t} {small} to {big}.",
        "{t} {small} in {big}?",
        "What is {t} {small} in {big}?",
    ]
    work = f"{total}/{factor}={n}" if factor in (10, 100, 1000) else divide(total, factor)
    thought = f"1 {_one(big)} = {factor} {small}. {work}"
    return number(
        "units",
        "smaller unit",
        wording(rng, side, "smaller_unit", asks).format(t=total, big=big, small=small),
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
    thought = f"1 {_one(big)} = {factor} {small}. {multiply(n, factor)}. {add(n * factor, rest)}"
    return number(
        "units",
        "mixed unit",
        wording(rng, side, "mixed_unit", asks).format(n=n, big=big, small=small, r=rest),
        thought,
        n * factor + rest,
        f"{n * factor + rest} {small}",
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
    return number(
        "comparing",
        "largest",
        wording(rng, side, "largest", asks).format(w=word, v=", ".join(map(str, values))),
        extreme(values, top=biggest),
        (max if biggest else min)(values),
    )


def compared(rng: Random, side: Side) -> Example:
    """Whether one number is above another: what most thoughts about readings are made of."""
    a = rng.randint(1, rng.choice((20, 99, 99, 999)))
    b = max(1, a + rng.choice((-1, 1)) * rng.randint(1, rng.choice((3, 15, 60))))
    if a == b:
        b += 1
    above = rng.random() < 0.5
    asks = [
        "Is {a} {w} {b}?",
        "{a}: {w} {b}, yes or no?",
        "Reading {a}, limit {b}. Is it {w} the limit?",
        "Does it hold that {a} is {w} {b}?",
    ]
    answer = "yes" if (a > b) == above else "no"
    return words(
        "comparing",
        "compared",
        wording(rng, side, "compared", asks).format(a=a, b=b, w="above" if above else "below"),
        f"{a} {'>' if a > b else '<'} {b}",
        answer,
        ["yes", "no"],
    )


def fact(rng: Random, side: Side) -> Example:
    """A sum within the tables: what longer sums are made of."""
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    asks = ["What is {q}?", "{q}?", "{q} =", "How much is {q}?"]
    text, value = rng.choice(
        ((f"{a}*{b}", a * b), (f"{a * b}/{b}", a), (f"{a + b}-{b}", a), (f"{a}+{b}", a + b))
    )
    return number(
        "arithmetic",
        "fact",
        wording(rng, side, "fact", asks).format(q=text),
        f"{text}={value}",
        value,
    )


def even(rng: Random, side: Side) -> Example:
    a = rng.randint(1, 199)
    asked = rng.choice(("even", "odd"))
    asks = [
        "Is {a} {q}?",
        "{a}: {q} or not?",
        "Is the number {a} {q}, yes or no?",
        "Would you call {a} {q}?",
    ]
    real = "odd" if a % 2 else "even"
    return words(
        "comparing",
        "even",
        wording(rng, side, "even", asks).format(a=a, q=asked),
        f"{a} ends in {a % 10}, that is {real}",
        "yes" if asked == real else "no",
        ["yes", "no"],
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
    return number(
        "comparing",
        "decimals",
        wording(rng, side, "decimals", asks).format(a=values[0], b=values[1]),
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
        question=wording(rng, side, "ordering", asks).format(v=", ".join(map(str, values)), w=word),
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
    question = wording(rng, side, "who_has_most", asks).format(
        l=listed, x=what, w="most" if biggest else "least"
    )
    thought = f"{', '.join(f'{n} {v}' for n, v in zip(names, values, strict=True))}: {extreme(values, top=biggest)}, that is the {name} {what}"
    return words(
        "comparing",
        "who has most",
        question[0].upper() + question[1:],
        thought,
        f"the {name} {what}",
        names,
        name,
    )


def ends_together(rng: Random, side: Side) -> Example:
    values = rng.sample(range(10, 200), rng.randint(3, 5))
    asks = [
        "What is the sum of the largest and the smallest of {v}?",
        "Add the smallest and the largest of {v}.",
        "Of {v}, what do the highest and the lowest number make together?",
        "Take the biggest and the smallest of {v}; what is their sum?",
    ]
    big, small = max(values), min(values)
    return number(
        "comparing",
        "ends together",
        wording(rng, side, "ends_together", asks).format(v=", ".join(map(str, values))),
        f"{extreme(values, top=True)}. {extreme(values, top=False)}. {add(big, small)}",
        big + small,
    )


def pair_difference(rng: Random, side: Side) -> Example:
    a, b = rng.sample(range(10, 300), 2)
    asks = [
        "What is the difference between {a} and {b}?",
        "How far apart are {a} and {b}?",
        "By how much do {a} and {b} differ?",
        "How large is the gap between {a} and {b}?",
    ]
    return number(
        "comparing",
        "difference",
        wording(rng, side, "pair_difference", asks).format(a=a, b=b),
        f"max {max(a, b)}, min {min(a, b)}. {subtract(max(a, b), min(a, b))}",
        abs(a - b),
    )


def difference(rng: Random, side: Side) -> Example:
    """A kind that is held out: how far the ends of a list are apart."""
    values = rng.sample(range(10, 200), 4)
    question = f"What is the difference between the largest and the smallest of {', '.join(map(str, values))}?"
    thought = f"{extreme(values, top=True)}. {extreme(values, top=False)}. {subtract(max(values), min(values))}"
    return number("comparing", "spread", question, thought, max(values) - min(values))


GENERATORS = [
    (addition, 5), (subtraction, 5), (multiplication, 6), (division, 4), (two_steps, 4), (three_terms, 3),
    (larger_unit, 3), (smaller_unit, 3), (mixed_unit, 3), (later, 5), (between, 5), (weekday, 3), (day_of_month, 3),
    (largest, 4), (compared, 5), (fact, 3), (decimals, 3), (ordering, 4), (who_has_most, 4),
    (product_less, 3), (less_twice, 2), (ends_together, 2), (pair_difference, 2), (even, 2), (hours_back, 2),
]  # fmt: skip
HELD_OUT_KINDS = [subtract_product, earlier, difference]


def _one(units: str) -> str:
    return "foot" if units == "feet" else units[:-1]

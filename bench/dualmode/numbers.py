"""Arithmetic and units, and with them what `comparing` and `times` have: one exact answer each."""

from __future__ import annotations

from random import Random

from bench.dualmode.comparing import (
    compared,
    decimals,
    difference,
    ends_together,
    even,
    largest,
    ordering,
    pair_difference,
    who_has_most,
)
from bench.dualmode.example import Example, Side, number
from bench.dualmode.steps import add, divide, multiply, subtract
from bench.dualmode.times import between, day_of_month, earlier, hours_back, later, weekday
from bench.dualmode.wordings import wording


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


GENERATORS = [
    (addition, 5), (subtraction, 5), (multiplication, 6), (division, 4), (two_steps, 4), (three_terms, 3),
    (larger_unit, 3), (smaller_unit, 3), (mixed_unit, 3), (later, 5), (between, 5), (weekday, 3), (day_of_month, 3),
    (largest, 4), (compared, 5), (fact, 3), (decimals, 3), (ordering, 4), (who_has_most, 4),
    (product_less, 3), (less_twice, 2), (ends_together, 2), (pair_difference, 2), (even, 2), (hours_back, 2),
]  # fmt: skip
HELD_OUT_KINDS = [subtract_product, earlier, difference]


def _one(units: str) -> str:
    return "foot" if units == "feet" else units[:-1]

"""Comparing and ordering: questions about which of some numbers, and how far they are apart."""

from __future__ import annotations

from random import Random

from bench.dualmode.example import Example, Side, number, of_side, words
from bench.dualmode.steps import add, extreme, subtract
from bench.dualmode.wordings import wording

THINGS = """\
red,green,blue,north,south,east,west,first,second,third,small,large,front,back,upper,lower,left,right,inner,outer,
old,new,yellow,white,black,grey,brown,pink,purple,orange,round,square,tall,short,long,wide,wooden,metal,glass,plastic,
heavy,light,clean,full,open,main,spare,top,bottom,middle\
""".replace("\n", "").split(",")


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

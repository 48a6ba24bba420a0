"""Kinds of stories and puzzles near those that are held out, to learn from only.

Ages that are compared and then change are held out, so weights, lengths and money are learned;
counting even numbers is held out, so telling which are even is, and counting by other marks.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random

from bench.dualmode.example import WORDS, Example, Side, number, of_side, pick, words
from bench.dualmode.steps import add, counted, subtract
from bench.dualmode.stories import GOODS, NAMES


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
    plan = f"{a}{'+' if more else '-'}{b}{'+' if gains else '-'}{c}"
    return number("stories", "then changed", question, f"{plan}. {one}. {two}", last)


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


def which_marked(rng: Random, side: Side) -> Example:
    """Which numbers of a list have a mark; not how many."""
    values = rng.sample(range(10, 130), rng.randint(3, 5))
    digit = rng.randrange(10)
    mark, hits = rng.choice((
        ("even", [v % 2 == 0 for v in values]), ("odd", [v % 2 == 1 for v in values]),
        ("even", [v % 2 == 0 for v in values]), ("odd", [v % 2 == 1 for v in values]),
        (f"numbers that end in {digit}", [v % 10 == digit for v in values]),
        ("multiples of 5", [v % 5 == 0 for v in values]),
    ))  # fmt: skip
    asks = ["Which of {v} are {m}?", "{v}: which are {m}?", "Of {v}, name those that are {m}.",
            "List the ones that are {m}: {v}."]  # fmt: skip
    found = ", ".join(str(value) for value, hit in zip(values, hits, strict=True) if hit) or "none"
    thought = counted(hits, [f"{value} ends in {value % 10}" for value in values])
    question = rng.choice(asks).format(v=", ".join(map(str, values)), m=mark)
    return words("logic", "which marked", question, thought, found)


def states(rng: Random, side: Side) -> Example:
    """How many things of a list are in a state."""
    things = rng.sample(of_side(Side.TRAIN, WORDS), rng.randint(3, 6))
    yes, no = rng.choice((
        ("on", "off"), ("open", "closed"), ("full", "empty"), ("running", "stopped"), ("free", "taken"),
        ("red", "blue"), ("paid", "unpaid"),
    ))  # fmt: skip
    hits = [rng.random() < 0.5 for _ in things]
    told = [f"{thing} {yes if hit else no}" for thing, hit in zip(things, hits, strict=True)]
    asks = ["{l}. How many are {s}?", "How many of these are {s}: {l}?", "{l}: how many {s}?",
            "Count those that are {s}: {l}."]  # fmt: skip
    question = rng.choice(asks).format(l=", ".join(told), s=yes)
    return number(
        "logic", "states", question[0].upper() + question[1:], counted(hits, told), sum(hits)
    )


COMPARED = [
    ("weighs {a} kg", "weighs {b} kg {w}", "lighter", "heavier", "gains {c} kg", "loses {c} kg", "What does {y} weigh then?"),
    ("is {a} cm tall", "is {b} cm {w}", "shorter", "taller", "grows {c} cm", "", "How tall is {y} then?"),
    ("earns {a} euros", "earns {b} euros {w}", "less", "more", "gets {c} euros on top", "gives {c} euros away", "What does {y} have then?"),
    ("ran {a} laps", "ran {b} laps {w}", "fewer", "more", "runs {c} more", "", "How many laps has {y} run then?"),
    ("has {a} points", "has {b} points {w}", "fewer", "more", "will win {c} points", "will lose {c} points", "How many points will {y} have?"),
    ("lives {a} km away", "lives {b} km {w}", "nearer", "further away", "will move {c} km further out", "", "How far away will {y} live?"),
    ("jumps {a} cm", "jumps {b} cm {w}", "less far", "further", "improves by {c} cm in {d} weeks", "", "How far will {y} jump in {d} weeks?"),
    ("pays {a} euros rent", "pays {b} euros {w}", "less", "more", "must pay {c} euros more from May on", "", "What will {y} pay then?"),
]  # fmt: skip
"""What a first person is, a second beside it, and what then changes: weights, lengths, money, never ages."""


def compared_then(rng: Random, side: Side) -> Example:
    """What a second person is beside a first one, and then after a change."""
    first, second = rng.sample(of_side(Side.TRAIN, NAMES), 2)
    is_, beside, less_word, more_word, up, down, asked = rng.choice(COMPARED)
    a, b, c, d = rng.randint(25, 90), rng.randint(2, 20), rng.randint(2, 20), rng.randint(2, 9)
    more, rises = rng.random() < 0.4, not down or rng.random() < 0.6
    middle = a + b if more else a - b
    c = c if rises else min(c, middle - 1)
    last = middle + c if rises else middle - c
    told = [f"{first} {is_}", f"{second} {beside}", f"{second} {up if rises else down}", asked]
    if asked.startswith(("How far will", "What will", "How many points")) and rng.random() < 0.5:
        told[2:] = [f"{asked[:-1]} if {second} {up if rises else down}?"]
    question = ". ".join(part for part in told if part).format(
        a=a, b=b, c=c, d=d, w=more_word if more else less_word, y=second
    )
    one = add(a, b) if more else subtract(a, b)
    two = add(middle, c) if rises else subtract(middle, c)
    plan = f"{a}{'+' if more else '-'}{b}{'+' if rises else '-'}{c}"
    return number("stories", "compared then", question, f"{plan}. {one}. {two}", last)


def order_of_names(rng: Random, side: Side) -> Example:
    """Who comes where, from being before and after."""
    names = rng.sample(of_side(Side.TRAIN, NAMES), 3)
    less_, more_, first, last = rng.choice((
        ("before", "after", "first", "last"), ("in front of", "behind", "first", "last"),
        ("left of", "right of", "furthest left", "furthest right"),
    ))  # fmt: skip
    told = [
        f"{x} is {less_} {y}" if rng.random() < 0.5 else f"{y} is {more_} {x}"
        for x, y in pairwise(names)
    ]
    rng.shuffle(told)
    front = rng.random() < 0.5
    asks = ["{t}. Who is {w}?", "If {t}, who is {w}?", "{t}. Which one is {w}?"]
    thought = f"{names[0]} < {names[1]}, {names[1]} < {names[2]}: {', '.join(names)}, {first} {names[0]}, {last} {names[2]}"
    question = rng.choice(asks).format(t=" and ".join(told), w=first if front else last)
    return words(
        "logic", "order of names", question, thought, names[0] if front else names[2], names
    )


GENERATORS = [(chain, 4), (then_changed, 5), (compared_then, 7), (age_in, 2), (marked, 6), (which_marked, 6), (states, 4),
           (order_of_names, 4)]  # fmt: skip

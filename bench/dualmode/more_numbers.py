"""More kinds of sums, lists and units, to learn from only: what is to be done differs, not the words.

Never a number less a product, the gap between the ends of a list, or a count of even numbers.
"""

from __future__ import annotations

from itertools import pairwise
from math import gcd
from random import Random

from bench.dualmode.example import Example, Side, number, pick, words
from bench.dualmode.numbers import UNITS
from bench.dualmode.steps import add, divide, extreme, multiply, subtract
from bench.dualmode.stories import GOODS, NAMES

FRAMES = ["What is @?", "Find @.", "Tell me @.", "Work out @.", "Give @.", "Say what @ is.", "@?", "I want to know @.", "Please give me @.", "Can you tell me @?"]  # fmt: skip
ASKS = """\
inverse first: What {w} {k} makes {r}? | Which number {w} {k} is {r}? | ? {s} {k} = {r} | {r} is what {w} {k}? | A number {w} {k} is {r}. Which number? | \
___ {s} {k} = {r}. What belongs in the gap? | Solve x {s} {k} = {r}. | Some number {w} {k} gives {r}; what is it? | In x {s} {k} = {r}, what is x?
inverse second: {k} {w} what makes {r}? | {k} {w} which number is {r}? | {k} {s} ? = {r} | {r} is {k} {w} what? | {k} {s} ___ = {r}. What belongs in the gap? | Solve {k} {s} x = {r}. | \
{k} {w} some number gives {r}; what is it? | In {k} {s} x = {r}, what is x? | I have {k}. {k} {w} what would make {r}?
undone all: I think of a number, {p}, then {q}, and get {c}. What is my number? | Which number gives {c} if you {p} and then {q}? | \
{n} takes a number. The steps are: {p}, {q}. The result is {c}. Which number did {n} take? | Find the number: {p}, then {q}, and it is {c}. | \
Start with some number, {p}, {q}. You end at {c}. Where did you start? | {c} is what comes out when you take a number, {p} and then {q}. What number is it? | \
A machine does this: {p}, then {q}. It put out {c}. What was put in? | After two steps ({p}, {q}) a number has become {c}. What was it?
percent of: @{p} % of {a} | @{p} percent of {a} | How much is {p} % of {a}? | From {a}, take {p} %: how much is that? | A tank of {a} litres is {p} % full. How many litres are in it? | \
Of {a} {g}, {p} percent are sold. How many is that? | {a} people were asked, {p} % came. How many came? | {p} percent of {a} = | {n} has {a} {g}. {p} % of them are blue. How many are blue?
percent which: @the percentage that {c} is of {a} | What percentage of {a} is {c}? | {c} of {a}: how many percent? | {c} out of {a} {g} are broken. How many percent is that? | \
{c} of {a} tickets are sold. What is that in percent? | How many percent of {a} are {c}? | Write {c} out of {a} as a percentage. | {n} has read {c} of {a} pages. What percentage is that?
fraction of: @{f} of {a} | @{f} of the number {a} | How much is {f} of {a}? | Take {f} of {a}. | {a}: what is {f} of it? | There are {a} {g}, and {f} of them are red. How many are red? | \
{n} used {f} of {a} {g}. How many is that? | {f} of {a} =
fraction whole: {f} of a number is {c}. What is the number? | {c} is {f} of what? | If {f} of it is {c}, what is all of it? | {c} {g} are {f} of all. How many {g} are there in all? | \
{f} of ? = {c} | @the number of which {f} is {c} | {n} has read {c} pages, {f} of the book. How many pages has the book? | {f} of the {g} are {c}. How many are all of them?
average of: @the {w} of {v} | @the {w} of the numbers {v} | {v}: what is the {w}? | Measured: {v}. What is the {w}? | For {v} work out the {w}. | Points in the games: {v}. What is the {w}? | \
What do {v} come to on average? | Take the {w} of {v}.
sum_of_some all: @the sum of all numbers {m} among {v} | @the total of the numbers {m} in this list: {v} | Add up the numbers {m}: {v}. | {v}: add all the numbers {m}. | \
Of {v}, add only those {m}. | In {v}, what do the numbers {m} make together? | {v}. Sum of those {m}? | Only the numbers {m} count: {v}. What is their sum?
ranked second: @the second {w} of {v} | @the second {w} number in {v} | {v}: which is the second {w}? | Of {v}, pick the second {w}. | Which of {v} is the second {w}? | \
Leave out the {w} of {v}. Which is then the {w}?
ranked middle: @the middle one of {v} by size | @the median of {v} | Which of {v} lies between the other two? | Of {v}, which is neither the largest nor the smallest?
ranked place: @the place of the {w} number in {v} | {v}: at which place from the left is the {w}? | In {v}, at what position is the {w} number? | \
Counting from the left, where in {v} is the {w}? Give its place.
in_order yes: Is {v} in {w} order? | Are these numbers in {w} order: {v}? | {v}: {w} all the way, yes or no? | Do the numbers {v} keep {w}? | Is the list {v} sorted from {o}? | \
Sorted from {o} or not: {v}? | Check whether the list {v} is sorted from {o}. | {v}. Does this run from {o}?
in_order break: Which number in {v} is the first that is {w} than the one before it? | {v}: name the first number {w} than the one on its left. | \
Go through {v}. Which is the first that is {w} than its predecessor? | @the first number in {v} that is {w} than the one before it
two_results which: Which is {w}, {a} or {b}? | {a} or {b}: which is {w}? | What is {w}: {a} or {b}? | Compare {a} and {b}. Which is {w}? | Of {a} and {b}, name what is {w}. | Is {a} or {b} {w}? | \
{a} against {b}: which one is {w}? | Here are {a} and {b}. Tell me which is {w}.
two_results limit: Is {a} {w} than {y}? | Does {a} come to {w} than {y}? | {a}: is that {w} than {y}? | Yes or no: {a} is {w} than {y}. | Is the result of {a} {w} than {y}?
sequence next: What comes next: {v}? | {v}, ... What is the next number? | Continue the row: {v}. | {v}: which number follows? | How does it go on: {v}, ? | \
Which number comes after {l} in the row {v}? | {v}, and then? | @the next term of {v} | In the sequence {v}, what follows?
sequence gap: {v}: what belongs at the question mark? | Which number is missing: {v}? | Fill the gap: {v}. | {v}. Find the missing number. | What is ? in the row {v}?
rounding one: @{t} rounded to the nearest {w} | @the {w} nearest to {t} | Round {t} to the nearest {w}. | {t}: round it to the nearest {w}. | To the nearest {w}, what is {t}? | \
Which {w} is nearest to {t}? | Round off {t} to a {w}. | {t} is about what, to the nearest {w}?
rounding two: Round {a} and {b} to the nearest {w} each and add them. | To the nearest {w} each, {a} + {b} is about what? | Estimate {a} + {b}, each rounded to the nearest {w}. | \
About how much is {a} plus {b}, both rounded to the nearest {w}?
point +: @{x} + {y} | How much is {x} plus {y}? | {x} + {y} = | One thing costs {x} euros, another {y}. What do both cost? | Add {y} to {x}. | {x} and {y} together?
point -: @{x} - {y} | How much is {x} minus {y}? | {x} - {y} = | {n} has {x} euros and pays {y}. How many euros are left? | Take {y} from {x}. | {x} minus {y}?
point *: @{x} * {y} | How much is {x} times {y}? | {x} * {y} = | One piece weighs {x} kg. What do {y} of them weigh, in kg? | Multiply {x} by {y}. | {x} times {y}?
point best: @the {w} of {v} | @the {w} number in {v} | Which of {v} is the {w}? | {v}: which is the {w}? | Of {v}, pick the {w}.
"""
"""Wordings by kind and form; behind an @ the name of what is asked for, to stand in a frame."""
WORDINGS = dict(line.split(": ", 1) for line in ASKS.splitlines())
SIGNS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
BACK = {"+": "-", "-": "+", "*": "/", "/": "*"}
TOLD = {"+": "add {}", "-": "subtract {}", "*": "multiply by {}", "/": "divide by {}"}
NTHS = ["", "", "half", "third", "quarter", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
COMPARING = {"average", "sum of some", "ranked", "in order", "two results"}
COUNTS = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def inverse(rng: Random, side: Side) -> Example:
    """The number that is missing from a sum: one step undone."""
    sign, first = rng.choice("+-*/"), rng.random() < 0.5
    a, b = rng.randint(11, 250), rng.randint(11, 199)
    if sign in "*/":
        a, b = rng.randint(6, 60), rng.randint(3, 9)
    whole = a + b if sign in "+-" else a * b
    k, r = (b, whole) if sign in "+*" else (b, a) if first else (whole, b)
    x, back, y = (k, sign, r) if sign in "-/" and not first else (r, BACK[sign], k)
    plan = f"?{sign}{k}={r}" if first else f"{k}{sign}?={r}"
    (work, value), form = _work(x, back, y), "inverse first" if first else "inverse second"
    thought = f"{plan}, ?={x}{back}{y}. {work}"
    return _made(rng, form, thought, value, k=k, r=r, s=sign, w=SIGNS[sign])


def undone(rng: Random, side: Side) -> Example:
    """A number somebody thinks of, from what comes out after two steps: both undone, last first."""
    one, two = rng.choice(("*+", "*-", "/+", "+*", "-*", "+/", "-/"))
    m, n = (rng.randint(2, 9) if sign in "*/" else rng.randint(3, 60) for sign in one + two)
    start = rng.randint(4 if "-" not in one + two else 61, 99)
    end = _work(_work(start, one, m)[1], two, n)[1]
    last, middle = _work(end, BACK[two], n)
    first, begin = _work(middle, BACK[one], m)
    if not 3 < end < 400 or _work(start, one, m)[1] != middle or begin != start:
        return undone(rng, side)
    told = {"p": TOLD[one].format(m), "q": TOLD[two].format(n)}
    plan = f"? {one}{m} {two}{n} = {end}, back {BACK[two]}{n} {BACK[one]}{m}"
    return _made(rng, "undone all", f"{plan}. {last}. {first}", start, c=end, **told)


def percent(rng: Random, side: Side) -> Example:
    """A percentage of a number, or what percentage one is of another."""
    a = 100 * rng.randint(2, 9)
    if rng.random() < 0.4:
        p = rng.randint(3, 48)
        thought = f"1%: {a}/100={a // 100}. {divide(p * a // 100, a // 100)}, {p} %"
        return _made(rng, "percent which", thought, f"{p} %", a=a, c=p * a // 100)
    base, times = rng.choice((1, 10, 10)), rng.randint(1, 9)
    a = a if base == 1 else 10 * rng.randint(3, 60)
    one, p = a * base // 100, base * times
    thought = f"{base}%: {a}/{100 // base}={one}"
    thought += f". {p}%: {multiply(one, times)}" if times > 1 else ""
    return _made(rng, "percent of", thought, one * times, a=a, p=p)


def fraction(rng: Random, side: Side) -> Example:
    """A fraction of a number, or the number of which a fraction is told."""
    d, one = rng.randint(2, 10), rng.randint(3, 45)
    n = rng.choice([n for n in range(1, d) if gcd(n, d) == 1])
    name = f"{COUNTS[n]} {NTHS[d]}s" if n > 1 else f"{'an' if d == 8 else 'a'} {NTHS[d]}"
    name = rng.choice((f"{n}/{d}", "half" if d == 2 else name))
    if rng.random() < 0.6:
        work = f"1/{d}: {divide(one * d, d)}" + (f". {n}/{d}: {multiply(one, n)}" if n > 1 else "")
        return _made(rng, "fraction of", work, one * n, f=name, a=one * d)
    work = f"1/{d}: {divide(one * n, n)}. " if n > 1 else ""
    thought = f"{n}/{d}={one * n}. {work}all: {multiply(one, d)}"
    return _made(rng, "fraction whole", thought, one * d, f=name, c=one * n)


def average(rng: Random, side: Side) -> Example:
    """The mean of a few numbers."""
    values, word = rng.sample(range(5, 80), rng.choice((3, 3, 4))), rng.choice(("average", "mean"))
    values[-1] += -sum(values) % len(values)
    total, count = sum(values), len(values)
    thought = f"({'+'.join(map(str, values))})/{count}. {_total(values)}. {divide(total, count)}"
    return _made(rng, "average of", thought, total // count, v=_listed(rng, values), w=word)


def sum_of_some(rng: Random, side: Side) -> Example:
    """The sum of those numbers of a list that have a mark, the others passed over."""
    limit, digit = rng.randint(40, 140), rng.randrange(10)
    mark, inside = rng.choice((
        (f"above {limit}", range(limit + 1, 200)), (f"below {limit}", range(10, limit)),
        (f"over {limit}", range(limit + 1, 200)), (f"ending in {digit}", range(10 + digit, 200, 10)),
    ))  # fmt: skip
    outside = [v for v in range(10, 200) if v not in inside and v != limit]
    values = rng.sample(inside, rng.randint(2, 3)) + rng.sample(outside, rng.randint(1, 3))
    rng.shuffle(values)
    hits, end = [v for v in values if v in inside], mark.startswith("end")
    held = [f"ends in {v % 10}" if end else f"{_sign(v, limit)} {limit}" for v in values]
    said = [f"{v} {h} {'yes' if v in hits else 'no'}" for v, h in zip(values, held, strict=True)]
    thought = f"{', '.join(said)}. {'+'.join(map(str, hits))}. {_total(hits)}"
    return _made(rng, "sum_of_some all", thought, sum(hits), m=mark, v=_listed(rng, values))


def ranked(rng: Random, side: Side) -> Example:
    """The second of a list by size, the middle of three, or the place at which an end stands."""
    form, top = rng.choice(("second", "second", "middle", "place")), rng.random() < 0.5
    count = 3 if form == "middle" else rng.randint(3, 5)
    values = rng.sample(range(10, rng.choice((99, 199, 999))), count)
    end, thought = (max if top else min)(values), extreme(values, top=top)
    rest, place = [v for v in values if v != end], values.index(end) + 1
    worked, value = {
        "second": (f"left {' '.join(map(str, rest))}: {extreme(rest, top=top)}", (max if top else min)(rest)),
        "middle": (f"{extreme(values, top=not top)}. left {sorted(values)[1]}", sorted(values)[1]),
        "place": (", ".join(f"{n} {v}" for n, v in enumerate(values[:place], 1)) + f", place {place}", place),
    }[form]  # fmt: skip
    word = rng.choice(("largest", "biggest", "highest") if top else ("smallest", "lowest"))
    thought = f"{thought}. {worked}"
    return _made(rng, f"ranked {form}", thought, value, v=_listed(rng, values), w=word)


def in_order(rng: Random, side: Side) -> Example:
    """Whether a list rises or falls throughout, or where it first does not."""
    low, up, which = rng.randint(1, 150), rng.random() < 0.6, rng.random() < 0.35
    values = sorted(rng.sample(range(low, low + 60), rng.randint(3, 6)), reverse=not up)
    if which or rng.random() < 0.5:
        place = rng.randrange(len(values) - 1)
        values[place : place + 2] = values[place + 1], values[place]
    breaks = [n for n, (one, other) in enumerate(pairwise(values), 2) if (one < other) != up]
    seen = values[: breaks[0]] if breaks else values
    thought = ", ".join(f"{one}{_sign(one, other)}{other}" for one, other in pairwise(seen))
    listed, word = _listed(rng, values), "rising" if up else "falling"
    if which:
        worse = "smaller" if up else "larger"
        return _made(rng, "in_order break", thought, seen[-1], v=listed, w=worse)
    order, held = "small to large" if up else "large to small", "not" if breaks else "always"
    thought, answer = f"{thought}, {held} {word}", "no" if breaks else "yes"
    return _made(rng, "in_order yes", thought, answer, v=listed, w=word, o=order)


def two_results(rng: Random, side: Side) -> Example:
    """Which of two sums, or of quantities in two units, is more; or whether one is over a limit."""
    more, form = rng.random() < 0.5, rng.choice(("which", "which", "limit", "units"))
    one, work, x = _worth(rng, rng.randint(60, 250))
    y = x + rng.choice((-1, 1)) * rng.randint(1, 15)
    word = "more" if more else "less"
    if form == "limit":
        said, answer = f"{work}. {x} {_sign(x, y)} {y}", "yes" if (x > y) == more else "no"
        return _made(rng, "two_results limit", said, answer, a=one, y=y, w=word)
    if form == "units":
        big, small, factor = rng.choice([unit for unit in UNITS if unit[0][-2:] in {"rs", "es"}])
        n, part = rng.randint(3, 20), rng.choice((-1, 1)) * max(1, factor // 20)
        x, y = n * factor, n * factor + part * rng.randint(1, 15)
        work = f"1 {big[:-1]} = {factor} {small}. "
        work += f"{n}*{factor}={x}" if factor > 60 else multiply(n, factor)
        one, other = f"{n} {big}", f"{y} {small}"
    else:
        other, second, y = _worth(rng, y)
        work = f"{work}. {second}"
    if x == y:
        return two_results(rng, side)
    best = one if (x > y) == more else other
    thought = f"{work}. {x} {_sign(x, y)} {y}, {word}: {best}"
    return _made(rng, "two_results which", thought, best, a=one, b=other, w=word)


def sequence(rng: Random, side: Side) -> Example:
    """How a row of numbers goes on, or what is missing in it, from the steps between neighbours."""
    form, step = rng.choice(("+", "+", "-", "times", "growing", "gap")), rng.randint(2, 19)
    more, factor, place = rng.randint(1, 5), rng.randint(2, 3), rng.randint(2, 3)
    row = [{"-": rng.randint(80, 190), "times": rng.randint(2, 9)}.get(form, rng.randint(2, 60))]
    for n in range(4):
        by = {"-": -step, "growing": step + n * more, "times": row[-1] * (factor - 1)}
        row.append(row[-1] + by.get(form, step))
    if form == "gap":
        thought = f"{subtract(row[1], row[0])}. {add(row[place - 1], step)}"
        shown = ", ".join("?" if n == place else str(v) for n, v in enumerate(row))
        return _made(rng, "sequence gap", thought, row[place], v=shown)
    gaps = [abs(other - one) for one, other in pairwise(row)][: 2 if form in "+-" else 3]
    steps = [subtract(max(pair), min(pair)) for pair in pairwise(row[: len(gaps) + 1])]
    found, last = f"{'. '.join(steps)}. {', '.join(map(str, gaps))}", row[3]
    if form in {"times", "growing"}:
        growth = f"each {more} more, next {add(gaps[2], more)}. {add(last, gaps[2] + more)}"
        found += f", each *{factor}. {multiply(last, factor)}" if form == "times" else f", {growth}"
    else:
        found += f", always {form}{step}. {_work(last, form, step)[0]}"
    return _made(rng, "sequence next", found, row[4], v=", ".join(map(str, row[:4])), l=last)


def rounding(rng: Random, side: Side) -> Example:
    """A number to the nearest ten, hundred or whole, or the sum of two of them."""
    unit, word = rng.choice(((10, "ten"), (10, "ten"), (100, "hundred"), (1, "whole number")))
    (a, x, first), (b, y, second) = (_rounded(rng, unit) for _ in range(2))
    if unit == 1 or rng.random() < 0.7:
        return _made(rng, "rounding one", f"{a}: {first}", x, t=a, w=word)
    thought = f"{a}: {first}. {b}: {second}. {add(x, y)}"
    return _made(rng, "rounding two", thought, x + y, a=a, b=b, w=word)


def point(rng: Random, side: Side) -> Example:
    """Sums and comparisons of numbers with a point, worked out without it."""
    places, sign, top = rng.choice((1, 1, 2)), rng.choice("+-*<"), rng.random() < 0.5
    b, a = sorted(rng.sample(range(11, 600) if places == 1 else range(105, 3000), 2))
    if sign == "<":
        values = rng.sample(range(b, b + 60), 3)
        best = _pointed((max if top else min)(values), places)
        shown, word = [_pointed(v, places) for v in values], "largest" if top else "smallest"
        plain = " ".join(map(str, values))
        thought = f"without point {plain}. {extreme(values, top=top)}, so {best}"
        return _made(rng, "point best", thought, best, v=_listed(rng, shown), w=word)
    b = rng.randint(2, 9) if sign == "*" else b
    y = str(b) if sign == "*" else _pointed(b, places)
    work, value = _work(a, sign, b)
    thought = f"without point {a}{sign}{b}. {work}, so {_pointed(value, places)}"
    return _made(rng, f"point {sign}", thought, _pointed(value, places), x=_pointed(a, places), y=y)


def _made(rng: Random, form: str, thought: str, value: object, **fields: object) -> Example:
    """Return an example of a form, in one of its wordings."""
    text = rng.choice(WORDINGS[form].split(" | "))
    if text.startswith("@"):
        text = rng.choice(FRAMES).replace("@", text[1:])
    text = text.format(n=pick(rng, Side.TRAIN, NAMES), g=pick(rng, Side.TRAIN, GOODS), **fields)
    text, kind = text[0].upper() + text[1:], form.rsplit(" ", 1)[0].replace("_", " ")
    category = "comparing" if kind in COMPARING else "arithmetic"
    if value in {"yes", "no"} or form == "two_results which":
        choices = ["yes", "no"] if value in {"yes", "no"} else [str(fields[k]) for k in "ab"]
        return words(category, kind, text, thought, str(value), choices)
    return number(category, kind, text, thought, str(value).removesuffix(" %"), str(value))


def _listed(rng: Random, values: list[int] | list[str]) -> str:
    """Return a list as one would write it."""
    *most, last = map(str, values)
    return f"{', '.join(most)}{rng.choice((', ', ', ', ' and '))}{last}"


def _sign(one: int, other: int) -> str:
    return ">" if one > other else "<" if one < other else "="


def _work(a: int, sign: str, b: int) -> tuple[str, int]:
    """Return how a sum is worked out, and what it is."""
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[sign]
    return {"+": add, "-": subtract, "*": multiply, "/": divide}[sign](a, b), value


def _total(values: list[int]) -> str:
    """Return how numbers are added, one after the other."""
    return ". ".join(add(sum(values[:n]), values[n]) for n in range(1, len(values)))


def _worth(rng: Random, goal: int) -> tuple[str, str, int]:
    """Return a sum that comes to about `goal`, how it is worked out, and what it is."""
    sign, a, b = rng.choice("+-*"), rng.randint(11, goal - 11), rng.randint(3, 9)
    a, b = {"+": (a, goal - a), "-": (goal + a, a), "*": (goal // b, b)}[sign]
    return f"{a} {sign} {b}", *_work(a, sign, b)


def _rounded(rng: Random, unit: int) -> tuple[str, int, str]:
    """Return a number, what it is rounded to, and how; the rest of a whole is its first tenth."""
    count, rest, half = rng.randint(2, 40), rng.randint(1, max(9, unit - 1)), max(5, unit // 2)
    text = str(count * unit + rest) if unit > 1 else f"{count}.{rest}{rng.choice(('', '', 2, 8))}"
    up, zeros = rest >= half, str(unit)[1:]
    said = f"{rest}>={half}, up, {add(count, 1)}" if up else f"{rest}<{half}, down, {count}"
    said += f", so {count + up}{zeros}" if zeros else ""
    return text, (count + up) * unit, f"{count} and rest {said}"


def _pointed(value: int, places: int) -> str:
    return f"{value // 10**places}.{value % 10**places:0{places}}"


GENERATORS = [
    (inverse, 5), (undone, 5), (percent, 4), (fraction, 5), (average, 4), (sum_of_some, 5), (ranked, 5),
    (in_order, 4), (two_results, 5), (sequence, 5), (rounding, 5), (point, 5),
]  # fmt: skip

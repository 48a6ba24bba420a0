"""Small word problems and logic puzzles with one exact answer each."""

from __future__ import annotations

from random import Random

from bench.dualmode.example import Example, Side, of_side, pick
from bench.dualmode.steps import add, counted, divide, multiply, subtract
from bench.dualmode.wordings import wording

NAMES = """\
Anna,Ben,Clara,David,Eva,Felix,Greta,Hugo,Ines,Jonas,Kira,Leo,Mia,Noah,Olga,Paul,Rosa,Sam,Tina,Uwe,Vera,Will,Yara,Zoe,
Adam,Bella,Carl,Dora,Emil,Fiona,Georg,Hanna,Ivan,Julia,Karl,Lena,Max,Nina,Oscar,Petra,Quinn,Ralf,Sara,Tom,Ursula,Viktor,
Wanda,Xenia,Yusuf,Zara,Alice,Bruno,Cora,Dennis,Ella,Frank,Gina,Henry,Iris,Jack,Kate,Lars,Maria,Nico,Otto,Paula,Rita,
Simon,Thea,Udo,Vince,Wendy,Amir,Beth,Chen,Diana,Eric,Fatima,Grace,Hiro,Irina,Juan,Kofi,Lily,Marco,Nadia,Omar,Pia,
Raj,Sofia,Tariq,Uma,Vlad,Walter,Ying,Zack,Aisha,Boris,Chloe,Dan,Esther,Fred,Gabi,Hans,Ian,Jane,Kurt,Lucy,Mark,Nora\
""".replace("\n", "").split(",")
GOODS = """\
apples,screws,books,bottles,cards,boxes,pens,eggs,tickets,bricks,cups,chairs,stamps,shells,batteries,tiles,plates,
nails,candles,lemons,stickers,marbles,coins,spoons,towels,roses,trees,lamps,bags,bolts,cables,photos,letters,beads,
oranges,socks,keys,ropes,stones,cakes,pencils,plants,shirts,toys,buttons,flags,hats,masks,bulbs,knives,rings,drums,
melons,pillows,gloves,forks,brushes,boards,wheels,magnets\
""".replace("\n", "").split(",")


def gain_and_loss(rng: Random, side: Side) -> Example:
    a, b = rng.randint(15, 90), rng.randint(11, 70)
    c = rng.randint(5, a + b - 5)
    asks = [
        "{n} has {a} {g}, gets {b} more and gives away {c}. How many {g} does {n} have now?",
        "A shop has {a} {g}. {b} {g} are delivered and {c} are sold. How many {g} are left?",
        "There are {a} {g} in a room. {n} brings {b} and then takes {c} out. How many {g} are there?",
        "{n} starts with {a} {g}, buys {b}, loses {c}. How many {g} remain?",
        "{n} had {a} {g}, found {b} more and lost {c}. How many {g} does {n} have?",
        "In a store there are {a} {g}; {b} arrive, then {c} go out. How many {g} remain there?",
        "From {a} {g} plus {b} new ones, {c} are used. How many {g} are left over?",
        "{n} counts {a} {g}, adds {b} and removes {c}. What is the number of {g} now?",
    ]
    return _story(
        rng,
        side,
        asks,
        "gain and loss",
        [f"{a}+{b}-{c}", add(a, b), subtract(a + b, c)],
        a + b - c,
        a=a,
        b=b,
        c=c,
    )


def packs(rng: Random, side: Side) -> Example:
    a, b, c = rng.randint(3, 9), rng.randint(11, 40), rng.randint(5, 60)
    asks = [
        "{n} buys {a} packs of {b} {g} and already has {c}. How many {g} are that?",
        "A box holds {b} {g}. There are {a} boxes and {c} loose {g}. How many {g} in all?",
        "{a} shelves carry {b} {g} each, and {c} {g} lie on the floor. How many {g} are there?",
        "Each of {a} bags has {b} {g}; {n} adds {c} more. What is the number of {g}?",
        "{a} crates with {b} {g} each and {c} single {g}: how many {g} together?",
        "{n} fills {a} boxes with {b} {g} each; {c} {g} are left over. How many {g} were there?",
        "There are {a} rows of {b} {g} and {c} more {g}. How many {g} are there in total?",
        "{n} orders {a} packets, {b} {g} in each, and gets {c} {g} for free. How many {g} come?",
    ]
    return _story(
        rng,
        side,
        asks,
        "packs",
        [f"{a}*{b}+{c}", multiply(b, a), add(a * b, c)],
        a * b + c,
        a=a,
        b=b,
        c=c,
    )


def cost(rng: Random, side: Side) -> Example:
    a, b = rng.randint(3, 9), rng.randint(3, 25)
    c, d = rng.randint(2, 9), rng.randint(2, 25)
    asks = [
        "{n} buys {a} {g} at {b} euros each and {c} lamps at {d} euros each. What is the total in euros?",
        "One of the {g} costs {b} euros, a ticket {d} euros. What do {a} {g} and {c} tickets cost?",
        "{a} {g} for {b} euros each and {c} books for {d} euros each: how much must {n} pay?",
        "What does {n} pay for {a} {g} at {b} euros and {c} bags at {d} euros a piece?",
        "A shop sells {g} at {b} euros and cups at {d} euros. How much are {a} {g} and {c} cups?",
        "{n} pays for {a} {g} ({b} euros each) and {c} plates ({d} euros each). How much in all?",
        "{a} times {b} euros for {g} and {c} times {d} euros for chairs: what is the sum in euros?",
        "What is the price of {a} {g} at {b} euros and {c} pens at {d} euros together?",
    ]
    steps = [f"{a}*{b}+{c}*{d}", multiply(b, a), multiply(d, c), add(a * b, c * d)]
    return _story(rng, side, asks, "cost", steps, a * b + c * d, unit=" euros", a=a, b=b, c=c, d=d)


def sharing(rng: Random, side: Side) -> Example:
    people, each = rng.randint(3, 9), rng.randint(6, 30)
    total = people * each
    asks = [
        "{n} shares {t} {g} equally among {p} friends. How many does each friend get?",
        "{t} {g} are packed into {p} equal boxes. How many {g} are in a box?",
        "{p} workers carry {t} {g} in equal parts. How many {g} does one of them carry?",
        "{t} {g} go evenly to {p} rooms. How many {g} per room?",
        "{n} puts {t} {g} into {p} bags, the same number in each. How many {g} per bag?",
        "{p} children get {t} {g} in equal shares. How many {g} does each child get?",
        "If {t} {g} fill {p} shelves evenly, how many {g} stand on a shelf?",
        "{t} {g} are split equally between {p} teams. How many {g} does a team get?",
    ]
    return _story(rng, side, asks, "sharing", [divide(total, people)], each, t=total, p=people)


def speed(rng: Random, side: Side) -> Example:
    v, h = rng.randint(20, 95), rng.randint(2, 8)
    asks = [
        "A car drives {v} km per hour for {h} hours. How many km does it drive?",
        "A belt moves {v} parts an hour. How many parts does it move in {h} hours?",
        "{n} reads {v} pages a day for {h} days. How many pages is that?",
        "A pump moves {v} litres a minute. How many litres in {h} minutes?",
        "A train travels {v} km an hour. How far does it get in {h} hours, in km?",
        "{n} packs {v} {g} an hour. How many {g} in {h} hours?",
        "A printer prints {v} sheets a minute. How many sheets in {h} minutes?",
        "A machine makes {v} pieces per hour; how many in {h} hours?",
    ]
    return _story(rng, side, asks, "speed", [multiply(v, h)], v * h, v=v, h=h)


def duration(rng: Random, side: Side) -> Example:
    rate, time = rng.randint(3, 9), rng.randint(6, 40)
    total = rate * time
    asks = [
        "A tap gives {r} litres a minute. How many minutes does it take to fill {t} litres?",
        "{n} makes {r} {g} an hour. How many hours for {t} {g}?",
        "A printer does {r} pages a minute. In how many minutes are {t} pages done?",
        "At {r} km an hour, how many hours are {t} km?",
        "{n} walks {r} km an hour. How many hours does {n} need for {t} km?",
        "A machine fills {r} bottles a minute. How many minutes for {t} bottles?",
        "How many days do {t} {g} last at {r} a day?",
        "A pump moves {r} litres a second. In how many seconds does it move {t} litres?",
    ]
    return _story(rng, side, asks, "duration", [divide(total, rate)], time, r=rate, t=total)


def energy(rng: Random, side: Side) -> Example:
    w, h, d = rng.choice((20, 40, 50, 60, 100, 150, 200)), rng.randint(2, 9), rng.randint(2, 9)
    asks = [
        "A lamp of {w} watts burns {h} hours a day. How many watt hours in {d} days?",
        "A heater of {w} watts runs {h} hours a day for {d} days. How many watt hours is that?",
        "How many watt hours does a {w} watt fan use in {d} days at {h} hours a day?",
        "A {w} watt pump runs {h} hours each day. What does it use in {d} days, in watt hours?",
        "{n} runs a {w} watt heater {h} hours a day for {d} days. How many watt hours are used?",
        "A {w} watt motor works {h} hours daily. How many watt hours after {d} days?",
        "What does a screen of {w} watts use in {d} days with {h} hours each day, in watt hours?",
        "For {d} days a {w} watt light is on {h} hours a day. How many watt hours is that?",
    ]
    steps = [f"{w}*{h}*{d}", multiply(w, h), multiply(w * h, d)]
    return _story(rng, side, asks, "energy", steps, w * h * d, unit=" watt hours", w=w, h=h, d=d)


def fewer(rng: Random, side: Side) -> Example:
    """Two people, of whom one has more or less."""
    first, second = rng.sample(of_side(side, NAMES), 2)
    a, b = rng.randint(20, 99), rng.randint(2, 19)
    more = rng.random() < 0.5
    asks = [
        "{x} has {a} {g}. {y} has {b} {w}. How many {g} does {y} have?",
        "{x} counts {a} {g} and {y} {b} {w}. How many {g} are {y}'s?",
        "{x} is {a} years old. {y} is {b} years {o}. How old is {y}?",
        "If {x} has {a} {g} and {y} {b} {w}, how many has {y}?",
    ]
    question = wording(rng, side, "fewer", asks).format(
        x=first, y=second, a=a, b=b, g=pick(rng, side, GOODS), w="more" if more else "fewer",
        o="older" if more else "younger",
    )  # fmt: skip
    value = a + b if more else a - b
    return Example(
        category="stories",
        kind="fewer",
        question=question,
        thought=f"{add(a, b) if more else subtract(a, b)}.",
        answer=str(value),
        expected=str(value),
    )


def ages(rng: Random, side: Side) -> Example:
    """A kind that is held out: a difference that is carried over to a third person."""
    first, second = rng.sample(of_side(side, NAMES), 2)
    a, b, c = rng.randint(20, 50), rng.randint(2, 19), rng.randint(2, 15)
    question = (
        f"{first} is {a} years old. {second} is {b} years younger. "
        f"How old will {second} be in {c} years?"
    )
    return Example(category="stories", kind="ages", question=question,
                   thought=f"{subtract(a, b)}. {add(a - b, c)}.", answer=str(a - b + c),
                   expected=str(a - b + c))  # fmt: skip


ORDERS = [
    ("taller", "shorter", "tallest", "shortest"),
    ("older", "younger", "oldest", "youngest"),
    ("faster", "slower", "fastest", "slowest"),
]


def tallest(rng: Random, side: Side) -> Example:
    people = rng.sample(of_side(side, NAMES), 3)
    more, less, most, least = rng.choice(ORDERS)
    facts = [(people[0], people[1]), (people[1], people[2])]
    told = [
        f"{x} is {more} than {y}" if rng.random() < 0.5 else f"{y} is {less} than {x}"
        for x, y in facts
    ]
    rng.shuffle(told)
    top = rng.random() < 0.5
    asks = [
        "{t}. Who is the {w}?",
        "If {t}, who is the {w}?",
        "{t}. Name the {w} of them.",
        "{t}. Which one is the {w}?",
    ]
    question = wording(rng, side, "tallest", asks).format(
        t=" and ".join(told), w=most if top else least
    )
    answer = people[0] if top else people[2]
    thought = f"{people[0]} > {people[1]}, {people[1]} > {people[2]}: {' > '.join(people)}, {most} {people[0]}, {least} {people[2]}."
    return Example(
        category="logic",
        kind="tallest",
        question=question,
        thought=thought,
        answer=answer,
        expected=answer,
        check="words",
        choices=tuple(people),
    )


RULES = [
    ("the window is open", "the heating is off"), ("it is dark", "the lamp is on"),
    ("the door is locked", "the alarm is armed"), ("the tank is empty", "the pump is stopped"),
    ("nobody is home", "the blinds are closed"), ("the filter is full", "the fan is blocked"),
    ("it rains", "the roof is shut"), ("the machine is hot", "the valve is open"),
]  # fmt: skip


def rule(rng: Random, side: Side) -> Example:
    condition, result = rng.choice(RULES)
    opposite = _opposite(result)
    holds, follows = rng.random() < 0.5, rng.random() < 0.5
    asks = [
        "Rule: if {c}, then {r}, otherwise {o}. Fact: {f}. Is it true that {q}?",
        "If {c}, {r}; if not, {o}. Now {f}. Is it right that {q}?",
        "When {c}, {r}, else {o}. We know: {f}. Does it hold that {q}?",
        "Either {c} and {r}, or else {o}. Fact: {f}. True or not: {q}? Say yes or no.",
    ]
    fact = condition if holds else _opposite(condition)
    real = result if holds else opposite
    asked = result if follows else opposite
    answer = "yes" if real == asked else "no"
    question = wording(rng, side, "rule", asks).format(
        c=condition, r=result, o=opposite, f=fact, q=asked
    )
    thought = (
        f"{fact}: so {real}. Asked: {asked}, {'the same' if answer == 'yes' else 'not the same'}."
    )
    return Example(
        category="logic",
        kind="rule",
        question=question,
        thought=thought,
        answer=answer,
        expected=answer,
        check="words",
        choices=("yes", "no"),
    )


def divisible(rng: Random, side: Side) -> Example:
    b = rng.randint(3, 9)
    a = b * rng.randint(5, 19) + (0 if rng.random() < 0.5 else rng.randint(1, b - 1))
    quotient, rest = divmod(a, b)
    asks = [
        "Is {a} divisible by {b}?",
        "Does {b} divide {a} without remainder?",
        "Can {a} be divided evenly by {b}?",
        "Is {a} a multiple of {b}?",
    ]
    answer = "no" if rest else "yes"
    thought = f"{a}/{b}: {b}*{quotient}={b * quotient}, {a}-{b * quotient}={rest}: {'rest ' + str(rest) if rest else 'no rest'}."
    return Example(
        category="logic",
        kind="divisible",
        question=wording(rng, side, "divisible", asks).format(a=a, b=b),
        thought=thought,
        answer=answer,
        expected=answer,
        check="words",
        choices=("yes", "no"),
    )


def counting(rng: Random, side: Side) -> Example:
    values = [rng.randint(1, 99) for _ in range(rng.randint(4, 7))]
    limit = rng.randint(20, 80)
    over = rng.random() < 0.5
    asks = [
        "How many of {v} are {w} {x}?",
        "Count the numbers {w} {x} in {v}.",
        "In {v}, how many numbers are {w} {x}?",
        "{v}: how many are {w} {x}?",
    ]
    hits = [value for value in values if (value > limit if over else value < limit)]
    compared = [f"{value} {_sign(value, limit)} {limit}" for value in values]
    thought = counted([value in hits for value in values], compared) + "."
    return Example(
        category="logic",
        kind="counting",
        thought=thought,
        answer=str(len(hits)),
        expected=str(len(hits)),
        question=wording(rng, side, "counting", asks).format(
            v=", ".join(map(str, values)), w="above" if over else "below", x=limit
        ),
    )


def parity(rng: Random, side: Side) -> Example:
    """A kind that is held out: how many numbers of a list are even."""
    values = [rng.randint(10, 99) for _ in range(rng.randint(4, 6))]
    hits = [value for value in values if value % 2 == 0]
    return Example(
        category="logic",
        kind="parity",
        answer=str(len(hits)),
        expected=str(len(hits)),
        question=f"How many of {', '.join(map(str, values))} are even?",
        thought=counted(
            [value % 2 == 0 for value in values],
            [f"{value} ends in {value % 10}" for value in values],
        )
        + ".",
    )


GENERATORS = [
    (gain_and_loss, 5), (packs, 5), (cost, 5), (sharing, 3), (speed, 3), (duration, 3), (energy, 3),
    (fewer, 4), (tallest, 5), (rule, 5), (divisible, 3), (counting, 5),
]  # fmt: skip
HELD_OUT_KINDS = [ages, parity]


def _sign(value: int, limit: int) -> str:
    return "=" if value == limit else ">" if value > limit else "<"


def _story(rng, side, asks, kind, steps, value, *, unit="", **fields) -> Example:
    question = wording(rng, side, kind, asks).format(
        n=pick(rng, side, NAMES), g=pick(rng, side, GOODS), **fields
    )
    return Example(
        category="stories",
        kind=kind,
        question=question,
        thought=". ".join(steps) + ".",
        answer=f"{value}{unit}",
        expected=str(value),
    )


def _opposite(fact: str) -> str:
    for word, other in (("is open", "is closed"), ("is off", "is on"), ("is dark", "is bright"),
                        ("is on", "is off"), ("is locked", "is unlocked"), ("is armed", "is not armed"),
                        ("is empty", "is not empty"), ("is stopped", "is running"),
                        ("nobody is", "somebody is"), ("are closed", "are open"),
                        ("is full", "is not full"), ("is blocked", "is free"), ("it rains", "it is dry"),
                        ("is shut", "is open"), ("is hot", "is cold")):  # fmt: skip
        if word in fact:
            return fact.replace(word, other)
    raise ValueError(fact)

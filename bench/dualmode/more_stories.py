"""More kinds of stories and puzzles, to learn from only: other chains of steps than those tested.

A story's plan is said as a formula and then worked out; a puzzle's facts are written as short signs
and followed one by one. Nothing here has the form of a kind that is held out.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random

from bench.dualmode.example import WORDS, Example, Side, number, of_side, pick, words
from bench.dualmode.steps import add, counted, divide, multiply, subtract
from bench.dualmode.stories import GOODS, NAMES

PRICED = ["coat", "lamp", "bike", "chair", "table", "phone", "watch", "jacket", "sofa", "radio", "mirror", "carpet", "camera", "ladder",
          "mixer", "kettle", "desk", "bed", "tent", "drill", "suitcase", "heater", "printer", "guitar", "shelf", "helmet"]  # fmt: skip


def shared_after(rng: Random, side: Side) -> Example:
    """Sharing after something came or went, or something that comes to a share."""
    p, each, b = rng.randint(3, 9), rng.randint(6, 40), rng.randint(5, 40)
    a, case = p * each, rng.choice("+-/")
    if case == "+":
        b = min(b, a - 3)
        a, work, value = a - b, f"({a - b}+{b})/{p}. {add(a - b, b)}. {divide(a, p)}", each
        asks = ["{n} has {a} {g}, buys {b} and shares all equally among {p} friends. How many does each get?",
                "{a} {g} and {b} other {g} are put evenly into {p} boxes. How many per box?",
                "To {a} {g} come {b} more; {p} teams divide them evenly. What does a team get?"]  # fmt: skip
    elif case == "-":
        a, work, value = a + b, f"({a + b}-{b})/{p}. {subtract(a + b, b)}. {divide(a, p)}", each
        asks = ["{n} has {a} {g}, keeps {b} and shares the others equally among {p} friends. How many per friend?",
                "Of {a} {g}, {b} are broken. The good ones fill {p} equal boxes. How many are in a box?",
                "After {b} of {a} {g} are sold, {p} shops share the others equally. How many per shop?"]  # fmt: skip
    else:
        work, value = f"{a}/{p}+{b}. {divide(a, p)}. {add(each, b)}", each + b
        asks = ["{p} friends share {a} {g} equally. Each already has {b}. How many does each have then?",
                "{a} {g} go evenly to {p} rooms with {b} {g} in each. How many are in a room then?",
                "Each of {p} shelves has {b} {g}. {a} more are spread over them evenly. How many per shelf now?"]  # fmt: skip
    return number("stories", "shared after", _filled(rng, asks, a=a, b=b, p=p), work, value)


def until(rng: Random, side: Side) -> Example:
    """How long it takes to a goal: from a start, with a flow out as well, or with two that flow in."""
    rate, time, case = rng.randint(4, 12), rng.randint(4, 30), rng.choice("hio")
    t, h, out = rate * time, rng.randint(11, 99), rng.randint(2, 25)
    if case == "h":
        t, work = t + h, f"({t + h}-{h})/{rate}. {subtract(t + h, h)}"
        asks = ["{n} has {h} euros and saves {r} a week. How many weeks until {n} has {t}?",
                "{n} wants a {w} for {t} euros, has {h} and saves {r} a week. How many weeks?",
                "A tank of {t} litres has {h} in it; {r} flow in a minute. In how many minutes is it full?",
                "The goal is {t} {g}. {n} has {h} and makes {r} a day. How many days until the goal?"]  # fmt: skip
    elif case == "o":
        work = f"{t}/({rate + out}-{out}). {subtract(rate + out, out)}"
        asks = ["Into an empty tank flow {i} litres a minute, and {o} flow out. How many minutes until {t} litres are in it?",
                "{n} earns {i} euros a day and spends {o}. How many days to save {t} euros?",
                "{i} {g} an hour are made and {o} used. After how many hours are {t} in stock?",
                "A stock gains {i} {g} a day and loses {o}. After how many days has it grown by {t}?"]  # fmt: skip
    else:
        out = rng.randint(2, rate - 2)
        work = f"{t}/({rate - out}+{out}). {add(rate - out, out)}"
        asks = ["Two taps give {i} and {o} litres a minute. In how many minutes do both fill {t} litres?",
                "{n} packs {i} {g} an hour, a helper {o}. How many hours do they need for {t} together?",
                "Two machines make {i} and {o} parts a minute. When are {t} parts done, in minutes?"]  # fmt: skip
    flow = rate + out if case == "o" else rate - out
    question = _filled(rng, asks, t=t, h=h, r=rate, i=flow, o=out, w=rng.choice(PRICED))
    return number("stories", "until", question, f"{work}. {divide(rate * time, rate)}", time)


TIMES = {2: ("twice", "half"), 3: ("three times", "a third"), 4: ("four times", "a quarter"),
         5: ("five times", "a fifth"), 6: ("six times", "a sixth")}  # fmt: skip


def times_as_many(rng: Random, side: Side) -> Example:
    """Two or three people, each with a multiple or a part of what another has; one or all of them."""
    names = rng.sample(of_side(Side.TRAIN, NAMES), rng.choice((2, 3, 3)))
    factors = [rng.randint(2, 6 if len(names) == 2 else 4) for _ in names[1:]]
    ups, value = [rng.random() < 0.5 for _ in factors], rng.randint(3, 25)
    for factor, up in zip(factors, ups, strict=True):
        value *= 1 if up else factor
    told, steps, values = [f"{names[0]} has {value} {{g}}"], [], [value]
    for (before, name), factor, up in zip(pairwise(names), factors, ups, strict=True):
        told.append(f"{name} has {TIMES[factor][0 if up else 1]} as many as {before}")
        work = multiply(values[-1], factor) if up else divide(values[-1], factor)
        steps.append(f"{name} {work}")
        values.append(values[-1] * factor if up else values[-1] // factor)
    value = values[-1]
    asks = ["{t}. How many {g} does {l} have?", "How many {g} has {l}? {t}.", "{t}. What is the number of {l}'s {g}?",
            "If {t}, how many {g} are {l}'s?"]  # fmt: skip
    if len(names) == 2 or rng.random() < 0.3:
        x, y = values[-2:]
        steps.append(add(x, y))
        value = x + y
        asks = ["{t}. How many {g} do {k} and {l} have together?", "{t}. What is the sum of {k}'s and {l}'s {g}?",
                "How many {g} are {k}'s and {l}'s in all? {t}.", "{t}. {k} and {l} put theirs together. How many {g} is that?"]  # fmt: skip
    ask = rng.choice(asks)
    facts = (", " if "If" in ask else ". ").join(told)
    question = _filled(rng, [ask.replace("{t}", facts)], k=names[-2], l=names[-1])
    return number("stories", "times as many", question, ". ".join(steps), value)


def per_piece(rng: Random, side: Side) -> Example:
    """What one costs: to find what others cost, or who is cheaper."""
    (b, c), (x, y) = rng.sample(range(2, 10), 2), rng.sample(range(3, 31), 2)
    if rng.random() < 0.5:
        asks = ["{b} {g} cost {t} euros. What do {c} {g} cost?", "What do {c} {g} cost if {b} of them cost {t} euros?",
                "For {b} hours {n} gets {t} euros. How many euros are that for {c} hours?",
                "{b} boxes hold {t} {g}. How many {g} are in {c} such boxes?",
                "A recipe for {b} people takes {t} grams of rice. How many grams for {c} people?",
                "In {b} days {n} makes {t} {g}. How many {g} in {c} days at this pace?"]  # fmt: skip
        question = _filled(rng, asks, b=b, c=c, t=b * x)
        work = f"{b * x}/{b}*{c}. {divide(b * x, b)}. {multiply(x, c)}"
        unit = " euros" if "euro" in question else ""
        return number("stories", "per piece", question, work, x * c, f"{x * c}{unit}")
    names = rng.sample(of_side(Side.TRAIN, NAMES), 2)
    cheap = rng.random() < 0.6
    asks = ["{p} sells {b} {g} for {t} euros, {q} sells {c} for {u} euros. Who is {w} per piece?",
            "{p}: {b} {g}, {t} euros. {q}: {c} {g}, {u} euros. Whose {g} are {w} each?",
            "{t} euros for {b} {g} from {p} or {u} euros for {c} from {q}: whose offer is {w} per piece?",
            "Per piece, who asks for {m}: {p} with {b} {g} at {t} euros in all or {q} with {c} at {u}?"]  # fmt: skip
    question = _filled(rng, asks, b=b, c=c, t=b * x, u=c * y, p=names[0], q=names[1],
                       w="cheaper" if cheap else "dearer", m="less" if cheap else "more")  # fmt: skip
    best = names[0] if (x < y) == cheap else names[1]
    sides = f"{x} {'<' if x < y else '>'} {y}, {'less' if cheap else 'more'}: {best}"
    work = f"{names[0]} {divide(b * x, b)}. {names[1]} {divide(c * y, c)}. {sides}"
    return words("stories", "cheaper", question, work, f"It is {best}.", names, best)


CLASSES = ["baker", "singer", "dancer", "teacher", "painter", "driver", "farmer", "swimmer", "runner", "reader", "gardener", "sailor",
           "cook", "doctor", "pilot", "writer", "climber", "hunter", "diver", "player", "lawyer", "nurse", "banker", "tailor", "student",
           "member", "neighbour", "winner", "tourist", "drummer", "rider", "brewer", "guard", "chemist"]  # fmt: skip


def classes(rng: Random, side: Side) -> Example:
    """What follows from two sentences with all, no and some, or about one person of a class."""
    x, y, z = rng.sample(CLASSES, 3)
    a, b, c, n = f"{x}s", f"{y}s", f"{z}s", pick(rng, Side.TRAIN, NAMES)
    facts, asked, thought, answer = rng.choice((
        ([f"all {a} are {b}", f"all {b} are {c}"], f"Are all {a} {c}?", f"{a} -> {b} -> {c}", "yes"),
        ([f"all {a} are {b}", f"no {b} are {c}"], f"Are any {a} {c}?", f"{a} -> {b} -> not {c}", "no"),
        ([f"all {a} are {b}", f"all {c} are {b}"], f"Are all {a} {c}?", f"{a} -> {b}, {c} -> {b}, no way from {a} to {c}", "unknown"),
        ([f"some {a} are {b}", f"all {b} are {c}"], f"Are some {a} {c}?", f"some {a} -> {b} -> {c}", "yes"),
        ([f"some {a} are {b}", f"no {b} are {c}"], f"Are all {a} {c}?", f"some {a} -> {b} -> not {c}", "no"),
        ([f"some {a} are {b}", f"some {b} are {c}"], f"Are some {a} {c}?", f"some {a} -> {b}, only some {b} -> {c}", "unknown"),
        ([f"all {a} are {b}", f"all {b} are {c}", f"{n} is a {x}"], f"Is {n} a {z}?", f"{n} -> {x} -> {y} -> {z}", "yes"),
        ([f"all {a} are {b}", f"no {b} are {c}", f"{n} is a {x}"], f"Is {n} a {z}?", f"{n} -> {x} -> {y} -> not {z}", "no"),
        ([f"all {a} are {b}", f"{n} is not a {y}"], f"Is {n} a {x}?", f"{x} -> {y}, {n} not {y}, so not {x}", "no"),
        ([f"all {a} are {b}", f"{n} is a {y}"], f"Is {n} a {x}?", f"{x} -> {y}, {n} {y}, no way from {y} to {x}", "unknown"),
        ([f"all {a} are {b}", f"{n} is not a {x}"], f"Is {n} a {y}?", f"{x} -> {y}, {n} not {x}, no way from not {x}", "unknown"),
        ([f"no {a} are {b}", f"{n} is a {y}"], f"Is {n} a {x}?", f"{x} -> not {y}, {n} {y}, so not {x}", "no"),
    ))  # fmt: skip
    return _judged(rng, "classes", facts, asked, thought, answer)


STATES = [("on", "off", ["lamp", "fan", "pump", "heater", "radio", "motor", "oven", "siren", "screen", "mixer", "alarm", "printer"]),
          ("open", "closed", ["door", "gate", "window", "valve", "hatch", "roof", "drawer", "lid", "shutter", "cupboard", "barrier"]),
          ("full", "empty", ["tank", "box", "bin", "shelf", "jar", "bucket", "crate", "bottle", "basket", "cellar", "bath"])]  # fmt: skip


def if_chain(rng: Random, side: Side) -> Example:
    """Two or three rules that lead from a fact to another, forwards, backwards, or nowhere."""
    last = rng.choice((2, 2, 3))
    drawn = [(noun, *rng.choice(((yes, no), (no, yes)))) for yes, no, nouns in STATES for noun in rng.sample(nouns, 2)]  # fmt: skip
    things = rng.sample(drawn, last + 1)
    holds, fails = [f"{t} {s}" for t, s, _ in things], [f"{t} {s}" for t, _, s in things]
    case = rng.choice(("on", "on", "on", "back", "back", "broken", "not met"))
    broken = rng.randrange(1, last) if case == "broken" else last
    needed = [fails[i] if i == broken else holds[i] for i in range(last)]
    rules = [f"if {_be(needed[i])}, {_be(holds[i + 1])}" for i in range(last)]
    rng.shuffle(rules)
    fact, real, other = holds[0], holds[last], fails[last]
    steps = [f"{x} -> {y}" for x, y in pairwise(holds[: broken + 1])]
    if case == "back":
        fact, real, other = fails[last], fails[0], holds[0]
        steps = [f"{fails[i]}, not {holds[i]}, so {fails[i - 1]}" for i in range(last, 0, -1)]
    elif case == "broken":
        steps.append(f"{holds[broken]}, needed {needed[broken]}, no way on")
    elif case == "not met":
        fact, steps = fails[0], [f"{fails[0]}, needed {holds[0]}, no way on"]
    asked = rng.choice((real, other))
    answer = "unknown" if "no way on" in steps[-1] else "yes" if asked == real else "no"
    if answer != "unknown":
        steps.append(f"asked {asked}, {'the same' if asked == real else 'not the same'}")
    return _judged(rng, "if chain", [*rules, _be(fact)], f"Is the {asked}?", ". ".join(steps), answer)  # fmt: skip


ROWS = [("sits on seat", "seat", "to the right of", "to the left of", "seats"),
        ("lives on floor", "floor", "above", "below", "floors"),
        ("stands at place", "place", "behind", "ahead of", "places"),
        ("works in room", "room", "after", "before", "rooms")]  # fmt: skip


def seats(rng: Random, side: Side) -> Example:
    """Where four people are, each told from another one; or who is at a place."""
    names, places = rng.sample(of_side(Side.TRAIN, NAMES), 4), rng.sample((1, 2, 3, 4), 4)
    at, one, up, down, many = rng.choice(ROWS)
    told, steps = [f"{names[0]} {at} {places[0]}"], [f"{names[0]} {places[0]}"]
    for index in (1, 2):
        other = rng.randrange(index)
        apart = places[index] - places[other]
        far = f"{abs(apart)} {one if abs(apart) == 1 else many}"
        told.append(f"{names[index]} is {far} {up if apart > 0 else down} {names[other]}")
        steps.append(f"{names[index]}: {names[other]} {places[other]}{apart:+}={places[index]}")
    steps.append(f"free {places[3]}, {names[3]} {places[3]}")
    told.append(f"{names[3]} has the one that is left")
    begin = rng.choice(("Four people, {m} 1 to 4", "{m} 1 to 4, one person each", "There are {m} 1 to 4"))  # fmt: skip
    name, place = rng.choice(list(zip(names, places, strict=True))[1:])
    who = rng.random() < 0.5
    asks = [f"Who {at} {place}?", f"Which of them {at} {place}?", f"Whose {one} is number {place}?"] if who else [
            f"Which {one} is {name}'s?", f"What number has the {one} of {name}?", f"Say which {one} {name} has."]  # fmt: skip
    question = _upper(f"{begin.format(m=many)}. {'. '.join(told)}. {rng.choice(asks)}")
    steps.append(f"{one} {place}: {name}" if who else f"asked {name}: {place}")
    if not who:
        return number("logic", "seats", question, ". ".join(steps), place)
    return words("logic", "seats", question, ". ".join(steps), f"It is {name}.", names, name)


GROUPS = ["choir", "band", "chess club", "first team", "night shift", "kitchen crew", "council", "drama class", "cycling club", "quiz team",
          "garden group", "office", "dance class", "rescue team", "tennis club", "hiking group", "early shift", "hockey team"]  # fmt: skip


def in_groups(rng: Random, side: Side) -> Example:
    """Who, or how many, of one list are also in another, or are not."""
    names, (p, q) = rng.sample(of_side(Side.TRAIN, NAMES), 6), rng.sample(GROUPS, 2)
    first, second = rng.sample(names, rng.randint(3, 4)), rng.sample(names, rng.randint(2, 4))
    both, many = rng.random() < 0.5, rng.random() < 0.35
    asks = ["{w} in both the {p} and the {q}?", "{w} in the {p} and in the {q} as well?", "{w} in the {p} and the {q} at once?",
            "{w} in the {p}, and also in the {q}?"] if both else [
            "{w} in the {p} but not in the {q}?", "{w} only in the {p}?", "{w} in the {p}, without those of the {q}?",
            "{w} left of the {p} when the {q} has gone?", "{w} in the {p} and missing in the {q}?"]  # fmt: skip
    lists = [f"{_upper(p)}: {', '.join(first)}", f"{_upper(q)}: {', '.join(second)}"]
    rng.shuffle(lists)
    parts = [f"{'. '.join(lists)}.", rng.choice(asks).format(p=p, q=q, w="How many are" if many else "Who is")]  # fmt: skip
    question = " ".join(parts if rng.random() < 0.7 else parts[::-1])
    hits = [(name in second) == both for name in first]
    said = [f"{name} {'in' if name in second else 'not in'} {q}," for name in first]
    thought = f"{q}: {', '.join(second)}. {counted(hits, said)}"
    if many:
        return number("logic", "in groups", question, thought, sum(hits))
    found = ", ".join(name for name, hit in zip(first, hits, strict=True) if hit) or "none"
    answer = f"{'They are' if ',' in found else 'It is'} {found}." if any(hits) else found
    return words("logic", "in groups", question, f"{thought}: {found}", answer, [*names, "none"], found)  # fmt: skip


def one_is_true(rng: Random, side: Side) -> Example:
    """Where a thing is, when of two or three sentences about it exactly one is true."""
    things = rng.sample(of_side(Side.TRAIN, WORDS), 3)
    names = rng.sample(of_side(Side.TRAIN, NAMES), rng.choice((2, 2, 3)))
    while True:
        claims = [(rng.randrange(3), rng.random() < 0.5) for _ in names]
        held = [[(place == at) == positive for at, positive in claims] for place in range(3)]
        sums = [sum(hits) for hits in held]
        if len(set(claims)) == len(claims) and sums.count(1) == 1:
            break
    told = [f"{name}: It is {'' if yes else 'not '}in {things[at]}." for name, (at, yes) in zip(names, claims, strict=True)]  # fmt: skip
    asks = ["The {w} is in {b} {l}. {t} Exactly one of them is right. In which {b} is the {w}?",
            "{t} Only one of them tells the truth about where the {w} is: {b} {l}. Which {b} is it?",
            "Which {b} has the {w}, {l}? {t} Just one of these sentences is true.",
            "A {w} is in {b} {l}. {t} One sentence is true, no more. Where is the {w}?",
            "{b} {l}: the {w} is in one. {t} One speaker is right and nobody else. Find the {b}.",
            "{t} Of these sentences on the {w}, exactly one is true. It is in {b} {l}. Which?",
            "Exactly one is true. {t} The {w} lies in {b} {l}. Name the {b}.",
            "Find the {w}: it is in {b} {l}. {t} A single one of them is right."]  # fmt: skip
    question = rng.choice(asks).format(
        w=rng.choice(("key", "coin", "ring", "letter", "ball", "stone", "ticket", "map")), t=" ".join(told),
        b=rng.choice(("box", "room", "bag", "jar", "tent", "drawer", "crate")), l=f"{things[0]}, {things[1]} or {things[2]}",
    )  # fmt: skip
    steps, right = [], things[sums.index(1)]
    for thing, hits in zip(things, held, strict=True):
        said = [f"{name} {str(hit).lower()}" for name, hit in zip(names, hits, strict=True)]
        steps.append(f"{thing}: {', '.join(said)}, {sum(hits)} true")
    steps.append(f"1 true: {right}")
    return words("logic", "one is true", _upper(question), ". ".join(steps), f"It is {right}.", things, right)  # fmt: skip


HABITS = [("drink", "tea,milk,juice,coffee,water,cocoa,beer,wine"), ("play", "chess,tennis,golf,cards,football,hockey,darts"),
          ("take", "the bus,the train,the car,the bike,the tram,the boat"), ("learn", "French,Latin,Dutch,Greek,Polish,Czech,Welsh"),
          ("like", "apples,plums,pears,grapes,figs,melons,cherries"), ("own", "a dog,a cat,a horse,a goat,a parrot,a rabbit,a snake"),
          ("wear", "red,blue,green,yellow,black,white,brown,grey"), ("clean", "the kitchen,the hall,the cellar,the attic,the stairs")]  # fmt: skip


def matching(rng: Random, side: Side) -> Example:
    """Who has which of three things, by what each of them has not."""
    names = rng.sample(of_side(Side.TRAIN, NAMES), 3)
    verb, listed = rng.choice(HABITS)
    x, y, z = rng.sample(listed.split(","), 3)
    sure = rng.random() < 0.4
    first = f"{names[0]} {verb}s {x}" if sure else f"{names[0]} {verb}s neither {y} nor {z}"
    steps = [f"{names[0]} {x}" if sure else f"{names[0]}: not {y}, not {z}, so {x}"]
    told = [first, f"{names[1]} does not {verb} {z}"]
    steps += [f"{names[1]}: not {z}, not {x} ({names[0]}), so {y}", f"{names[2]}: left {z}"]
    rng.shuffle(told)
    things = rng.sample((x, y, z), 3)
    name, thing = rng.choice(list(zip(names, (x, y, z), strict=True))[sure:])
    who, people = rng.random() < 0.5, rng.sample(names, 3)
    begin = rng.choice((f"{people[0]}, {people[1]} and {people[2]} {verb} {things[0]}, {things[1]} and {things[2]}, one each",
                        f"Each of {people[0]}, {people[1]} and {people[2]} {verb}s one of these: {', '.join(things)}. No two the same",
                        f"Three people, {', '.join(people)}; {', '.join(things)}: everybody {verb}s another one"))  # fmt: skip
    asks = [f"Who {verb}s {thing}?", f"Which of them {verb}s {thing}?", f"Name the one who {verb}s {thing}."] if who else [
            f"What does {name} {verb}?", f"Which one does {name} {verb}?", f"And {name} {verb}s what?"]  # fmt: skip
    question, right = f"{begin}. {'. '.join(told)}. {rng.choice(asks)}", name if who else thing
    steps.append(f"asked {thing if who else name}: {right}")
    return words("logic", "matching", question, ". ".join(steps), f"It is {right}.", names if who else things, right)  # fmt: skip


def _filled(rng: Random, asks: list[str], **fields: object) -> str:
    fields |= {"n": pick(rng, Side.TRAIN, NAMES), "g": pick(rng, Side.TRAIN, GOODS)}
    return rng.choice(asks).format(**fields)


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


def _be(fact: str) -> str:
    return f"the {fact.replace(' ', ' is ')}"


def _judged(rng: Random, kind: str, facts: list[str], asked: str, thought: str, answer: str) -> Example:  # fmt: skip
    """Return a question for what follows from facts: yes, no, or neither."""
    plain = ". ".join(map(_upper, facts))
    asks = ["{p}. {q} Yes, no or unknown?", "Given: {p}. {q} Answer yes, no or unknown.", "{q} We know: {p}. Say yes, no or unknown.",
            "Facts: {s}. {q} (yes, no, unknown)", "{p}. {q} Say yes, no, or unknown if it can't be told.",
            "Yes, no or unknown: {q} {p}.", "Suppose that {s}. {q} Yes, no, or unknown?", "Reply yes, no or unknown. {p}. {q}"]  # fmt: skip
    question = rng.choice(asks).format(p=plain, s="; ".join(facts), q=asked)
    return words("logic", kind, question, f"{thought}: {answer}", answer, ["yes", "no", "unknown"])


GENERATORS = [(shared_after, 5), (until, 5), (times_as_many, 5), (per_piece, 5), (classes, 5), (if_chain, 5), (seats, 4),
              (in_groups, 4), (one_is_true, 3), (matching, 4)]  # fmt: skip

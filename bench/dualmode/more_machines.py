"""More kinds of questions about readings of machines and about a plant, to learn from only.

They differ in how their steps are chained. Never which machine is furthest over one common limit,
and never how far the ends of a list are apart; averages and shares are learned in `more_numbers`.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random

from bench.dualmode.example import WORDS, Example, Side, number, of_side, words
from bench.dualmode.machines import MACHINE_KINDS
from bench.dualmode.steps import counted, divide, extreme, subtract, within

MEASURED = [
    ("bearing temperature", "C", 30, 110), ("oil temperature", "C", 35, 95), ("oil pressure", "bar", 10, 60), ("air pressure", "bar", 12, 40),
    ("coolant flow", "l/min", 15, 140), ("motor current", "A", 11, 90), ("shaft speed", "rpm", 200, 900), ("vibration", "mm/s", 11, 45),
    ("noise", "dB", 45, 110), ("torque", "Nm", 20, 300), ("load", "kg", 30, 700), ("supply voltage", "V", 180, 420), ("power", "kW", 12, 150),
    ("belt tension", "N", 20, 250), ("dust", "mg", 11, 80), ("gas flow", "l/min", 15, 160), ("steam pressure", "bar", 11, 70),
    ("cutting force", "N", 40, 600), ("water temperature", "C", 12, 95), ("exhaust temperature", "C", 90, 450), ("gap", "mm", 11, 60),
    ("fill height", "cm", 15, 180),
]  # fmt: skip
SCALES = """\
ok/warning/alarm,green/yellow/red,normal/raised/critical,idle/working/overloaded,cold/warm/hot,low/medium/high,calm/alert/emergency,
new/used/worn,weak/fair/strong,slow/steady/fast,soft/firm/hard,quiet/audible/loud,empty/filled/full,safe/watch/stop,
ok/notice/warning/alarm,blue/green/orange/red,dry/damp/wet/flooded,idle/normal/busy/overloaded,good/fair/poor/bad,thin/light/thick/solid\
""".replace("\n", "").split(",")
REACTIONS = """\
alarm sound,machine stop,valve open,fan start,gate close,siren howl,belt reverse,brake engage,heater cool,red lamp blink,pump pause,
spare unit start,shutter drop,line halt,bell ring,door lock,cooler start,beacon flash,hatch open,flap turn,counter restart\
""".replace("\n", "").split(",")


def lowest_of_four(rng: Random, side: Side) -> Example:
    """Which of four machines reads lowest or highest, with a point: wholes first, then tenths."""
    machines, (name, unit, *_) = _machines(rng, 4), rng.choice(MEASURED)
    base = rng.randint(1, 90) * 10
    values, top = rng.sample(range(base, base + 25), 4), rng.random() < 0.4
    read = ", ".join(f"{m} {v / 10}" for m, v in zip(machines, values, strict=True))
    best, steps = values[0], [f"{read}: begin {values[0] / 10}"]
    for value in values[1:]:
        parts = _parts(value, best)
        best = max(best, value) if top else min(best, value)
        steps.append(f"{value / 10}: {parts}, {'max' if top else 'min'} {best / 10}")
    chosen = machines[values.index(best)]
    asks = ["I wrote down {l} for the {n}. Which of the four is {w}?", "Round through the hall, {n}: {l}. Whose value is {w}?",
            "Four machines give their {n}: {l}. Where is it {w}?", "{l}. Of the four, which one shows the {w} {n}?", "{n}: {l}. Which machine reads {w}?",
            "{l} ({n}). Name the machine that reads {w}.", "Find the {w} {n}: {l}. Give the machine.", "Which of these is {w} in {n}: {l}?",
            "{w} {n} among {l}: which machine?"]  # fmt: skip
    shown = _listed(rng, machines, [f"{value / 10} {unit}" for value in values])
    question = _ask(rng, asks, n=name, l=shown, w="highest" if top else "lowest")
    thought = f"{'. '.join(steps)}, that is {chosen}"
    return words("machines", "lowest of four", question, thought, f"It is {chosen}.", machines, chosen)  # fmt: skip


def own_limits(rng: Random, side: Side) -> Example:
    """Machines that each have a limit of their own: whether all keep it, any breaks it, two do."""
    machines, (name, unit, low, high) = _machines(rng, 3), rng.choice(MEASURED)
    limits = [rng.randint(low, high) for _ in machines]
    pairs = [(m, _near(rng, x, 15, share=0.35), x) for m, x in zip(machines, limits, strict=True)]
    hits = [value > limit for _, value, limit in pairs]
    over = sum(hits)
    asked, label, answer = rng.choice((
        ("Is every machine under its own limit?/Are all of them within their own limits?/Does each one keep its limit?", "all under", not over),
        ("Is any machine over its own limit?/Does at least one of them break its limit?/Is one or another above its limit?", "any over", over > 0),
        ("Are at least two of them over their limits?/Do two or more break their own limit?/Is more than one above its limit?", "over 1", over > 1),
        ("How many machines are over their own limit?/How many of them break their limit?/Count those above their own limit.", "", False),
    ))  # fmt: skip
    asks = ["{l}. {q}", "{n}: {l}. {q}", "{q} {n}: {l}.", "Each machine has its own limit for the {n}: {l}. {q}", "Check the {n}. {l}. {q}"]  # fmt: skip
    form = rng.choice(("{m} {v} {u} (limit {x})", "{m} reads {v} {u}, may have {x}", "{m}: {v} of at most {x} {u}"))  # fmt: skip
    told = "; ".join(form.format(m=m, v=v, u=unit, x=x) for m, v, x in pairs)
    question = _ask(rng, asks, l=told, n=name, q=rng.choice(asked.split("/")))
    thought = counted(hits, [f"{m} {v} {_sign(v, x)} {x}" for m, v, x in pairs])
    if not label:
        return number("machines", "own limits", question, thought, over)
    held = f"{label}: {over}{_sign(over, int(label == 'over 1'))}{int(label == 'over 1')}"
    said = "yes" if answer else "no"
    return words("machines", "own limits", question, f"{thought}. {held}, {said}", said, ["yes", "no"])  # fmt: skip


def jump(rng: Random, side: Side) -> Example:
    """Whether neighbouring readings ever differ by more than is allowed."""
    name, unit, low, high = rng.choice(MEASURED)
    limit, values = rng.randint(3, 25), [rng.randint(max(low, 30), high)]
    for _ in range(rng.randint(2, 3)):
        by = rng.randint(limit + 1, limit + 12) if rng.random() < 0.25 else rng.randint(1, limit)
        values.append(values[-1] + (by if values[-1] < by + 10 or rng.random() < 0.5 else -by))
    steps, answer = [], "no"
    for one, other in pairwise(values):
        by = abs(one - other)
        answer = "yes" if by > limit else "no"
        steps.append(f"{subtract(max(one, other), min(one, other))}, {by} {_sign(by, limit)} {limit}, {answer}")  # fmt: skip
        if by > limit:
            break
    asks = ["Is there a jump in {v}, that is, a change of more than {x} {u} at once?", "{v} {u}. Does the {n} ever change by more than {x} to the next?",
            "{n} of {m}: {v} {u}. Any jump of more than {x} {u} between neighbours?", "{m}: {v}. Is some step to the next value bigger than {x} {u}?",
            "From reading to reading {x} {u} are allowed. {v}: ever more?", "In the row {v}, do two neighbours lie more than {x} apart?",
            "Did the {n} of {m} jump by over {x} {u} at once? {v}.", "Any step above {x} in {v}?"]  # fmt: skip
    question = _ask(rng, asks, n=name, v=", ".join(map(str, values)), u=unit, x=limit)
    return words("machines", "jump", question, ". ".join(steps), answer, ["yes", "no"])  # fmt: skip


def alarm_rule(rng: Random, side: Side) -> Example:
    """A rule of two conditions, joined by and or or, held against two readings."""
    both, (subject, verb) = rng.random() < 0.55, rng.choice(REACTIONS).rsplit(" ", 1)
    parts, told, steps, held = [], [], [], []
    for name, unit, low, high in rng.sample(MEASURED, 2):
        limit, over = rng.randint(low, high), rng.random() < 0.5
        value = _near(rng, limit, 20, share=0.5)
        held.append((value > limit) == over)
        word = rng.choice(("over", "above") if over else ("under", "below"))
        parts.append(f"{name} is {word} {limit} {unit}")
        told.append(f"{name} {value} {unit}")
        said = f"{name} {value} {_sign(value, limit)} {limit}"
        steps.append(f"{said}, {word} {'yes' if held[-1] else 'no'}")
    if rng.random() < 0.4:
        told.reverse()
    answer = "yes" if (all(held) if both else any(held)) else "no"
    join = "and" if both else "or"
    asks = ["We have {l} on {m}. {q} It is set so that {r} if {c}.", "{l} at {m}. The rule says that {r} if {c}. {q}", "{q} {m} shows {l}; {r} whenever {c}.",
            "At {m} {r} as soon as {c}. Readings: {l}. {q}", "Set at {m}: {r} when {c}. It reads {l}. {q}", "{r} if {c}. Readings of {m}: {l}. {q}",
            "Rule: if {c}, {r}. Now {l}. {q}", "If {c}, {r}. {m} has {l}. {q}", "{m}: {l}. When {c}, {r}. {q}"]  # fmt: skip
    question = _ask(rng, asks, c=f" {join} ".join(parts), r=f"the {subject} {verb}s", l=", ".join(told), q=f"Does the {subject} {verb}?")  # fmt: skip
    said = f"{join}: {'both needed' if both else 'one is enough'}, {answer}"
    return words("machines", "alarm rule", question, f"{'. '.join(steps)}. {said}", answer, ["yes", "no"])  # fmt: skip


def stage(rng: Random, side: Side) -> Example:
    """In which stage of a scale a reading is."""
    names, (name, unit, low, high) = rng.choice(SCALES).split("/"), rng.choice(MEASURED)
    bounds = [rng.randint(low, (low + high) // 2)]
    while len(bounds) < len(names) - 1:
        bounds.append(bounds[-1] + rng.randint(4, 40))
    value = max(1, rng.randint(bounds[0] - 20, bounds[-1] + 20))
    if len(names) == 3 and rng.random() < 0.6:
        form = rng.choice(("below {x} {a}, {x} to {y} {b}, above {y} {c}", "{a} below {x}, {b} from {x} to {y}, {c} above {y}",
                           "{c} above {y}, {b} from {x} to {y}, {a} below {x}", "under {x} is {a}, {x} to {y} is {b}, over {y} is {c}"))  # fmt: skip
        scale = form.format(x=bounds[0], y=bounds[1], a=names[0], b=names[1], c=names[2])
        held, verdict = within(value, *bounds).rsplit(", ", 1)
        answer = names[("low", "ok", "high").index(verdict)]
    else:
        scale = ", ".join(f"up to {x} {stage}" for x, stage in zip(bounds, names, strict=False))
        scale += f", {rng.choice(('above', 'beyond', 'higher'))} {names[-1]}"
        place = sum(value > bound for bound in bounds)
        held = ", ".join(f"{value} {'>' if value > bound else '<='} {bound}" for bound in bounds[: place + 1])  # fmt: skip
        answer = names[place]
    asks = ["Scale of the {n} in {u}: {s}. {m} has {v} {u}. Which stage is that?", "The {n} at {m} stands at {v}. By the table ({s}), what is it?",
            "{m} reports {v} {u}. Put that into one of the stages: {s}.", "With the stages {s}: what is a value of {v} {u} called?",
            "{s}. The {n} of {m} is {v}. Where does it belong?", "{n}, {v} {u}: what does the scale say? {s}.", "{m}: {n} {v} {u}. {s}. Which stage?",
            "What is {v} {u} on this scale: {s}?", "Stages of {n} ({u}): {s}. And {v}?"]  # fmt: skip
    question = _ask(rng, asks, n=name, u=unit, s=scale, v=value)
    return words("machines", "stage", question, f"{held}, {answer}", answer, names)


def first_over(rng: Random, side: Side) -> Example:
    """When a row of readings first breaks a limit, once or twice in a row; with a point or without."""
    name, unit, low, high = rng.choice(MEASURED)
    point, over, run = rng.random() < 0.45, rng.random() < 0.75, rng.choice((1, 1, 2))
    limit = rng.randint(low, high) if not point else rng.randint(15, 300)
    start, gap = 60 * rng.randint(5, 18), rng.choice((5, 10, 15, 20, 30, 60))
    told, steps, row, answer = [], [], 0, "never"
    for index in range(rng.randint(4, 5)):
        chance = run * (0.12 + 0.13 * index)
        value = _near(rng, limit, 14, share=chance if over else 1 - chance)
        clock = f"{(start + gap * index) // 60:02}:{(start + gap * index) % 60:02}"
        told.append(f"{clock} {value / 10 if point else value}")
        if answer == "never":
            row = row + 1 if (value > limit) == over else 0
            said = f"{clock} {_held(value, limit, point=point)}"
            steps.append(f"{said}, {row}" if run == 2 else f"{said}, {'yes' if row else 'no'}")
            answer = clock if row == run else answer
    asks = ["{m}, {n}: {l}. Find the first value {w} {x} {u} and give its time.", "Go through {l}. At which time is the {n} {w} {x} {u} first?",
            "Limit {x} {u}. {m}: {l}. Time of the first reading {w} it?", "When did {m} get {w} {x} {u} for the first time? {l}.",
            "{l}. At what time did the {n} first go {w} {x} {u}?", "{n} of {m} in {u}: {l}. When was it first {w} {x}?",
            "Which is the first time with the {n} {w} {x}? {l}.", "First reading {w} {x} in {l}: when?"]  # fmt: skip
    if run == 2:
        asks = ["When does {m} have two values {w} {x} one after the other? {l}. Time of the second?",
                "An alarm needs two in a row {w} {x} {u}. Log of {m}: {l}. At what time?", "{m} stops at the second reading in a row {w} {x} {u}: {l}. When?",
                "One reading {w} {x} {u} counts for nothing, two running do. {l}. When?", "Two readings in a row {w} {x} {u} raise an alarm. {m}: {l}. When?",
                "Alarm comes with the second value {w} {x} in succession. {l}. When?", "{l}. When is the {n} {w} {x} for the second time in a row?",
                "{n}: {l}. When has it been {w} {x} twice in succession?"]  # fmt: skip
    question = _ask(rng, asks, n=name, u=unit, l=", ".join(told), x=limit / 10 if point else limit, w="over" if over else "below")  # fmt: skip
    return words("machines", "twice in a row" if run == 2 else "first over", question, f"{'. '.join(steps)}. {answer}", answer)  # fmt: skip


def hours_until(rng: Random, side: Side) -> Example:
    """Hours until a limit at a steady change: what is left, over the change of an hour."""
    hours, rate = rng.randint(2, 25), rng.randint(2, 12)
    hours = min(hours, 9) if rate > 9 else hours
    name, unit, low, high = rng.choice(MEASURED)
    value, rises = rng.randint(low, high), rng.random() < 0.6
    big = value + hours * rate
    asks = ["The limit is {x} {u}. {m} stands at {v}, {w} by {r} each hour. Hours to get there?", "From {v} to {x} {u} at {r} {u} an hour: how many hours?",
            "{m} has {v} {u} and is {w} steadily, {r} {u} an hour. How many hours to {x}?", "{n} of {m}: {v} {u}, {w} {r} {u} per hour. Hours until {x}?",
            "The {n} is {v} {u}, {w} by {r} {u} an hour. In how many hours is it {x}?", "How many hours until {n}, now {v} {u} and {w} {r} an hour, is {x}?",
            "Now {v} {u}, every hour {r} {o}. After how many hours is it {x} {u}?", "{r} {u} {o} per hour, {v} {u} at the start. Hours until {x} {u}?"]  # fmt: skip
    fields = {"v": value, "x": big, "w": "rising", "o": "more"}
    if not rises:
        fields = {"v": big, "x": value, "w": "falling", "o": "less"}
    question = _ask(rng, asks, n=name, u=unit, r=rate, **fields)
    thought = f"({big}-{value})/{rate}. {subtract(big, value)}. {divide(hours * rate, rate)}"
    return number("machines", "hours until", question, thought, hours, f"{hours} hours")


def implausible(rng: Random, side: Side) -> Example:
    """Which sensor says what cannot be, or nothing at all."""
    sensors = [f"{rng.choice(('sensor', 'probe'))} {n}" for n in rng.sample(range(1, 30), 4)]
    sensors = sensors if rng.random() < 0.5 else rng.sample(of_side(Side.TRAIN, WORDS), 4)
    name, unit, bottom, top = rng.choice(MEASURED)
    low, high = bottom // 2, top + rng.randint(5, 40)
    told = [str(value) for value in rng.sample(range(low, high), 4)]
    steps, chosen = [], "none"
    if rng.random() < 0.85:
        impossible = (high * rng.randint(2, 9), high + rng.randint(1, 90), rng.randint(0, low - 1))
        told[rng.randrange(4)] = rng.choice(("no value", *map(str, impossible)))
    for sensor, text in zip(sensors, told, strict=True):
        held = within(int(text), low, high) if text != "no value" else "no value, missing"
        steps.append(f"{sensor} {held}")
        chosen = chosen if held.endswith("ok") else sensor
    asks = ["Find the sensor that is out, or say none: {l}; possible is {a} to {b} {u}.", "{n}, possible {a} to {b} {u}: {l}. Which is faulty, if any?",
            "Whose reading is impossible or missing (range {a} to {b}), if any: {l}?", "{l}. The {n} lies in {a} to {b}. Whose value is no real one, if any?",
            "{a} to {b} {u} can occur. {l}. Which sensor must be checked, or none?", "Sensors give {l}. Range {a} to {b} {u}. Name the broken one, or none.",
            "Does one of these fail? {l}. Real values are {a} to {b} {u}. Which?", "{l}. Only {a} to {b} {u} are possible. Which one is wrong, if any?"]  # fmt: skip
    question = _ask(rng, asks, n=name, a=low, b=high, u=unit, l=_listed(rng, sensors, told))
    said = "none" if chosen == "none" else f"It is {chosen}."
    thought = f"{'. '.join(steps)}. Not right: {chosen}"
    return words("machines", "implausible", question, thought, said, [*sensors, "none"], chosen)


def tie_break(rng: Random, side: Side) -> Example:
    """Which of two machines reads higher or lower, a second reading deciding where they are equal."""
    machines, more = _machines(rng, 2), rng.random() < 0.5
    word, pair, chosen = "higher" if more else "lower", rng.sample(MEASURED, 2), ""
    told, steps = list[str](), list[str]()
    for name, unit, low, high in pair:
        one = rng.randint(low, high)
        other = _near(rng, one, 15, share=0.5) if told or rng.random() < 0.4 else one
        told.append(f"{name} {one} {unit} and {other} {unit}")
        if not chosen:
            chosen = "" if one == other else machines[(one > other) != more]
            verdict = f"{word} {chosen}" if chosen else "equal"
            steps.append(f"{name} {one} {_sign(one, other)} {other}, {verdict}")
    asks = ["{n} decides between {a} and {b}, {w} wins; if equal, {o} does. {l}. Which wins?", "Choose {a} or {b} by {w} {n}; {w} {o} decides a tie. {l}.",
            "{l} for {a} and {b}. I want the {w} {n}, if they tie the {w} {o}. Which?", "{a} and {b}: {l}. Take the {w} {n}; if equal, the {w} {o}. Which?",
            "Rank {a} and {b} by {n}, {w} first, ties the same way by {o}: {l}. Which leads?", "Does {a} or {b} go first? {w} {n} wins, at a tie {w} {o}. {l}.",
            "The {w} {n} counts, then the {w} {o}. {a} and {b} have {l}. Who leads?", "{l} at {a} and {b}. First by {w} {n}, at a tie by {w} {o}: which one?"]  # fmt: skip
    question = _ask(rng, asks, l=", ".join(told), w=word, a=machines[0], b=machines[1], n=pair[0][0], o=pair[1][0])  # fmt: skip
    return words("machines", "tie break", question, ". ".join(steps), f"It is {chosen}.", machines, chosen)  # fmt: skip


def due_first(rng: Random, side: Side) -> Example:
    """Which machine is due for service first, by its own interval and the hours it has run."""
    machines, left = _machines(rng, 3), rng.sample(range(3, 60), 3)
    every = [hours + rng.randint(5, 40) for hours in left]
    run = [interval - hours for interval, hours in zip(every, left, strict=True)]
    asks = ["Which machine has the fewest hours left to its service? {l}.", "Plan the next service. {l}. With which machine do we begin?",
            "Hours since the last service: {l}. Whose turn is it first?", "Service intervals and hours run: {l}. Which is due next?",
            "{l}. Where is the time to the next service shortest?", "Find the machine whose service comes first: {l}.",
            "{l}. Which machine is due for service first?", "{l}. Which one must be serviced soonest?"]  # fmt: skip
    form = rng.choice(("{m} every {e} h, run {r} h", "{m} has run {r} of {e} h", "{m}: {r} h run, due at {e} h"))  # fmt: skip
    told = "; ".join(form.format(m=m, e=e, r=r) for m, e, r in zip(machines, every, run, strict=True))  # fmt: skip
    steps = [f"{m} {subtract(e, r)}" for m, e, r in zip(machines, every, run, strict=True)]
    chosen = machines[left.index(min(left))]
    thought = f"{'. '.join(steps)}. {extreme(left, top=False)}, that is {chosen}"
    return words("machines", "due first", _ask(rng, asks, l=told), thought, f"It is {chosen}.", machines, chosen)  # fmt: skip


def running_now(rng: Random, side: Side) -> Example:
    """Which machines run at the end of a log of starts and stops."""
    machines, clock = _machines(rng, 3), rng.randint(300, 1200)
    runs = machines[: rng.randint(0, 3)]
    told, left = [], ", ".join(runs) or "none"
    first, steps = left, [left]
    for _ in range(rng.randint(3, 5)):
        machine, clock = rng.choice(machines), clock + rng.randint(2, 45)
        word = "stops" if machine in runs else "starts"
        runs = [*runs, machine] if word == "starts" else [one for one in runs if one != machine]
        left = ", ".join(runs) or "none"
        told.append(f"{clock // 60:02}:{clock % 60:02} {machine} {word}")
        steps.append(f"{machine} {word}: {left}")
    asks = ["Log of the shift: {l}. When it began, running were: {f}. Which are running when it ends?", "Running before: {f}. Events: {l}. Running after?",
            "Running at the start: {f}. Then {l}. Name all that run in the end.", "Running at first: {f}. Log: {l}. Which machines run at the end?",
            "Which machines are on after this log? {l}. On before it: {f}.", "{l}. Before that, running: {f}. What is running after it?",
            "At the beginning these run: {f}. {l}. Which run now?", "On at first: {f}. {l}. What is on now?"]  # fmt: skip
    question = _ask(rng, asks, f=first, l=", ".join(told))
    return words("machines", "running now", question, ". ".join(steps), left, [*machines, "none"])  # fmt: skip


GENERATORS = [(lowest_of_four, 4), (own_limits, 5), (jump, 4), (alarm_rule, 5), (stage, 5), (first_over, 6), (hours_until, 3),
              (implausible, 5), (tie_break, 4), (due_first, 4), (running_now, 5)]  # fmt: skip


def _ask(rng: Random, asks: list[str], **fields: object) -> str:
    text = rng.choice(asks).format(m=_machines(rng, 1)[0], **fields)
    return text[0].upper() + text[1:]


def _machines(rng: Random, count: int) -> list[str]:
    names = of_side(Side.TRAIN, MACHINE_KINDS if rng.random() < 0.5 else WORDS)
    letters = rng.random() < 0.25
    return [f"{name} {rng.choice('ABCDEFGH') if letters else rng.randint(1, 40)}" for name in rng.sample(names, count)]  # fmt: skip


def _listed(rng: Random, names: list[str], shown: list[str]) -> str:
    form, comma = rng.choice(("{} {}", "{}: {}", "{} at {}", "{} = {}")), rng.choice((", ", "; "))
    return comma.join(form.format(name, text) for name, text in zip(names, shown, strict=True))


def _near(rng: Random, limit: int, most: int, *, share: float) -> int:
    """Return a value near a limit, never the limit itself: with that chance above it."""
    by = rng.randint(1, most)
    return limit + by if rng.random() < share else max(0, limit - by)


def _sign(value: int, limit: int) -> str:
    return "=" if value == limit else ">" if value > limit else "<"


def _parts(value: int, limit: int) -> str:
    """Return how two numbers of tenths are compared: their wholes, and at a tie their tenths."""
    whole, other = value // 10, limit // 10
    if whole != other:
        return f"{whole}{_sign(whole, other)}{other}"
    return f"{whole}={other}, {value % 10}{_sign(value % 10, limit % 10)}{limit % 10}"


def _held(value: int, limit: int, *, point: bool) -> str:
    plain = f"{value} {_sign(value, limit)} {limit}"
    return f"{value / 10}: {_parts(value, limit)}" if point else plain

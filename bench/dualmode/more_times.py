"""Times, dates, durations, lengths and weights of everyday questions, to learn from only.

What `times` and `near_numbers` have is not asked again, and never are minutes counted back.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random

from bench.dualmode.example import Example, Side, number, of_side, words
from bench.dualmode.steps import add, divide, extreme, multiply, subtract
from bench.dualmode.stories import NAMES
from bench.dualmode.times import DAYS

RIDES = """bus,train,tram,ferry,coach,shuttle,boat,minibus,cable car,steamer,airport bus,night bus,school bus,fast train,
mail boat,ski bus,city bus,local train,water taxi,sleeper,express,river boat,van""".replace("\n", "").split(",")  # fmt: skip
PLACES = """shop,bank,library,museum,pool,bakery,office,market,clinic,post office,chemist,gallery,cafe,garage,kiosk,zoo,
town hall,gym,surgery,tool shop,counter,canteen,garden centre,butcher's,ticket desk,workshop""".replace("\n", "").split(",")  # fmt: skip
JOBS = """ironing,cooking,cleaning,a walk,a talk,the dishes,painting,reading,shopping,mowing,baking,a call,a meeting,practice,
packing,a lesson,training,sweeping,a game,digging,sewing,the washing,a test,filing,repairs,a tour,weeding,lunch""".replace("\n", "").split(",")  # fmt: skip
MONTHS = {"March": 31, "April": 30, "May": 31, "June": 30, "July": 31, "August": 31, "September": 30, "October": 31, "November": 30, "December": 31}  # fmt: skip
SPANS = {15: "a quarter of an hour", 30: "half an hour", 45: "three quarters of an hour"}


def next_departure(rng: Random, side: Side) -> Example:
    """The first of a timetable after a time, or the last before it."""
    first, start = rng.random() < 0.65, rng.randrange(5 * 60, 19 * 60)
    *leaves, now = rng.sample(range(start, start + rng.choice((59, 120, 240))), rng.randint(4, 6))
    leaves.sort()
    if not leaves[0] < now < leaves[-1]:
        return next_departure(rng, side)
    early = ["The {r} leaves at {l}. It is {t} now. When does the next one leave?", "It is {t}. Departures of the {r}: {l}. Which is the next?",
             "I get to the stop of the {r} at {t}. It goes at {l}. Which is the first I can take?", "Next {r} after {t}? {l}.",
             "{l} are the times of the {r}. Which comes first after {t}?", "now={t} {r}: {l} next=?", "{r} {l}. After {t} I take which?",
             "You come at {t} and the {r} goes at {l}. Which is the earliest you can still get?", "What is the first {r} after {t}, if they go at {l}?"]  # fmt: skip
    late = ["The {r} leaves at {l}. I want the last one before {t}. Which is it?", "It is {t}. The {r} goes at {l}. Which one was the last to leave?",
            "Which {r} is the last before {t}: {l}?", "Last {r} before {t}? {l}.", "Of the departures {l}, name the latest one before {t}.",
            "{r} {l}. Latest before {t}?", "Which is the latest {r} of {l} that goes before {t}?", "now={t} {r}: {l} last gone=?"]  # fmt: skip
    after = next(index for index, leave in enumerate(leaves) if leave > now)
    steps = [f"{_clock(leave)} < {_clock(now)}" for leave in leaves[:after]]
    chosen = _clock(leaves[after if first else after - 1])
    end = f"{_clock(leaves[after])} > {_clock(now)}. {'First after' if first else 'Last before'}: {chosen}"
    question = _asked(rng, early if first else late, r=rng.choice(RIDES), l=", ".join(map(_clock, leaves)), t=_clock(now))  # fmt: skip
    return words("times", "next departure", question, f"{', '.join(steps)}, {end}", chosen)


def open_at(rng: Random, side: Side) -> Example:
    """Whether a place is open at a time, perhaps with a break at noon."""
    limits = [rng.randrange(7 * 60, 11 * 60, 15), rng.randrange(16 * 60, 22 * 60, 15)]
    if rng.random() < 0.4:
        limits[1:1] = [rng.randrange(12 * 60, 13 * 60, 15), rng.randrange(13 * 60, 15 * 60, 15)]
    now = rng.choice((rng.choice(limits) + rng.randint(-50, 50), rng.randrange(6 * 60, 23 * 60)))
    if now in limits:
        return open_at(rng, side)
    t, asked = _clock(now), rng.choice(("open", "open", "closed"))
    asks = ["The {p} is open from {s}. Is it {a} at {t}?", "{p}: {s}. {t}, {a}?", "Opening hours of the {p}: {s}. It is {t}. Is it {a}?",
            "Is the {p} {a} at {t} if its hours are {s}?", "It is {t}. The {p} is open {s}. Is it {a} now?", "{p} hours={s} time={t} {a}=?",
            "At {t} I stand at the {p}, hours {s}. Will I find it {a}?", "The sign at the {p} says {s}. Somebody comes at {t}. Is it {a} then, yes or no?"]  # fmt: skip
    spans = " and ".join(f"{_clock(a)} to {_clock(b)}" for a, b in zip(limits[::2], limits[1::2], strict=True))  # fmt: skip
    passed = sum(limit < now for limit in limits)
    steps = [f"{t} {'>' if now > limit else '<'} {_clock(limit)}" for limit in limits[: passed + 1]]
    real = "open" if passed % 2 else "closed"
    answer = "yes" if real == asked else "no"
    thought = f"{', '.join(steps)}, {real}. Asked {asked}: {answer}"
    question = _asked(rng, asks, p=rng.choice(PLACES), s=spans, t=t, a=asked)
    return words("times", "open at", question, thought, answer, ["yes", "no"])


def arrives_first(rng: Random, side: Side) -> Example:
    """Who of two is there first, each with a start and a time on the way."""
    names, hour, w = _names(rng), rng.randint(6, 20), rng.choice(("first", "last"))
    (a, m), (b, n) = ((hour * 60 + rng.randint(1, 70), rng.randint(11, 59)) for _ in names)
    if a + m == b + n:
        return arrives_first(rng, side)
    asks = ["{x} leaves at {a} for {m} minutes, {y} at {b} for {n} minutes. Who is there {w}?",
            "{x} starts at {a} ({m} min), {y} at {b} ({n} min). Who finishes {w}?", "{x} {a} + {m} min, {y} {b} + {n} min: who ends {w}?",
            "Who comes {w}: {x}, who sets out at {a} for {m} minutes, or {y}, at {b} for {n}?", "{x} works {m} minutes from {a} on, {y} {n} minutes from {b} on. Who stops {w}?",
            "{x}: off at {a}, {m} min on the way. {y}: off at {b}, {n} min. Who arrives {w}?", "{x} begins at {a}, {y} at {b}. It takes {x} {m} minutes and {y} {n}. Which of them is done {w}?",
            "A ride of {m} minutes brings {x} home, one of {n} minutes {y}. {x} goes at {a}, {y} at {b}. Who is home {w}?"]  # fmt: skip
    chosen = names[(a + m < b + n) != (w == "first")]
    sign = f"{_clock(a + m)} {'<' if a + m < b + n else '>'} {_clock(b + n)}, {w} {chosen}"
    thought = f"{names[0]} {_plus(a, m)}. {names[1]} {_plus(b, n)}. {sign}"
    question = _asked(rng, asks, x=names[0], y=names[1], a=_clock(a), b=_clock(b), m=m, n=n, w=w)
    return words("times", "arrives first", question, thought, f"It is {chosen}.", names, chosen)


TIMES = ["The way there took {a}, the way back {b}. How long was it in all?", "It rained for {a} and then again for {b}. What is the total?",
         "A course of {a} and one of {b}: how long are both?", "First part {a}, second part {b}. How long altogether?"]  # fmt: skip
LENGTHS = ["One pipe is {a} long, another {b}. How long are both together?", "A fence of {a} goes on for another {b}. How long is it then?",
           "{a} and {b} of cable are joined. What is the whole length?", "Two rails, {a} and {b}, lie end to end. How long is that?"]  # fmt: skip
WEIGHTS = ["A bag of {a} and a bag of {b}: what do they weigh together?", "The flour is {a}, the sugar {b}. How much are both?",
           "A parcel weighs {a}, another {b}. What is the total weight?", "{b} of sand is put on {a} of gravel. What does it all weigh?"]  # fmt: skip
MIXED = [("h", "min", 60, TIMES), ("hours", "minutes", 60, TIMES), ("min", "s", 60, TIMES), ("days", "hours", 24, TIMES), ("m", "cm", 100, LENGTHS), ("feet", "inches", 12, LENGTHS),
         ("km", "m", 1000, LENGTHS), ("kg", "g", 1000, WEIGHTS)]  # fmt: skip


def mixed_sum(rng: Random, side: Side) -> Example:
    """A sum of two amounts, each in a big and a small unit."""
    big, small, factor, asks = rng.choice(MIXED)
    a, b, step = rng.randint(1, 14), rng.randint(1, 9), 10 if factor == 1000 else 1
    c, d = rng.randrange(step, factor, step), rng.randrange(step, factor, step)
    if c + d == factor:
        return mixed_sum(rng, side)
    asks = [*asks, "What is {a} plus {b}?", "Add {a} and {b}.", "{a} + {b} =", "How much are {a} and {b} together?", "{b} more than {a} is what?", "Put {a} and {b} together."]  # fmt: skip
    over, total = c + d > factor, _amount(a + b, big, c + d, small)
    work = f"{small}: {add(c, d)}, {c + d}{'>' if over else '<'}{factor}"
    if over:
        total = _amount(a + b + 1, big, c + d - factor, small)
        work += f", {subtract(c + d, factor)}, one more"
    work += f". {big}: {add(a, b)}" + (f", {add(a + b, 1)}" if over else "")
    question = _asked(rng, asks, a=_amount(a, big, c, small), b=_amount(b, big, d, small))
    return words("units", "mixed sum", question, f"{work}. {total}", total)


def whole_and_rest(rng: Random, side: Side) -> Example:
    """How often the big unit goes into so many of the small one, and what is left."""
    big, small, factor = rng.choice((("hours", "minutes", 60), ("hours", "minutes", 60), ("minutes", "seconds", 60), ("days", "hours", 24),
                                     ("weeks", "days", 7), ("years", "months", 12), ("feet", "inches", 12), ("metres", "centimetres", 100)))  # fmt: skip
    whole, rest = rng.randint(1, 6), rng.randint(1, factor - 1)
    total, end = whole * factor + rest, _amount(whole, big, rest, small)
    asks = ["How many whole {b} are in {t} {s}, and how many {s} are left?", "Write {t} {s} in {b} and {s}.", "{t} {s}: how many {b} and {s} is that?",
            "Split {t} {s} into {b} and {s}.", "{t} {s} = ? {b} ? {s}", "What are {t} {s} in {b} and {s}?", "In {b} and {s}, what is {t} {s}?",
            "Say {t} {s} with full {b} first and then the {s} that remain.", "It comes to {t} {s}. Give it in {b} and {s}."]  # fmt: skip
    walk = ", ".join(f"{i} {i * factor}" for i in range(1, whole + 1))
    top = f"{whole + 1} {(whole + 1) * factor}>{total}: {whole} {_unit(whole, big)}"
    thought = f"{walk}, {top}. {subtract(total, whole * factor)}. {end}"
    return words("units", "whole and rest", _asked(rng, asks, b=big, s=small, t=total), thought, end)  # fmt: skip


def days_between(rng: Random, side: Side) -> Example:
    """How many days from one date to another of the same month or the next, perhaps both counted."""
    month, following = rng.choice([*pairwise(MONTHS)])
    last, a = MONTHS[month], rng.randint(2, 27)
    across, both = rng.random() < 0.35, rng.random() < 0.3
    b = rng.randint(1, 20) if across else rng.randint(a + 2, last)
    gap = last - a + b if across else b - a
    counted = ["How many days are there from {a} to {b}, both days counted?", "From {a} to {b}, the first and the last day included: how many days?",
               "The fair runs from {a} up to and including {b}. On how many days is it on?", "{a} to {b}, both counted, days=?", "Count the days from {a} to {b}, with both ends.",
               "I am ill from {a} to {b}, those two days included. How many days is that?", "Counting {a} and {b} as well, how many days do they span?",
               "Work begins on the morning of {a} and is done in the evening of {b}. How many days are worked on?"]  # fmt: skip
    later = ["How many days after {a} is {b}?", "It is {a}. In how many days is it {b}?", "How many days of waiting are there on {a} for a trip on {b}?", "{b} is how many days later than {a}?",
             "We arrive on {a} and leave on {b}. How many nights do we stay?", "Seeds sown on {a} came up on {b}. After how many days?", "today={a} exam={b}, days to go=?",
             "A book was lent on {a} and came back on {b}. How many days later was that?", "Countdown: today {a}, start on {b}. How many days to go?"]  # fmt: skip
    one, other = f"{month} {a}", f"{following if across else month} {b}"
    work = f"{month} has {last}, {subtract(last, a)}. {add(last - a, b)}" if across else subtract(b, a)  # fmt: skip
    thought = f"{one} to {other}. {work}" + (f". Both counted: {add(gap, 1)}" if both else "")
    return number("times", "days between", _asked(rng, counted if both else later, a=one, b=other), thought, gap + both)  # fmt: skip


def weekday_of_date(rng: Random, side: Side) -> Example:
    """The weekday of a date, from that of another date of the same month."""
    month, day, (a, b) = rng.choice(list(MONTHS)), rng.randrange(7), rng.sample(range(1, 31), 2)
    if abs(a - b) > 20:
        return weekday_of_date(rng, side)
    asks = ["{m} {a} is a {d}. Which weekday is {m} {b}?", "If {m} {a} falls on a {d}, on which day does {m} {b} fall?", "{m} {a} = {d}, {m} {b} = ?",
            "Which day of the week is {m} {b}, when {m} {a} is a {d}?", "Our first day is {d}, {m} {a}. What weekday is {m} {b} of the same year?",
            "The concert is on {m} {b}. {m} {a} is a {d}. Which weekday is the concert?", "With {m} {a} on a {d}, {m} {b} is what day?", "Name the weekday of {m} {b}: {m} {a} is a {d}."]  # fmt: skip
    steps, (sign, way) = [subtract(max(a, b), min(a, b))], (1, "on") if b > a else (-1, "back")
    rest = abs(a - b) % 7
    steps += [f"{over}-7={over - 7}" for over in range(abs(a - b), 6, -7)]
    walk = [DAYS[day], *(f"{i} {DAYS[(day + sign * i) % 7]}" for i in range(1, rest + 1))]
    thought = f"{b}{'>' if b > a else '<'}{a}, {way}. {', '.join(steps)}. {rest} days {way}: {', '.join(walk)}"
    question = _asked(rng, asks, m=month, a=a, b=b, d=DAYS[day])
    return words("times", "weekday of date", question, thought, DAYS[(day + sign * rest) % 7], DAYS)


def until_hour(rng: Random, side: Side) -> Example:
    """Hours and minutes from a time until a full hour: noon, midnight or another."""
    end = rng.choice((24, 24, 12, rng.randint(13, 23)))
    hour, minute = end - rng.randint(2, 9), rng.randint(1, 59)
    asks = ["It is {t}. How long is it until {e}?", "How many hours and minutes are left from {t} until {e}?", "now={t} until {e}=?", "How much time passes between {t} and {e}?",
            "The shop closes at {e}, and it is {t}. How much time is left?", "From {t} to {e}, in hours and minutes?", "At {t} the lamp goes on; it burns until {e}. For how long?",
            "{t} now. The coach comes at {e}. How long do I wait?", "We have until {e}. The clock shows {t}. What time do we have, in hours and minutes?"]  # fmt: skip
    named = {24: "midnight", 12: "noon"}.get(end, _clock(end * 60))
    said = f"{named} = {end}:00. " if end in {12, 24} else ""
    total = _amount(end - hour - 1, "h", 60 - minute, "min")
    thought = f"{said}to {hour + 1:02}:00 {subtract(60, minute)} min. to {end}:00 {subtract(end, hour + 1)} h. {total}"
    question = _asked(rng, asks, t=_clock(hour * 60 + minute), e=named)
    return words("times", "until hour", question, thought, total)


def twelve_hours(rng: Random, side: Side) -> Example:
    """A time of the 12-hour clock, perhaps in words, in 24 hours, or the other way round."""
    hour, minute = rng.choice(range(24)), rng.choice((rng.randrange(60), 15, 30, 45))
    half, twelfth, end = "pm" if hour >= 12 else "am", (hour - 1) % 12 + 1, _clock(hour * 60 + minute)  # fmt: skip
    told = f"{twelfth}:{minute:02} {half}"
    if rng.random() < 0.4:
        asks = ["What is {t} on a 12-hour clock?", "Write {t} with am or pm.", "{t} = ? am/pm", "Say {t} in the 12-hour way.", "{t}: am or pm, and what time?",
                "How is {t} written with am or pm?", "The display shows {t}. Give it in 12-hour time.", "Turn {t} into 12-hour time."]  # fmt: skip
        said = f"{hour}>12, pm, {subtract(hour, 12)}" if hour > 12 else f"{hour}<12, am"
        said = {0: "0 = 12 am", 12: "12 = 12 pm"}.get(hour, said)
        return words("times", "twelve hours", _asked(rng, asks, t=end), f"{said}. {told}", told)
    asks = ["What is {t} on a 24-hour clock?", "Write {t} in 24-hour time.", "{t} = ? (24 h)", "Give {t} as hh:mm of 24 hours.", "Turn {t} into the 24-hour form.",
            "The train goes at {t}. How does a 24-hour timetable write it?", "The alarm is for {t}. What does it show in 24 hours?", "In 24-hour time, what is {t}?"]  # fmt: skip
    part = "in the morning" if hour < 12 else "in the afternoon" if hour < 18 else "in the evening"
    past, said = {15: "a quarter", 30: "half", 5: "five", 10: "ten", 20: "twenty"}.get(minute), half
    if past and hour and rng.random() < 0.7:
        told, said = f"{past} past {twelfth} {part}", f"{past} past = {minute}, {part}"
    work = f"{twelfth} {half} = {hour}" if twelfth == 12 else add(twelfth, 12) if hour > 12 else f"{twelfth} stays"  # fmt: skip
    return words("times", "twelve hours", _asked(rng, asks, t=told), f"{said}, {work}. {end}", end)


def in_turn(rng: Random, side: Side) -> Example:
    """When two or three jobs one after another are all done, some of their lengths in words."""
    start = now = rng.randint(6 * 60, 19 * 60)
    spans = [rng.choice((rng.randrange(5, 60, 5), 15, 30, 45)) for _ in "xy"]
    if rng.random() < 0.4:
        spans.insert(rng.randrange(3), 60 * rng.randint(1, 3))
    asks = ["{n} starts at {t}: {l}. When is everything done?", "From {t} on: {l}. When does the last one end?", "It is {t}. First {l}. When is {n} free?",
            "{l}, one after another from {t}. At what time is it all over?", "At {t} {n} begins with {l}. What time is it at the end?", "start={t} jobs: {l} end=?",
            "{n} has a list: {l}. If {n} starts at {t}, when is {n} finished?", "What time is it after {l}, begun at {t}?"]  # fmt: skip
    told, steps = [], []
    for job, span in zip(rng.sample(JOBS, len(spans)), spans, strict=True):
        hours = span // 60
        worded = rng.random() < 0.5 and span in SPANS and len(spans) == 2
        said = SPANS[span] if worded else f"{hours} {_unit(hours, 'hours')}" if hours else f"{span} minutes"  # fmt: skip
        told.append(f"{job} ({said})")
        steps += [f"{said} = {span} min"] if worded else []
        steps.append(f"{_clock(now)} + {hours} h: {add(now // 60, hours)}, {_clock(now + span)}" if hours else _plus(now, span))  # fmt: skip
        now += span
    listed = rng.choice((", ", ", then ")).join(told)
    question = _asked(rng, asks, n=_names(rng)[0], t=_clock(start), l=listed)
    return words("times", "in turn", question, ". ".join(steps), _clock(now))


def overlap(rng: Random, side: Side) -> Example:
    """For how many hours two spans overlap, if at all."""
    (x, y), a, c = _names(rng), rng.randint(6, 15), rng.randint(6, 15)
    b, d = a + rng.randint(2, 8), c + rng.randint(2, 8)
    start, end, value = max(a, c), min(b, d), max(0, min(b, d) - max(a, c))
    asks = ["{x} is there from {a} to {b}, {y} from {c} to {d}. For how many hours are both there?", "{x} works {a} to {b} and {y} {c} to {d}. How many hours do they work at the same time?",
            "How many hours do {x} ({a} to {b}) and {y} ({c} to {d}) have in common?", "{x} {a}-{b}, {y} {c}-{d}: hours together?", "By how many hours do {a} to {b} and {c} to {d} overlap?",
            "One pump runs from {a} to {b}, another from {c} to {d}. For how many hours do both run?", "The hall is heated from {a} to {b} and lit from {c} to {d}. For how many hours is it both?",
            "{x} can come between {a} and {b}, {y} between {c} and {d}. How many hours suit both?"]  # fmt: skip
    last = f"{start}<{end}, {subtract(end, start)}" if start < end else f"{start}>={end}, 0"
    thought = f"starts {a}, {c}: {extreme([a, c], top=True)}. ends {b}, {d}: {extreme([b, d], top=False)}. {last}"
    question = _asked(rng, asks, x=x, y=y, a=_clock(a * 60), b=_clock(b * 60), c=_clock(c * 60), d=_clock(d * 60))  # fmt: skip
    return number("times", "overlap", question, thought, value, f"{value} {_unit(value, 'hours')}")


def to_other_day(rng: Random, side: Side) -> Example:
    """How many hours from a time of one day to a time of the next day or a later one."""
    first, days, a, b = rng.randrange(7), rng.choice((1, 1, 1, 2, 2, 3)), rng.randint(10, 23), rng.randint(1, 20)  # fmt: skip
    names = [DAYS[(first + i) % 7] for i in range(days + 1)]
    asks = ["How many hours are there from {x} {a} to {y} {b}?", "The lamp burned from {a} on {x} to {b} on {y}. How many hours?", "It is {x}, {a}. The boat sails on {y} at {b}. In how many hours?",
            "{x} {a} until {y} {b}: how many hours?", "The power went at {a} on {x} and was back at {b} on {y}. For how many hours was it gone?", "from={x} {a} to={y} {b} hours=?",
            "On {x} at {a} the stove is lit; on {y} at {b} it goes out. How many hours does it burn?", "How many hours after {a} on {x} is it {b} on {y}?"]  # fmt: skip
    steps, total = [f"{names[0]} {subtract(24, a)}", *(f"{name} 24" for name in names[1:-1]), f"{names[-1]} {b}"], 24 - a  # fmt: skip
    for part in [*[24] * (days - 1), b]:
        steps.append(add(total, part))
        total += part
    question = _asked(rng, asks, x=names[0], y=names[-1], a=_clock(a * 60), b=_clock(b * 60))
    return number("times", "to other day", question, ". ".join(steps), total, f"{total} hours")


def repeats(rng: Random, side: Side) -> Example:
    """When the third or a later one of things at equal distances comes: a time or a date."""
    n, (unit, most) = rng.randint(3, 6), rng.choice((("hours", 15), ("minutes", 59), ("days", 24)))
    step, hour, minute = rng.randint(2, most // (n - 1)), rng.randint(1, 8), rng.randrange(60)
    gap, month, nth = (n - 1) * step, rng.choice(list(MONTHS)), ("third", "fourth", "fifth", "sixth")[n - 3]  # fmt: skip
    if unit == "days":
        day = rng.randint(1, 30 - gap)
        start, end, work = f"on {month} {day}", f"{month} {day + gap}", add(day, gap)
    else:
        now = hour * 60 + minute
        start, end = f"at {_clock(now)}", _clock(now + gap * (60 if unit == "hours" else 1))
        work = f"hour {add(hour, gap)}" if unit == "hours" else _plus(now, gap)
    asks = ["The first is {s}, then one comes every {k} {u}. When is the {n}?", "Every {k} {u}, beginning {s}: when is the {n} time?", "First {s}, every {k} {u}: {n}?",
            "A reading is taken every {k} {u}, the first one {s}. When is the {n} one due?", "Starting {s}, the pump runs every {k} {u}. When does it run for the {n} time?",
            "A signal comes {s} and again every {k} {u}. Give the {n} one.", "When is the {n} check, if the first is {s} and there is one every {k} {u}?",
            "When does the {n} of a row come that begins {s} and goes on every {k} {u}?"]  # fmt: skip
    thought = f"{nth}: {n}-1={n - 1} times {step}. {multiply(step, n - 1)}. {work}. {end}"
    return words("times", "repeats", _asked(rng, asks, s=start, k=step, u=unit, n=nth), thought, end)  # fmt: skip


PARTS = [("kg", "g", 1000, "bags,loaves,cakes,tins,boxes,bowls,packets,cheeses"), ("l", "ml", 1000, "cups,glasses,bottles,jars,cans,bowls,flasks,jugs"),
         ("m", "cm", 100, "strips,ribbons,boards,shelves,pipes,sticks,cables,ropes"), ("h", "min", 60, "lessons,talks,laps,turns,rounds,visits,sessions,tests")]  # fmt: skip
EACH = [12, 15, 20, 25, 30, 40, 50, 60, 75, 80, 125, 150, 200, 250, 300, 400, 500]


def portions(rng: Random, side: Side) -> Example:
    """How many parts, given in the small unit, there are in a whole that is given in the big one."""
    big, small, factor, goods = rng.choice(PARTS)
    each, count = rng.choice([one for one in EACH if factor / 50 < one < factor]), rng.randint(4, 30)  # fmt: skip
    n, rest = divmod(each * count, factor)
    if not 1 <= n <= 9:
        return portions(rng, side)
    asks = ["How many {c} of {p} are there in {t}?", "{t} is split into {c} of {p}. How many are there?", "{t} in {c} of {p}: how many?", "total={t} each={p} {c}=?",
            "Each of the {c} takes {p}. For how many is {t} enough?", "We have {t}. How many {c} of {p} is that enough for?", "Into how many {c} of {p} can {n} split {t}?",
            "{n} wants {c} of {p} each and has {t}. How many {c} is that?", "How many {c} does {t} make at {p} each?"]  # fmt: skip
    total = _amount(n, big, rest, small) if rest else f"{n} {big}"
    work = [f"1 {big} = {factor} {small}", multiply(factor, n), *([add(factor * n, rest)] if rest else ()), divide(each * count, each)]  # fmt: skip
    question = _asked(rng, asks, c=rng.choice(goods.split(",")), p=f"{each} {small}", t=total, n=_names(rng)[0])  # fmt: skip
    return number("units", "portions", question, ". ".join(work), count)


def _clock(minutes: int) -> str:
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def _plus(start: int, span: int) -> str:
    """Return how less than an hour is added to a time."""
    total, end = start % 60 + span, _clock(start + span)
    carry = f">=60, {total}-60={total - 60}, one hour more" if total >= 60 else "<60"
    return f"{_clock(start)} + {span} min: {add(start % 60, span)}, {total}{carry}: {end}"


def _amount(a: int, big: str, b: int, small: str) -> str:
    return f"{a} {_unit(a, big)} {b} {_unit(b, small)}"


def _unit(count: int, unit: str) -> str:
    if count != 1 or len(unit) < 4:
        return unit
    return {"feet": "foot", "inches": "inch"}.get(unit, unit.removesuffix("s"))


def _names(rng: Random) -> list[str]:
    return rng.sample(of_side(Side.TRAIN, NAMES), 2)


def _asked(rng: Random, asks: list[str], **fields: object) -> str:
    """Choose a wording, fill it in and begin it with a capital."""
    question = rng.choice(asks).format(**fields)
    return question[0].upper() + question[1:]


GENERATORS = [(next_departure, 4), (open_at, 4), (arrives_first, 4), (mixed_sum, 4), (whole_and_rest, 4), (days_between, 4), (weekday_of_date, 3),
              (until_hour, 3), (twelve_hours, 3), (in_turn, 4), (overlap, 4), (to_other_day, 3), (repeats, 4), (portions, 4)]  # fmt: skip

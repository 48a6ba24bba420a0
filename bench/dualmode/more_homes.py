"""More kinds of commands to a home, to learn from only: each is to be done at sight as well.

Forms whose fields the prompt names and whose words stand in the command alone, conditions and
questions about a state, commands to some of the devices, changes by an amount, what is not there.
"""

from __future__ import annotations

import json
import re
from functools import partial
from random import Random
from typing import Any

from bench.dualmode import devices, homes
from bench.dualmode.devices import Device
from bench.dualmode.example import Example, Side, of_side, pick
from bench.dualmode.homes import _action, _dump, _listed, _object, _schema, _spoken, _thought
from bench.dualmode.house import CLASSES, LIGHTS, PEOPLE, PHRASES, ROOMS, SIMPLE
from bench.dualmode.steps import add, counted, subtract
from bench.dualmode.wordings import wording

Items = list[tuple[str, Any, str]]
"""A state: names, values and units."""
TRAIN = Side.TRAIN
ACTS = ["turn_on", "turn_off", "open", "close", "lock", "unlock", "set"]
VOCABULARIES: list[tuple[str, list[Any]]] = [
    ("action|command|do", ACTS), ("action|order|verb", ["on", "off", "open", "close", "lock", "unlock", "set"]),
    ("action|task|job", ["switch_on", "switch_off", "open", "shut", "lock", "unlock", "change"]),
    ("command|cmd|what_to_do", ["ON", "OFF", "OPEN", "CLOSE", "LOCK", "UNLOCK", "SET"]),
    ("action|command", ["start", "stop", "open", "close", "lock", "unlock", "adjust"]),
    ("state|status|should_be", ["on", "off", "open", "closed", "locked", "unlocked"]), ("on|active|running", [True, False]),
]  # fmt: skip
"""Names of the field for what is done, and its values for each of `ACTS`."""
FIELDS = {"name": "target|device|name|entity", "room": "room|where|place|location|area|in", "value": "value|level|amount|to|setting",
          "kind": "what|device|thing|item|appliance|object"}  # fmt: skip
LEADS = """Write the command as JSON|Turn what is said into JSON|Give back one JSON object|Reply with JSON only|Output JSON|
Your reply is a JSON object|Translate the sentence to JSON|Home control; answer as strict JSON|Fill in a form as JSON"""
GROUPS = {
    "light": ("brightness", "%", " percent", "brighter", "darker", range(0, 101, 5)),
    "cover": ("position", "%", " percent", "further open", "further closed", range(0, 101, 5)),
    "heater": ("temperature", "C", " degrees", "warmer", "cooler", range(15, 26)),
    "fan": ("speed", "", "", "faster", "slower", range(2, 8)),
    "player": ("volume", "", "", "louder", "quieter", range(6, 41)),
}
"""Of groups with a value: what is set, its unit, the unit spoken, more and less of it, its values."""
UP = "turn {d} up by {n}|raise {d} by {n}|{n} more on {d}|{d} {n} {w}|make {d} {n} {w}|I want {d} {n} {w}|{d} {w} by {n}|put {d} up {n}"
DOWN = UP.replace("up", "down").replace("raise", "lower").replace("more", "less")
SUBJECTS = [
    ("CO2", "ppm", "the CO2 level", "ppm", 400, 1800, ""), ("fine dust", "ug/m3", "the fine dust", "micrograms", 5, 120, ""),
    ("light level", "lux", "the light level", "lux", 20, 900, "it is brighter than {x}|it is darker than {x}"),
    ("battery", "%", "the battery", "percent", 5, 95, "the battery has more than {x} left|the battery has less than {x} left"),
    ("power price", "ct/kWh", "the price of power", "cents", 8, 60, "power costs more than {x}|power costs less than {x}"),
    ("people at home", "", "the number of people at home", "", 2, 12, "more than {x} people are at home|fewer than {x} people are at home"),
    ("soil moisture", "%", "the soil moisture", "percent", 5, 90, "the soil is wetter than {x}|the soil is drier than {x}"),
    ("noise", "dB", "the noise", "dB", 20, 90, "it is louder than {x}|it is quieter than {x}"),
    ("water tank", "l", "the water in the tank", "litres", 50, 950, "there are more than {x} in the tank|there are fewer than {x} in the tank"),
    ("solar power", "W", "the solar power", "watts", 100, 4000, "the sun gives more than {x}|the sun gives less than {x}"),
    ("{r} temperature", "C", "the temperature in {q}", "degrees", 10, 32, "{q} is warmer than {x}|it is colder than {x} in {q}"),
]  # fmt: skip
"""What the state says, its unit, how it is spoken of, the unit spoken, lowest and highest limit, own words."""
COMPARED = ["is above|is below", "is over|is under", "exceeds|is less than", "is higher than|is lower than", "is at least|is at most",
            "has risen above|has fallen below", "is more than|has dropped under"]  # fmt: skip
IFS = """if|if|only if|but only if|in case|provided that|as long as|when|assuming|given that|on condition that|but only when|
if you see that|if it turns out that"""
UNLESS = "unless|unless|unless|except if|except when|but not if|but not when|just not if"
THINGS = """alarm armed disarmed|sun up down|car here gone|mailbox full empty|baby asleep awake|bed free taken|cat in out|
dryer running done|robot working docked|sofa free taken|mower docked working|bin full empty"""
ALL = "all the {m}|all {m}|all {m} in the house|all of the {m}|the {m} in all rooms|the {m} everywhere|all our {m}"
IN_ROOM = "all the {m} in {r}|all {m} in {r}|the {m} in {r}, all of them,|all of the {m} in {r}|the {m} in {r}|{r} {m}"
EVERYTHING = "everything in {r}|all devices in {r}|all that is in {r}|whatever is in {r}|all things in {r}|the whole lot in {r}"
EXCEPT = """ except {x}| but not {x}| apart from {x}|, leave out {x}|, not {x} though| other than {x}|, only not {x}| save for {x}|
 with the exception of {x}|, leave {x} as now|, just not {x}"""
ASKS = {
    "whether": """{b} {d} {s}?|{b} {d} {s} right now?|do you know if {d} {b} {s}?|tell me whether {d} {b} {s}.|did I leave {d} {s}?|
{d} {s}?|can you check if {d} {b} {s}?|I want to know if {d} {b} {s}.|could it be that {d} {b} {s}?|{b} {d} still {s}?""",
    "state": "{d}: {s} or {o}?|{b} {d} {s} or {o}?|what state {b} {d} in?|tell me the state of {d}.|state of {d}?|{s} or {o}: what {b} {d}?",
    "value": "what {b} {d} set to?|what {b} {d} at?|tell me the value of {d}.|setting of {d}?|{d}: at what value?|which value {b} {d} at?",
    "list": "which devices are {s}?|what is {s}?|name what is {s}.|list all that is {s}.|which ones are {s} now?|what have we got {s}?",
    "count": "how many devices are {s}?|how many are {s}?|count what is {s}.|number of devices that are {s}?|how many of them are {s}?",
}
ANSWERS = """Answer questions about the home as JSON {{"{k}": ...}}: "yes" or "no", a state, a number or a list of devices.|
Questions about a house. Reply with JSON, {{"{k}"}} alone: yes, no, a state, a number or a list.|
You know the state of a home. Give JSON with "{k}": "yes", "no", a state, a count or value, or a list of names."""
SENTENCES = """Answer in one short sentence, such as 'Yes, the {x} is on.', 'No, the {x} is off.', 'The {x} is off.', 'The {x} is at 20.'|
Say how things stand at home. Like this: 'No, the {x} is off.', 'Yes, the {x} is on.', 'The {x} is on.', 'The {x} is at 20.'"""
FORMS = [" {n} {v}{u},", " {n}: {v}{u},", " {n} = {v}{u};", " {n} ({v}{u}),", "\n- {n}: {v}{u}", " [{n} {v}{u}]"]  # fmt: skip


def fields(rng: Random, side: Side) -> Example:
    """A command in fields that the prompt names; often with a value or null."""
    names, values = rng.choice(VOCABULARIES)
    valued = len(values) == 7 and rng.random() < 0.5
    words = dict(zip(ACTS, values[: 4 if valued else rng.choice((2, 4, 4, 6))], strict=False))
    words |= {"set": values[6], "color": values[6]} if valued else {}
    known = [word if isinstance(word, str) else _dump(word) for word in dict.fromkeys(words.values())]  # fmt: skip
    parts = [*(["name"] if rng.random() < 0.3 else ["room", "kind"]), *(["value"] if valued else [])]  # fmt: skip
    own = {part: _one(rng, FIELDS[part]) for part in parts} | {"act": _one(rng, names)}
    order = rng.sample(list(own), len(own))

    def one() -> tuple[str, dict[str, Any]]:
        wanted = ["set", "color"] if valued and rng.random() < 0.5 else list(words)
        text, device, action = _free(rng, wanted)
        found = device._asdict() | {"name": device.name, "act": words[action["action"]], "value": action.get("value")}  # fmt: skip
        return text, {own[part]: found[part] for part in order}

    (text, value), shown = one(), [one() for _ in range(rng.choice((0, 1, 1, 2)))]
    style = rng.choice(("skeleton", "described", "words")[: 3 if shown else 2])
    compact = rng.random() < 0.4 and (bool(shown) or style == "skeleton")
    written = partial(json.dumps, ensure_ascii=False, separators=(",", ":") if compact else None)
    told = {"name": "room and device", "room": "the room", "kind": "the device", "value": "a number, a colour or null",
            "act": " or ".join(", ".join(known).rsplit(", ", 1))}  # fmt: skip
    about = {own[part]: told[part] for part in order}
    system = _one(rng, LEADS)
    if style == "words":
        shapes = "".join(f" {name}: {said}." for name, said in about.items() if said[:4] != "the ")
        system += f" with {' and '.join(', '.join(about).rsplit(', ', 1))}.{shapes}"
    elif style == "skeleton":
        system += f": {written({name: f'<{said}>' for name, said in about.items()})}."
    else:
        system += f": {', '.join(f'{name} ({said})' for name, said in about.items())}."
    before, between = rng.choice((("\n'", "' is "), (" Example: '", "' is "), ("\n", " -> "), ("\nCommand: ", "\nJSON: ")))  # fmt: skip
    system += "".join(f"{before}{said}{between}{written(filled)}" for said, filled in shown)
    types: dict[str, Any] = {"act": {"enum": list(dict.fromkeys(words.values()))}, "value": {"type": ["integer", "string", "null"]}}  # fmt: skip
    schema = _object({own[part]: types.get(part, {"type": "string"}) for part in order})
    thought = f"{', '.join(v if isinstance(v, str) else _dump(v) for v in value.values())}."
    return _asked("valued" if valued else "fields", system, text, thought, written(value), schema)  # fmt: skip


def condition(rng: Random, side: Side) -> Example:
    """A command under a condition on a number or on what is open, on or at home, or unless it holds."""
    home = devices.home(rng, TRAIN)[: rng.randint(2, 4)]
    phrase, action = _action(rng, TRAIN, home[0])
    met, unless, weighed = rng.random() < 0.5, rng.random() < 0.4, rng.random() < 0.55
    items, clause, before = (_number if weighed else _switch)(rng, home[1:], holds=met != unless)
    lead = _one(rng, UNLESS if unless else IFS)
    behind = lead[:3] in {"but", "jus", "exc"} or rng.random() < 0.4
    said = f"{phrase}{rng.choice((' ', ' ', ', '))}{lead} {clause}" if behind else f"{lead} {clause}, {phrase}"  # fmt: skip
    verdict = f"{'not so' if met else 'holds'}, unless, " if unless else ""
    thought = f"{before}, {verdict}so {'yes' if met else 'no'}. {_thought([action] if met else [])}"
    return _commands(rng, "weighed" if weighed else "switched", rng.sample(home, len(home)), [said], [action] if met else [],
                     thought, rng.sample(items, len(items)))  # fmt: skip


def _number(rng: Random, home: list[Device], *, holds: bool) -> tuple[Items, str, str]:
    """Return a state, a condition on a number of it, and how that is held against the limit."""
    room, *rooms = rng.sample(sorted({devices.room(rng, TRAIN) for _ in range(9)}), 3)
    subjects = rng.sample(SUBJECTS, rng.choice((1, 2, 2, 3)))
    items: Items = [(name.format(r=place), rng.randint(low, high), unit)
                    for (name, unit, _, _, low, high, _), place in zip(subjects, [room, *rooms], strict=False)]  # fmt: skip
    _, unit, spoken, said_unit, low, high, own = subjects[0]
    limit, more = rng.randint(low, high), rng.random() < 0.5
    limit = limit if high < 500 or rng.random() < 0.3 else max(limit // 50 * 50, 50)
    pair = own if own and rng.random() < 0.5 else rng.choice(COMPARED)
    clause = pair.split("|")[0 if more else 1]
    clause = clause if pair == own else f"{spoken} {clause} {{x}}"
    gap = rng.randint(1, max(3, (high - low) // rng.choice((2, 4, 10))))
    gap = 0 if holds and "is at " in clause and rng.random() < 0.2 else gap
    now = min(limit + gap, 100 if unit == "%" else 9999) if holds == more else max(low // 4, limit - gap)  # fmt: skip
    items[0] = (items[0][0], now, unit)
    sign = "=" if now == limit else ">" if now > limit else "<"
    return items, clause.format(q=_the(room), x=f"{limit} {said_unit}".strip()), f"{now} {sign} {limit}"  # fmt: skip


def _switch(rng: Random, home: list[Device], *, holds: bool) -> tuple[Items, str, str]:
    """Return a state, a condition on what is open, on or at home, and what of it is so."""
    person = pick(rng, TRAIN, PEOPLE)
    subjects = [(person, person, "is", rng.choice((("home", "away"), ("here", "gone"), ("awake", "asleep"))))]  # fmt: skip
    things = map(str.split, rng.sample(THINGS.replace("\n", "").split("|"), 2))
    subjects += [(thing, f"the {thing}", "is", (one, other)) for thing, one, other in things]
    subjects += [(one.name, *_talked(rng, one), _states(rng, one)) for one in home if one.kind in CLASSES or " " in one.kind]  # fmt: skip
    subjects = rng.sample(subjects, rng.randint(1, len(subjects)))
    items: Items = [(subject[0], rng.choice(subject[3]), "") for subject in subjects]
    name, spoken, be, pair = subjects[0]
    wanted, other = rng.sample(pair, 2)
    denied = rng.random() < 0.15
    now = wanted if holds != denied else other
    items[0] = (name, now, "")
    held = f"{name} {now}{'' if now == wanted else f', not {wanted}'}"
    return items, f"{spoken} {be} {'not ' if denied else ''}{wanted}", held


def several(rng: Random, side: Side) -> Example:
    """All of a kind in the house or in a room, all but one, those of some rooms, a whole room."""
    style = rng.choice(("group", "all but", "same in rooms", "in room", "in room"))
    home, meant, word = _spread(rng, rng.randint(2 if style == "group" else 3, 4))
    whole, left, after, room = rng.random() < 0.35, None, "", meant[0].room
    if style == "in room":
        home = [one for one in home if one.room != room or (not whole and one not in meant)]
        lights = [devices.light(rng, TRAIN, room) for _ in range(rng.randint(2, 3))]
        marks = rng.choice((("left", "right"), ("big", "small"), ("front", "back"), ("old", "middle", "new")))  # fmt: skip
        if whole:
            drawn = [devices.simple(rng, TRAIN, room) for _ in range(12)]
            meant = [*[one for one in drawn if one.group in {"fan", "player", "switch"}][:2], lights[0]]  # fmt: skip
        elif word == "light":
            meant, word = lights, rng.choice(("light", "lamp"))
        else:
            meant = [meant[0]._replace(kind=f"{mark} {meant[0].kind}") for mark in marks]
        meant = list(dict.fromkeys(meant))
        home = [one for one in home if one.name not in devices.names(meant)] + meant
    elif style == "same in rooms":
        meant = rng.sample(meant, rng.choice((2, 2, 3)))
    rooms = [_the(one.room) for one in meant] if style == "same in rooms" else [_the(room)]
    room = " and ".join(", ".join(rooms).rsplit(", ", 1))
    forms = {"same in rooms": "the {m} in {r}|the {m} of {r}|{m} in {r}|{r} {m}", "in room": EVERYTHING if whole else IN_ROOM}  # fmt: skip
    spoken = _one(rng, forms.get(style, ALL)).format(m=word + {"s": "", "x": "es"}.get(word[-1], "s"), r=room)  # fmt: skip
    if style == "all but":
        left = rng.choice(meant)
        those = (_talked(rng, left)[0], f"the one{'s' if left.kind[-1] == 's' else ''} in {_the(left.room)}")  # fmt: skip
        after = _one(rng, EXCEPT).format(x=rng.choice(those))
        if after[0] == " " and rng.random() < 0.4:
            spoken, after = spoken + after, ""
    while True:
        _, action = _action(rng, TRAIN, meant[0])
        verb = GROUPS[meant[0].group][0] if action["action"] == "set" else action["action"]
        phrase = wording(rng, TRAIN, f"say {verb}", PHRASES[verb])
        # What can't be said of several, or not of all in a room; and what is held out.
        wrong = style == "in room" and whole and verb[:5] != "turn_"
        if not wrong and not re.search(r"\b(is|it|has|needs|gets|comes|a)\b|put {d} on$", phrase):
            break
    rng.shuffle(home)
    each = [one for one in (meant if style == "same in rooms" else home) if one in meant]
    actions = [action | {"device": one.name} for one in each if one != left]
    thought = " ".join(f"{one.name}: left out." if one == left else _thought([action | {"device": one.name}]) for one in each)  # fmt: skip
    return _commands(rng, style, home, [phrase.format(d=spoken, v=action.get("value")) + after], actions, thought)  # fmt: skip


def relative(rng: Random, side: Side) -> Example:
    """A change by an amount from the value that the state has."""
    home = [one for one in devices.home(rng, TRAIN) if one.group in GROUPS][:4]
    if not home:
        return relative(rng, side)
    now, device, up = [rng.choice(GROUPS[one.group][5]) for one in home], rng.choice(home), rng.random() < 0.5  # fmt: skip
    _, _, unit, more, less, _ = GROUPS[device.group]
    value, spoken = now[home.index(device)], _talked(rng, device)[0]
    by = rng.randint(1, 6) * 5 if unit == " percent" else rng.randint(1, 2 if more == "faster" else 5)  # fmt: skip
    value = max(value, by) if not up else min(value, 100 - by) if unit == " percent" else value
    new, work = (value + by, add(value, by)) if up else (value - by, subtract(value, by))
    amount = f"{by}{unit}" if by > 1 else f"1{unit.removesuffix('s')}"
    phrase = _one(rng, UP if up else DOWN).format(d=spoken, n=amount, w=more if up else less)
    now[home.index(device)] = value
    action = {"device": device.name, "action": "set", "value": new}
    thought = f"{device.name} {value}. {work}. {_thought([action])}"
    items = [(one.name, v, GROUPS[one.group][1]) for one, v in zip(home, now, strict=True)]
    return _commands(rng, "relative", home, [phrase], [action], thought, items)


def asked(rng: Random, side: Side) -> Example:
    """A question about the state of a home, answered in JSON or in a sentence."""
    sentence = rng.random() < 0.35
    kind = rng.choice(("whether", "whether", "state", "value") if sentence else ("whether", "whether", "state", "value", "list", "count"))  # fmt: skip
    some = kind in {"list", "count"}
    home = [one for one in devices.home(rng, TRAIN) if (one.kind in CLASSES or " " in one.kind) and not (some and one.group == "door")][:5]  # fmt: skip
    at = next((i for i, one in enumerate(home) if kind != "value" or one.group in GROUPS), None)
    if at is None:
        return asked(rng, side)
    pairs = [_states(rng, one) for one in home]
    # A device in question has a value only where that is asked for, and none where things are counted.
    shares = [0.0 if some or one.group not in GROUPS else 0.3 if i != at else kind == "value" for i, one in enumerate(home)]  # fmt: skip
    now: list[Any] = [rng.choice(GROUPS[one.group][5] if rng.random() < share else pair)
                      for one, pair, share in zip(home, pairs, shares, strict=True)]  # fmt: skip
    items = [(one.name, v, GROUPS[one.group][1] if isinstance(v, int) else "") for one, v in zip(home, now, strict=True)]  # fmt: skip
    rng.shuffle(items)
    name, answer, (spoken, be) = home[at].name, now[at], _talked(rng, home[at])
    wanted, other = rng.sample(pairs[at], 2)
    reply, thought = f"{_the(name)} {be} {'at ' if kind == 'value' else ''}{answer}.", f"{name}: {answer}"  # fmt: skip
    if kind == "whether":
        thought += ", yes" if answer == wanted else f", not {wanted}, no"
        answer = "yes" if answer == wanted else "no"
        reply = f"{answer}, {reply}"
    elif some:
        hits = [state == wanted for _, state, _ in items]
        thought = counted(hits, [f"{one} {state}" for one, state, _ in items])
        answer = sum(hits) if kind == "count" else [one for one, state, _ in items if state == wanted]  # fmt: skip
    text = _one(rng, ASKS[kind]).format(d=spoken, b=be, s=wanted, o=other)
    text = text.rstrip(".?") if rng.random() < 0.25 else text[0].upper() + text[1:]
    key = rng.choice(("answer", "answer", "reply", "result"))
    told = _one(rng, SENTENCES if sentence else ANSWERS).format(k=key, x=rng.choice(LIGHTS[:2]))
    types = [{"type": "string"}, {"type": "integer"}, {"type": "array", "items": {"enum": devices.names(home)}}]  # fmt: skip
    said = reply[0].upper() + reply[1:] if sentence else _dump({key: answer})
    return _asked("asked", f"{told}\n{_state(rng, items)}", text, f"{thought}.", said,
                  None if sentence else _object({key: {"anyOf": types}}))  # fmt: skip


def some_missing(rng: Random, side: Side) -> Example:
    """One to three commands, of which one may be to what is not there though its room or kind is."""
    home, lacking = devices.home(rng, TRAIN)[:7], None
    meant = rng.sample(home, rng.choice((1, 2, 2, 3)))
    if rng.random() < 0.5:
        while lacking is None or any(devices.alike(lacking, one) for one in home):
            room = rng.choice(home).room if rng.random() < 0.8 else devices.room(rng, TRAIN)
            new = rng.choice((devices.light, devices.simple))(rng, TRAIN, room)
            lacking = rng.choice((rng.choice(home)._replace(room=room), new))
        meant[rng.randrange(len(meant))] = lacking
    parts, steps = [_action(rng, TRAIN, device) for device in meant], []
    for device, (_, action) in zip(meant, parts, strict=True):
        there = ", ".join(one.kind for one in home if one.room == device.room) or "nothing"
        found = f"{device.name}: not in the list." if device == lacking else _thought([action])
        steps.append(f"{device.room} has {there}. {found}")
    steps = steps[: meant.index(lacking) + 1] if lacking else steps
    return _commands(rng, "some missing", home, [phrase for phrase, _ in parts], [action for _, action in parts],
                     " ".join(steps), lacking=lacking)  # fmt: skip


def _one(rng: Random, wordings: str) -> str:
    return rng.choice(wordings.replace("\n", "").split("|"))


def _free(rng: Random, wanted: list[str]) -> tuple[str, Device, dict[str, Any]]:
    """Return a command whose room and device can be told apart without a list, and be copied."""
    while True:
        device = rng.choice((devices.light, devices.simple))(rng, TRAIN, devices.room(rng, TRAIN))
        phrase, action = _action(rng, TRAIN, device)
        clear = " " in device.room or device.room in ROOMS or device.kind in CLASSES
        if action["action"] not in wanted or not (clear or f"{device.kind} in" in phrase):
            continue
        text = _spoken(rng, TRAIN, [phrase])
        text = device.room + text[len(device.room) :] if text.lower().startswith(device.room.lower()) else text  # fmt: skip
        if device.room in text and device.kind in text:
            return text, device, action


def _asked(kind: str, system: str, text: str, thought: str, answer: str, schema: dict[str, Any] | None) -> Example:  # fmt: skip
    return Example(category="home", kind=kind, system=system, question=text, thought=thought, answer=answer,
                   expected=answer, check="json" if schema else "words", schema=schema)  # fmt: skip


def _commands(rng: Random, kind: str, home: list[Device], phrases: list[str], actions: list[dict[str, Any]],
              thought: str, items: Items | None = None, lacking: Device | None = None) -> Example:  # fmt: skip
    """Return a command to the devices of a list, the state before them or behind."""
    text, names = _spoken(rng, TRAIN, phrases), devices.names(home)
    while lacking and text == text.lower() and not lacking.name.islower():
        text = _spoken(rng, TRAIN, phrases)
    lines = [_listed(names), *([_state(rng, items)] if items else [])]
    told = [wording(rng, TRAIN, "actions system", homes.ACTIONS_SYSTEM), *lines[:: rng.choice((1, 1, -1))]]  # fmt: skip
    answer = _dump({"error": f"no {lacking.name}"} if lacking else {"actions": actions})
    return _asked(kind, "\n".join(told), text, thought, answer, _schema(names))


def _spread(rng: Random, count: int) -> tuple[list[Device], list[Device], str]:
    """Return a home, those of a kind in some of its rooms and what they are; no others are like it."""
    kind = rng.choice([one for one in of_side(TRAIN, [*LIGHTS, *SIMPLE]) if one != "heating"])
    rooms = rng.sample(sorted({devices.room(rng, TRAIN) for _ in range(12)}), count)
    lights = rng.random() < 0.25
    meant = [devices.light(rng, TRAIN, room) if lights else Device(room, kind, CLASSES[kind]) for room in rooms]  # fmt: skip
    others = [*devices.home(rng, TRAIN)[:3], *(devices.simple(rng, TRAIN, room) for room in rooms[:2])]  # fmt: skip
    others = [one for one in others if one.group != meant[0].group and kind not in one.kind and one.kind not in kind]  # fmt: skip
    return list(dict.fromkeys([*others, *meant])), meant, "light" if lights else kind


def _the(name: str) -> str:
    return name if "'" in name or re.search(r"\d", name) else f"the {name}"


def _talked(rng: Random, device: Device) -> tuple[str, str]:
    """Return how a device is spoken of, and whether it is or they are."""
    spoken = rng.choice((_the(device.name), f"the {device.kind} in {_the(device.room)}"))
    return spoken, "are" if device.kind[-1] == "s" else "is"


def _states(rng: Random, device: Device) -> tuple[str, str]:
    if device.group == "door" and rng.random() < 0.4:
        return "locked", "unlocked"
    return ("open", "closed") if device.group in {"cover", "window", "door"} else ("on", "off")


def _state(rng: Random, items: Items) -> str:
    """Write down how things stand, in one of several forms."""
    lead = _one(rng, "State|State|Now|Current state|Status|Right now|At the moment")
    if rng.random() < 0.15:
        return f"{lead}: {_dump({name: value for name, value, _ in items})}"
    form = rng.choice(FORMS)
    said = "".join(form.format(n=n, v=v, u=f" {u}" if u else "") for n, v, u in items)
    return f"{lead}:{said[:-1]}." if said[-1] in ",;" else f"{lead}:{said}"


GENERATORS = [(fields, 16), (condition, 20), (several, 22), (relative, 7), (asked, 9), (some_missing, 9)]  # fmt: skip

"""Commands to a home: to strict JSON, to tool calls, to a confirmation; one right answer each."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from bench.dualmode import devices
from bench.dualmode.devices import Device
from bench.dualmode.example import Example, Side, pick
from bench.dualmode.house import AFTER, BEFORE, COLOURS, PHRASES
from bench.dualmode.wordings import MORE, wording

ACTIONS_SYSTEM = [
    'You control a home. Reply with JSON only: {"actions": [{"device", "action", "value"}]}, or with "error" if a device does not exist.',
    'Turn the command into JSON {"actions": [{"device", "action", "value"}]}. Use only the devices listed; otherwise give "error".',
    'You are the voice control of a house. Answer as JSON with "actions" (device, action, value), or "error" for what is not there.',
    'Smart home. Output one JSON object: "actions", a list of device, action and value; "error" if there is no such device.',
]
ALL_LIGHTS = {
    "turn_off": [
        "all lights off", "turn off all the lights", "switch every light off", "lights out everywhere",
        "turn all lights off", "switch off all lights",
    ],
    "turn_on": ["all lights on", "turn on all the lights", "switch every light on", "put all lights on"],
}  # fmt: skip
IF = "if {s} is {c} than {x}"
ACTIONS = ["turn_on", "turn_off", "open", "close", "lock", "unlock", "set", "color"]
TOOL = {
    "type": "function",
    "function": {
        "name": "control_device",
        "description": "Control one device of the home",
        "parameters": {
            "type": "object",
            "properties": {
                "device": {"type": "string"},
                "action": {"type": "string"},
                "value": {},
            },
            "required": ["device", "action"],
        },
    },
}


def command(rng: Random, side: Side) -> Example:
    """One action, or two or three."""
    home = devices.home(rng, side)
    count = rng.choice((1, 1, 1, 2, 2, 3))
    parts = [_action(rng, side, device) for device in rng.sample(home, count)]
    text = _spoken(rng, side, [phrase for phrase, _ in parts])
    actions = [action for _, action in parts]
    return _json(
        rng, side, devices.names(home), text, actions, f"{count} action{'s' if count > 1 else ''}"
    )


def timed(rng: Random, side: Side) -> Example:
    home = devices.home(rng, side)
    phrase, action = _action(rng, side, rng.choice(home))
    kind = rng.choice(("at", "in", "for"))
    minutes = rng.randint(2, 59)
    hour, minute = rng.randint(5, 23), rng.choice((0, 15, 30, 45))
    if kind == "at":
        when, extra = f"at {hour}:{minute:02}", {"at": f"{hour:02}:{minute:02}"}
    elif kind == "in":
        when, extra = f"in {minutes} minutes", {"after_minutes": minutes}
    else:
        when, extra = f"for {minutes} minutes", {"for_minutes": minutes}
    orders = ["{p} {w}", "{w}, {p}"] if side is Side.TRAIN else ["{w} {p}"]
    text = _spoken(rng, side, [rng.choice(orders).format(p=phrase, w=when)])
    return _json(rng, side, devices.names(home), text, [action | extra], "timed", timed=True)


def condition(rng: Random, side: Side) -> Example:
    home = devices.home(rng, side)
    if side is Side.TRAIN and rng.random() < 0.6:
        # What is to be learned is to weigh the condition: with a short list, from more of them.
        home = home[: rng.randint(1, 3)]
    phrase, action = _action(rng, side, rng.choice(home))
    what, unit, low, high, words = rng.choice((
        ("outside temperature", "C", -5, 35, ("warmer", "colder", "outside", "degrees")),
        ("humidity", "%", 20, 90, ("higher", "lower", "", "percent")),
        ("wind", "km/h", 0, 80, ("stronger", "weaker", "", "km/h")),
    ))  # fmt: skip
    limit = rng.randint(max(1, low), high)
    now = max(0, limit + rng.choice((-1, 1)) * rng.randint(4, 30))
    if now == limit:
        now += 4
    more = rng.random() < 0.5
    subject = "it" if words[2] else f"the {what}"
    comparison = words[0] if more else words[1]
    bound = f"{limit} {words[3]} {words[2]}".strip()
    clause = rng.choice(MORE["if"]) if side is Side.TRAIN and rng.random() < 0.6 else IF
    clause = clause.format(s=subject, c=comparison, x=bound)
    order = "{c}, {p}" if rng.random() < 0.7 else "{p} {c}"
    text = _spoken(rng, side, [order.format(c=clause, p=phrase)])
    met = now > limit if more else now < limit
    state = f"State: {what} {now} {unit}."
    thought = f"{now} {'>' if now > limit else '<'} {limit}, {'so yes' if met else 'so no'}. "
    return _json(
        rng,
        side,
        devices.names(home),
        text,
        [action] if met else [],
        "condition",
        state=state,
        before=thought,
    )


def everywhere(rng: Random, side: Side) -> Example:
    home = devices.home(rng, side)
    lights = [device for device in home if device.group == "light"]
    if len(lights) < 2:
        return everywhere(rng, side)
    on = rng.random() < 0.3
    # The first is drawn in any case: so the held-out tasks stay those that have been measured.
    for action in ("turn_off", "turn_on") if on else ("turn_off",):
        phrase = wording(rng, side, f"all {action}", ALL_LIGHTS[action])
    actions = [{"device": light.name, "action": action} for light in lights]
    return _json(
        rng, side, devices.names(home), _spoken(rng, side, [phrase]), actions, "everywhere"
    )


def missing(rng: Random, side: Side) -> Example:
    home = devices.home(rng, side)
    while True:
        # Often a room that is there with a device that is not, or the other way round.
        room = rng.choice((devices.room(rng, side), rng.choice(home).room))
        make = rng.choice((devices.light, devices.simple))
        device = rng.choice((make(rng, side, room), rng.choice(home)._replace(room=room)))
        if not any(devices.alike(device, other) for other in home):
            break
    phrase, _ = _action(rng, side, device)
    text = _spoken(rng, side, [phrase])
    system = _system(rng, side, devices.names(home), "")
    answer = _dump({"error": f"no {device.name}"})
    return Example(
        schema=_schema(devices.names(home)),
        category="home",
        kind="missing",
        system=system,
        question=text,
        answer=answer,
        expected=answer,
        check="json",
        thought=f"{device.name}: not in the list.",
    )


def tool_call(rng: Random, side: Side) -> Example:
    home = devices.home(rng, side)
    parts = [_action(rng, side, device) for device in rng.sample(home, rng.choice((1, 2, 2)))]
    text = _spoken(rng, side, [phrase for phrase, _ in parts])
    calls = tuple({"name": "control_device", "arguments": action} for _, action in parts)
    return Example(
        category="home",
        kind="tool call",
        question=text,
        calls=calls,
        answer="",
        system=f"You control a home.\n{_listed(devices.names(home))}",
        tools=(TOOL,),
        check="json",
        expected=json.dumps([call["arguments"] for call in calls]),
        thought=_thought([action for _, action in parts]),
    )


def flat(rng: Random, side: Side) -> Example:
    """One command with the fields that the system prompt names, after an example of it."""

    def one() -> tuple[str, dict[str, Any]]:
        # Where a room's name ends is told by no list, but by the kind behind it, if that is known.
        room, light, _ = devices.light(rng, side, devices.room(rng, side), 0.15)
        on, percent = rng.random() < 0.75, rng.randint(1, 100)
        if on:
            text = rng.choice(
                [
                    "Turn on the {r} {d} at {v} percent",
                    "Set the {d} in the {r} to {v} percent",
                    "Dim the {r} {d} to {v} percent",
                    "Switch the {r} {d} on at {v} %",
                ]
            )
        else:
            text, percent = (
                rng.choice(
                    ["Turn off the {r} {d}", "Switch off the {d} in the {r}", "{r} {d} off"]
                ),
                0,
            )
        return text.format(r=room, d=light, v=percent), {
            "device": light,
            "room": room,
            "state": "on" if on else "off",
            "brightness": percent,
        }

    text, value = one()
    shown_text, shown = one()
    system = (
        "Write the command as JSON with device, room, state and brightness in percent. "
        f"Example: '{shown_text}.' is {_dump(shown)}"
    )
    answer = _dump(value)
    percent = {"type": "integer", "minimum": 0, "maximum": 100}
    return Example(
        schema=_object(
            {
                "device": {"type": "string"},
                "room": {"type": "string"},
                "state": {"enum": ["on", "off"]},
                "brightness": percent,
            }
        ),
        category="home",
        kind="flat",
        system=system,
        question=f"{text}.",
        answer=answer,
        expected=answer,
        check="json",
        thought=f"{value['room']} {value['device']}, {value['state']}, {value['brightness']}.",
    )


CHINESE_ROOMS = {
    "厨房": "kitchen",
    "卧室": "bedroom",
    "客厅": "living room",
    "书房": "study",
    "浴室": "bathroom",
}
CHINESE_KINDS = {"灯": "light", "窗帘": "curtain", "风扇": "fan", "空调": "air conditioner"}


def chinese(rng: Random, side: Side) -> Example:
    home = [
        room + kind
        for room in rng.sample(sorted(CHINESE_ROOMS), 3)
        for kind in rng.sample(sorted(CHINESE_KINDS), 2)
    ]
    device = rng.choice(home)
    on = rng.random() < 0.5
    if device.endswith("窗帘"):
        verb, action = ("打开", "open") if on else ("关上", "close")
    else:
        verb, action = ("打开", "turn_on") if on else ("关掉", "turn_off")
    text = rng.choice(["{v}{d}", "请{v}{d}", "把{d}{v}", "帮我{v}{d}"]).format(v=verb, d=device)
    return _json(rng, side, home, text, [{"device": device, "action": action}], "chinese")


def confirmed(rng: Random, side: Side) -> Example:
    """A confirmation in one sentence, as the examples before it show."""
    verbs = [
        ("Close", "closing", ("blinds", "shutters", "curtains")),
        ("Open", "opening", ("blinds", "shutters", "windows")),
        ("Turn on", "turning on", ("light", "fan", "radio")),
        ("Turn off", "turning off", ("light", "fan", "heating")),
    ]

    def one() -> tuple[str, str]:
        room = devices.room(rng, side)
        if rng.random() < 0.35:
            light, percent = rng.choice(("light", "lamp")), rng.randint(1, 20) * 5
            verb = rng.choice(
                (
                    ("Turn on", "turning on", "at"),
                    ("Dim", "dimming", "to"),
                    ("Set", "setting", "to"),
                )
            )
            return (
                f"{verb[0]} the {room} {light} {verb[2]} {percent} percent.",
                f"OK, {verb[1]} the {room} {light} {verb[2]} {percent} percent.",
            )
        verb, doing, things = rng.choice(verbs)
        thing = rng.choice(things)
        return f"{verb} the {thing} in the {room}.", f"OK, {doing} the {thing} in the {room}."

    history = tuple(one() for _ in range(rng.choice((0, 1, 2))))
    question, answer = one()
    return Example(
        category="home",
        kind="confirmed",
        question=question,
        answer=answer,
        expected=answer,
        check="words",
        system="You are a smart home. Confirm each command in one sentence.",
        history=history,
        thought="A command: confirm it.",
    )


GENERATORS = [(command, 20), (timed, 7), (condition, 8), (everywhere, 6), (missing, 7), (tool_call, 8), (flat, 7),
              (confirmed, 3), (chinese, 2)]  # fmt: skip
HELD_OUT_KINDS: list[Any] = []


def _action(rng: Random, side: Side, device: Device) -> tuple[str, dict[str, Any]]:
    room, kind, group = device
    value: Any = None
    verb = rng.choice(
        {
            "light": ("turn_on", "turn_off", "brightness", "brightness", "color"),
            "cover": ("open", "close", "position"),
            "window": ("open", "close"),
            "door": ("open", "close", "lock", "unlock"),
            "heater": ("turn_on", "turn_off", "temperature", "temperature"),
            "fan": ("turn_on", "turn_off", "speed"),
            "player": ("turn_on", "turn_off", "volume"),
            "switch": ("turn_on", "turn_off"),
        }[group]
    )
    value = {
        "brightness": rng.randint(1, 100), "position": rng.randint(0, 20) * 5,
        "temperature": rng.randint(15, 26), "speed": rng.randint(1, 5), "volume": rng.randint(1, 40),
        "color": pick(rng, side, COLOURS),
    }.get(verb)  # fmt: skip
    named = "'" in room or room[-1].isdigit()
    spoken = rng.choice(
        (
            device.name if named else f"the {device.name}",
            f"the {kind} in {room}" if named else f"the {kind} in the {room}",
        )
    )
    phrase = wording(rng, side, f"say {verb}", PHRASES[verb]).format(d=spoken, v=value)
    action: dict[str, Any] = {"device": device.name}
    action["action"] = verb if value is None else "color" if verb == "color" else "set"
    if value is not None:
        action["value"] = value
    return phrase, action


def _spoken(rng: Random, side: Side, phrases: list[str]) -> str:
    joints = [" and ", ", and ", " and then "] if side is Side.TRAIN else [" and also ", " and "]
    text = phrases[0]
    for phrase in phrases[1:]:
        text += (
            ", " if len(phrases) == 3 and phrase is phrases[1] else rng.choice(joints)
        ) + phrase
    text = _before(rng, side) + text + _after(rng, side)
    if rng.random() < 0.3:  # as a speech recogniser writes
        return text.replace(",", "").lower().replace(" i ", " i ")
    text = text[0].upper() + text[1:]
    return text + rng.choice(("", ".", "."))


def _before(rng: Random, side: Side) -> str:
    """Return what is said before a command, often nothing."""
    if side is Side.TRAIN and rng.random() < 0.3:
        return f"{rng.choice(MORE['before'])} "
    return pick(rng, side, BEFORE)


def _after(rng: Random, side: Side) -> str:
    """Return what is said behind a command, often nothing."""
    if side is Side.TRAIN and rng.random() < 0.3:
        said = rng.choice(MORE["after"])
        return said if said.startswith(",") else f" {said}"
    return pick(rng, side, AFTER)


def _system(rng: Random, side: Side, home: list[str], state: str) -> str:
    told = wording(rng, side, "actions system", ACTIONS_SYSTEM)
    return f"{told}\n{_listed(home)}" + (f"\n{state}" if state else "")


def _listed(home: list[str]) -> str:
    return f"Devices: {', '.join(home)}."


def _thought(actions: list[dict[str, Any]]) -> str:
    lines = []
    for action in actions:
        value = f" {action['value']}" if "value" in action else ""
        when = "".join(
            f", {key.replace('_', ' ')} {action[key]}"
            for key in ("at", "after_minutes", "for_minutes")
            if key in action
        )
        lines.append(f"{action['device']}: {action['action']}{value}{when}.")
    return " ".join(lines) or "Nothing to do."


def _json(
    rng: Random,
    side: Side,
    home: list[str],
    text: str,
    actions: list[dict[str, Any]],
    kind: str,
    *,
    state: str = "",
    before: str = "",
    timed: bool = False,
) -> Example:
    system = _system(rng, side, home, state)
    if timed:
        system += '\nTimes: "at" (hh:mm), "after_minutes", "for_minutes".'
    answer = _dump({"actions": actions})
    return Example(
        schema=_schema(home, timed=timed),
        category="home",
        kind=kind,
        system=system,
        question=text,
        answer=answer,
        expected=answer,
        check="json",
        thought=before + _thought(actions),
    )


def _schema(home: list[str], *, timed: bool = False) -> dict[str, Any]:
    """Return what a home that knows its devices binds answers to."""
    fields: dict[str, Any] = {
        "device": {"enum": home},
        "action": {"enum": ACTIONS},
        "value": {"type": ["integer", "string"]},
    }
    if timed:
        minutes = {"type": "integer", "minimum": 1}
        fields |= {"at": {"type": "string"}, "after_minutes": minutes, "for_minutes": minutes}
    return {
        "anyOf": [
            _object({"actions": {"type": "array", "items": _object(fields, ["device", "action"])}}),
            _object({"error": {"type": "string"}}),
        ]
    }


def _object(fields: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields) if required is None else required,
        "additionalProperties": False,
    }


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)

"""The devices of a home that a command may be about; names that a model can only copy."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from bench.dualmode.example import WORDS, Side, of_side, pick
from bench.dualmode.house import CLASSES, LIGHTS, PEOPLE, ROOMS, SIMPLE
from bench.dualmode.stories import NAMES
from bench.dualmode.vocabulary import capitalised, words

INVENTED_SHARE = 0.45
"""How often a device to learn from is of a kind that is made up, so that kinds are copied too."""

KNOWN_SHARE = 0.25
"""How often a room to learn from is of the list of rooms: seldom, or those are learned by heart."""

NAMED = sorted(set(of_side(Side.TRAIN, NAMES)) - set(of_side(Side.HELD_OUT, PEOPLE)))
"""Whose rooms are learned from."""


class Device(NamedTuple):
    """A device: the room it is in, its kind, and what kinds have in common: `light`, `cover`."""

    room: str
    kind: str
    group: str

    @property
    def name(self) -> str:
        """The room and the kind, as the list of devices has it."""
        return f"{self.room} {self.kind}"


def home(rng: Random, side: Side) -> list[Device]:
    """Return the devices of a home, of which no two can be meant by the same words."""
    found: list[Device] = []
    for _ in range(rng.randint(3, 5)):
        place = room(rng, side)
        devices = [simple(rng, side, place) for _ in range(rng.randint(1, 2))]
        if rng.random() < 0.8:
            devices.append(light(rng, side, place))
        for device in devices:
            if not any(alike(device, other) for other in found):
                found.append(device)
    found = found[:9]
    rng.shuffle(found)
    return found


def names(devices: list[Device]) -> list[str]:
    """Return the devices' names."""
    return [device.name for device in devices]


def room(rng: Random, side: Side) -> str:
    """Return a room that is often one a model has not seen in this place."""
    style = rng.random()
    if style < (KNOWN_SHARE if side is Side.TRAIN else 0.45):
        return pick(rng, side, ROOMS)
    if style < 0.75:
        shapes = ("{}", "{} room", "{} hall", "{} corner")
        if side is Side.TRAIN and rng.random() < 0.45:
            other = _word(rng, side)
            shapes = (
                "{} wing",
                "{} house",
                "old {}",
                "upper {}",
                f"{{}} {other} room",
                f"{{}} {other}",
            )
        return rng.choice(shapes).format(_word(rng, side))
    if style < 0.85:
        return f"{_person(rng, side)}'s room"
    return f"{rng.choice(('room', 'zone', 'hall', 'floor', 'unit', 'suite'))} {rng.randint(1, 99)}"


def light(rng: Random, side: Side, place: str, invented: float = INVENTED_SHARE) -> Device:
    """Return a light, of a kind that is made up as often as `invented` says."""
    if _invents(rng, side, invented):
        sort = rng.choice(("light", "lamp", "lights", "lamps", "spot", "strip", "bulb"))
        return Device(place, f"{_word(rng, side)} {sort}", "light")
    return Device(place, pick(rng, side, LIGHTS), "light")


def simple(rng: Random, side: Side, place: str) -> Device:
    """Return a device that is no light."""
    kind = rng.choice(of_side(side, SIMPLE))
    group = CLASSES[kind]
    if _invents(rng, side):
        word = _word(rng, side)
        # What can only be switched may be called anything.
        kind = word if group == "switch" and rng.random() < 0.5 else f"{word} {kind.split()[-1]}"
    return Device(place, kind, group)


def alike(device: Device, other: Device) -> bool:
    """Tell whether two devices could be meant by the same words."""
    same_room = device.room == other.room or device.room in other.name or other.room in device.name
    same_group = device.group == other.group and device.group != "switch"
    return same_room and (same_group or device.kind in other.kind or other.kind in device.kind)


def _word(rng: Random, side: Side) -> str:
    return rng.choice(words()) if side is Side.TRAIN else pick(rng, side, WORDS)


def _person(rng: Random, side: Side) -> str:
    if side is Side.HELD_OUT:
        return pick(rng, side, PEOPLE)
    return rng.choice(NAMED if rng.random() < 0.5 else capitalised())


def _invents(rng: Random, side: Side, share: float = INVENTED_SHARE) -> bool:
    return side is Side.TRAIN and rng.random() < share

"""Writes the tasks of everyday, worker/evaluation/everyday.jsonl: half to work out, half not.

    python -m bench.router.tasks [--check]

Each has an answer that can be checked by value. They are written from lists and numbers with a
seed, so the same command writes the same file; nothing is trained on them. CC0-1.0.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from worker.domain.messages import Message
from worker.evaluation.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WRITTEN = Path(__file__).parents[2] / "worker" / "evaluation" / "everyday.jsonl"

NAMES = ("Ana", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gina", "Hugo", "Iris", "Jon", "Kim", "Leo")
ROOMS = ("kitchen", "hall", "bedroom", "office", "garage", "bathroom", "attic", "cellar")
DEVICES = ("lamp", "heater", "fan", "radio", "blind", "camera")
CITIES = ("Lyon", "Graz", "Porto", "Turin", "Ghent", "Malmo", "Split", "Basel")
MACHINES = ("press 1", "press 2", "mixer 3", "pump 4", "oven 5", "saw 6")
THINGS = ("pens", "eggs", "books", "bolts", "cups", "keys")
GLOSSARY = (
    ("dog", "Hund"),
    ("house", "Haus"),
    ("water", "Wasser"),
    ("bread", "Brot"),
    ("night", "Nacht"),
    ("book", "Buch"),
    ("friend", "Freund"),
    ("door", "Tür"),
)
SUBJECTS = {
    "weather": "It rained all night, the wind is cold, and snow is expected in the hills.",
    "sports": "The home team scored twice in the second half and won the cup final.",
    "food": "The soup was hot, the bread fresh, and the cake had far too much sugar.",
    "music": "The band played three new songs, and the singer stayed on the stage for an hour.",
    "traffic": "Two lanes are closed after an accident, and cars wait for forty minutes.",
    "health": "The doctor checked his heart and told him to sleep more and take the pills.",
}
Made: TypeAlias = tuple[str, str, str, tuple[str, ...]]
"""A prompt, its answer, the check, and what may be chosen."""


def some(r: random.Random, of: Sequence[str], count: int) -> list[str]:
    return r.sample(list(of), count)


def command(r: random.Random) -> Made:
    device, room, level = r.choice(DEVICES), r.choice(ROOMS), r.randrange(5, 100, 5)
    said = r.choice((
        f"Set the {room} {device} to {level}.",
        f"{room} {device} to {level} please",
        f"Put the {device} in the {room} at {level} percent.",
    ))  # fmt: skip
    ask = 'Answer with JSON: {"device": ..., "room": ..., "value": ...}. '
    answer = f'{{"device": "{device}", "room": "{room}", "value": {level}}}'
    return ask + said, answer, "json", ()


def lookup(r: random.Random) -> Made:
    people, cities = some(r, NAMES, 4), some(r, CITIES, 4)
    at = r.randrange(4)
    lives = " ".join(f"{a} lives in {b}." for a, b in zip(people, cities, strict=True))
    return f"{lives} Where does {people[at]} live?", cities[at], "words", tuple(cities)


def state(r: random.Random) -> Made:
    rooms = some(r, ROOMS, 4)
    degrees = [r.randrange(15, 27) for _ in rooms]
    at = r.randrange(4)
    listed = ", ".join(f"{a} {b} degrees" for a, b in zip(rooms, degrees, strict=True))
    return f"Sensors: {listed}. How warm is it in the {rooms[at]}?", str(degrees[at]), "number", ()


def extraction(r: random.Random) -> Made:
    name, number, city = r.choice(NAMES), r.randrange(1000, 9999), r.choice(CITIES)
    text = f"{name} from {city} ordered three {r.choice(THINGS)} under number {number} on Monday."
    if r.random() < 0.5:
        return f"Give only the order number: {text}", str(number), "number", ()
    return f"Which city is named in this text? {text}", city, "words", CITIES


def sentiment(r: random.Random) -> Made:
    good = r.random() < 0.5
    words = ("great", "lovely", "perfect") if good else ("awful", "broken", "terrible")
    text = f"The {r.choice(DEVICES)} is {r.choice(words)}, and the service was {r.choice(words)}."
    ask = f'Is this review positive or negative? "{text}" Answer with one word.'
    return ask, "positive" if good else "negative", "words", ("positive", "negative")


def rewriting(r: random.Random) -> Made:
    a, b = some(r, NAMES, 2)
    city, other = some(r, CITIES, 2)
    text = f"{a} will meet us in {city} on Friday."
    if r.random() < 0.5:
        ask = f"Rewrite this sentence with {b} instead of {a}: {text}"
        return ask, b, "words", (a, b)
    ask = f"Rewrite this sentence with {other} instead of {city}: {text}"
    return ask, other, "words", (city, other)


def translation(r: random.Random) -> Made:
    pairs = r.sample(list(GLOSSARY), 4)
    english, german = r.choice(pairs)
    listed = ", ".join(f"{a} = {b}" for a, b in pairs)
    ask = f'Translate "{english}" into German. Use this list: {listed}.'
    return ask, german, "words", tuple(word for _, word in pairs)


def summary(r: random.Random) -> Made:
    subject = r.choice(list(SUBJECTS))
    listed = ", ".join(some(r, list(SUBJECTS), 4 if r.random() < 0.5 else 6))
    if subject not in listed:
        listed += f", {subject}"
    ask = f"Sum up in one word what this text is about ({listed}): {SUBJECTS[subject]}"
    return ask, subject, "words", tuple(SUBJECTS)


def maths(r: random.Random) -> Made:
    a, b, c = r.randrange(3, 13), r.randrange(4, 16), r.randrange(5, 40)
    name, thing = r.choice(NAMES), r.choice(THINGS)
    ask = (
        f"{name} has {a} boxes with {b} {thing} each and gives {c} of them away. How many are left?"
    )
    return ask, str(a * b - c), "number", ()


def code(r: random.Random) -> Made:
    first, times, more = r.randrange(1, 9), r.randrange(2, 5), r.randrange(2, 9)
    program = f"x = {first}\nfor i in range({times}):\n    x = x + {more}\nprint(x)"
    ask = f"What does this program print?\n{program}"
    return ask, str(first + times * more), "number", ()


def logic(r: random.Random) -> Made:
    names = some(r, NAMES, 3)
    facts = [f"{names[0]} is older than {names[1]}.", f"{names[2]} is younger than {names[1]}."]
    r.shuffle(facts)
    oldest = r.random() < 0.5
    ask = f"{' '.join(facts)} Who is the {'oldest' if oldest else 'youngest'}?"
    return ask, names[0] if oldest else names[2], "words", tuple(names)


def planning(r: random.Random) -> Made:
    begin, jobs = r.randrange(7, 11), [r.randrange(2, 5) for _ in range(3)]
    names = some(r, MACHINES, 3)
    listed = ", ".join(f"{a} needs {b} hours" for a, b in zip(names, jobs, strict=True))
    ask = (
        f"One technician services the machines one after the other from {begin}:00: {listed}. "
        "At what hour is everything done?"
    )
    return ask, str(begin + sum(jobs)), "number", ()


def diagnosis(r: random.Random) -> Made:
    names = some(r, MACHINES, 3)
    limit = r.randrange(60, 90, 5)
    over = [r.randrange(-20, -3), r.randrange(-20, -3), r.randrange(3, 15)]
    r.shuffle(over)
    listed = ", ".join(f"{a} {limit + b} C" for a, b in zip(names, over, strict=True))
    ask = f"The line stopped because one machine was hotter than {limit} C: {listed}. Which one?"
    return ask, names[over.index(max(over))], "words", tuple(names)


def analytics(r: random.Random) -> Made:
    once, monthly, months = r.randrange(20, 90, 10), r.randrange(2, 12), r.randrange(3, 13)
    flat = r.randrange(80, 160, 5)
    while flat == once + monthly * months:
        flat += 5
    ask = (
        f"Plan A costs {once} once and {monthly} a month, plan B costs {flat} in all. "
        f"Which plan is cheaper for {months} months, plan A or plan B?"
    )
    cheaper = "plan A" if once + monthly * months < flat else "plan B"
    return ask, cheaper, "words", ("plan A", "plan B")


KINDS: dict[str, tuple[str, Callable[[random.Random], Made]]] = {
    "command": ("no_think", command),
    "lookup": ("no_think", lookup),
    "state": ("no_think", state),
    "extraction": ("no_think", extraction),
    "sentiment": ("no_think", sentiment),
    "rewriting": ("no_think", rewriting),
    "translation": ("no_think", translation),
    "summary": ("no_think", summary),
    "maths": ("think", maths),
    "code": ("think", code),
    "logic": ("think", logic),
    "planning": ("think", planning),
    "diagnosis": ("think", diagnosis),
    "analytics": ("think", analytics),
}
EACH_KIND = {"no_think": 21, "think": 28}
"""As many of either label: eight kinds of one, six of the other."""


def everyday() -> Iterator[Task]:
    """Yield the tasks."""
    for category, (label, make) in KINDS.items():
        r, seen, number = random.Random(f"everyday {category}"), set[str](), 0
        while number < EACH_KIND[label]:
            prompt, answer, check, choices = make(r)
            if prompt in seen:
                continue
            seen.add(prompt)
            number += 1
            yield msgspec.convert(
                {
                    "id": f"{category}-{number:02d}",
                    "category": category,
                    "messages": [Message("user", prompt)],
                    "answer": answer,
                    "check": check,
                    "choices": choices,
                    "label": label,
                },
                Task,
            )


def main() -> int:
    """Write the file, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="Only compare with what is shipped.")
    arguments = parser.parse_args()
    written = b"".join(msgspec.json.encode(task) + b"\n" for task in everyday())
    if arguments.check:
        return written != WRITTEN.read_bytes()
    WRITTEN.write_bytes(written)
    return 0


if __name__ == "__main__":
    sys.exit(main())

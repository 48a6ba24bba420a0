"""What thinkq costs when nobody asks: processor and memory when idle, start-up, routing speed.

    python bench/footprint.py [--seconds 30] [--model embedded|stub]

The daemon runs with a real model behind a loopback Mosquitto. Processor time is that of the daemon
and its engine together, from the kernel's own accounts, as a share of one core.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from processes import cpu_s, family, resident_mib

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from rig import Daemon, Mosquitto  # noqa: E402 - the tests' rig is not installed

LINES = 20_000
LONG_CHARACTERS, LONG_TEXTS, TRIES = 2_000, 100, 9
PROMPTS = ROOT / "bench" / "router" / "data" / "collected.jsonl"
ROOMS = {
    "en": ("kitchen", "bedroom", "hall", "cellar", "garage", "office", "attic", "bathroom"),
    "de": ("Küche", "Schlafzimmer", "Flur", "Keller", "Garage", "Büro", "Dachboden", "Bad"),
}
DEVICES = {
    "en": {" light": "light", " fan": "fan", " cover": "cover"},
    "de": {"licht": "light", "ventilator": "fan", "rollo": "cover"},
}
SENTENCES = {
    "en": (
        "turn on the {room} light",
        "set the {room} light to {n} percent brightness",
        "turn off all lights in the {room}",
        "what is the temperature in the {room}",
        "set a timer for {n} minutes",
        "why is the {room} so cold in the morning",
    ),
    "de": (
        "schalte das {room}licht ein",
        "mach das Licht in der {room} aus",
        "wie warm ist es in der {room}",
        "fahre das {room}rollo hoch",
        "warum ist es in der {room} so kalt",
    ),
}


def idle(seconds: float, model: str) -> None:
    """Print what a daemon that nobody asks costs."""
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(folder).start()
        config = f'[model]\nname = "{model}"\n'
        if model == "embedded":
            from worker.engine import hub
            from worker.settings import load

            config += f'path = "{hub.model_folder(hub.EMBEDDED_NAME, load().data_dir)}"\n'
        daemon = Daemon(folder, broker.port, config=config)
        begun = time.monotonic()
        daemon.start()
        print(f"start to a loaded model       {time.monotonic() - begun:8.2f} s")
        try:
            pids = family(daemon.process.pid)
            before = cpu_s(pids)
            time.sleep(seconds)
            share = (cpu_s(pids) - before) / seconds
            print(f"idle, daemon and engine       {share:8.2%} of a core, over {seconds:g} s")
            print(f"memory, daemon                {resident_mib(pids[0]):8.0f} MiB")
            print(f"memory, engine and what it is {sum(map(resident_mib, pids[1:])):8.0f} MiB")
        finally:
            daemon.stop()
            broker.stop()


def command() -> None:
    """Print how long the command takes to be there, and how fast it routes."""
    times = []
    for _ in range(7):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import worker.cli"], check=True)
        times.append(time.perf_counter() - begun)
    print(f"python -c 'import worker.cli' {statistics.median(times) * 1000:8.0f} ms")
    texts = [
        "Turn on the kitchen light.",
        "Prove that the square root of 2 is irrational.",
        "Which of the three pumps will fail first if the pressure goes on rising by 3 % a day?",
        "把客厅的灯调到百分之三十",
    ]
    lines = "".join(json.dumps({"text": texts[n % 4]}) + "\n" for n in range(LINES))
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "worker.cli", "route", "--jsonl"],
        input=lines,
        text=True,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    print(f"thinkq route --jsonl          {LINES / (time.perf_counter() - begun):8.0f} lines/s")


def decisions() -> None:
    """Print how long the router takes over 2,000 characters: prompts in a row, prose, a program.

    Each text is judged several times and its best counts, as others may use the machine.
    """
    from worker.router.judge import Question, load_router

    router = load_router()
    for name, texts in long_texts().items():
        times = [math.inf] * len(texts)
        for _ in range(TRIES):
            for at, text in enumerate(texts):
                begun = time.perf_counter()
                router.judge(Question(text=text))
                times[at] = min(times[at], time.perf_counter() - begun)
        times.sort()
        middle, late = times[len(times) // 2], times[len(times) * 99 // 100]
        print(
            f"a decision, {name:<17} {middle * 1e6:8.0f} µs (p50), {late * 1e6:.0f} (p99) "
            f"for {LONG_CHARACTERS:,} characters"
        )


def long_texts() -> dict[str, list[str]]:
    """Return texts of 2,000 characters, no two alike, by what they are."""
    prompts = [json.loads(line) for line in PROMPTS.read_text("utf-8").splitlines()]
    prose = [path.read_text("utf-8") for path in sorted((ROOT / "docs").rglob("*.md"))]
    program = [path.read_text("utf-8") for path in sorted((ROOT / "worker").rglob("*.py"))]
    kinds = {
        "English prompts": " ".join(one["text"] for one in prompts if one["lang"] == "en"),
        "Chinese prompts": "".join(one["text"] for one in prompts if one["lang"] == "zh"),
        "a page to read": "\n".join(prose),
        "a program": "\n".join(program),
    }
    wishes = {"a page to read": "What follows from this? ", "a program": "Why does this fail?\n"}
    texts = {}
    for name, whole in kinds.items():
        wish = wishes.get(name, "")
        size = LONG_CHARACTERS - len(wish)
        whole_ones = range(0, len(whole) - size + 1, size)
        texts[name] = [wish + whole[at : at + size] for at in whole_ones][:LONG_TEXTS]
    return texts


def intents() -> None:
    """Print how long it takes to recognize a command without a model, or to see that it is none."""
    from worker.router.intents import Home, Recognizer

    for language, texts in SENTENCES.items():
        rooms = ROOMS[language]
        devices = {
            f"{room}{kind}": domain for room in rooms for kind, domain in DEVICES[language].items()
        }
        recognizer = Recognizer(language, Home(devices=devices, areas=rooms))
        times: dict[bool, list[float]] = {True: [], False: []}
        for n, room in enumerate(rooms * 5):
            text = texts[n % len(texts)].format(room=room, n=n % 90 + 10)
            best = math.inf
            for _ in range(TRIES):
                begun = time.perf_counter()
                found = recognizer.recognize(text)
                best = min(best, time.perf_counter() - begun)
            times[found is not None].append(best * 1000)
        for certain, some in times.items():
            name = f"{'a command' if certain else 'none of them'}, {language}"
            middle, longest = statistics.median(some), max(some)
            print(f"{name:<29} {middle:8.1f} ms (p50), {longest:.1f} (longest of {len(some)})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--model", default="embedded", choices=["embedded", "stub"])
    arguments = parser.parse_args()
    command()
    decisions()
    intents()
    idle(arguments.seconds, arguments.model)

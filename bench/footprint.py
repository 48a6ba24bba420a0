"""What thinkq costs when nobody asks: processor and memory when idle, start-up, routing speed.

    python bench/footprint.py [--seconds 30] [--model embedded|stub]

The daemon runs with a real model behind a loopback Mosquitto. Processor time is that of the daemon
and its engine together, from the kernel's own accounts, as a share of one core.
"""

from __future__ import annotations

import argparse
import json
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
ROOMS = ("kitchen", "bedroom", "hall", "cellar", "garage", "office", "attic", "bathroom")
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
        "schalte {room} light ein",
        "stelle {room} light auf {n} prozent",
        "wie warm ist es in {room}",
        "stelle einen timer auf {n} minuten",
        "warum ist es in {room} so kalt",
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


def intents() -> None:
    """Print how long it takes to recognize a command without a model, or to see that it is none."""
    from worker.router.intents import Home, Recognizer

    home = Home(
        devices={f"{room} {kind}": kind for room in ROOMS for kind in ("light", "fan", "cover")},
        areas=ROOMS,
    )
    for language, texts in SENTENCES.items():
        recognizer = Recognizer(language, home)
        times, certain = [], 0
        for n in range(400):
            text = texts[n % len(texts)].format(room=ROOMS[n % len(ROOMS)], n=n % 90 + 10)
            begun = time.perf_counter()
            certain += recognizer.recognize(text) is not None
            times.append(time.perf_counter() - begun)
        times.sort()
        print(
            f"intents, {language}: {certain / 4:.0f} % certain; "
            f"p50 {times[200] * 1000:.2f} ms, p99 {times[396] * 1000:.2f} ms"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--model", default="embedded", choices=["embedded", "stub"])
    arguments = parser.parse_args()
    command()
    intents()
    idle(arguments.seconds, arguments.model)

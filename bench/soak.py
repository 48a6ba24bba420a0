"""Mixed load with faults for half an hour; says whether memory, descriptors and journal stay flat.

    python bench/soak.py [--minutes 30] [--rate 8] [--seed 1]

Two daemons with the stub engine on one broker. Both get the same kinds of requests: short and
long, streamed and not, in sessions, sent twice, cancelled, with deadlines, malformed, resumed and
forgotten. Of the *steady* one the engine is killed and the connection cut again and again, and the
broker is started anew; it lives through all of it, so what it holds can be watched. The *killed*
one is besides killed with SIGKILL and started again. Records are kept for two minutes, so that
what comes in leaves again within the run.

After a third of the time has passed, memory, descriptors and journal are judged: a straight line
is laid through what was measured since, and over that time it may not have risen by more than the
allowance beside it. At the end nothing may be lost. Exit status 0 if all is well.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from torture import Client, kill, settle

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "faults"))

from proxy import Proxy
from rig import Daemon, Mosquitto

CONFIG = """
[model]
name = "stub"
[engine]
step_timeout_s = 5
[journal]
retention_s = 120
session_retention_s = 120
"""
CLIENTS = 6
SAMPLE_EVERY_S = 5.0
LONG_QUIET_S = 45.0
WARM_UP_SHARE = 1 / 3
FAULTS = {"engine": 10, "cut": 8, "silence": 2, "broker": 1, "daemon": 3}
"""How often each comes, relative to the others."""
FAULT_EVERY_S = 6.0


class Sample(NamedTuple):
    """What one daemon held at a moment."""

    at_s: float
    memory: float
    descriptors: float
    journal: float


class Allowance(NamedTuple):
    """What a line may rise over the time judged: a share of the median, or so much at least."""

    share: float
    at_least: float


ALLOWED = {
    "memory": Allowance(0.05, 4 * 2**20),
    "descriptors": Allowance(0.0, 2.0),
    "journal": Allowance(0.15, 2**20),
}


class Side:
    """One daemon, the proxy before its broker, and its clients."""

    def __init__(self, folder: Path, broker: Mosquitto, name: str) -> None:
        self.name, self.samples = name, []
        self.proxy = Proxy(broker.port)
        (folder / name).mkdir()
        self.daemon = Daemon(folder / name, self.proxy.port, config=CONFIG, worker=name)
        toml = self.daemon.folder / "thinkq.toml"
        toml.write_text(toml.read_text().replace("[broker]\n", "[broker]\nkeepalive_s = 5\n"))
        self.daemon.start()
        self.clients = [
            Client(broker.port, self.daemon.root, f"{name}-{number}") for number in range(CLIENTS)
        ]
        self.sent = 0

    def send(self, chance: random.Random) -> None:
        """Have one of the clients ask for something."""
        client, number = chance.choice(self.clients), self.sent
        self.sent += 1
        name, what = f"{self.name}-r{number}", chance.random()
        tokens, delay = chance.randint(1, 60), chance.choice([0, 0, 5, 20])
        body = {"id": name, "prompt": f"stub: tokens={tokens} delay_ms={delay}"}
        if what < 0.4:
            body["stream"] = True
        if 0.3 < what < 0.5:
            body["session"] = f"s-{client.name}-{chance.randint(0, 9)}"
        if 0.5 < what < 0.55:
            body["deadline_ms"] = chance.randint(1, 2000)
        if 0.55 < what < 0.6:
            body["prompt"] = "x" * chance.randint(1_000, 50_000)
        client.send(name, body)
        if 0.6 < what < 0.65:
            client.send(name, body)
        topic = f"{client.root}/control/{client.name}"
        if 0.65 < what < 0.7:
            client.mqtt.publish(topic, json.dumps({"op": "cancel", "id": name}), qos=1)
        if 0.7 < what < 0.75:
            there = f"{client.root}/reply/{client.name}/again"
            resume = {"op": "resume", "id": f"{self.name}-r{number // 2}", "reply_to": there}
            client.mqtt.publish(topic, json.dumps(resume), qos=1)
        if 0.75 < what < 0.8:
            client.mqtt.publish(f"{client.root}/request/{client.name}", b'{"prompt": 1}', qos=1)
        if what > 0.998:
            forget = {"op": "forget", "session": f"s-{client.name}-{chance.randint(0, 9)}"}
            client.mqtt.publish(topic, json.dumps(forget), qos=1)

    def measure(self, at_s: float) -> None:
        """Note what the daemon holds now."""
        process = self.daemon.process.pid
        said = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(process)], check=False, capture_output=True, text=True
        ).stdout
        if said.strip():
            data = self.daemon.folder / "data"
            size = sum(one.stat().st_size for one in data.glob("journal.sqlite*") if one.is_file())
            held = int(said) * 1024
            self.samples.append(Sample(at_s, held, descriptors_of(process), size))

    def close(self) -> None:
        """End all of it."""
        for client in self.clients:
            client.mqtt.disconnect()
            client.mqtt.loop_stop()
        self.daemon.stop()
        self.proxy.close()


def descriptors_of(process: int) -> int:
    """Count the open files of a process."""
    listed = Path(f"/proc/{process}/fd")
    if listed.is_dir():
        return len(list(listed.iterdir()))
    lsof = shutil.which("lsof") or "lsof"
    return len(subprocess.check_output([lsof, "-p", str(process)], text=True).splitlines()) - 1


def strike(what: str, sides: list[Side], broker: Mosquitto, chance: random.Random) -> None:
    """Let one fault happen."""
    _, killed = sides
    if what == "daemon":
        kill("daemon", killed.daemon, broker)
    elif what == "broker":
        broker.stop(signal.SIGTERM)
        broker.start()
    else:
        side = chance.choice(sides)
        if what == "engine":
            kill("engine", side.daemon, broker)
        elif what == "cut":
            side.proxy.cut()
        else:
            side.proxy.swallow()


def storm(sides: list[Side], broker: Mosquitto, seconds: float, rate: float, seed: int) -> Counter:
    """Send, strike and measure for so long; return how often each fault came."""
    chance, struck = random.Random(seed), Counter()
    begun = time.monotonic()
    strike_at, measure_at = FAULT_EVERY_S, 0.0
    while (now := time.monotonic() - begun) < seconds:
        chance.choice(sides).send(chance)
        if now >= strike_at:
            what = chance.choices(list(FAULTS), list(FAULTS.values()))[0]
            strike(what, sides, broker, chance)
            struck[what] += 1
            strike_at = time.monotonic() - begun + chance.uniform(0.5, 1.5) * FAULT_EVERY_S
        if now >= measure_at:
            for side in sides:
                side.measure(now)
            measure_at = now + SAMPLE_EVERY_S
        time.sleep(chance.uniform(0.0, 2.0) / rate)
    return struck


def judge(side: Side, name: str, seconds: float) -> bool:
    """Print how one thing went, and whether it stayed flat."""
    judged = [one for one in side.samples if one.at_s >= seconds * WARM_UP_SHARE]
    values = [getattr(one, name) for one in judged]
    line = statistics.linear_regression([one.at_s for one in judged], values)
    rise = line.slope * (judged[-1].at_s - judged[0].at_s)
    median = statistics.median(values)
    allowed = max(ALLOWED[name].share * median, ALLOWED[name].at_least)
    unit, scale = ("", 1) if name == "descriptors" else (" MiB", 2**20)
    flat = rise <= allowed
    print(
        f"{side.name:<8}{name:<13}{median / scale:>8.1f}{unit:<4} median,"
        f" {max(values) / scale:.1f}{unit} at most,"
        f" rose by {rise / scale:+.2f}{unit} in {judged[-1].at_s - judged[0].at_s:.0f} s"
        f" (allowed {allowed / scale:.1f}): {'flat' if flat else 'NOT FLAT'}"
    )
    return flat


def main() -> int:
    """Run it and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=8, help="requests a second")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    seconds = arguments.minutes * 60
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        broker = Mosquitto(folder).start()
        sides = [Side(folder, broker, "steady"), Side(folder, broker, "killed")]
        try:
            struck = storm(sides, broker, seconds, arguments.rate, arguments.seed)
            clients = [client for side in sides for client in side.clients]
            settle(clients, quiet_s=LONG_QUIET_S)
            missing = [(client, one) for client in clients for one in client.unanswered()]
            for client, one in missing:
                client.send(one, client.sent[one])
            settle(clients, quiet_s=LONG_QUIET_S)
            lost = sum(len(client.unanswered()) for client in clients)
            changed = [
                heard
                for client in clients
                for heard in client.replies.values()
                if len(set(heard)) > 1
            ]
        finally:
            for side in sides:
                side.close()
            broker.stop()
        sent = sum(side.sent for side in sides)
        print(f"seed {arguments.seed}: {sent} requests in {arguments.minutes:g} min")
        print(f"faults       {dict(struck)}")
        print(f"unanswered   {lost} ({len(missing)} had to be sent again)")
        print(f"changed      {len(changed)}")
        for heard in changed:
            print("  " + " | ".join(sorted({one.decode()[:300] for one in heard})))
        verdicts = [judge(side, name, seconds) for side in sides for name in ALLOWED]
    return 0 if all(verdicts) and not lost and not changed else 1


if __name__ == "__main__":
    sys.exit(main())

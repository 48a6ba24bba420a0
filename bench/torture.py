"""Kills daemon, engine and broker again and again under load, and counts what was lost.

    python bench/torture.py [--requests 10000] [--kills 200] [--clients 20] [--seed 1] [--pace 1]
        [--victims engine …]

The clients speak only MQTT, at QoS 1, with sessions of their own. Each kill is a SIGKILL at a
moment that the seed decides, as it decides the victim; what was killed is started again at once.
On a machine that is busy otherwise `--pace 4` stretches the time between two kills by four: where
no daemon lives long enough to serve, nothing is tried.
When the storm is over, everything is left alone until no reply comes any more. Then:

  lost         accepted by the daemon (it is in its journal) and never answered
  changed      a second reply to the same request with other bytes
  duplicates   a second reply with the same bytes: the window the contract names
  repeated     neither answered nor in the journal: the broker lost it, or its reply, when it was
               killed; the client sends it again under the same id, as the contract says, and it
               has to be answered then

Exit status 0 if nothing was lost, changed, or unanswered.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from rig import Daemon, Mosquitto  # noqa: E402 - the tests' rig is not installed

QUIET_S = 90.0
"""Longer than a daemon takes to start on a busy machine: silence before that says nothing."""
PATIENCE_S = 600.0
SESSION_S = 3600
VICTIMS = ("daemon", "engine", "broker")


class Client:
    """Sends requests and keeps every final reply it hears."""

    def __init__(self, port: int, root: str, name: str) -> None:
        self.root, self.name = root, name
        self.sent: dict[str, dict] = {}
        self.replies: dict[str, list[bytes]] = defaultdict(list)
        self.heard_at = time.monotonic()
        self._lock = threading.Lock()
        self.mqtt = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=f"torture-{name}", protocol=mqtt.MQTTv5
        )
        self.mqtt.max_inflight_messages_set(1000)
        self.mqtt.reconnect_delay_set(1, 1)
        self.mqtt.on_connect = lambda client, *_: client.subscribe(f"{root}/reply/{name}", 1)
        self.mqtt.on_message = self._on_message
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = SESSION_S
        self.mqtt.connect("127.0.0.1", port, clean_start=False, properties=properties)
        self.mqtt.loop_start()

    def _on_message(self, _client: object, _userdata: object, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            self.replies[json.loads(message.payload)["id"]].append(message.payload)
            self.heard_at = time.monotonic()

    def send(self, request_id: str, body: dict) -> None:
        """Send a request, now or when the broker is back."""
        self.sent[request_id] = body
        self.mqtt.publish(f"{self.root}/request/{self.name}", json.dumps(body), qos=1)

    def unanswered(self) -> list[str]:
        """Return the ids without any reply."""
        with self._lock:
            return [one for one in self.sent if one not in self.replies]


def storm(
    clients: list[Client],
    daemon: Daemon,
    broker: Mosquitto,
    chance: random.Random,
    plan: tuple[int, int, float, list[str]],
) -> Counter[str]:
    """Send all requests, kill all victims; return how often each was killed."""
    requests, kills, pace, victims = plan
    killed: Counter[str] = Counter()
    per_round = requests // kills
    number = 0
    for round_ in range(kills):
        count = per_round if round_ < kills - 1 else requests - number
        for _ in range(count):
            client = chance.choice(clients)
            request_id = f"r{number}"
            prompt = f"stub: tokens={chance.randint(1, 12)} delay_ms={chance.choice([0, 0, 5])}"
            body = {"id": request_id, "prompt": prompt, "stream": chance.random() < 0.2}
            if chance.random() < 0.2:
                body["session"] = f"s-{client.name}-{chance.randint(0, 3)}"
            client.send(request_id, body)
            number += 1
        time.sleep(pace * chance.uniform(0.0, 1.2))
        victim = chance.choice(victims)
        kill(victim, daemon, broker)
        killed[victim] += 1
    return killed


def kill(victim: str, daemon: Daemon, broker: Mosquitto) -> None:
    """Kill one of them and start it again; the engine is started again by its daemon."""
    if victim == "daemon":
        daemon.stop(signal.SIGKILL)
        daemon.start(wait=False)
    elif victim == "broker":
        broker.stop(signal.SIGKILL)
        broker.start()
    else:
        subprocess.run(
            ["pkill", "-KILL", "-P", str(daemon.process.pid), "-f", "worker.engine"], check=False
        )


def settle(clients: list[Client], patience_s: float = PATIENCE_S, quiet_s: float = QUIET_S) -> None:
    """Wait until all is answered, or no reply has come for a while."""
    begun = time.monotonic()
    deadline = begun + patience_s
    while time.monotonic() < deadline:
        waiting = sum(len(client.unanswered()) for client in clients)
        # Nobody may have been heard for long when the storm ends, as nobody lived for long.
        silent_s = time.monotonic() - max(begun, *(client.heard_at for client in clients))
        if not waiting or silent_s > quiet_s:
            return
        time.sleep(0.1)


def states(daemon: Daemon) -> dict[tuple[str, str], str]:
    """Return the state of every request in the daemon's journal."""
    path = Path(daemon.folder) / "data" / "journal.sqlite"
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as journal:
        rows = journal.execute("SELECT client, id, state FROM record").fetchall()
    return {(client, request_id): state for client, request_id, state in rows}


def main() -> int:
    """Run the storm and print what it did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=1.0)
    parser.add_argument("--victims", nargs="+", choices=VICTIMS, default=list(VICTIMS))
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(folder).start()
        daemon = Daemon(folder, broker.port).start()
        clients = [
            Client(broker.port, daemon.root, f"c{number}") for number in range(arguments.clients)
        ]
        begun = time.monotonic()
        try:
            plan = (arguments.requests, arguments.kills, arguments.pace, arguments.victims)
            killed = storm(clients, daemon, broker, chance, plan)
            settle(clients)
            journal = states(daemon)
            lost, repeated, poisoned = [], [], 0
            for client in clients:
                for one in client.unanswered():
                    state = journal.get((client.name, one))
                    lost += [one] if state in {"accepted", "running", "answered"} else []
                    repeated.append((client, one))
            for client, one in repeated:
                client.send(one, client.sent[one])
            settle(clients)
            unanswered = [one for client in clients for one in client.unanswered()]
            replies = [heard for client in clients for heard in client.replies.values()]
            codes = Counter(
                body["error"]["code"] if body["status"] == "error" else "ok"
                for body in (json.loads(heard[0]) for heard in replies)
            )
            poisoned = codes.pop("poisoned", 0)
        finally:
            for client in clients:
                client.mqtt.disconnect()
                client.mqtt.loop_stop()
            daemon.stop()
            broker.stop()
    changed = sum(len(set(heard)) > 1 for heard in replies)
    print(f"seed {arguments.seed}: {arguments.requests} requests of {arguments.clients} clients")
    print(f"killed       {dict(killed)} in {time.monotonic() - begun:.0f} s")
    print(f"replies      {dict(codes)}, poisoned {poisoned}")
    print(f"lost         {len(lost)}")
    print(f"changed      {changed}")
    print(f"duplicates   {sum(len(heard) - 1 for heard in replies)}")
    print(f"repeated     {len(repeated)}")
    print(f"unanswered   {len(unanswered)}")
    return 1 if lost or changed or unanswered else 0


if __name__ == "__main__":
    sys.exit(main())

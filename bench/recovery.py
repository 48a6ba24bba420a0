"""How long it takes from a kill until requests are answered again, engine and daemon.

    python bench/recovery.py [--model stub|embedded] [--repeats 5]

A request is sent right after the SIGKILL; what is timed ends with its first token. Of that, the
model's loading is what the log of the engine says. The daemon is started again at once, as
launchd and systemd do. The issue's bounds: the model's loading and 1 s, or 2 s for the daemon.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from pairs import mosquitto, timed
from torture import kill

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from rig import Daemon, Mosquitto, Wire

from worker.engine import hub
from worker.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable

ALLOWED_S = {"engine": 1.0, "daemon": 2.0}
SHORT = {"prompt": "Say hello.", "max_tokens": 4, "mode": "no_think"}


def started(broker: Mosquitto, folder: Path, model: str) -> Daemon:
    """Run a daemon with a model."""
    config = '[model]\nname = "stub"\n'
    if model == "embedded":
        path = hub.model_folder(hub.EMBEDDED_NAME, load().data_dir)
        config = f'[model]\nname = "embedded"\npath = "{path}"\n'
    return Daemon(folder, broker.port, config=config).start()


def load_s(daemon: Daemon) -> float:
    """Return how long the last engine took to load its model."""
    lines = [json.loads(line) for line in daemon.log.read_text().splitlines() if line[:1] == "{"]
    return [line["load_s"] for line in lines if line["event"] == "engine_ready"][-1]


def measured(
    daemon: Daemon, wire: Wire, strike: Callable[[], None], repeats: int
) -> tuple[float, float]:
    """Return the medians of seconds until the first token and of seconds of loading."""
    until, loading = [], []
    for _ in range(repeats):
        strike()
        first_s, _, _ = timed(wire, SHORT)
        until.append(first_s)
        loading.append(load_s(daemon))
        wire.heard.clear()
    return statistics.median(until), statistics.median(loading)


def main() -> int:
    """Print a line for each of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("stub", "embedded"), default="embedded")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    within = True
    print(f"{arguments.model} model:      first token after   of that loading   the rest, allowed")
    with mosquitto() as (broker, folder):
        daemon = started(broker, folder, arguments.model)

        def restart() -> None:
            daemon.stop(signal.SIGKILL)
            daemon.start(wait=False)

        strikes = {"engine": lambda: kill("engine", daemon, broker), "daemon": restart}
        with closing(Wire(broker.port, daemon.root)) as wire:
            wire.listen(f"{daemon.root}/reply/me/#")
            timed(wire, SHORT)
            for name, strike in strikes.items():
                until_s, loading_s = measured(daemon, wire, strike, arguments.repeats)
                rest_s = until_s - loading_s
                within = within and rest_s <= ALLOWED_S[name]
                print(
                    f"{name + ' killed':<16}{until_s:>15.2f} s{loading_s:>15.2f} s"
                    f"{rest_s:>12.2f} s, {ALLOWED_S[name]:.0f} s",
                    flush=True,
                )
        daemon.stop()
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())

"""How long a voice command waits when every row is busy with batch work: parking on, and off.

    python bench/voice.py [--rows 4] [--repeats 5]

The daemon runs the embedded model behind a loopback Mosquitto. Every row decodes a long batch
request when an interactive one arrives; measured at the client is the time to its first token and
to its reply. Both daemons run in turn in one job.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from rig import Daemon, Mosquitto, Wire  # noqa: E402 - the tests' rig is not installed

from worker.engine import hub  # noqa: E402 - after the path of the rig
from worker.settings import load  # noqa: E402 - as above

BATCH_TOKENS = 160
VOICE_TOKENS = 12


def measured(wire: Wire, rows: int) -> tuple[float, float]:
    """Fill all rows, then return a voice command's seconds to first token and to its reply."""
    batch = [uuid.uuid4().hex for _ in range(rows)]
    for name in batch:
        wire.send(
            {
                "id": name,
                "prompt": "Tell me a long story about a lighthouse.",
                "mode": "no_think",
                "lane": "batch",
                "max_tokens": BATCH_TOKENS,
                "stream": True,
            }
        )
    for name in batch:
        wire.wait(lambda m, name=name: m.topic.endswith(f"/{name}/answer"), 120)
    voice = uuid.uuid4().hex
    begun = time.perf_counter()
    wire.send(
        {
            "id": voice,
            "prompt": "Turn on the kitchen light.",
            "lane": "interactive",
            "max_tokens": VOICE_TOKENS,
            "stream": True,
        }
    )
    wire.wait(lambda m: m.topic.endswith(f"/{voice}/answer"), 120)
    first_s = time.perf_counter() - begun
    wire.reply(voice, 120)
    total_s = time.perf_counter() - begun
    for name in batch:
        wire.reply(name, 300)
    wire.heard.clear()
    return first_s, total_s


def main() -> None:
    """Print a line for each of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    path = hub.model_folder(hub.EMBEDDED_NAME, load().data_dir)
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(folder).start()
        found = {}
        for name, parked in (("parking", 16), ("waiting", 0)):
            (Path(folder) / name).mkdir()
            config = (
                f'[model]\nname = "bench"\npath = "{path}"\n'
                f"[engine]\nmax_rows = {arguments.rows}\nmax_parked = {parked}\n"
            )
            daemon = Daemon(Path(folder) / name, broker.port, config=config).start()
            wire = Wire(broker.port, daemon.root).listen(f"{daemon.root}/reply/me/#")
            found[name] = [measured(wire, arguments.rows) for _ in range(arguments.repeats)]
            wire.close()
            daemon.stop()
        broker.stop()
    print(f"{arguments.rows} rows, all busy:   first token      reply   (medians)")
    for name, pairs in found.items():
        first, total = (statistics.median(side) for side in zip(*pairs, strict=True))
        print(f"{name:<22}{first:>9.2f} s {total:>8.2f} s")


if __name__ == "__main__":
    main()

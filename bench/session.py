"""How long a conversation's next turn waits for its first token: with the caches kept, and without.

    python bench/session.py [--words 900] [--repeats 3]

A client says something long and then something short in the same session; measured is the time to
the first token of the second turn. The embedded model, a loopback Mosquitto, both daemons in turn.
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


def second_turn(wire: Wire, words: int) -> tuple[float, float]:
    """Return the second turn's seconds to its first token, and the share of it that was cached."""
    session = uuid.uuid4().hex
    story = f"{session} " + "the lighthouse stood by the sea " * (words // 6)
    wire.ask({"prompt": story, "session": session, "mode": "no_think", "max_tokens": 8})
    name = uuid.uuid4().hex
    begun = time.perf_counter()
    wire.send(
        {
            "id": name,
            "prompt": "Who stood there?",
            "session": session,
            "mode": "no_think",
            "max_tokens": 4,
            "stream": True,
        }
    )
    wire.wait(lambda m: m.topic.endswith(f"/{name}/answer"), 120)
    first_s = time.perf_counter() - begun
    usage = wire.reply(name, 120)["usage"]
    wire.heard.clear()
    return first_s, usage["cached_tokens"] / usage["prompt_tokens"]


def main() -> None:
    """Print a line for each of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, default=900)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    path = hub.model_folder(hub.EMBEDDED_NAME, load().data_dir)
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(folder).start()
        print(f"history of {arguments.words} words:   first token   from the cache   (medians)")
        for name, size in (("kept", 2 << 30), ("read again", 0)):
            (Path(folder) / name).mkdir()
            config = f'[model]\nname = "bench"\npath = "{path}"\n[engine]\ncache_bytes = {size}\n'
            daemon = Daemon(Path(folder) / name, broker.port, config=config).start()
            wire = Wire(broker.port, daemon.root).listen(f"{daemon.root}/reply/me/#")
            turns = [second_turn(wire, arguments.words) for _ in range(arguments.repeats)]
            first, cached = (statistics.median(side) for side in zip(*turns, strict=True))
            print(f"{name:<24}{first:>9.2f} s {cached:>15.0%}", flush=True)
            wire.close()
            daemon.stop()
        broker.stop()


if __name__ == "__main__":
    main()

"""How long a voice command waits when every row is busy with batch work: parking on, and off.

    python bench/voice.py [--rows 4] [--repeats 5]

Every row decodes a long batch request when an interactive one arrives; measured at the client is
the time to its first token and to its reply. The embedded model, a loopback Mosquitto, both daemons
in turn.
"""

from __future__ import annotations

import argparse
import statistics
import uuid

from pairs import PATIENCE_S, Wire, daemon_with, mosquitto, timed

BATCH = {
    "prompt": "Tell me a long story about a lighthouse.",
    "mode": "no_think",
    "lane": "batch",
    "max_tokens": 160,
    "stream": True,
    # Whatever the model would like to say, it goes on as long as it may.
    "logit_bias": {"0": -100, "2": -100},
}
VOICE = {"prompt": "Turn on the kitchen light.", "lane": "interactive", "max_tokens": 12}


def measured(wire: Wire, rows: int) -> tuple[float, float]:
    """Fill all rows, then return a voice command's seconds to first token and to its reply."""
    batch = [uuid.uuid4().hex for _ in range(rows)]
    for name in batch:
        wire.send({"id": name, **BATCH})
    for name in batch:
        wire.wait(lambda m, name=name: m.topic.endswith(f"/{name}/answer"), PATIENCE_S)
    first_s, total_s, _ = timed(wire, VOICE)
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
    print(f"{arguments.rows} rows, all busy:   first token      reply   (medians)")
    with mosquitto() as (broker, folder):
        for name, parked in (("parking", 16), ("waiting", 0)):
            engine = f"max_rows = {arguments.rows}\nmax_parked = {parked}"
            with daemon_with(broker, folder, engine) as wire:
                pairs = [measured(wire, arguments.rows) for _ in range(arguments.repeats)]
            first, total = (statistics.median(side) for side in zip(*pairs, strict=True))
            print(f"{name:<22}{first:>9.2f} s {total:>8.2f} s", flush=True)


if __name__ == "__main__":
    main()

"""How long a conversation's next turn waits for its first token: with the caches kept, and without.

    python bench/session.py [--words 900] [--repeats 3]

A client says something long and then something short in the same session; measured is the time to
the first token of the second turn. The embedded model, a loopback Mosquitto, both daemons in turn.
"""

from __future__ import annotations

import argparse
import statistics
import uuid

from pairs import Wire, daemon_with, mosquitto, timed


def second_turn(wire: Wire, words: int) -> tuple[float, float]:
    """Return the second turn's seconds to its first token, and the share of it that was cached."""
    session = uuid.uuid4().hex
    story = f"{session} " + "the lighthouse stood by the sea " * (words // 6)
    same = {"session": session, "mode": "no_think"}
    wire.ask({"prompt": story, "max_tokens": 8, **same})
    first_s, _, reply = timed(wire, {"prompt": "Who stood there?", "max_tokens": 4, **same})
    wire.heard.clear()
    return first_s, reply["usage"]["cached_tokens"] / reply["usage"]["prompt_tokens"]


def main() -> None:
    """Print a line for each of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, default=900)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(f"history of {arguments.words} words:   first token   from the cache   (medians)")
    with mosquitto() as (broker, folder):
        for name, size in (("kept", 2 << 30), ("read again", 0)):
            with daemon_with(broker, folder, f"cache_bytes = {size}") as wire:
                turns = [second_turn(wire, arguments.words) for _ in range(arguments.repeats)]
            first, cached = (statistics.median(side) for side in zip(*turns, strict=True))
            print(f"{name:<24}{first:>9.2f} s {cached:>15.0%}", flush=True)


if __name__ == "__main__":
    main()

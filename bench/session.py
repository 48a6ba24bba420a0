"""How long a conversation's next turn waits for its first token, as a share of reading it all.

    python bench/session.py [--words 900] [--answer 60] [--pause-s 4] [--repeats 3] [--json FILE]

A client says something long, is answered, and says something short in the same session. Measured
is the time to the first token of the second turn: at once (`in memory`), after a pause in which
the engine has read ahead (`pre-warmed`), and after the pause and a restart of the daemon and one
other short request (`from disk`). `cold` is the same conversation as one request of a client of
whom nothing is known. All four in turn, medians, on the embedded model over a loopback Mosquitto.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairs import PATIENCE_S, mosquitto, timed
from rig import Daemon, Wire

from worker.engine import hub
from worker.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

GOALS = {"cold": 1.0, "in memory": 0.20, "pre-warmed": 0.08, "from disk": 0.40}
QUESTION = "Who stood there?"


class Bench:
    """A daemon that can be started again, and a client of it."""

    def __init__(self, folder: Path, port: int, arguments: argparse.Namespace) -> None:
        path = hub.model_folder(hub.EMBEDDED_NAME, load().data_dir)
        own = folder / "daemon"
        own.mkdir()
        self.daemon = Daemon(own, port, config=f'[model]\nname = "bench"\npath = "{path}"\n')
        self.daemon.start()
        self.wire = Wire(port, self.daemon.root).listen(f"{self.daemon.root}/reply/me/#")
        self.arguments = arguments

    def story(self) -> str:
        """Return a story that nobody has told yet."""
        return f"{uuid.uuid4().hex} " + "the lighthouse stood by the sea " * (
            self.arguments.words // 6
        )

    def first_token(self, request: dict[str, Any]) -> tuple[float, int]:
        """Return seconds to a request's first token, and how many tokens it had to read."""
        first_s, _, reply = timed(self.wire, {"mode": "no_think", "max_tokens": 4, **request})
        self.wire.heard.clear()
        usage = reply["usage"]
        return first_s, usage["prompt_tokens"] - usage["cached_tokens"]

    def tell(self, session: str) -> None:
        """Have the first turn of a session."""
        wanted = {"max_tokens": self.arguments.answer, "mode": "no_think", "session": session}
        name = uuid.uuid4().hex
        self.wire.send({"id": name, "prompt": self.story(), **wanted})
        self.wire.reply(name, PATIENCE_S)

    def once(self) -> Iterator[tuple[str, float, int]]:
        """Measure each of the four, once."""
        answer = {"role": "assistant", "content": "by the sea " * (self.arguments.answer // 3)}
        told = [{"role": "user", "content": self.story()}, answer]
        yield (
            "cold",
            *self.first_token({"messages": [*told, {"role": "user", "content": QUESTION}]}),
        )
        for name in ("in memory", "pre-warmed", "from disk"):
            session = uuid.uuid4().hex
            self.tell(session)
            if name != "in memory":
                time.sleep(self.arguments.pause_s)
            if name == "from disk":
                self.daemon.stop()
                self.daemon.start()
                self.first_token({"prompt": "Good morning."})
            yield name, *self.first_token({"prompt": QUESTION, "session": session})


def main() -> None:
    """Print a line for each, with its share of the cold one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, default=900)
    parser.add_argument("--answer", type=int, default=60)
    parser.add_argument("--pause-s", type=float, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in GOALS}
    unread: dict[str, int] = {}
    with mosquitto() as (broker, folder):
        bench = Bench(folder, broker.port, arguments)
        try:
            for _ in range(arguments.repeats):
                for name, first_s, tokens in bench.once():
                    seconds[name].append(first_s)
                    unread[name] = tokens
        finally:
            bench.wire.close()
            bench.daemon.stop()
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    shares = {name: value / medians["cold"] for name, value in medians.items()}
    print(f"{'':12}   first token   tokens read   ÷ cold   at most   (medians)")
    for name, goal in GOALS.items():
        print(
            f"{name:12} {medians[name]:11.3f} s {unread[name]:13} {shares[name]:8.3f} {goal:9.2f}"
        )
    if arguments.json:
        result = {"first_token_s": medians, "tokens_read": unread, "share_of_cold": shares}
        arguments.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

"""How long a conversation's next turn waits for its first token, as a share of reading it all.

    python bench/session.py [--quick] [--repeats 3]

A client says something long, is answered, and says something short in the same session. Measured
is the time to the first token of the second turn: at once (`in memory`), after a pause in which
the engine has read ahead (`pre-warmed`), and after the pause and a restart of the daemon and one
other short request (`from disk`). `cold` is the same conversation as one request of a client of
whom nothing is known. All four in turn, medians, on the embedded model over a loopback Mosquitto.
"""

from __future__ import annotations

import statistics
import time
import uuid
from typing import TYPE_CHECKING, Any

from figures import Effort, Figure, run
from pairs import PATIENCE_S, mosquitto, timed
from rig import Daemon, Wire

from worker.engine import hub
from worker.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WANTED = {"in memory": 0.20, "pre-warmed": 0.08, "from disk": 0.40}
ANSWER_TOKENS = 60
PAUSE_S = 4.0
QUESTION = "Who stood there?"


class Bench:
    """A daemon that can be started again, and a client of it."""

    def __init__(self, folder: Path, port: int, *, words: int) -> None:
        path = hub.model_folder(hub.EMBEDDED_NAME, load().data_dir)
        own = folder / "daemon"
        own.mkdir()
        self.daemon = Daemon(own, port, config=f'[model]\nname = "bench"\npath = "{path}"\n')
        self.daemon.start()
        self.wire = Wire(port, self.daemon.root).listen(f"{self.daemon.root}/reply/me/#")
        self.words = words

    def story(self) -> str:
        """Return a story that nobody has told yet."""
        return f"{uuid.uuid4().hex} " + "the lighthouse stood by the sea " * (self.words // 6)

    def first_token(self, request: dict[str, Any]) -> tuple[float, int]:
        """Return seconds to a request's first token, and how many tokens it had to read."""
        first_s, _, reply = timed(self.wire, {"mode": "no_think", "max_tokens": 4, **request})
        self.wire.heard.clear()
        usage = reply["usage"]
        return first_s, usage["prompt_tokens"] - usage["cached_tokens"]

    def tell(self, session: str) -> None:
        """Have the first turn of a session."""
        wanted = {"max_tokens": ANSWER_TOKENS, "mode": "no_think", "session": session}
        name = uuid.uuid4().hex
        self.wire.send({"id": name, "prompt": self.story(), **wanted})
        self.wire.reply(name, PATIENCE_S)

    def once(self) -> Iterator[tuple[str, float, int]]:
        """Measure each of the four, once."""
        answer = {"role": "assistant", "content": "by the sea " * (ANSWER_TOKENS // 3)}
        told = [{"role": "user", "content": self.story()}, answer]
        yield (
            "cold",
            *self.first_token({"messages": [*told, {"role": "user", "content": QUESTION}]}),
        )
        for name in ("in memory", "pre-warmed", "from disk"):
            session = uuid.uuid4().hex
            self.tell(session)
            if name != "in memory":
                time.sleep(PAUSE_S)
            if name == "from disk":
                self.daemon.stop()
                self.daemon.start()
                self.first_token({"prompt": "Good morning."})
            yield name, *self.first_token({"prompt": QUESTION, "session": session})


def figures(effort: Effort) -> Iterator[Figure]:
    """Yield the shares."""
    seconds: dict[str, list[float]] = {name: [] for name in ("cold", *WANTED)}
    unread: dict[str, int] = {}
    with mosquitto() as (broker, folder):
        bench = Bench(folder, broker.port, words=effort.of(900, 120))
        try:
            for _ in range(effort.repeats):
                for name, first_s, tokens in bench.once():
                    seconds[name].append(first_s)
                    unread[name] = tokens
        finally:
            bench.wire.close()
            bench.daemon.stop()
    cold_s = statistics.median(seconds["cold"])
    for name, wanted in WANTED.items():
        mine_s = statistics.median(seconds[name])
        yield Figure(f"next turn's first token ÷ cold, {name}", wanted, mine_s / cold_s,
                     detail=f"{mine_s:.2f} s / {cold_s:.2f} s, {unread[name]} / {unread['cold']} "
                     "tokens read")  # fmt: skip


if __name__ == "__main__":
    run(figures, __doc__)

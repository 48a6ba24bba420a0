"""thinkq against mlx_lm.server: the same weights, the same BLAS, the same prompts, in turn.

    python bench/server.py [--clients 1,4,16] [--repeats 3] [--json FILE] [--plot FILE]

thinkq streams over a loopback Mosquitto, mlx_lm.server over loopback HTTP. Both are up all the
time and measured in turn; a figure is the median of its repeats, a ratio that of the pairs. Rows:
tokens a second of so many clients, greedy and with Qwen's preset for answers; the first token of a
short request on an idle server, while 16 long ones decode, and while 40 run and wait; the longest
gap in a live stream while a prompt of some 2,000 tokens is admitted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from http_peer import HttpPeer
from pairs import PATIENCE_S, Wire, daemon_with, mosquitto
from rig import free_port

from worker.engine import hub
from worker.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable

GREEDY = {"temperature": 0.0}
QWEN = {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "min_p": 0.0}
STORY = "Tell me a long story about {} cats and a lighthouse. {}"
LONG_PROMPT = "the lighthouse stood by the sea and " * 280
SHORT = {"prompt": "Turn on the kitchen light.", "max_tokens": 20, **GREEDY}


class Ours:
    """thinkq, spoken to over MQTT."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def stream(self, request: dict[str, Any], **fields: Any) -> tuple[int, list[float]]:
        """Return how many tokens came back, and when each piece of text did."""
        name = uuid.uuid4().hex
        heard: list[float] = []
        begun = time.perf_counter()
        self._wire.send({"id": name, "mode": "no_think", "stream": True, **request, **fields})
        while True:
            message = self._wire.wait(lambda one: name in one.topic or name.encode() in one.payload,
                                      PATIENCE_S * 3)  # fmt: skip
            if message.topic.endswith("/answer"):
                heard.append(time.perf_counter() - begun)
            elif message.topic == self._wire.reply_topic:
                return message.json["usage"]["completion_tokens"], heard

    def urgent(self, request: dict[str, Any]) -> tuple[int, list[float]]:
        """Stream in the lane for those who wait."""
        return self.stream(request, lane="interactive")

    def patient(self, request: dict[str, Any]) -> tuple[int, list[float]]:
        """Stream in the lane for work that may wait."""
        return self.stream(request, lane="batch")


class Theirs:
    """mlx_lm.server, which has no lanes."""

    def __init__(self, peer: HttpPeer) -> None:
        self.stream = self.urgent = self.patient = peer.stream


def throughput(side: Ours | Theirs, clients: int, sampling: dict[str, float]) -> float:
    """Return tokens a second of so many clients."""
    begun = time.perf_counter()
    requests = [
        {"prompt": STORY.format(number, uuid.uuid4()), "max_tokens": 64, **sampling}
        for number in range(clients)
    ]
    with ThreadPoolExecutor(clients) as pool:
        produced = sum(tokens for tokens, _ in pool.map(side.stream, requests))
    return produced / (time.perf_counter() - begun)


def first_token(side: Ours | Theirs, others: int, tokens: int) -> float:
    """Return the seconds to a short request's first token while others decode."""
    with _busy(side, others, tokens):
        _, heard = side.urgent({**SHORT, "prompt": f"{SHORT['prompt']} {uuid.uuid4()}"})
    return heard[0]


def longest_gap(side: Ours | Theirs) -> float:
    """Return the longest pause of a stream during which a long prompt is read."""
    with ThreadPoolExecutor(2) as pool:
        live = pool.submit(side.stream, {"prompt": STORY.format(1, uuid.uuid4()),
                                         "max_tokens": 60, **GREEDY})  # fmt: skip
        time.sleep(1.0)
        long = {"prompt": f"{uuid.uuid4()} {LONG_PROMPT}", "max_tokens": 4, **GREEDY}
        pool.submit(side.patient, long).result()
        _, heard = live.result()
    return max(later - earlier for earlier, later in pairwise(heard))


class _busy:  # noqa: N801 - a context manager that reads as a verb
    """Keep a server busy with long requests."""

    def __init__(self, side: Ours | Theirs, count: int, tokens: int) -> None:
        self._requests = [
            {"prompt": STORY.format(number, uuid.uuid4()), "max_tokens": tokens, **GREEDY}
            for number in range(count)
        ]
        self._side = side
        self._failed = 0
        self._threads = [
            threading.Thread(target=self._one, args=(request,)) for request in self._requests
        ]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()
        if self._threads:
            time.sleep(4.0)

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()
        if self._failed:
            print(f"    {type(self._side).__name__}: {self._failed} connections failed")

    def _one(self, request: dict[str, Any]) -> None:
        try:
            self._side.patient(request)
        except OSError:
            self._failed += 1


def main() -> None:
    """Print a row for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", default="1,4,16")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    rows: list[tuple[str, str, Callable[[Ours | Theirs], float]]] = []
    for clients in map(int, arguments.clients.split(",")):
        for kind, sampling in (("greedy", GREEDY), ("preset", QWEN)):
            rows.append((f"tokens/s, {clients} clients, {kind}", "more",
                         lambda side, c=clients, s=sampling: throughput(side, c, s)))  # fmt: skip
    rows += [
        ("first token, idle, s", "less", lambda side: first_token(side, 0, 0)),
        ("first token, 16 decode, s", "less", lambda side: first_token(side, 16, 64)),
        ("first token, 40 run and wait, s", "less", lambda side: first_token(side, 40, 64)),
        ("longest gap, 2,000 tokens read, s", "less", longest_gap),
    ]
    model = hub.model_folder(hub.EMBEDDED_NAME, load().data_dir)
    told = []
    with mosquitto() as (broker, folder), daemon_with(broker, folder, "max_rows = 16") as wire:
        peer = HttpPeer(model, free_port())
        sides = (Ours(wire), Theirs(peer))
        print(f"{'':<36}{'thinkq':>9}{'mlx_lm.server':>15}{'ratio':>8}")
        try:
            for name, better, measure in rows:
                pairs = [[measure(side) for side in sides] for _ in range(arguments.repeats)]
                ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
                ratio = statistics.median(mine / other for mine, other in pairs)
                print(f"{name:<36}{ours:>9.3g}{theirs:>15.3g}{ratio:>8.2f}", flush=True)
                told.append({"figure": name, "better": better, "thinkq": ours,
                             "mlx_lm.server": theirs, "ratio": ratio})  # fmt: skip
                wire.heard.clear()
        finally:
            peer.stop()
    if arguments.json:
        arguments.json.write_text(json.dumps(told, indent=1))
    if arguments.plot:
        arguments.plot.write_text(picture(told))


def picture(told: list[dict[str, Any]]) -> str:
    """Return an SVG of the ratios, 1 being as good as the peer."""
    height, left, unit = 26, 260, 160
    size = f'width="{left + 3 * unit}" height="{height * (len(told) + 1)}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">']
    for index, row in enumerate(told):
        y, width = index * height + 4, min(2.7, row["ratio"]) * unit
        good = row["ratio"] >= 1 if row["better"] == "more" else row["ratio"] <= 1
        colour = "#3a7d44" if good else "#b5543c"
        bar = f'<rect x="{left}" y="{y}" width="{width:.0f}" height="18" fill="{colour}"/>'
        lines += [
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{row["figure"]}</text>',
            bar,
            f'<text x="{left + width + 6:.0f}" y="{y + 14}">{row["ratio"]:.2f}</text>',
        ]
    end, middle = height * len(told), left + unit
    lines += [
        f'<path d="M{middle} 0V{end}" stroke="black"/>',
        f'<text x="{middle}" y="{end + 16}" text-anchor="middle">as mlx_lm.server</text>',
        "</svg>",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

"""Tokens a second through the daemon, against a bare BatchGenerator on the same weights and BLAS.

    python bench/throughput.py [--clients 1,4,16] [--tokens 64] [--repeats 3]

Both sides run the same prompts greedily, in turn, in one job; the figure is the median of the
ratios. Through the daemon the tokens are streamed over a loopback Mosquitto and the clock runs
from the first request to the last final reply. The bare side is one process with the prompts
already tokenized: what mlx-lm itself can do here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

PROMPT = "Tell me a long story about {number} cats and a lighthouse."


def bare(model_path: str) -> None:
    """Serve measurements on stdin: a line `clients tokens`, answered by tokens a second."""
    from worker.engine import blas

    blas.prepare()
    # After its BLAS: these bring in mlx.
    from mlx_lm.generate import BatchGenerator

    from worker.engine import models

    loaded = models.load(model_path)

    for line in sys.stdin:
        clients, tokens = map(int, line.split())
        prompts = [
            loaded.tokenizer.apply_chat_template(
                [{"role": "user", "content": PROMPT.format(number=number)}],
                add_generation_prompt=True,
            )
            for number in range(clients)
        ]
        generator = BatchGenerator(
            loaded.model,
            stop_tokens=[[token] for token in loaded.tokenizer.eos_token_ids],
            completion_batch_size=32,
        )
        begun = time.perf_counter()
        generator.insert(prompts, max_tokens=[tokens] * clients)
        produced = left = clients
        produced = 0
        while left:
            for response in generator.next_generated():
                produced += 1
                left -= response.finish_reason is not None
        print(json.dumps(produced / (time.perf_counter() - begun)), flush=True)


def through_daemon(wire, clients: int, tokens: int) -> float:
    """Return tokens a second of so many clients' streams, from first request to last reply."""
    begun = time.perf_counter()
    names = [f"{begun}-{number}" for number in range(clients)]
    for number, name in enumerate(names):
        wire.send(
            {
                "id": name,
                "prompt": PROMPT.format(number=number),
                "mode": "no_think",
                "temperature": 0,
                "max_tokens": tokens,
                "stream": True,
            }
        )
    produced = sum(wire.reply(name, 300)["usage"]["completion_tokens"] for name in names)
    seconds = time.perf_counter() - begun
    wire.heard.clear()
    return produced / seconds


def main() -> int:
    """Print a line for each number of clients."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", default="1,4,16")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model-path")
    parser.add_argument("--bare", action="store_true")
    arguments = parser.parse_args()
    if arguments.bare:
        bare(arguments.model_path)
        return 0

    from rig import Daemon, Mosquitto, Wire

    from worker.engine import hub
    from worker.settings import load

    embedded = hub.model_folder(hub.EMBEDDED_NAME, load().data_dir)
    model_path = arguments.model_path or str(embedded)
    peer = subprocess.Popen(
        [sys.executable, __file__, "--bare", "--model-path", model_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask_peer(clients: int) -> float:
        peer.stdin.write(f"{clients} {arguments.tokens}\n")
        peer.stdin.flush()
        return float(peer.stdout.readline())

    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(folder).start()
        daemon = Daemon(
            folder, broker.port, config=f'[model]\nname = "bench"\npath = "{model_path}"\n'
        ).start()
        wire = Wire(broker.port, daemon.root).listen(f"{daemon.root}/reply/me/#")
        print(f"{'clients':>7} {'daemon tok/s':>13} {'bare tok/s':>11} {'ratio':>6}")
        try:
            for clients in map(int, arguments.clients.split(",")):
                pairs = [
                    (through_daemon(wire, clients, arguments.tokens), ask_peer(clients))
                    for _ in range(arguments.repeats + 1)
                ][1:]
                ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
                ratio = statistics.median(mine / other for mine, other in pairs)
                print(f"{clients:>7} {ours:>13.1f} {theirs:>11.1f} {ratio:>6.3f}", flush=True)
        finally:
            wire.close()
            daemon.stop()
            broker.stop()
            peer.stdin.close()
            peer.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Round trip of a stub request through daemon and loopback Mosquitto at QoS 1.

    python bench/roundtrip.py [--requests 500]

One request at a time, each journaled twice with an fsync (accepted, answered). Prints p50, p99 and
how many samples lie between 35 and 50 ms, where Nagle's algorithm and delayed acknowledgements
show (mosquitto #433, paho #874). The same client's round trip through the broker alone stands
beside it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from rig import Daemon, Mosquitto, Wire


def line(name: str, samples: list[float]) -> str:
    """Return the figures of some samples, in milliseconds."""
    quantiles = statistics.quantiles(samples, n=100)
    slow = sum(35 <= sample <= 50 for sample in samples)
    return f"{name:<24} p50 {quantiles[49]:6.2f} ms  p99 {quantiles[98]:6.2f} ms  35-50 ms: {slow}"


def main() -> int:
    """Print the two lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500)
    count = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(folder).start()
        daemon = Daemon(folder, broker.port).start()
        wire = Wire(broker.port, daemon.root).listen(f"{daemon.root}/reply/me/#", "echo")
        through, alone = [], []
        try:
            for number in range(count):
                begun = time.perf_counter()
                wire.client.publish(
                    f"{daemon.root}/request/me", f'{{"id": "r{number}", "prompt": "hello"}}', qos=1
                )
                wire.reply(f"r{number}")
                through.append((time.perf_counter() - begun) * 1000)
                begun = time.perf_counter()
                wire.client.publish("echo", str(number), qos=1)
                wire.wait(lambda message: message.topic == "echo")
                alone.append((time.perf_counter() - begun) * 1000)
        finally:
            wire.close()
            daemon.stop()
            broker.stop()
    print(line("through the daemon", through))
    print(line("through the broker alone", alone))
    return 0


if __name__ == "__main__":
    sys.exit(main())

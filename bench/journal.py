"""How many requests a second the journal makes durable: `python bench/journal.py [--folder …]`.

Prints a line for each number of concurrent acceptances. Each acceptance is one request with a
prompt of 500 characters, done when its commit is flushed to the disk.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from worker.domain.messages import Lane, Message, ReplyRoute, Request
from worker.journal.store import Journal

SECONDS_EACH = 2.0


def request(number: int) -> Request:
    return Request(
        id=f"r{number}",
        key=f"r{number}".encode(),
        client=f"client{number % 20}",
        lane=Lane.STANDARD,
        messages=(Message("user", "x" * 500),),
        reply_to=ReplyRoute("thinkq/reply/client"),
        arrived_at=time.time(),
    )


async def measure(folder: Path, concurrency: int) -> str:
    journal = Journal.open(folder / f"{concurrency}.sqlite")
    before = journal.commits
    numbers = iter(range(10**9))
    waits: list[float] = []
    end = time.perf_counter() + SECONDS_EACH

    async def accept_on() -> None:
        while (begun := time.perf_counter()) < end:
            await journal.accept(request(next(numbers)))
            waits.append(time.perf_counter() - begun)

    await asyncio.gather(*(accept_on() for _ in range(concurrency)))
    commits = journal.commits - before
    await journal.close()
    waits.sort()
    return (
        f"{concurrency:4d} concurrent: {len(waits) / SECONDS_EACH:8.0f} durable acceptances/s, "
        f"{len(waits) / commits:6.1f} a commit, "
        f"p50 {waits[len(waits) // 2] * 1000:.2f} ms, "
        f"p99 {waits[len(waits) * 99 // 100] * 1000:.2f} ms"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: temporary")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for concurrency in (1, 20, 256):
            print(await measure(Path(folder), concurrency), flush=True)


if __name__ == "__main__":
    asyncio.run(main())

"""A program whose disk fills up: a limit on file sizes stands for the disk's end.

It prints the ids that were acknowledged, `full` when the journal refused, and goes on when there
is room again.
"""

import asyncio
import resource
import sys
from pathlib import Path

from journal_samples import a_request

from worker.journal.store import Journal, JournalError

ROOM_BYTES = 400_000


async def accept(journal, name):
    await journal.accept(a_request(name, text="x" * 3000))
    print("accepted", name, flush=True)


async def main(path):
    journal = Journal.open(path)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM_BYTES, hard))
    number = 0
    while True:
        names = [f"r{number + place}" for place in range(10)]
        number += 10
        results = await asyncio.gather(
            *(accept(journal, name) for name in names), return_exceptions=True
        )
        if any(isinstance(result, JournalError) for result in results):
            break
    print("full", next(result for result in results if result), flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    for name in ("after-1", "after-2"):
        await accept(journal, name)
    await journal.close()


asyncio.run(main(Path(sys.argv[1])))

"""A program that journals as fast as it can and says what was acknowledged; the test kills it.

Each line it prints names something that the journal has confirmed: `accepted ID`, `answered ID`.
"""

import asyncio
import itertools
import sys
from pathlib import Path

from journal_samples import a_reply, a_request, a_session

from worker.journal.store import Journal


async def request_after_request(journal, client):
    """Accept and answer within one session, whose history grows by a message a turn."""
    for number in itertools.count():
        request = a_request(f"{client}-{number}", client, session=client)
        await journal.accept(request)
        print("accepted", request.id, flush=True)
        turns = [f"turn {turn}" for turn in range(number + 1)]
        await journal.answer(
            client,
            request.key,
            a_reply(request.id, content="x" * (number * 37 % 5000)),
            stream={},
            session=a_session(client, client, *turns),
        )
        print("answered", request.id, flush=True)


async def main(path):
    journal = Journal.open(path)
    await asyncio.gather(
        *(request_after_request(journal, f"client{number}") for number in range(8))
    )


asyncio.run(main(Path(sys.argv[1])))

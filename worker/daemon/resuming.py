"""What the journal has that nobody works on: an earlier life's, and the dead that were called back.

Reads the journal and hands on to `Jobs` and `Delivery`; accepts nothing anew.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from worker.journal.store import JournalError

if TYPE_CHECKING:
    from worker.daemon.delivery import Delivery
    from worker.daemon.jobs import Jobs
    from worker.journal.store import Journal

_log = structlog.get_logger(__name__)


def resume(
    earlier: set[tuple[str, bytes]], *, journal: Journal, jobs: Jobs, delivery: Delivery
) -> None:
    """Take up what an earlier life of this worker accepted and did not finish.

    Args:
        earlier: The clients and keys that were left over, and are still this worker's.
        journal: Where they are.
        jobs: Goes on with what was accepted.
        delivery: Publishes what was answered.

    """
    now, now_s = time.monotonic(), time.time()
    backlog = [
        entry for entry in journal.backlog() if (entry.request.client, entry.request.key) in earlier
    ]
    for entry in backlog:
        if jobs.find(entry.request.client, entry.request.key) is not None:
            continue
        arrived = now - max(0.0, now_s - entry.request.arrived_at)
        jobs.add(
            entry.request,
            entry.routes,
            arrived,
            attempts=entry.attempts,
            tail=entry.tail,
            size_bytes=entry.size_bytes,
        )
    undelivered = [
        record for record in journal.undelivered() if (record.client, record.key) in earlier
    ]
    for record in undelivered:
        delivery.reply(record.client, record.key, record.reply, record.routes)
    if backlog or undelivered:
        tokens = sum(len(entry.tail.tokens) for entry in backlog)
        _log.info("resumed", accepted=len(backlog), tokens=tokens, undelivered=len(undelivered))


def take_replayed(journal: Journal, jobs: Jobs) -> None:
    """Take up dead requests that `thinkq dead replay` has called back."""
    try:
        entries = journal.replayed()
    except JournalError as error:
        _log.warning("replay_failed", error=str(error))
        return
    for entry in entries:
        request = entry.request
        if jobs.find(request.client, request.key) is None:
            jobs.add(request, entry.routes, time.monotonic())
    _log.info("replayed", requests=len(entries))

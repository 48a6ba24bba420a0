"""What a request would find if it came now: who is before it, and who runs beside it; pure.

An interactive request waits for no batch work, and a standard one for some of it: the others are
parked (`parking`), so they count neither as queue nor, as far as they stand still, as company.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from worker.daemon.choice import length_of
from worker.domain.messages import Lane
from worker.scheduler.forecast import Outlook, Work, queue_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from worker.daemon.job import Job
    from worker.scheduler.speeds import Speeds

LOOKED_AT = 32
"""Of those ahead so many are looked at; the others count as their mean."""


class Company(Struct, frozen=True):
    """The rows of a model: who has one, how many there are, and whether any is given away.

    `parks` says whether batch work steps aside, `stands_still` whether all of it does for an
    interactive request, `batch_rows` how many rows it has now, `beside_standard` how many while a
    standard request runs.
    """

    running: Sequence[Job]
    rows: int
    parks: bool
    stands_still: bool
    batch_rows: int
    beside_standard: int


def outlook(
    lane: Lane,
    company: Company,
    *,
    ahead: Iterable[Job],
    more: int,
    speeds: Speeds,
    now: float,
    first: Job | None = None,
) -> Outlook:
    """Return what a request would find.

    Args:
        lane: Its lane.
        company: The rows of its model.
        ahead: Those that wait and get a row before it.
        more: How many do so beside them.
        speeds: How fast the model has been.
        now: On the monotonic clock, in seconds.
        first: The job of its session that must end before it.

    """
    keep, beside, rows = _who_keeps(lane, company)
    patient = company.parks and lane is Lane.BATCH
    waiting = list(ahead)
    wait_s = queue_s(
        speeds,
        running=[work_left(job, speeds, now) for job in keep],
        ahead=[work_left(job, speeds, now) for job in waiting],
        more=more,
        rows=rows,
        patient=patient,
    )
    beside = min(beside + len(waiting) + more + 1, company.rows)
    if first is not None:
        # A session's turns follow each other, however many rows are free.
        turn = queue_s(speeds, running=[work_left(first, speeds, now)], ahead=(), more=0, rows=1)
        wait_s = max(wait_s, turn)
    return Outlook(wait_s, beside, patient)


def _who_keeps(lane: Lane, company: Company) -> tuple[list[Job], int, int]:
    """Return who keeps a row when one of a lane comes, how many run beside it, of how many rows."""
    running, rows = company.running, company.rows
    batch = [job for job in running if job.lane is Lane.BATCH]
    others = [job for job in running if job.lane is not Lane.BATCH]
    if not company.parks:
        return list(running), len(running), rows
    if lane is Lane.BATCH:
        # What stands still now goes on later, beside standard requests at least.
        return batch, len(running), company.batch_rows or company.beside_standard
    if lane is Lane.STANDARD:
        staying = batch[: company.beside_standard]
        return [*others, *staying], len(others) + len(staying), rows
    interactive = [job for job in others if job.lane is Lane.INTERACTIVE]
    return interactive, len(others) if company.stands_still else len(running), rows


def work_left(job: Job, speeds: Speeds, now: float) -> Work:
    """Return what a job has left to do, as far as anybody knows."""
    written = len(job.generated)
    # Who has written more than others do goes on for a while, nobody knows how long.
    tokens = max(speeds.answer_tokens - written, speeds.answer_tokens / 2)
    wanted = job.request.sampling.max_tokens
    if wanted is not None:
        tokens = min(tokens, max(0, wanted - written))
    left_s = job.left_s(now)
    return Work(
        characters=0 if written else length_of(job.request),
        tokens=max(1.0, tokens),
        at_most_s=float("inf") if left_s is None else max(0.0, left_s),
    )

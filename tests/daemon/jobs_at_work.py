"""Jobs in the middle of their answer, as tests of deadlines need them."""

from worker.daemon.job import Job
from worker.domain.messages import Lane, Message, ReplyRoute, Request, Sampling


def job_of(row=1, lane=Lane.BATCH, *, written=1, max_tokens=None, deadline_ms=None):
    request = Request(
        id=str(row),
        key=str(row).encode(),
        client="me",
        lane=lane,
        messages=(Message("user", "What about cats?"),),
        reply_to=ReplyRoute("t/reply/me"),
        arrived_at=0.0,
        sampling=Sampling(max_tokens=max_tokens),
        deadline_ms=deadline_ms,
    )
    job = Job(row, request, (request.reply_to,), 0.0)
    job.generated = list(range(written))
    return job

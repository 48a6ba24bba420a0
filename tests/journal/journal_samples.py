"""Requests and replies to write down, and the files a journal consists of."""

from worker.domain.messages import Kind, Lane, Message, Reply, ReplyRoute, Request
from worker.domain.session import Session

STREAM = {Kind.REASONING: [3, 4], Kind.ANSWER: [6, 6]}


def a_request(name="r1", client="kitchen", *, text="Is the oven on?", session=None, topic=None):
    return Request(
        id=name,
        key=name.encode(),
        client=client,
        lane=Lane.STANDARD,
        messages=(Message("user", text),),
        reply_to=ReplyRoute(topic or f"thinkq/reply/{client}"),
        arrived_at=1000.0,
        session=session,
    )


def a_reply(name="r1", *, content="It is off..", **fields):
    return Reply(id=name, status="ok", content=content, **fields)


def a_session(name, client, *texts):
    return Session(name, client, None, tuple(Message("user", text) for text in texts))


async def answer(journal, request, reply=None, session=None):
    reply = reply or a_reply(request.id)
    await journal.answer(request.client, request.key, reply, stream={}, session=session)


async def finish(journal, request):
    """Take a request all the way to its end."""
    await journal.accept(request)
    await answer(journal, request)
    await journal.delivered(request.client, request.key)


def bytes_on_disk(path):
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()))

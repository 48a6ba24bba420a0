"""What the engine may read while nobody waits: the next turns, pinned prompts, early transcripts.

Says what; when is the engine's to say. Nothing comes back of it, and all of it may be lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import UNSET
from msgspec.structs import replace

from worker.daemon.conversation import conversation, for_template
from worker.domain.messages import Message
from worker.domain.thinking import without_switches
from worker.engine.pipe import Ahead
from worker.sessions import open_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.daemon.access import Access
    from worker.daemon.choice import Choice
    from worker.daemon.job import Job
    from worker.daemon.jobs import Jobs
    from worker.daemon.serving import Serving
    from worker.domain.messages import Json, Reply, Request
    from worker.domain.session import Session
    from worker.engine.supervisor import Engine
    from worker.journal.store import Journal

Kind: TypeAlias = Literal["prewarm", "history"]


class ReadingAhead:
    """Tells the engine what to read when it has nothing else to do.

    Args:
        jobs: Knows which engine serves a request.
        journal: Has the sessions.
        choice: Knows how tools are shown to the model.
        access: Says what a client may have.
        pinned: The operator's prompts, each a text and tools.

    """

    def __init__(
        self,
        *,
        jobs: Jobs,
        journal: Journal,
        choice: Choice,
        access: Access,
        pinned: Sequence[tuple[str, list[dict[str, Json]]]] = (),
    ) -> None:
        self._jobs = jobs
        self._journal = journal
        self._choice = choice
        self._access = access
        self._pinned = pinned

    def pin(self, engine: Engine) -> None:
        """Have the operator's prompts read by an engine that has just started."""
        for number, (text, tools) in enumerate(self._pinned):
            messages = [Message(role="system", content=text)] if text else []
            engine.read_ahead(
                Ahead(
                    owner=None,
                    kind="pinned",
                    name=str(number),
                    messages=for_template(messages, None),
                    tools=self._choice.tool_rules.bound(tuple(tools)),
                    lasting=True,
                )
            )

    def after(self, job: Job, reply: Reply, session: Session | None) -> None:
        """Have the history read in the form in which the next turn will need it."""
        request = job.request
        if session is not None:
            messages = tuple(without_switches(session.messages))
        elif reply.content is not UNSET and reply.tool_calls:
            # A call is answered with its result, in the same conversation.
            answer = Message(role="assistant", content=reply.content, tool_calls=reply.tool_calls)
            messages = (*conversation((), request), answer)
        else:
            return
        name = "" if session is None else session.name
        self._read(request, messages, name, at=self._jobs.server_of(job), kind="history")

    async def prewarm(self, about: Request) -> None:
        """Have read what a client says it will go on with.

        Raises:
            ThinkqError: It may not have that, or the session is another client's.

        """
        lanes = self._access.quota_of(about.client).lanes
        refusal = self._access.refusal(replace(about, lane=lanes[0]) if lanes else about)
        if refusal is not None:
            raise refusal
        history: tuple[Message, ...] = ()
        if about.session is not None:
            existing = await self._journal.session(about.session)
            history = open_session(existing, about.session, about.client).messages
        serving = self._jobs.serving_of(about)
        # Who speaks now will want an answer in a moment, so its model is fetched too.
        serving.wake()
        messages = conversation(history, about)
        self._read(about, messages, about.session or "", at=serving, kind="prewarm")

    def _read(
        self, request: Request, messages: Sequence[Message], name: str, *, at: Serving, kind: Kind
    ) -> None:
        engine = at.ready_engine()
        if engine is None:
            return
        tools = (
            [] if request.tool_choice == "none" else self._choice.tool_rules.bound(request.tools)
        )
        engine.read_ahead(
            Ahead(
                owner=request.client,
                kind=kind,
                name=name,
                session=name,
                messages=for_template(messages, request.context if kind == "prewarm" else None),
                tools=tools,
                context_tokens=self._access.quota_of(request.client).context_tokens,
                lasting=kind == "history" and bool(name),
            )
        )

"""How a job is to be answered: mode, budget, messages; what the engine is told to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from worker.daemon import conversation
from worker.domain.access import UNLIMITED
from worker.domain.messages import Lane, Mode, Route
from worker.domain.thinking import find_switch, smallest_budget
from worker.domain.tools import ToolRules
from worker.engine.pipe import HURRIED, PATIENT, Doubt, Submit
from worker.router.decide import decide
from worker.router.escalation import Escalations
from worker.router.policy import Presets
from worker.scheduler.speeds import Fit, fit, mode_that_fits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.daemon.job import Job
    from worker.domain.access import Quota
    from worker.domain.messages import Message, Request
    from worker.domain.model import ModelInfo
    from worker.router.judge import Router
    from worker.scheduler.speeds import Speeds

_MIN_THOUGHT_TOKENS = 1
_BALANCED = Presets()
_ESCALATION_SHARE = 0.25
_NO_RULES = ToolRules()
_URGENCY = {Lane.BATCH: PATIENT, Lane.STANDARD: 1, Lane.INTERACTIVE: HURRIED}


class At(Struct, frozen=True):
    """The model that a job runs on: how fast it was, what it is, how many rows run, this one too.

    `model` is None until it has been loaded once. `queue_s` is how long it waits yet, with its row,
    for prompts that are read before its own, `patient` whether it steps aside for others.
    """

    speeds: Speeds
    model: ModelInfo | None = None
    rows: int = 1
    queue_s: float = 0.0
    patient: bool = False


class Choice:
    """Chooses the mode and the budget of each job.

    Args:
        router: Judges what nobody decided.
        default_mode: What `auto` means to the operator; `auto` leaves it to the router.
        budget_tokens: The operator's cap on every thought.
        presets: What being wrong costs each client and lane.
        load: Tells how full the worker is, from 0 to 1.
        quota_of: Tells what a client may have.
        doubt_below: The probability of an answer's first tokens below which it is taken back and
            thought about; 0 never, None what was measured for the model.
        tool_rules: What tools may be called with.

    """

    def __init__(
        self,
        router: Router,
        *,
        default_mode: Literal["auto", "think", "no_think"] = "auto",
        budget_tokens: int | None = None,
        presets: Presets = _BALANCED,
        load: Callable[[], float] = lambda: 0.0,
        quota_of: Callable[[str], Quota] = lambda _client: UNLIMITED,
        doubt_below: float | None = 0.0,
        tool_rules: ToolRules = _NO_RULES,
    ) -> None:
        self._router = router
        self._default_mode = default_mode
        self._budget_tokens = budget_tokens
        self._presets = presets
        self._load = load
        self._quota_of = quota_of
        self._doubt_below = doubt_below
        self.escalations = Escalations(_ESCALATION_SHARE)
        self.tool_rules = tool_rules

    def use(
        self,
        router: Router,
        presets: Presets,
        *,
        default_mode: Literal["auto", "think", "no_think"],
        budget_tokens: int | None,
    ) -> None:
        """Choose by another router and other settings from now on."""
        self._router = router
        self._presets = presets
        self._default_mode = default_mode
        self._budget_tokens = budget_tokens

    def submission(self, job: Job, now: float, at: At) -> Submit:
        """Return what the engine shall run for a job; the mode, once chosen, stays.

        Args:
            job: Its session must have been read.
            now: On the monotonic clock, in seconds.
            at: The model that it runs on.

        """
        request = job.request
        quota = self._quota_of(request.client)
        if job.summary is not None and job.summary.active:
            return job.summary.submission(job, quota.context_tokens, _URGENCY[request.lane])
        history = job.session.messages if job.session else ()
        messages = conversation.conversation(history, request)
        fitting = what_fits(job, now, at)
        thought_tokens = fitting.thought_tokens
        # What it wrote in an earlier engine's life counts as well.
        written = sum(token >= 0 for token in job.generated)
        if job.mode is None:
            self._choose(job, messages, thought_tokens)
        assert job.mode is not None
        doubt = self._doubt(job, thought_tokens, at.model)
        if thought_tokens is not None:
            # A thought that was asked for is shortened to fit, never left out.
            thought_tokens = max(thought_tokens, _MIN_THOUGHT_TOKENS)
        budget = smallest_budget(
            request.thinking_budget, self._budget_tokens, quota.thinking_tokens, thought_tokens
        )
        return Submit(
            row=job.row,
            messages=conversation.for_template(messages, request.context),
            mode=job.mode,
            budget_tokens=budget,
            sampling=request.sampling,
            grammar=request.response_format,
            tools=self.tool_rules.bound(request.tools),
            tool_choice=request.tool_choice,
            owner=request.client,
            session=_session_of(request) or "",
            hold=request.revise,
            held=job.first_row,
            generated=job.generated,
            context_tokens=quota.context_tokens,
            doubt=None if doubt is None else Doubt(below=doubt, budget_tokens=budget),
            urgency=_URGENCY[request.lane],
            deadline_tokens=None if fitting.tokens is None else written + fitting.tokens,
        )

    def _doubt(self, job: Job, thought_tokens: int | None, model: ModelInfo | None) -> float | None:
        """Return how unsure an answer may begin, None where it is not watched."""
        measured = 0.0 if model is None else model.escalate_below
        below = measured if self._doubt_below is None else self._doubt_below
        if job.mode is None or job.route is None or not below or job.generated:
            return None
        if mode_that_fits(Mode.THINK, thought_tokens) is not Mode.THINK:
            return None
        if self._quota_of(job.request.client).thinking_tokens == 0:
            return None
        watches = self.escalations.watches(job.mode, job.route, job.request.lane)
        return below if watches else None

    def _choose(self, job: Job, messages: Sequence[Message], thought_tokens: int | None) -> None:
        request = job.request
        decision = decide(
            request_mode=request.mode,
            thinking_budget=request.thinking_budget,
            switch=find_switch(request.messages),
            session_mode=job.session.mode if job.session else None,
            default_mode=self._default_mode,
            question=replace(
                conversation.question(messages, request),
                preset=self._presets.of(request.client, request.lane),
                load=self._load(),
            ),
            router=self._router,
        )
        job.mode, job.route, job.remember = decision.mode, decision.route, decision.remember
        if request.revise:
            reason = "The answer comes at once; it is thought about again afterwards."
            job.mode, job.route = Mode.NO_THINK, Route("request", reason, decision.route.score)
        if self._quota_of(request.client).thinking_tokens == 0 and job.mode is Mode.THINK:
            reason = "This client's requests are not thought about."
            job.mode, job.route = Mode.NO_THINK, Route("default", reason, decision.route.score)
        fitting = mode_that_fits(job.mode, thought_tokens)
        if fitting is not job.mode and request.mode == "auto":
            job.mode = fitting
            reason = "The deadline leaves no time for a thought."
            job.route = Route("deadline", reason, decision.route.score)


def what_fits(job: Job, now: float, at: At) -> Fit:
    """Return what a job's deadline leaves time for.

    Args:
        job: Whose turn it is.
        now: On the monotonic clock, in seconds.
        at: The model that it runs on.

    """
    left_s = job.left_s(now)
    if left_s is None:
        return Fit(reachable=True)
    # What its session said before was read then: only what it brings itself is counted.
    return fit(
        at.speeds,
        characters=length_of(job.request),
        left_s=left_s,
        rows=at.rows,
        queue_s=at.queue_s,
        wanted_tokens=job.request.sampling.max_tokens,
        patient=at.patient,
        thinks=job.request.mode == "think",
    )


def _session_of(request: Request) -> str | None:
    return request.revises.session if request.revises else request.session


def length_of(request: Request) -> int:
    """How many characters a request brings, to judge what its deadline allows."""
    return conversation.characters(request.messages, request.context)

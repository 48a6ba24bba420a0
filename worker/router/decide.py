"""The choice of mode in the contract's order: request, switch, session, then the router."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from worker.domain.messages import Mode, Route

if TYPE_CHECKING:
    from worker.router.judge import Question, Router


class Decision(Struct, frozen=True):
    """The mode chosen, what the reply says of it, and what the session should remember.

    `remember` is the mode of a soft switch, else None: a hard mode or a verdict holds for its one
    request only.
    """

    mode: Mode
    route: Route
    remember: Mode | None = None


def decide(
    *,
    request_mode: Literal["auto", "think", "no_think"],
    thinking_budget: int | None,
    switch: Mode | None,
    session_mode: Mode | None,
    question: Question,
    router: Router,
    default_mode: Literal["auto", "think", "no_think"] = "auto",
) -> Decision:
    """Choose the mode of a request; the first of these that says something decides.

    Args:
        request_mode: The request's `mode`, the hard switch.
        thinking_budget: The request's cap on reasoning tokens; 0 means no thinking, whatever
            `request_mode` says, since a thought of no tokens is none.
        switch: The soft switch of this conversation (`worker.domain.thinking.find_switch`).
        session_mode: What the session remembers of an earlier soft switch.
        question: What the router judges when nobody asked for a mode.
        router: The rules and the classifier; always has a verdict.
        default_mode: What the operator wants where nobody asked; `auto` leaves it to the router.

    """
    if thinking_budget == 0:
        mode, route = Mode.NO_THINK, Route("request", "The request allows no tokens for thinking.")
    elif request_mode != "auto":
        mode = Mode(request_mode)
        route = Route("request", f"The request asks for {_words(mode)}.")
    elif switch is not None:
        mode = switch
        route = Route("switch", f"The message says {_switch(mode)}.")
    elif session_mode is not None:
        mode = session_mode
        route = Route("session", f"The session remembers {_switch(mode)} from an earlier message.")
    elif default_mode != "auto":
        mode = Mode(default_mode)
        route = Route("default", f"The worker is set to {_words(mode)} where nobody asks.")
    else:
        verdict = router.judge(question)
        mode = verdict.mode
        route = Route(verdict.decided_by, verdict.reason, verdict.score)
    return Decision(mode, route, switch)


def _words(mode: Mode) -> str:
    return "thinking" if mode is Mode.THINK else "no thinking"


def _switch(mode: Mode) -> str:
    return f"/{mode.value}"

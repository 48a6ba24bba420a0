"""`thinkq route`: shows the choice of mode for a text, or for a stream of them, without a model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from msgspec import Struct

from worker.cli.options import ConfigFile
from worker.domain.messages import Message, Mode
from worker.domain.thinking import find_switch
from worker.router.conversation import question_of
from worker.router.decide import Decision, decide
from worker.router.judge import Router, Verdict, load_router
from worker.router.policy import Preset

BAR_WIDTH = 30
"""Characters of the longest bar of `--explain`."""

MALFORMED = 1
"""Exit status when a line could not be read."""


class Line(Struct, frozen=True):
    """One line of `--jsonl`: a text, or a conversation, and what else the request would carry."""

    text: str | None = None
    messages: tuple[Message, ...] = ()
    earlier: tuple[str, ...] = ()
    context: dict[str, Any] | None = None
    mode: Literal["auto", "think", "no_think"] = "auto"


class Routed(Struct, frozen=True):
    """One line of the answer."""

    mode: Mode
    score: float
    decided_by: str
    reason: str


def route(
    text: Annotated[str | None, typer.Argument(help="The message to judge.")] = None,
    *,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Judge {"text": …} lines from standard input.')
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Draw what spoke for and against thinking.")
    ] = False,
    here: Annotated[
        bool,
        typer.Option(
            "--here", help="As this site's worker: with `thinking.preset` and `thinkq router tune`."
        ),
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Show which mode a message would be answered in, and why. Loads no language model."""
    router = _as_here(config) if here or config else load_router()
    if jsonl:
        raise typer.Exit(_route_lines(router))
    if text is None:
        raise typer.BadParameter("give a text, or --jsonl to read lines from standard input")
    decision, verdict = _judge(Line(text), router)
    typer.echo(f"mode        {decision.mode.value}")
    typer.echo(f"score       {verdict.score:.3f}  (probability that thinking pays)")
    typer.echo(f"decided by  {decision.route.decided_by}")
    typer.echo(f"reason      {decision.route.reason}")
    if explain:
        _draw(verdict)


def _as_here(config: Path | None) -> Router:
    from worker.router import site  # noqa: PLC0415 - as below
    from worker.settings import load  # noqa: PLC0415 - pydantic takes a tenth of a second

    settings = load(config)
    return load_router(Preset(settings.thinking.preset), site.in_force(settings.data_dir))


def _judge(line: Line, router: Router) -> tuple[Decision, Verdict]:
    messages = line.messages
    if line.text is not None:
        earlier = tuple(Message("user", content) for content in line.earlier)
        messages = (*messages, *earlier, Message("user", line.text))
    question = question_of(messages, context=line.context)
    verdict = router.judge(question)
    decision = decide(
        request_mode=line.mode,
        thinking_budget=None,
        switch=find_switch(messages),
        session_mode=None,
        question=question,
        router=_Judged(verdict),
    )
    return decision, verdict


class _Judged:
    """A router that has its verdict already: the score is shown even where a switch decides."""

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict

    def judge(self, _question: object) -> Verdict:
        return self._verdict


def _route_lines(router: Router) -> int:
    """Answer each line of standard input in order; return the exit status."""
    decoder = msgspec.json.Decoder(Line)
    encoder = msgspec.json.Encoder()
    status = 0
    for raw in sys.stdin.buffer:
        try:
            line = decoder.decode(raw)
            if line.text is None and not line.messages:
                raise msgspec.ValidationError("Object missing required field `text`")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            status = MALFORMED
            answer: object = {"error": str(error)}
        else:
            decision, verdict = _judge(line, router)
            answer = Routed(
                decision.mode, verdict.score, decision.route.decided_by, decision.route.reason
            )
        sys.stdout.buffer.write(encoder.encode(answer) + b"\n")
    sys.stdout.buffer.flush()
    return status


def _draw(verdict: Verdict) -> None:
    """Draw the features as bars, for thinking to the right in green, against it in red."""
    from rich.console import Console  # noqa: PLC0415 - 30 ms that the other ways don't need
    from rich.table import Table  # noqa: PLC0415 - as above

    strongest = max((abs(weight) for _, weight in verdict.features), default=1.0)
    table = Table("the message …", "weight", "for (+) or against (-) thinking", box=None)
    for phrase, weight in verdict.features:
        bar = "█" * max(1, round(abs(weight) / strongest * BAR_WIDTH))
        table.add_row(phrase, f"{weight:+.2f}", f"[{'green' if weight > 0 else 'red'}]{bar}[/]")
    Console().print(table)

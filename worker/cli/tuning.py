"""`thinkq router`: teaches the router what a site needs, shows what that changes, undoes it."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from worker.cli.options import ConfigFile, new_app
from worker.daemon.unlearning import unlearn
from worker.domain.messages import Lane, Message, Mode
from worker.evaluation import lines, prompts
from worker.evaluation.prompts import Labelled
from worker.journal import feedback
from worker.journal.storage import FILE_NAME, JournalError, holder, open_for_reading
from worker.router import site, tune
from worker.router.classifier import load, probability
from worker.router.conversation import question_of
from worker.router.measures import Figures, Judged, figures
from worker.router.policy import Preset, choose
from worker.router.trained import TrainedRouter

if TYPE_CHECKING:
    from collections.abc import Sequence

app = new_app("Teach the router what this site needs, or undo it.")

STRONGEST = 10

TRIED_WEIGHT = 0.3
"""Of an example that nobody judged: that an answer changed doesn't say that it became better."""


@app.command(name="tune")
def tune_router(
    *,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled prompts besides the feedback, as `eval router` takes them."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Put it in force without asking.")] = False,
    config: ConfigFile = None,
) -> None:
    """Make a layer of this site's feedback and show what it changes; in force only if you agree."""
    folder = _folder(config)
    try:
        from_files = prompts.read(data) if data else []
    except lines.LinesError as error:
        raise typer.BadParameter(str(error), param_hint="--data") from error
    own = [*_feedback(folder / FILE_NAME), *from_files]
    if len(own) < tune.FEWEST:
        typer.echo(f"There are {len(own)} examples; {tune.FEWEST} are needed to learn from.")
        raise typer.Exit(1)
    cases = _cases(own)
    layer = tune.fit(cases, made_at=time.time())
    layer = replace(layer, own=_marks_in(layer, from_files))
    now = site.in_force(folder)
    shipped = prompts.shipped()
    others = _cases(shipped)
    _show(
        (f"what ships ({len(shipped)})", _judged(others, now), _judged(others, layer)),
        (f"this site's own ({len(own)})", _judged(cases, now), _held_out(cases)),
    )
    typer.echo("The site's own are judged, after, by layers that were made without them.")
    if not yes and not (sys.stdin.isatty() and typer.confirm("Put it in force?")):
        typer.echo("Nothing was changed; --yes puts it in force.")
        return
    site.put(folder, layer)
    # Somebody may have been forgotten while the question was open.
    unlearn(folder)
    _tell_daemon(folder)
    typer.echo("It is in force; `thinkq router undo` takes it away.")


@app.command()
def show(config: ConfigFile = None) -> None:
    """Show the layer in force: of how many examples it was made, and what it weighs most."""
    layer = site.in_force(_folder(config))
    if layer is None:
        typer.echo("The router is as it ships.")
        return
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(layer.made_at))
    typer.echo(f"made {made} of {layer.examples} examples; {len(layer.weights)} weights")
    typer.echo(f"{layer.bias:+.2f}  every message")
    strongest = sorted(layer.weights.items(), key=lambda one: -abs(one[1]))
    for mark, weight in strongest[:STRONGEST]:
        typer.echo(f"{weight:+.2f}  {mark}")


@app.command()
def undo(config: ConfigFile = None) -> None:
    """Take the last layer away: the one before it is in force, or the router as it ships."""
    folder = _folder(config)
    if site.undo(folder) is None:
        typer.echo("There is nothing to undo: the router is as it ships.")
        return
    _tell_daemon(folder)
    before = site.in_force(folder)
    left = "as it ships" if before is None else f"as {before.examples} examples made it"
    typer.echo(f"Undone: the router is {left}.")


def _folder(config: Path | None) -> Path:
    from worker.settings import load as load_settings  # noqa: PLC0415 - pydantic is slow to import

    return load_settings(config).data_dir


def _feedback(journal: Path) -> list[Labelled]:
    try:
        with open_for_reading(journal) as connection:
            found = feedback.examples(connection)
    except JournalError:
        if journal.is_file():
            raise
        return []
    return [
        Labelled(
            "think" if example.think else "no_think",
            messages=tuple(Message("user", text) for text in example.messages),
            weight=TRIED_WEIGHT if example.verdict in feedback.TRIED else 1.0,
        )
        for example in found
    ]


def _cases(examples: Sequence[Labelled]) -> list[tune.Case]:
    """Return the examples with their odds under the router as it ships."""
    router = TrainedRouter(load())
    cases = []
    for example in examples:
        question = question_of(example.conversation)
        odds = tune.log_odds_of(router.judge(question).score)
        marks = frozenset(router.marks(question))
        cases.append(tune.Case(marks, odds, example.label == "think", example.weight))
    return cases


def _marks_in(layer: site.Site, examples: Sequence[Labelled]) -> tuple[str, ...]:
    """Return which marks of a layer some examples have."""
    router = TrainedRouter(load())
    found: set[str] = set()
    for example in examples:
        found |= layer.weights.keys() & router.marks(question_of(example.conversation))
    return tuple(sorted(found))


def _judged(cases: Sequence[tune.Case], layer: site.Site | None) -> Figures:
    moved = [0.0 if layer is None else layer.correction(case.marks) for case in cases]
    odds = [case.log_odds + more for case, more in zip(cases, moved, strict=True)]
    return _figures(cases, odds)


def _held_out(cases: Sequence[tune.Case]) -> Figures:
    return _figures(cases, tune.unseen(cases))


def _figures(cases: Sequence[tune.Case], odds: Sequence[float]) -> Figures:
    return figures(
        [
            Judged(case.think, choose(score, Preset.BALANCED, Lane.STANDARD) is Mode.THINK, score)
            for case, one in zip(cases, odds, strict=True)
            for score in [probability(one)]
        ]
    )


def _show(*rows: tuple[str, Figures, Figures]) -> None:
    typer.echo(f"{'':<26}{'right':>16}{'found':>16}{'wasted':>16}{'off by':>16}")
    for name, before, after in rows:
        told = "".join(
            f"{_share(getattr(before, field))} → {_share(getattr(after, field))}".rjust(16)
            for field in ("accuracy", "recall", "wasted", "calibration_error")
        )
        typer.echo(f"{name:<26}{told}")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _tell_daemon(folder: Path) -> None:
    daemon = holder(folder / FILE_NAME)
    if daemon is not None:
        os.kill(daemon, signal.SIGHUP)

"""`thinkq eval`: how well the router does on prompts that somebody has labelled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from msgspec import Struct

from worker.cli.options import new_app
from worker.domain.messages import Message, Mode
from worker.router.conversation import question_of
from worker.router.judge import Router, load_router
from worker.router.measures import Figures, Judged, by_group, figures
from worker.router.policy import Preset

app = new_app("Measure the router on labelled data.")

GROUPS = ("lang", "category", "source")


class Labelled(Struct, frozen=True):
    """One line: a message, whether it needs thinking, and what it may be counted by."""

    text: str
    label: Literal["think", "no_think"]
    lang: str = ""
    category: str = ""
    source: str = ""


# With one command alone typer would leave its name out.
@app.callback()
def _eval() -> None:
    """Measure the router on labelled data."""


@app.command()
def router(
    files: Annotated[
        list[Path],
        typer.Argument(
            help='Files of lines {"text": …, "label": "think" | "no_think", "lang", "category", '
            '"source"}; the last three may lack.'
        ),
    ],
    *,
    by: Annotated[
        Literal["lang", "category", "source"] | None,
        typer.Option("--by", help="Count apart, too."),
    ] = None,
    preset: Annotated[Preset, typer.Option("--preset", help="What being wrong costs.")] = (
        Preset.BALANCED
    ),
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Print how often the router is right, what it misses and wastes, and how true its score is."""
    examples = [example for path in files for example in _read(path)]
    if not examples:
        raise typer.BadParameter("there is no line in these files", param_hint="FILES")
    judge = load_router(preset)
    judged = [_judged(example, judge) for example in examples]
    rows = {"all": figures(judged)}
    if by is not None:
        rows |= {name: figures(group) for name, group in by_group(judged, by).items()}
    if as_json:
        typer.echo(msgspec.json.encode(rows))
    else:
        _print(rows)


def _read(path: Path) -> list[Labelled]:
    decoder = msgspec.json.Decoder(Labelled)
    found = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise typer.BadParameter(str(error), param_hint="FILES") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"{path}, line {number}: {error}") from error
    return found


def _judged(example: Labelled, judge: Router) -> Judged:
    verdict = judge.judge(question_of((Message("user", example.text),)))
    groups = {key: getattr(example, key) for key in GROUPS if getattr(example, key)}
    return Judged(example.label == "think", verdict.mode is Mode.THINK, verdict.score, groups)


def _print(rows: dict[str, Figures]) -> None:
    typer.echo(
        f"{'':<24}{'prompts':>8}{'right':>8}{'found':>8}{'wasted':>8}{'ranking':>9}{'off by':>8}"
    )
    for name, row in rows.items():
        shares = (row.accuracy, row.recall, row.wasted)
        told = "".join(f"{'-' if share is None else f'{share:.1%}':>8}" for share in shares)
        order = "-" if row.ranking is None else f"{row.ranking:.3f}"
        typer.echo(f"{name:<24}{row.prompts:>8}{told}{order:>9}{row.calibration_error:>8.3f}")

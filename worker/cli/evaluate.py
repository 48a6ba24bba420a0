"""`thinkq eval`: how well the router does on labelled prompts, and with the model on tasks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from worker.cli.options import ConfigFile, new_app
from worker.evaluation import lines, prompts, tasks
from worker.router.judge import load_router
from worker.router.measures import Figures, by_group, figures
from worker.router.policy import Preset

if TYPE_CHECKING:
    from worker.evaluation.running import Strategy

app = new_app("Measure the router, and the model with it.")

SHOWN_MISTAKES = 10


@app.command()
def router(
    *,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help='A file of lines {"text": …, "label": "think" | "no_think", "lang", "category", '
            '"source"}; the last three may lack. Or what ships, `tests` or `everyday`; default: '
            "`tests`."
        ),
    ] = None,
    by: Annotated[
        Literal["lang", "category", "source"] | None,
        typer.Option("--by", help="Count apart, too."),
    ] = None,
    preset: Annotated[Preset, typer.Option("--preset", help="What being wrong costs.")] = (
        Preset.BALANCED
    ),
    mistakes: Annotated[
        int, typer.Option("--mistakes", min=0, help="How many mistakes to list, surest first.")
    ] = SHOWN_MISTAKES,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the reliability curve into this SVG file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Print how often the router is right, what it misses and wastes, and how true its score is."""
    try:
        files = [tasks.SETS.get(str(path), path) for path in data or ()]
        examples = prompts.read(files) if files else prompts.shipped()
    except lines.LinesError as error:
        raise typer.BadParameter(str(error), param_hint="--data") from error
    measured = prompts.measure(examples, load_router(preset))
    rows = {"all": figures(measured.judged)}
    if by is not None:
        rows |= {name: figures(group) for name, group in by_group(measured.judged, by).items()}
    if plot is not None:
        plot.write_text(prompts.picture(measured.judged), encoding="utf-8")
    if as_json:
        told = {"figures": rows, "latency_s": measured.latency, "mistakes": measured.mistakes}
        typer.echo(msgspec.json.encode(told))
    else:
        _print(rows, measured, mistakes)


def _print(rows: dict[str, Figures], measured: prompts.Measured, mistakes: int) -> None:
    heads = ("prompts", "right", "F1", "found", "wasted", "ranking", "off by")
    typer.echo(f"{'':<24}" + "".join(f"{head:>9}" for head in heads))
    for name, row in rows.items():
        shares = (row.accuracy, row.macro_f1, row.recall, row.wasted)
        told = "".join(f"{'-' if share is None else f'{share:.1%}':>9}" for share in shares)
        order = "-" if row.ranking is None else f"{row.ranking:.3f}"
        typer.echo(f"{name:<24}{row.prompts:>9}{told}{order:>9}{row.calibration_error:>9.3f}")
    typer.echo("")
    for needed, chosen in rows["all"].confusion.items():
        counts = ", ".join(f"{count} got {mode}" for mode, count in chosen.items())
        typer.echo(f"of those that need {needed}: {counts}")
    latency = measured.latency
    typer.echo(
        f"a decision takes {latency.p50 * 1e6:.0f} µs (p50), {latency.p90 * 1e6:.0f} (p90), "
        f"{latency.p99 * 1e6:.0f} (p99)"
    )
    for mistake in measured.mistakes[:mistakes]:
        typer.echo(f"  {mistake.score:.2f}  needs {mistake.label:<9} {mistake.text}")


@app.command(name="end-to-end")
def end_to_end(
    *,
    wanted: Annotated[
        Path,
        typer.Option(
            "--tasks",
            help="A file of tasks, or what ships: `tests` (480, the embedded model's) or "
            "`everyday` (336, half of them to be worked out).",
        ),
    ] = Path("tests"),
    modes: Annotated[
        str, typer.Option("--modes", help="Of never, always and auto, parted by commas.")
    ] = "never,always,auto",
    model: Annotated[
        str | None, typer.Option("--model", help="A model's name or folder; default: as set.")
    ] = None,
    config: ConfigFile = None,
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="Tasks that run together.")] = 8,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only every n-th task, this many in all.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", min=1, help="Tokens of thought; default: the model's.")
    ] = None,
    free: Annotated[
        bool, typer.Option("--free", help="Bind no answer to the schema that its task has.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw accuracy over tokens into this SVG file.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option("--answers", help="Write what was answered, as JSON lines.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="Write which tasks need a thought, for `router tune`."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Put tasks to the model without thinking, with it, and as the router chooses.

    Prints for each the share that was right, the tokens it took and the seconds.
    """
    # Late: `eval router` needs none of it.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    from worker.cli.run import model_path  # noqa: PLC0415
    from worker.daemon.parts import engine_options  # noqa: PLC0415
    from worker.evaluation import report, running  # noqa: PLC0415
    from worker.observe import logs  # noqa: PLC0415
    from worker.router import site  # noqa: PLC0415
    from worker.settings import load  # noqa: PLC0415

    strategies = _strategies(modes)
    if labels is not None and not {"never", "always"} <= set(strategies):
        raise typer.BadParameter("needs the modes never and always", param_hint="--labels")
    try:
        asked = lines.read(tasks.SETS.get(str(wanted), wanted), tasks.Task)
    except lines.LinesError as error:
        raise typer.BadParameter(str(error), param_hint="--tasks") from error
    asked = asked[:: max(1, len(asked) // limit)][:limit] if limit else asked
    settings = load(config, {} if model is None else {"model.name": model})
    options = engine_options(settings, model_path(settings))
    logs.configure(level="warning")
    with Progress(console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("Loading the model", total=None)
        measured = asyncio.run(
            running.measure(
                options,
                asked,
                strategies,
                router=load_router(site=site.in_force(settings.data_dir)),
                at_once=at_once,
                budget_tokens=budget,
                bound=not free,
                told=lambda done, total: bar.update(
                    line, description="Asking", completed=done, total=total
                ),
            )
        )
    rows = report.rows(measured)
    if plot is not None:
        plot.write_text(report.picture(rows), encoding="utf-8")
    if answers is not None:
        lines.write(answers, [one for some in measured.values() for one in some])
    if labels is not None:
        lines.write(labels, report.labels(asked, measured))
    typer.echo(msgspec.json.encode(rows) if as_json else report.table(rows))


def _strategies(modes: str) -> list[Strategy]:
    try:
        return msgspec.convert(modes.split(","), list[Literal["never", "always", "auto"]])
    except msgspec.ValidationError as error:
        raise typer.BadParameter(f"{modes}: {error}", param_hint="--modes") from error

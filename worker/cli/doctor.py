"""`thinkq doctor`: runs the checks and prints what they found."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from worker.cli import EXIT_FAILED
from worker.cli.options import ConfigFile
from worker.doctor import broker, machine, model, sockets
from worker.doctor.finding import Finding, Level, ok, problem
from worker.settings import SettingsError, load

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLORS = {
    Level.OK: typer.colors.GREEN,
    Level.WARNING: typer.colors.YELLOW,
    Level.PROBLEM: typer.colors.RED,
}


def doctor(
    *,
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Look for what is wrong, and say what cures it; exit status 1 if something is."""
    findings = []
    for finding in _checks(config):
        findings.append(finding)
        if not as_json:
            _print(finding)
    healthy = all(finding.level is not Level.PROBLEM for finding in findings)
    if as_json:
        typer.echo(msgspec.json.encode({"ok": healthy, "findings": findings}))
    if not healthy:
        raise typer.Exit(EXIT_FAILED)


def _checks(config: ConfigFile) -> Iterator[Finding]:
    yield from machine.system()
    try:
        settings = load(config)
        settings.check_files()
    except SettingsError as error:
        yield problem("settings", str(error))
        return
    yield ok("settings", "fine; `thinkq config show` prints them")
    yield from machine.data_folder(settings.data_dir)
    yield from model.model(settings.model.name, settings.model.path, settings.data_dir)
    for name, further in settings.models.further.items():
        for found in model.model(further.name, further.path, settings.data_dir):
            yield msgspec.structs.replace(found, check=f"model {name}")
    yield from machine.blas()
    yield from broker.broker(settings)
    yield from sockets.connections(settings)


def _print(finding: Finding) -> None:
    mark = typer.style(f"{finding.level.value:<9}", fg=_COLORS[finding.level], bold=True)
    typer.echo(f"{mark}{finding.check:<13}{finding.said}", color=sys.stdout.isatty())
    if finding.cure:
        typer.echo(f"{'':<9}{'':<13}→ {finding.cure}")

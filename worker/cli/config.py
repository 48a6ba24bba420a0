"""`thinkq config`: what is in force, where each value came from, and whether it holds together."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, SecretStr

from worker.cli.options import ConfigFile, new_app
from worker.settings import load_with_origins

app = new_app("Show the settings in force, or check them.")

_MASK = "********"


@app.command()
def show(
    *,
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Print every setting, its value and where it came from; secrets are masked."""
    settings, origins = load_with_origins(config)
    values = dict(_flat(settings))
    if as_json:
        both = {key: {"value": value, "origin": origins[key]} for key, value in values.items()}
        typer.echo(json.dumps(both, indent=2))
    elif sys.stdout.isatty():
        _print_table(values, origins)
    else:
        for key, value in values.items():
            typer.echo(f"{key} = {json.dumps(value)}  # {origins[key]}")


@app.command()
def check(*, config: ConfigFile = None) -> None:
    """Read the settings and every file they name; say what is wrong."""
    settings, _ = load_with_origins(config)
    settings.check_files()
    typer.echo("The settings are fine.")


def _print_table(values: dict[str, Any], origins: dict[str, str]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only on a terminal
    from rich.table import Table  # noqa: PLC0415 - only on a terminal

    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for key, value in values.items():
        style = "dim" if origins[key] == "default" else "bold"
        table.add_row(key, json.dumps(value), origins[key], style=style)
    Console().print(table)


def _flat(section: BaseModel, prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            found += _flat(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", _plain(value)))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return _MASK
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value

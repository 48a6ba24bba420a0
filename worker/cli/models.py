"""`thinkq models`: fetch, list, verify and remove the models of the data folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from worker.cli import EXIT_FAILED
from worker.cli.options import ConfigFile, new_app
from worker.engine import hub, pins
from worker.settings import load

app = new_app("Models: fetch, list, verify, remove.")

_EMBEDDED = "embedded"

Name = Annotated[str, typer.Argument(help="A hub's name, owner/name, or `embedded`.")]
NameOrFolder = Annotated[str, typer.Argument(help="A model's name, or a directory.")]


@app.command()
def pull(
    name: Annotated[
        str | None,
        typer.Argument(help="owner/name, or `embedded`; default: the one of the settings."),
    ] = None,
    *,
    revision: Annotated[
        str | None, typer.Option("--revision", help="A branch, tag or commit.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Fetch a model and pin it; an interrupted fetch goes on where it ended."""
    settings = load(config)
    name = name or settings.model.name
    data_dir = settings.data_dir
    if _is_embedded(name):
        prepare_embedded(Console(stderr=True), data_dir)
        typer.echo(hub.model_folder(hub.EMBEDDED_NAME, data_dir))
        return
    # Late: only a fetch needs the hub's library.
    from worker.engine import fetching  # noqa: PLC0415

    with _download_bar() as bar:
        task = bar.add_task(name, total=None)

        def show(file: str, done: int, total: int) -> None:
            bar.update(task, description=file, completed=done, total=total)

        folder = fetching.pull(name, data_dir, revision=revision, progress=show)
    typer.echo(folder)


@app.command("list")
def list_models(
    config: ConfigFile = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each.")] = False,
) -> None:
    """Show which models are here, how large, from where, and which setting names them."""
    settings = load(config)
    uses = {model.name: f"models.further.{key}" for key, model in settings.models.further.items()}
    uses[settings.model.name] = "model"
    for model in hub.installed(settings.data_dir):
        use = uses.get(model.name) or (uses.get(_EMBEDDED) if _is_embedded(model.name) else None)
        if as_json:
            line = {
                "name": model.name,
                "folder": str(model.folder),
                "bytes": model.bytes,
                "origin": model.origin,
                "revision": model.revision,
                "setting": use,
            }
            typer.echo(json.dumps(line))
        else:
            origin = f"{model.origin}@{model.revision[:12]}" if model.origin else "not pinned"
            used = f"  [{use}]" if use else ""
            typer.echo(f"{model.name:<36}{model.bytes / 2**20:>8.0f} MiB  {origin}{used}")


@app.command()
def verify(
    name: NameOrFolder,
    config: ConfigFile = None,
    *,
    pin: Annotated[
        bool, typer.Option("--pin", help="Take the files as they are now for the right ones.")
    ] = False,
) -> None:
    """Read every file of a model and hold it against its pins."""
    data_dir = load(config).data_dir
    folder = hub.resolve(hub.EMBEDDED_NAME if _is_embedded(name) else name, None, data_dir)
    if pin:
        pins.write_pins(folder, origin=name, revision="pinned by its owner")
    found = pins.inspect(folder)
    if found.pins is None:
        typer.echo(f"{folder} has no pins: thinkq models verify --pin {name}", err=True)
        raise typer.Exit(EXIT_FAILED)
    typer.echo(f"{folder}: {len(found.pins.files)} files are as they were pinned.")


@app.command()
def remove(name: Name, config: ConfigFile = None) -> None:
    """Delete a model from the data folder."""
    data_dir = load(config).data_dir
    freed = hub.remove(hub.EMBEDDED_NAME if _is_embedded(name) else name, data_dir)
    typer.echo(f"{freed / 2**20:.0f} MiB freed.")


def prepare_embedded(console: Console, data_dir: Path) -> None:
    """Make the embedded model's directory if it is not there, behind a progress bar.

    Raises:
        ModelError: It could not be made; the message says why.

    """
    if hub.is_embedded_ready(data_dir):
        return
    # In a process of its own, so that this one never loads a model's library.
    command = [sys.executable, "-m", "worker.engine.prepare", str(data_dir)]
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, console=console) as bar,
        subprocess.Popen(  # noqa: S603 - the program itself
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        task = bar.add_task(f"Preparing {hub.EMBEDDED_NAME}, once", total=1.0)
        for line in process.stdout:
            bar.update(task, completed=json.loads(line)["fraction"])
        complaint = process.stderr.read().strip()
    if process.returncode != 0:
        raise pins.ModelError(complaint or f"the conversion ended with {process.returncode}")


def _is_embedded(name: str) -> bool:
    return name in {_EMBEDDED, hub.EMBEDDED_NAME}


def _download_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True),
    )

"""`thinkq journal` and `thinkq dead`: look into the journal's file, beside a daemon or without one.

Prompts and answers are shown only where a single request is named, or with `--texts`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from worker.cli import EXIT_FAILED
from worker.cli.options import ConfigFile, new_app
from worker.journal import changes, queries
from worker.journal.records import State
from worker.journal.storage import (
    FILE_NAME,
    JournalError,
    holder,
    open_beside,
    open_for_reading,
    open_for_writing,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

app = new_app("What was accepted and what was answered.")
dead_app = new_app("Requests that were given up on.")


File = Annotated[
    Path | None, typer.Option("--file", help="The journal; default: the one of the settings.")
]
Client = Annotated[str, typer.Argument(help="The client's name.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The request's id.")]


@app.command()
def stats(file: File = None, config: ConfigFile = None) -> None:
    """Count records by state and by client."""
    with _failing_clearly(), open_for_reading(_path(file, config)) as connection:
        counted = queries.stats(connection)
    for state in State:
        typer.echo(f"{state:<12}{counted.states.get(state, 0):>8}")
    typer.echo(f"{'sessions':<12}{counted.sessions:>8}")
    typer.echo(f"{'texts':<12}{counted.record_bytes:>8} bytes")
    typer.echo(f"{'file':<12}{counted.file_bytes:>8} bytes")
    if counted.oldest_at is not None:
        typer.echo(f"oldest      {_time(counted.oldest_at)}")
    for client, count in sorted(counted.clients.items()):
        typer.echo(f"client {client}: {count}")


@app.command()
def show(client: Client, request_id: Id, file: File = None, config: ConfigFile = None) -> None:
    """Print all that is known of one request, its texts included, as JSON."""
    _show(_path(file, config), client, request_id)


@app.command()
def export(
    file: File = None,
    config: ConfigFile = None,
    *,
    texts: Annotated[bool, typer.Option("--texts", help="Requests and replies too.")] = False,
) -> None:
    """Write every record as a line of JSON to standard output, oldest first."""
    with _failing_clearly(), open_for_reading(_path(file, config)) as connection:
        for summary in queries.summaries(connection):
            line = msgspec.to_builtins(summary)
            if texts and (found := queries.one(connection, summary.client, summary.id)):
                _, line["request"], line["reply"], line["history"] = found
            sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


@app.command()
def vacuum(file: File = None, config: ConfigFile = None) -> None:
    """Write the file anew, as small as it can be; the daemon must not run.

    A running daemon gives free pages back by itself.
    """
    path = _path(file, config)
    with _failing_clearly():
        if not path.is_file():
            raise JournalError(f"{path}: there is no journal")
        before = path.stat().st_size
        connection, lock = open_for_writing(path)
        try:
            connection.execute("VACUUM")
        finally:
            connection.close()
            os.close(lock)
    typer.echo(f"{path}: {before} bytes before, {path.stat().st_size} now")


@dead_app.command("list")
def list_dead(file: File = None, config: ConfigFile = None) -> None:
    """List the requests that were given up on, oldest first."""
    with _failing_clearly(), open_for_reading(_path(file, config)) as connection:
        for one in queries.summaries(connection, state=State.DEAD):
            typer.echo(f"{_time(one.updated_at)}  {one.client}  {one.id}  {one.reason}")


@dead_app.command("show")
def show_dead(client: Client, request_id: Id, file: File = None, config: ConfigFile = None) -> None:
    """Print one of them with its reason and history, its texts included, as JSON."""
    _show(_path(file, config), client, request_id, state=State.DEAD)


@dead_app.command("replay")
def replay_dead(
    client: Client, request_id: Id, file: File = None, config: ConfigFile = None
) -> None:
    """Let one of them run again, now or at the daemon's next start."""
    path = _path(file, config)
    with _failing_clearly(), open_beside(path) as connection:
        if not changes.replay(connection, client, request_id, time.time()):
            raise JournalError(f"{client} has no dead request with the id {request_id!r}")
    daemon = holder(path)
    if daemon is None:
        typer.echo("It runs at the daemon's next start.")
        return
    os.kill(daemon, signal.SIGHUP)
    typer.echo("It runs again.")


@dead_app.command("purge")
def purge_dead(
    client: Annotated[str | None, typer.Argument(help="Only this client's.")] = None,
    request_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Only this.")] = None,
    *,
    older_than: Annotated[
        float, typer.Option("--older-than", metavar="HOURS", help="Only what is older.")
    ] = 0.0,
    file: File = None,
    config: ConfigFile = None,
) -> None:
    """Delete them, with all their texts: all, a client's, or one."""
    before = time.time() - older_than * 3600
    with _failing_clearly(), open_beside(_path(file, config)) as connection:
        count = changes.purge(connection, client=client, request_id=request_id, before=before)
    typer.echo(f"{count} deleted.")


def _show(path: Path, client: str, request_id: str, state: State | None = None) -> None:
    with _failing_clearly(), open_for_reading(path) as connection:
        found = queries.one(connection, client, request_id)
        if found is None or state not in (None, found[0].state):
            kind = "record" if state is None else f"{state} request"
            raise JournalError(f"{client} has no {kind} with the id {request_id!r}")
    summary, request, reply, history = found
    body: dict[str, Any] = {
        **msgspec.to_builtins(summary),
        "history": [{"at": _time(event.at), "event": event.event} for event in history],
        "request": request,
        "reply": reply,
    }
    typer.echo(msgspec.json.format(msgspec.json.encode(body)).decode())


def _path(file: Path | None, config: Path | None) -> Path:
    if file is not None:
        return file
    from worker.settings import load  # noqa: PLC0415 - starts fast where a file is named

    return load(config).data_dir / FILE_NAME


@contextlib.contextmanager
def _failing_clearly() -> Iterator[None]:
    try:
        yield
    except JournalError as error:
        typer.echo(error, err=True)
        raise typer.Exit(EXIT_FAILED) from error


def _time(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).astimezone().isoformat(" ", "seconds")

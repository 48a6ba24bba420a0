"""`thinkq run`: reads the settings, starts an embedded broker if asked to, runs the daemon."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.options import ConfigFile, broker_settings
from worker.daemon.daemon import Daemon
from worker.engine import hub
from worker.observe import logs
from worker.settings import Settings, load
from worker.transport.embedded import EmbeddedBroker

if TYPE_CHECKING:
    from worker.transport.embedded import BoundBroker

_EMBEDDED = "embedded"


def run(
    *,
    config: ConfigFile = None,
    broker: Annotated[
        str | None,
        typer.Option("--broker", metavar="HOST[:PORT]", help="The broker, or `embedded`."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="A hub name, a directory, or `embedded`.")
    ] = None,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="The embedded broker and the embedded model.")
    ] = False,
) -> None:
    """Answer requests until SIGTERM or Ctrl-C; what runs then is finished first."""
    settings = load(config, _flags(broker, model, embedded=embedded))
    settings.check_files()
    logs.configure(
        settings.log.format,
        settings.log.level,
        file=settings.log.file,
        file_bytes=settings.log.file_bytes,
        files_kept=settings.log.files_kept,
    )
    folder = model_path(settings)
    if settings.broker.embedded == "off":
        flags = _flags(broker, model, embedded=embedded)
        asyncio.run(Daemon(settings, folder, lambda: load(config, flags)).run())
        return
    own = EmbeddedBroker()
    bound = own.start(settings.broker.embedded, settings.broker.host, settings.broker.port)
    try:
        flags = _flags(broker, model, embedded=embedded) | _address(bound)
        settings = load(config, flags)
        _say_how_to_go_on(bound)
        asyncio.run(Daemon(settings, folder, lambda: load(config, flags)).run())
    finally:
        own.stop()


def _flags(broker: str | None, model: str | None, *, embedded: bool) -> dict[str, Any]:
    flags: dict[str, Any] = {}
    if embedded:
        flags |= {"broker.embedded": "auto", "model.name": _EMBEDDED}
    if broker == _EMBEDDED:
        flags["broker.embedded"] = "auto"
    elif broker is not None:
        flags |= {"broker.embedded": "off"} | broker_settings(broker)
    if model is not None:
        flags["model.name"] = model
    return flags


def _address(bound: BoundBroker) -> dict[str, Any]:
    return {"broker.host": bound.host, "broker.port": bound.port}


def model_path(settings: Settings) -> str:
    """Return the folder of the model that the settings name; empty for the stub.

    Raises:
        ModelError: It is not on this machine.

    """
    return hub.locate(settings.model.name, settings.model.path, settings.data_dir)


def _say_how_to_go_on(bound: BoundBroker) -> None:
    if sys.stderr.isatty():
        typer.echo(
            f"{bound.kind} listens on {bound.host}:{bound.port}. In another terminal: "
            'thinkq ask "Why is the sky blue?"',
            err=True,
        )

"""The tree of commands: names, one line each, and where they are; imports them when invoked."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from worker import __version__
from worker.cli import EXIT_FAILED, EXIT_NO_BROKER, EXIT_NO_MODEL, EXIT_USAGE
from worker.cli.options import new_app

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS = {
    "demo": ("worker.cli.demo:demo", "Show the main job on this machine, from nothing."),
    "run": ("worker.cli.run:run", "Answer requests until stopped."),
    "ask": ("worker.cli.ask:ask", "Send one request and print the answer as it comes."),
    "chat": ("worker.cli.ask:chat", "Talk with the worker; it keeps the conversation."),
    "route": ("worker.cli.route:route", "Show which mode a message gets, and why."),
    "router": ("worker.cli.tuning:app", "Teach the router what this site needs, or undo it."),
    "eval": ("worker.cli.evaluate:app", "Measure the router on labelled data."),
    "models": ("worker.cli.models:app", "Fetch, list, verify and remove models."),
    "config": ("worker.cli.config:app", "Show the settings in force, or check them."),
    "doctor": ("worker.cli.doctor:doctor", "Look for what is wrong, and say what cures it."),
    "service": ("worker.cli.service:app", "Install and run thinkq as a service of the system."),
    "journal": ("worker.cli.journal:app", "Look into the journal of requests and replies."),
    "dead": ("worker.cli.journal:dead_app", "Look at requests that were given up on."),
}


class _Commands(TyperGroup):
    """Loads a command's module when it is invoked or asked for help, and not before."""

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found = getattr(importlib.import_module(module), name)
        if not isinstance(found, typer.Typer):
            alone = new_app()
            alone.command(name=cmd_name)(found)
            found = alone
        command = get_command(found)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


_app = new_app(cls=_Commands)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callbacks are called so
    if wanted:
        typer.echo(f"thinkq {__version__}")
        raise typer.Exit


@_app.callback()
def _thinkq(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of what fails.")
    ] = False,
) -> None:
    """Answer requests from MQTT with a local model that thinks only where it pays.

    Exit status: 0 done, 1 failed, 2 wrong usage or settings, 3 the broker can't be reached,
    4 the model is missing, 130 interrupted.
    """


def run_command(arguments: list[str]) -> int:
    """Parse and run; turn what is expected to go wrong into one sentence and a status."""
    try:
        get_command(_app)(arguments, prog_name="thinkq")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else EXIT_FAILED
    except Exception as error:
        status = next((status for status, kind in _expected() if isinstance(error, kind)), None)
        if status is None or "--debug" in arguments:
            raise
        typer.echo(f"thinkq: {error}", err=True)
        return status
    return 0


def _expected() -> Iterator[tuple[int, type[Exception]]]:
    """Yield the errors that have a status of their own, as far as their modules are loaded."""
    places = (
        (EXIT_USAGE, "worker.settings_sources", "SettingsError"),
        (EXIT_NO_MODEL, "worker.engine.pins", "ModelError"),
        (EXIT_NO_BROKER, "worker.client", "NotConnected"),
        (EXIT_NO_BROKER, "worker.transport.embedded", "BrokerUnavailable"),
        (EXIT_FAILED, "worker.client", "ClientError"),
        (EXIT_FAILED, "worker.journal.storage", "JournalError"),
        (EXIT_FAILED, "worker.router.site", "SiteError"),
        (EXIT_FAILED, "worker.service.steps", "StepFailed"),
    )
    for status, module, name in places:
        if module in sys.modules:
            yield status, getattr(sys.modules[module], name)

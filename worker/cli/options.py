"""What several commands share: how a group of them is made, and options that become settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

ConfigFile = Annotated[Path | None, typer.Option("--config", help="The TOML file to read.")]

HIGHEST_PORT = 65_535


def new_app(text: str | None = None, **options: Any) -> typer.Typer:
    """Return a group of commands: plain help, no completion to install, no pretty tracebacks."""
    return typer.Typer(
        help=text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        **options,
    )


def broker_settings(address: str) -> dict[str, Any]:
    """Return the settings that HOST, HOST:PORT, [IPv6] or [IPv6]:PORT stand for.

    Raises:
        typer.BadParameter: It is none of these.

    """
    if address.startswith("["):
        host, bracket, rest = address[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        well_formed = bool(bracket) and colon in {"", ":"}
    else:
        host, colon, port = address.partition(":")
        well_formed = ":" not in port
    if colon:
        well_formed &= port.isascii() and port.isdigit() and int(port) <= HIGHEST_PORT
    if not (host and well_formed):
        raise typer.BadParameter(
            f"{address!r} is not HOST or HOST:PORT (an IPv6 address stands in brackets)",
            param_hint="--broker",
        )
    return {"broker.host": host} | ({"broker.port": int(port)} if colon else {})

"""`thinkq ask` and `thinkq chat`: a person's requests, sent like any client's."""

from __future__ import annotations

import getpass
import json
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import UNSET

from worker.cli import EXIT_FAILED
from worker.cli.options import ConfigFile, broker_settings

if TYPE_CHECKING:
    from worker.client import Client

Think = Annotated[bool, typer.Option("--think", help="Reason before answering.")]
NoThink = Annotated[bool, typer.Option("--no-think", help="Answer at once.")]
Broker = Annotated[
    str | None, typer.Option("--broker", metavar="HOST[:PORT]", help="The broker to send it to.")
]
Name = Annotated[
    str | None, typer.Option("--name", help="The client's name in the topics; default: yours.")
]


def ask(
    prompt: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.")],
    *,
    think: Think = False,
    no_think: NoThink = False,
    session: Annotated[str | None, typer.Option(help="Continue this conversation.")] = None,
    json_schema: Annotated[
        Path | None, typer.Option(help="A JSON Schema file the answer must follow.")
    ] = None,
    lane: Annotated[
        str | None, typer.Option(help="interactive, standard or batch.")
    ] = "interactive",
    model: Annotated[
        str | None, typer.Option(help="Which of the worker's models; default: its lane's.")
    ] = None,
    budget: Annotated[int | None, typer.Option(help="At most so many tokens of thought.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="At most so many tokens in all.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the final reply.")] = 300.0,
    broker: Broker = None,
    config: ConfigFile = None,
    name: Name = None,
) -> None:
    """Send one request and print the answer as it comes.

    On a terminal the thoughts, the mode and the times are shown too; piped, only the answer.
    """
    fields = _fields(think=think, no_think=no_think, lane=lane)
    fields |= {"session": session, "thinking_budget": budget, "max_tokens": max_tokens}
    fields["model"] = model
    if json_schema is not None:
        schema = _schema(json_schema)
        fields["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
    text = sys.stdin.read() if prompt == "-" else prompt
    with _client(broker, config, name) as client:
        succeeded = _exchange(client, text, fields, timeout)
    if not succeeded:
        raise typer.Exit(EXIT_FAILED)


def chat(
    *,
    think: Think = False,
    no_think: NoThink = False,
    session: Annotated[str | None, typer.Option(help="Continue this conversation.")] = None,
    broker: Broker = None,
    config: ConfigFile = None,
    name: Name = None,
) -> None:
    """Talk with the worker; it keeps the conversation. An empty line or Ctrl-D ends it.

    `/think` and `/no_think` in a message switch the mode from then on.
    """
    fields = _fields(think=think, no_think=no_think, lane="interactive")
    fields["session"] = session or f"chat-{uuid.uuid4().hex[:8]}"
    with _client(broker, config, name) as client:
        while (text := _line()) != "":
            _exchange(client, text, fields, timeout_s=300.0)


def _line() -> str:
    try:
        return input("you: " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""


def _exchange(client: Client, text: str, fields: dict[str, Any], timeout_s: float) -> bool:
    from worker.cli.transcript import Transcript, plain_answer  # noqa: PLC0415 - starts fast

    given = {key: value for key, value in fields.items() if value is not None}
    events = client.stream(text, timeout_s=timeout_s, **given)
    if sys.stdout.isatty():
        return Transcript().follow(events).status == "ok"
    reply = plain_answer(events)
    if reply.error is not UNSET:
        typer.echo(f"error: {reply.error.code}: {reply.error.message}", err=True)
    return reply.status == "ok"


def _fields(*, think: bool, no_think: bool, lane: str | None) -> dict[str, Any]:
    if think and no_think:
        raise typer.BadParameter("--think and --no-think exclude each other")
    mode = "think" if think else "no_think" if no_think else None
    return {"mode": mode, "lane": lane}


def _schema(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{path}: {error}", param_hint="--json-schema") from error


def _client(broker: str | None, config: Path | None, name: str | None) -> Client:
    from worker.client import Client  # noqa: PLC0415 - starts fast
    from worker.settings import load  # noqa: PLC0415 - starts fast

    settings = load(config, overrides={} if broker is None else broker_settings(broker))
    settings.check_files()
    return Client(
        settings.broker.host,
        settings.broker.port,
        username=settings.broker.username,
        password=settings.broker_password(),
        tls=settings.tls_options(),
        root=settings.topics.root,
        name=name or settings.broker.username or getpass.getuser(),
    )

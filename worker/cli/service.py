"""`thinkq service`: thinkq as a job of launchd; elsewhere it says what it would do there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from worker.cli import EXIT_FAILED
from worker.cli.options import ConfigFile, new_app
from worker.service import macos
from worker.service.launchd import Job, Kind, property_list
from worker.service.steps import Step, do_all
from worker.settings import Settings, load_with_origins

app = new_app("Install and run thinkq as a service of the system (macOS).")

Agent = Annotated[
    bool,
    typer.Option(
        "--agent",
        help="In your own login (LaunchAgent) instead of from the system's start (LaunchDaemon).",
    ),
]

_SYSTEM_DATA = Path("/Library/Application Support/thinkq")
_SYSTEM_LOGS = Path("/Library/Logs/thinkq")
_HOME_LOGS = Path("Library/Logs/thinkq")
_LOG_NAME = "thinkq.log"
_HOMES = Path("/Users")
_LINES = "100"


@app.command()
def install(
    *,
    agent: Agent = False,
    config: ConfigFile = None,
    user: Annotated[
        str, typer.Option("--user", help="The daemon's account; made if it is missing.")
    ] = macos.USER,
    print_only: Annotated[
        bool, typer.Option("--print", help="Print the property list and change nothing.")
    ] = False,
) -> None:
    """Install the service and start it; again, to take over changed settings."""
    settings, origins = load_with_origins(config)
    kind = _kind(agent=agent)
    job = _job(kind, settings, origins, config=config, user=user)
    if print_only:
        typer.echo(property_list(job).decode(), nl=False)
        return
    if _is_mac():
        _check_readable(job)
        known = _knows(user) or kind is Kind.AGENT
        new_user = None if known else macos.free_user_id(_accounts())
    else:
        new_user = macos.USER_IDS.start if kind is Kind.DAEMON else None
    steps = macos.install(job, home=Path.home(), user_id=os.getuid(), new_user=new_user)
    _perform(steps, "systemctl enable --now thinkq, with the unit in deploy/systemd/")
    typer.echo(f"Installed and started. Its log: {_log_file(job, settings)}")


@app.command()
def uninstall(*, agent: Agent = False) -> None:
    """Stop the service and remove it; its data, logs and account stay."""
    kind = _kind(agent=agent)
    steps = macos.uninstall(kind, home=Path.home(), user_id=os.getuid())
    _perform(steps, "systemctl disable --now thinkq")
    typer.echo(f"Removed. What stays: {_data_folder(kind)}")


@app.command()
def start(*, agent: Agent = False) -> None:
    """Start the service if it does not run."""
    steps = macos.start(_kind(agent=agent), home=Path.home(), user_id=os.getuid())
    _perform(steps, "systemctl start thinkq")


@app.command()
def stop(*, agent: Agent = False) -> None:
    """Finish what runs, then stop, until it is started or the Mac is."""
    _perform(macos.stop(_kind(agent=agent), user_id=os.getuid()), "systemctl stop thinkq")


@app.command()
def status(*, agent: Agent = False) -> None:
    """Say whether the service runs; exit status 1 if it does not."""
    kind = _kind(agent=agent)
    if not _is_mac():
        _perform([], "systemctl status thinkq")
    found = macos.status(kind, user_id=os.getuid())
    if found is None:
        typer.echo(f"The {kind.value} is not loaded: thinkq service install, or start.")
        raise typer.Exit(EXIT_FAILED)
    for key, value in found.items():
        typer.echo(f"{key:<16}{value}")
    if found.get("state") != "running":
        raise typer.Exit(EXIT_FAILED)


@app.command()
def logs(
    *,
    agent: Agent = False,
    config: ConfigFile = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
) -> None:
    """Print the end of the service's log, and of what it said outside it."""
    settings, origins = load_with_origins(config)
    job = _job(_kind(agent=agent), settings, origins, config=config, user=macos.USER)
    if not _is_mac():
        _perform([], "journalctl -u thinkq")
    files = [str(job.console_file), str(_log_file(job, settings))]
    how = ["-F"] if follow else []
    done = subprocess.run(["tail", "-n", _LINES, *how, *files], check=False)  # noqa: S603, S607
    raise typer.Exit(done.returncode)


def _job(
    kind: Kind, settings: Settings, origins: dict[str, str], *, config: Path | None, user: str
) -> Job:
    """Return the job for these settings.

    A folder is only named in the job where the settings don't name it: the environment would win
    over them.
    """
    data_folder = _data_folder(kind) if origins["data_dir"] == "default" else settings.data_dir
    log_folder = _SYSTEM_LOGS if kind is Kind.DAEMON else Path.home() / _HOME_LOGS
    environment = {}
    if origins["data_dir"] == "default":
        environment["THINKQ_DATA_DIR"] = str(data_folder)
    if settings.log.file is None:
        environment["THINKQ_LOG__FILE"] = str(log_folder / _LOG_NAME)
    options = () if config is None else ("--config", str(config.expanduser().absolute()))
    return Job(
        kind=kind,
        program=(sys.executable, "-m", "worker.cli", "run", *options),
        data_folder=data_folder,
        log_folder=log_folder,
        grace_s=settings.shutdown.grace_s,
        user=user if kind is Kind.DAEMON else None,
        environment=environment,
    )


def _perform(steps: list[Step], on_linux: str) -> None:
    """Do the steps on a Mac; elsewhere show them, and end with a status that says so."""
    if _is_mac():
        do_all(steps)
        return
    if steps:
        typer.echo("On a Mac this would:")
        for step in steps:
            typer.echo(f"  {step}")
    typer.echo(f"Nothing was done: this is no Mac. Here it is: {on_linux}", err=True)
    raise typer.Exit(EXIT_FAILED)


def _check_readable(job: Job) -> None:
    """Refuse a program that a daemon's account could not read: homes are closed to others."""
    program = Path(job.program[0])
    if job.kind is Kind.DAEMON and program.is_relative_to(_HOMES):
        raise typer.BadParameter(
            f"{program} lies in a home, which {job.user} can't read: install thinkq in a place of "
            "its own (docs/guides/macos.md), or take --agent"
        )


def _accounts() -> list[str]:
    return [_listing("/Users", "UniqueID"), _listing("/Groups", "PrimaryGroupID")]


def _listing(what: str, key: str) -> str:
    command = ["dscl", ".", "-list", what, key]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603


def _knows(user: str) -> bool:
    known = subprocess.run(["id", "-u", user], capture_output=True, check=False)  # noqa: S603, S607
    return known.returncode == 0


def _log_file(job: Job, settings: Settings) -> Path:
    return settings.log.file or job.log_folder / _LOG_NAME


def _data_folder(kind: Kind) -> Path:
    if kind is Kind.DAEMON:
        return _SYSTEM_DATA
    return Path.home() / _SYSTEM_DATA.relative_to("/")


def _kind(*, agent: bool) -> Kind:
    return Kind.AGENT if agent else Kind.DAEMON


def _is_mac() -> bool:
    return sys.platform == "darwin"

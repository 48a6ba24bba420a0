"""What a Mac needs done to have, start, stop or lose the service; imports launchd and steps."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from worker.service.launchd import (
    LABEL,
    Job,
    Kind,
    domain,
    property_list,
    property_list_path,
)
from worker.service.steps import Command, File, Folder, Removal, Step

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

USER = "_thinkq"
"""Names of accounts for services begin with an underscore on macOS."""

USER_IDS = range(300, 400)
"""Where such an account may be: below 500 it does not show at login, below 300 are Apple's."""


def install(job: Job, *, home: Path, user_id: int, new_user: int | None = None) -> list[Step]:
    """Return what installs and starts a job; done again, it replaces an earlier one.

    Args:
        job: What to run.
        home: The home of whose agent it is.
        user_id: The same person's number.
        new_user: The number for the daemon's account, where there is none of its name yet.

    """
    place = property_list_path(job.kind, home)
    target = domain(job.kind, user_id)
    steps: list[Step] = []
    owner = job.user if job.kind is Kind.DAEMON else None
    if owner is not None and new_user is not None:
        steps += _account(owner, new_user)
    steps += [
        Folder(job.data_folder, 0o700, owner),
        Folder(job.log_folder, 0o750, owner),
        File(place, property_list(job), 0o644),
        # Nothing to unload the first time.
        Command(("launchctl", "bootout", f"{target}/{LABEL}"), may_fail=True),
        # A job that somebody disabled would not start, and nothing would say why.
        Command(("launchctl", "enable", f"{target}/{LABEL}")),
        # Refused as long as the earlier one drains.
        Command(("launchctl", "bootstrap", target, str(place)), patience_s=job.exit_timeout_s),
    ]
    return steps


def uninstall(kind: Kind, *, home: Path, user_id: int) -> list[Step]:
    """Return what stops and removes the job; data, logs and the account stay."""
    return [
        Command(("launchctl", "bootout", f"{domain(kind, user_id)}/{LABEL}"), may_fail=True),
        Removal(property_list_path(kind, home)),
    ]


def start(kind: Kind, *, home: Path, user_id: int) -> list[Step]:
    """Return what loads the job if it is not loaded, and starts it if it does not run."""
    target = domain(kind, user_id)
    place = str(property_list_path(kind, home))
    return [
        # Fails where it is loaded already.
        Command(("launchctl", "bootstrap", target, place), may_fail=True),
        Command(("launchctl", "kickstart", f"{target}/{LABEL}")),
    ]


def stop(kind: Kind, *, user_id: int) -> list[Step]:
    """Return what drains and stops the job until it is started, or the Mac is.

    It is unloaded: a job that is only killed would be started again, as KeepAlive asks.
    """
    return [Command(("launchctl", "bootout", f"{domain(kind, user_id)}/{LABEL}"))]


def status(kind: Kind, *, user_id: int) -> dict[str, str] | None:
    """Return what launchd knows of the job: `state`, `pid`, `last exit code`; None if not loaded.

    launchctl(1) calls this output none that programs should rely on; so what is not found is left
    out, and nothing is decided by it but what is shown.
    """
    command = ["launchctl", "print", f"{domain(kind, user_id)}/{LABEL}"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return parse_status(shown.stdout) if shown.returncode == 0 else None


def parse_status(text: str) -> dict[str, str]:
    """Return the first of each line of interest in what `launchctl print` wrote."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition(" = ")
        if equals and key in {"state", "pid", "runs", "last exit code"}:
            found.setdefault(key, value)
    return found


def free_user_id(listings: Iterable[str]) -> int:
    """Return a number that no user and no group has.

    Args:
        listings: What `dscl . -list /Users UniqueID` and its like for groups wrote.

    """
    taken = {
        int(line.split()[-1])
        for listing in listings
        for line in listing.splitlines()
        if line.split() and line.split()[-1].lstrip("-").isdigit()
    }
    return next(number for number in USER_IDS if number not in taken)


def _account(name: str, number: int) -> list[Step]:
    """Return what makes a group and a user that nobody can log in as."""
    group, user = f"/Groups/{name}", f"/Users/{name}"
    entries = (
        (group, "PrimaryGroupID", str(number)),
        (user, "UniqueID", str(number)),
        (user, "PrimaryGroupID", str(number)),
        (user, "UserShell", "/usr/bin/false"),
        (user, "NFSHomeDirectory", "/var/empty"),
        (user, "RealName", "thinkq"),
    )
    return [Command(("dscl", ".", "-create", *entry)) for entry in entries]

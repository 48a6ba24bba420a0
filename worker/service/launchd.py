"""The job that launchd runs, as a property list; starts nothing, and imports nothing of ours.

Keys and their meaning: launchd.plist(5). What is the same everywhere stands in the template.
"""

from __future__ import annotations

import math
import plistlib
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

LABEL = "org.thinkq.worker"
TEMPLATE = f"{LABEL}.plist"

AFTER_DRAIN_S = 15
"""What follows the drain: the engine's end, the last status, the journal's last commit."""


class Kind(StrEnum):
    """Where a job lives: from the start of the system, or in one user's login."""

    DAEMON = "daemon"
    AGENT = "agent"


class Job(Struct, frozen=True, kw_only=True):
    """What differs from Mac to Mac.

    `user` is a daemon's account and means nothing for an agent. `environment` holds no secrets:
    a property list can be read by everyone. `grace_s` is how long a drain may take, in seconds.
    """

    kind: Kind
    program: tuple[str, ...]
    data_folder: Path
    log_folder: Path
    grace_s: float
    user: str | None = None
    environment: dict[str, str] = {}

    @property
    def console_file(self) -> Path:
        """Where output goes that is not the log: of a start that failed, of a crash."""
        return self.log_folder / "console.log"

    @property
    def exit_timeout_s(self) -> int:
        """Seconds from SIGTERM to SIGKILL, longer than a drain takes."""
        return math.ceil(self.grace_s) + AFTER_DRAIN_S


def property_list(job: Job) -> bytes:
    """Return the job as launchd reads it."""
    content = plistlib.loads(_template().read_bytes())
    content |= {
        "Label": LABEL,
        "ProgramArguments": list(job.program),
        "WorkingDirectory": str(job.data_folder),
        "EnvironmentVariables": dict(job.environment),
        "StandardOutPath": str(job.console_file),
        "StandardErrorPath": str(job.console_file),
        "ExitTimeOut": job.exit_timeout_s,
    }
    if job.kind is Kind.DAEMON:
        content["UserName"] = job.user
    return plistlib.dumps(content, sort_keys=False)


def property_list_path(kind: Kind, home: Path) -> Path:
    """Return where launchd looks for it."""
    if kind is Kind.DAEMON:
        return Path("/Library/LaunchDaemons") / TEMPLATE
    return home / "Library" / "LaunchAgents" / TEMPLATE


def domain(kind: Kind, user_id: int) -> str:
    """Return the domain that `launchctl` wants named; `user_id` is whose login an agent is in."""
    return "system" if kind is Kind.DAEMON else f"gui/{user_id}"


def _template() -> Path:
    """Return the template: in an installed package beside this module, else in the repository."""
    installed = Path(__file__).with_name(TEMPLATE)
    return installed if installed.is_file() else Path(__file__).parents[2] / "launchd" / TEMPLATE

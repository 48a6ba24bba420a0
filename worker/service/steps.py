"""What installing changes on a machine, as values that can be shown before they are done."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from pathlib import Path

_PAUSE_S = 1.0


class StepFailed(Exception):
    """A step could not be done; the message says which one, and what the system said to it."""


class Folder(Struct, frozen=True):
    """A folder that is made if it is missing, and whose it is."""

    path: Path
    mode: int
    owner: str | None = None

    def __str__(self) -> str:
        owner = f" for {self.owner}" if self.owner else ""
        return f"make the folder {self.path} (mode {self.mode:04o}{owner})"

    def do(self) -> None:
        """Make it."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(self.mode)
        if self.owner is not None:
            shutil.chown(self.path, self.owner)


class File(Struct, frozen=True):
    """A file that is written, whole or not at all."""

    path: Path
    content: bytes
    mode: int

    def __str__(self) -> str:
        return f"write {self.path} (mode {self.mode:04o})"

    def do(self) -> None:
        """Write it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f".{self.path.name}.new")
        beside.write_bytes(self.content)
        beside.chmod(self.mode)
        beside.replace(self.path)


class Removal(Struct, frozen=True):
    """A file that is deleted if it is there."""

    path: Path

    def __str__(self) -> str:
        return f"delete {self.path}"

    def do(self) -> None:
        """Delete it."""
        self.path.unlink(missing_ok=True)


class Command(Struct, frozen=True):
    """A program of the system; `may_fail` where there may be nothing to do for it.

    One that fails is tried again for `patience_s` seconds.
    """

    arguments: tuple[str, ...]
    may_fail: bool = False
    patience_s: float = 0.0

    def __str__(self) -> str:
        return f"run {shlex.join(self.arguments)}"

    def do(self) -> None:
        """Run it.

        Raises:
            StepFailed: It failed, and may not.

        """
        deadline = time.monotonic() + self.patience_s
        while said := self._complaint():
            if time.monotonic() >= deadline:
                break
            time.sleep(_PAUSE_S)
        if said and not self.may_fail:
            raise StepFailed(f"{shlex.join(self.arguments)}: {said}")

    def _complaint(self) -> str:
        """Run it once; return what it said if it failed, or nothing."""
        done = subprocess.run(  # noqa: S603 - no shell
            self.arguments, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return ""
        return (done.stderr or done.stdout).strip() or f"status {done.returncode}"


Step: TypeAlias = Folder | File | Removal | Command


def do_all(steps: list[Step]) -> None:
    """Do them in order.

    Raises:
        StepFailed: One could not be done; those after it were not tried.

    """
    for step in steps:
        try:
            step.do()
        except (OSError, LookupError) as error:
            cure = "" if os.geteuid() == 0 else " (with sudo?)"
            raise StepFailed(f"{step}: {error}{cure}") from error

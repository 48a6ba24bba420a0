"""Secrets in files: who may own one and who may read it; knows no particular setting."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from worker.settings_sources import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MOST_BYTES = 64 * 1024
"""Longer than any password, shorter than what somebody would notice being read."""


def read_secret(setting: str, path: Path, *, credentials: str | None = None) -> str:
    """Return what a file holds, without the end of its line.

    Args:
        setting: The key that names the file, for what is said.
        path: The file.
        credentials: systemd's folder of them (`CREDENTIALS_DIRECTORY`), if there is one.

    Raises:
        SettingsError: It can't be read, holds nothing, or is not its owner's alone.

    """
    # Looked at and read by one descriptor: what was looked at is what is read.
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            _check(setting, path, os.fstat(file.fileno()), credentials)
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{setting}: {error}") from error
    if len(content) > _MOST_BYTES:
        raise SettingsError(f"{setting}: {path} is too long for a secret")
    try:
        secret = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        # Without the error itself, whose words could hold a part of it.
        raise SettingsError(f"{setting}: {path} is not UTF-8") from None
    if not secret:
        raise SettingsError(f"{setting}: {path} is empty")
    return secret


def check_private(setting: str, path: Path, *, credentials: str | None = None) -> None:
    """Refuse a file that is not its owner's alone.

    Raises:
        SettingsError: Others may read or write it, it is somebody else's, or it is not there.

    """
    try:
        found = path.stat()
    except OSError as error:
        raise SettingsError(f"{setting}: {error}") from error
    _check(setting, path, found, credentials)


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe too, that nobody has opened at its other end."""
    return os.open(path, flags | os.O_NONBLOCK)


def _check(setting: str, path: Path, found: os.stat_result, credentials: str | None) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SettingsError(f"{setting}: {path} is no ordinary file")
    if found.st_uid not in {0, os.geteuid()}:
        raise SettingsError(
            f"{setting}: {path} belongs to user {found.st_uid}, not to the worker's "
            f"(user {os.geteuid()}) or root: chown it"
        )
    shared = found.st_mode & _OTHERS
    if credentials is not None and found.st_uid == 0 and path.is_relative_to(credentials):
        # systemd gives the service's user its right by an ACL, whose mask stands where a mode
        # has its group: 0440 there means nobody else.
        shared &= ~stat.S_IRGRP
    if shared:
        raise SettingsError(
            f"{setting}: others may read {path} (mode {stat.S_IMODE(found.st_mode):04o}, "
            f"expected 0600): chmod 600 {path}"
        )

"""What a check found, as a value; imports nothing of ours."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """How bad it is: `warning` works but badly, with `problem` thinkq can't do its work."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(Struct, frozen=True):
    """One thing that was looked at; `cure` says what to do, and is empty where nothing is."""

    check: str
    level: Level
    said: str
    cure: str = ""


def ok(check: str, said: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Level.OK, said)


def warning(check: str, said: str, cure: str) -> Finding:
    """Return that it works, but badly."""
    return Finding(check, Level.WARNING, said, cure)


def problem(check: str, said: str, cure: str = "") -> Finding:
    """Return that thinkq can't do its work like this."""
    return Finding(check, Level.PROBLEM, said, cure)

"""Files of JSON lines, read whole and checked; knows nothing of what the lines mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

T = TypeVar("T")


class LinesError(Exception):
    """A file of JSON lines can't be used; the message names the line and what is wrong with it."""


def read(path: Path, kind: type[T]) -> list[T]:
    """Return what the lines of a file say; blank ones are passed over.

    Raises:
        LinesError: The file can't be read, is empty, or a line is not of this kind.

    """
    decoder = msgspec.json.Decoder(kind)
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise LinesError(str(error)) from error
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise LinesError(f"{path}, line {number}: {error}") from error
    if not found:
        raise LinesError(f"{path}: there is no line in it")
    return found


def write(path: Path, items: Iterable[object]) -> None:
    """Write one JSON object a line."""
    path.write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in items))

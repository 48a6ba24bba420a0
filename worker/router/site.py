"""What a site has taught the router: a small correction of the log odds, kept in one file.

It lies on top of the trained model and can be taken away again. The file has words of the site's
questions in it, so it is readable by its owner alone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet
    from pathlib import Path

FILE_NAME = "router-site.json"
"""In the data folder."""

KEPT = 10
"""Layers in the file; the last is in force, the others can be gone back to."""


class SiteError(Exception):
    """The file can't be read or written; the message says why."""


class Site(Struct, frozen=True):
    """One layer: `bias` and `weights` by mark are added to the calibrated log odds.

    `examples` is how many it was made of, `made_at` Unix time in seconds. `own` are the weighed
    marks that an operator's own files have as well, whatever clients have said or forgotten.
    """

    bias: float = 0.0
    weights: dict[str, float] = {}
    examples: int = 0
    made_at: float = 0.0
    own: tuple[str, ...] = ()

    def correction(self, marks: Iterable[str]) -> float:
        """Return what is added for a message of these marks."""
        weights = self.weights
        return self.bias + sum([weights[mark] for mark in weights.keys() & marks])


def layers(folder: Path) -> list[Site]:
    """Return all layers of a data folder, the one in force last; none is no error.

    Raises:
        SiteError: The file is there and can't be read.

    """
    path = folder / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Site])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError) as error:
        raise SiteError(f"{path}: {error}") from error


def in_force(folder: Path) -> Site | None:
    """Return the layer that counts, None where nothing was tuned.

    Raises:
        SiteError: The file is there and can't be read.

    """
    found = layers(folder)
    return found[-1] if found else None


def put(folder: Path, site: Site) -> None:
    """Put a layer in force.

    Raises:
        SiteError: The file can't be read or written.

    """
    _write(folder, [*layers(folder), site][-KEPT:])


def undo(folder: Path) -> Site | None:
    """Take the last layer away; return it, or None where there was none.

    Raises:
        SiteError: The file can't be read or written.

    """
    found = layers(folder)
    if not found:
        return None
    _write(folder, found[:-1])
    return found[-1]


def keep_only(folder: Path, said: AbstractSet[str]) -> int:
    """Drop from all layers what no example has any more; return how many weights went.

    Args:
        folder: The data folder.
        said: The marks of all examples that are left.

    Raises:
        SiteError: The file can't be read or written.

    """
    found = layers(folder)
    kept = [_without_forgotten(layer, said) for layer in found]
    dropped = sum(len(layer.weights) for layer in found) - sum(len(one.weights) for one in kept)
    if dropped:
        _write(folder, kept)
    return dropped


def _without_forgotten(layer: Site, said: AbstractSet[str]) -> Site:
    left = said | set(layer.own)
    weights = {mark: weight for mark, weight in layer.weights.items() if mark in left}
    return replace(layer, weights=weights)


def _write(folder: Path, found: list[Site]) -> None:
    path = folder / FILE_NAME
    partial = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    try:
        with open(partial, "wb", opener=_private) as file:
            file.write(msgspec.json.format(msgspec.json.encode(found), indent=1))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise SiteError(f"{path}: {error}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

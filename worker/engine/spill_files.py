"""Where engines put the KV caches of parked rows, and taking away what dead ones have left there.

Imports no mlx: the daemon takes away too, as the engine that would may not be started for long.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path


def folder_of(folder: Path, process_id: int) -> Path:
    """Return where one engine has its own."""
    return folder / str(process_id)


def remove_left_behind(folder: Path, alive: Container[int] = ()) -> int:
    """Delete what engines that are gone have left.

    Args:
        folder: Holds a folder for each engine; it need not exist.
        alive: The process ids of those that are not gone.

    Returns:
        How many engines had left something.

    Raises:
        OSError: It can't be read or deleted.

    """
    if not folder.is_dir():
        return 0
    left = [
        path for path in folder.iterdir() if path.name.isdigit() and int(path.name) not in alive
    ]
    for path in left:
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            # Its engine was still leaving, and took it along.
            continue
    return len(left)

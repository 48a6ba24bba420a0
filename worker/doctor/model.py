"""Checks of the model: is it here, is it what was pinned, does it fit; imports no mlx."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from worker.doctor.finding import Finding, ok, problem, warning
from worker.engine import hub, pins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STUB = "stub"
EMBEDDED = frozenset({"embedded", hub.EMBEDDED_NAME})

ROOM_FOR_THE_REST = 0.7
"""The share of memory that weights may take: the rest is the KV cache's and everyone else's."""


def model(name: str, path: Path | None, data_dir: Path) -> Iterator[Finding]:
    """Check the model that the settings name; every file of it is read."""
    if path is None and name == STUB:
        yield warning("model", "the stub, which repeats what it is told", "set model.name")
        return
    if path is None and name in EMBEDDED:
        if not hub.is_embedded_ready(data_dir):
            yield ok("model", "the embedded one, converted at the first start")
            return
        name = hub.EMBEDDED_NAME
    try:
        folder = hub.resolve(name, path, data_dir)
        found = pins.inspect(folder)
    except pins.ModelError as error:
        yield problem("model", str(error))
        return
    size = pins.size(folder)
    said = f"{folder}, {size / 2**20:.0f} MiB"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory * ROOM_FOR_THE_REST:
        yield warning(
            "model", f"{said}, of {memory / 2**30:.0f} GiB of memory", "take a smaller one"
        )
    elif found.pins is None:
        yield warning(
            "model",
            f"{said}, not pinned",
            f"if it is the right one: thinkq models verify --pin {folder}",
        )
    else:
        yield ok("model", f"{said}, as it was pinned")

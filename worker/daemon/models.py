"""The models of the settings: which there are, where each is, what it may take; loads none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from worker.daemon import remembered
from worker.daemon.engines import Engines, Patience, Source
from worker.daemon.parking import Parking
from worker.daemon.parts import cache_folder, engine_options, folder_name
from worker.daemon.serving import Serving
from worker.domain.catalogue import DEFAULT, Catalogue
from worker.domain.messages import Lane
from worker.engine import hub
from worker.engine.pipe import EngineOptions, Stored, is_stub
from worker.engine.pressure import total_bytes
from worker.scheduler.lanes import Lanes
from worker.scheduler.speeds import Speeds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from worker.daemon.engines import Place
    from worker.scheduler.lanes import Sessions
    from worker.settings import Settings
    from worker.settings_sections import FurtherModel

_FURTHER_SHARE = 3
"""The part of the limit that is the further models' where nobody says."""


def catalogue(settings: Settings) -> Catalogue:
    """Return which models there are, and which serves what."""
    further = {name: model.name for name, model in settings.models.further.items()}
    return Catalogue(
        names={DEFAULT: settings.model.name, **further},
        lanes={Lane(lane): name for lane, name in settings.models.lanes.items()},
    )


def rows_of(settings: Settings, name: str) -> int:
    """Return how many requests a model runs at once."""
    further = settings.models.further.get(name)
    return (further and further.max_rows) or settings.engine.max_rows


def source_of(settings: Settings, name: str, default_path: str) -> Source:
    """Return where a model comes from.

    Args:
        settings: All of them.
        name: One of the catalogue.
        default_path: The default model's folder, which has been found already.

    """
    further = settings.models.further.get(name)
    if further is None:
        return Source(options=lambda: _default_options(settings, default_path), pinned=True)
    return Source(
        options=lambda: _options(settings, name, further),
        bytes=lambda: _bytes(settings, further),
        pinned=further.pinned,
    )


def serve(
    settings: Settings, default_path: str, works: Mapping[str, Any], on_change: Callable[[], None]
) -> tuple[Engines, list[Serving]]:
    """Return the models at work, the default one first, and what brings them into memory.

    Args:
        settings: All of them.
        default_path: The default model's folder, which has been found already.
        works: What all servings share.
        on_change: Called when a model has come or gone.

    """
    engines = Engines(
        limit_bytes=_further_bytes(settings),
        patience=Patience(
            start_s=settings.engine.start_timeout_s,
            step_s=settings.engine.step_timeout_s,
            retry_s=settings.engine.restart_backoff_max_s,
            idle_s=settings.models.idle_s,
            turn_s=settings.models.turn_s,
        ),
        clock=works["clock"],
        on_change=on_change,
    )
    known = remembered.read(settings.data_dir)
    sessions: Sessions = {}
    servings = []
    for name in catalogue(settings).names:
        serving = Serving(
            name,
            **works,
            speeds=Speeds(known.get(name)),
            lanes=Lanes(sessions),
            rows=rows_of(settings, name),
            parking=Parking(settings.engine.max_parked),
        )
        engines.add(serving, source_of(settings, name, default_path))
        servings.append(serving)
    return engines, servings


def card(place: Place, catalogue: Catalogue) -> dict[str, Any]:
    """Return what the card says of a model."""
    name, model = place.serving.name, place.serving.model
    lanes = [str(lane) for lane in Lane if catalogue.lanes.get(lane, DEFAULT) == name]
    return {
        "name": name,
        "model": catalogue.names[name],
        "state": place.residency,
        "pinned": place.source.pinned,
        "lanes": lanes,
        "context_tokens": None if model is None else model.context_tokens,
    }


def metrics(place: Place) -> dict[str, Any]:
    """Return what the metrics say of a model."""
    serving, speeds = place.serving, place.serving.speeds
    return {
        "state": place.residency,
        "waiting": len(serving.lanes),
        "running": serving.running,
        "rows": serving.rows,
        "loads": place.loads,
        "load_s": rounded(speeds.load_s),
        "memory_bytes": place.granted_bytes,
        "prefill_tokens_per_s": rounded(speeds.prefill_tokens_per_s),
        "row_tokens_per_s": rounded(speeds.row_tokens_per_s),
    }


def stored(places: Sequence[Place]) -> Stored:
    """Return what the caches of all models take together, and the first trouble there is."""
    each = [place.serving.stored for place in places]
    return Stored(
        memory_bytes=sum(one.memory_bytes for one in each),
        pinned_bytes=sum(one.pinned_bytes for one in each),
        disk_bytes=sum(one.disk_bytes for one in each),
        disk_trouble=next((one.disk_trouble for one in each if one.disk_trouble), ""),
        read_ahead_tokens=sum(one.read_ahead_tokens for one in each),
    )


def rounded(value: float | None) -> float | None:
    """Return a figure as it is published."""
    return None if value is None else round(value, 1)


def _default_options(settings: Settings, folder: str) -> EngineOptions:
    options = engine_options(settings, folder)
    if not settings.models.further:
        return options
    return replace(options, memory_bytes=_all_bytes(settings) - _further_bytes(settings))


def _options(settings: Settings, name: str, further: FurtherModel) -> EngineOptions:
    # By the name it has here too: two may differ in no more than how they are set up.
    folder = cache_folder(settings) / folder_name(f"{further.name} {name}")
    return replace(
        engine_options(settings, _locate(settings, further)),
        model_name=further.name,
        cache_folder=str(folder),
        rows=further.max_rows or settings.engine.max_rows,
        memory_bytes=_bytes(settings, further),
        yarn_factor=further.yarn_factor,
        long_kv_bits=further.long_kv_bits,
        context_tokens=further.context_tokens,
    )


def _locate(settings: Settings, further: FurtherModel) -> str:
    return hub.locate(further.name, further.path, settings.data_dir)


def _bytes(settings: Settings, further: FurtherModel) -> int:
    if further.memory_bytes is not None:
        return further.memory_bytes
    if is_stub(further.name):
        return settings.models.room_bytes
    weights = hub.weights_bytes(Path(_locate(settings, further)))
    return weights + settings.models.room_bytes


def _all_bytes(settings: Settings) -> int:
    return settings.engine.memory_bytes or total_bytes() // 2


def _further_bytes(settings: Settings) -> int:
    return settings.models.memory_bytes or _all_bytes(settings) // _FURTHER_SHARE

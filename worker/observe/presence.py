"""What the worker says of itself on its retained topics: status, card, metrics; values only."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING, Any, Literal

from worker import __version__
from worker.domain.messages import SCHEMA_VERSION, Encoding, Lane, Mode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.domain.model import Memory, ModelInfo
    from worker.domain.policy import Limits

Presence = Literal["online", "draining", "offline"]


def status(
    presence: Presence, *, worker: str, incarnation: int, why: str, model: str | None
) -> dict[str, Any]:
    """Return the body of the status topic.

    `incarnation` pairs a birth with its will, so that a will of an earlier life that arrives late
    can be told from a present one (as bdSeq in Sparkplug B, chapter 5). `model` is None while
    none is loaded: requests are accepted then too, and wait.
    """
    return {
        "status": presence,
        "worker": worker,
        "incarnation": incarnation,
        "why": why,
        "model": model,
    }


def card(
    *,
    worker: str,
    model: ModelInfo | None,
    limits: Limits,
    rows: int,
    speeds: Mapping[str, float | None],
    cache: Mapping[str, int],
    models: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the body of the card: what this worker is and can do."""
    return {
        "worker": worker,
        "version": __version__,
        "schema_version": SCHEMA_VERSION,
        "model": None if model is None else _model(model),
        "models": list(models),
        "modes": ["auto", *Mode],
        "lanes": list(Lane),
        "encodings": list(Encoding),
        "limits": {
            "payload_bytes": limits.payload_bytes,
            "metadata_bytes": limits.metadata_bytes,
            "depth": limits.depth,
            "rows": rows,
        },
        "speeds": dict(speeds),
        "cache": dict(cache),
    }


def metrics(
    *,
    queue: Mapping[Lane, int],
    running: int,
    rows: int,
    parked: int,
    parked_in_all: int,
    accepted: int,
    refused: int,
    answered: Mapping[Mode, int],
    escalated: int,
    tokens: int,
    speeds: Mapping[str, float | None],
    memory: Memory | None,
    engine_starts: int,
    cache: Mapping[str, int],
    models: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the body of the metrics topic."""
    return {
        "queue": {str(lane): depth for lane, depth in queue.items()},
        "running": running,
        "rows": rows,
        "parked": parked,
        "parked_in_all": parked_in_all,
        "accepted": accepted,
        "refused": refused,
        "answered": {str(mode): count for mode, count in answered.items()},
        "escalated": escalated,
        "tokens": tokens,
        "speeds": dict(speeds),
        "memory": None if memory is None else _memory(memory),
        "engine_starts": engine_starts,
        "cache": dict(cache),
        "models": dict(models),
        "daemon_memory_bytes": _peak_memory_bytes(),
    }


def _memory(memory: Memory) -> dict[str, Any]:
    return {
        "limit_bytes": memory.limit,
        "weights_bytes": memory.fixed,
        "live_kv_bytes": memory.live,
        "parked_bytes": memory.parked,
        "spilled_bytes": memory.spilled,
        "store_bytes": memory.store,
        "headroom_bytes": memory.headroom,
        "rows_parked": memory.rows_parked,
        "rows_resumed": memory.rows_resumed,
        "rows_spilled": memory.rows_spilled,
        "wasted_tokens": memory.wasted_tokens,
    }


def _model(model: ModelInfo) -> dict[str, Any]:
    return {
        "name": model.name,
        "thinking": model.thinking,
        "context_tokens": model.context_tokens,
        "native_context_tokens": model.native_context_tokens,
        "long_kv_bits": model.long_kv_bits,
        "memory_bytes": model.memory_bytes,
        "parameters": model.parameters,
        "weights_bytes": model.weights_bytes,
        "quantization": model.quantization,
        "fingerprint": model.fingerprint,
    }


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kilobytes, macOS bytes (getrusage(2) of each).
    return peak if sys.platform == "darwin" else peak * 1024

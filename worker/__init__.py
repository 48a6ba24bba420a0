"""thinkq: a private reasoning worker over MQTT. The public names are loaded when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worker.client import Client
    from worker.domain.messages import Reply, Request

__all__ = ["Client", "Reply", "Request", "__version__"]

__version__ = "0.1.0"

_HOMES = {
    "Client": "worker.client",
    "Reply": "worker.domain.messages",
    "Request": "worker.domain.messages",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415 - `import worker` stays free of what is not used

    return getattr(importlib.import_module(_HOMES[name]), name)

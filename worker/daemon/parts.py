"""From the settings to what the parts are built with; reads the router's file, no other."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import msgspec
import structlog

from worker.daemon.fleet import Group
from worker.domain.access import Rules
from worker.domain.tools import ToolRules
from worker.engine.pipe import EngineOptions
from worker.router import site
from worker.router.judge import load_router
from worker.router.policy import Presets
from worker.scheduler.fleet import Fleet
from worker.transport.options import BrokerOptions

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path

    from worker.router.judge import Router
    from worker.settings import Settings
    from worker.transport.packets import Outgoing
    from worker.transport.topics import Topics

_log = structlog.get_logger(__name__)


def broker_options(settings: Settings) -> BrokerOptions:
    """Return how the broker is reached."""
    broker = settings.broker
    return BrokerOptions(
        host=broker.host,
        port=broker.port,
        protocol=broker.protocol,
        client_id=broker.client_id or _client_id(settings),
        username=broker.username,
        password=settings.broker_password(),
        ask_password=settings.broker_password,
        keepalive_s=broker.keepalive_s,
        session_expiry_s=broker.session_expiry_s,
        receive_maximum=broker.receive_maximum,
        tls=settings.tls_options(),
    )


def _client_id(settings: Settings) -> str:
    # The root is in it, as two workers under two roots are two clients: with one id for both,
    # each would throw the other off the broker.
    return f"{settings.topics.root}-{settings.worker.id}".replace("/", "-")


def router(settings: Settings) -> Router:
    """Return the router, with what this site has taught it."""
    try:
        layer = site.in_force(settings.data_dir)
    except site.SiteError as error:
        # Without it the router is as it ships, which is better than no answers.
        _log.error("router_untuned", why=str(error))
        layer = None
    if layer is not None:
        _log.info("router_tuned", examples=layer.examples)
    return load_router(site=layer)


def rules(settings: Settings) -> Rules:
    """Return who may do what."""
    return msgspec.convert(settings.access.model_dump(), Rules)


def tool_rules(settings: Settings) -> ToolRules:
    """Return what tools may be called with."""
    found = {name: rule.model_dump() for name, rule in settings.access.tools.items()}
    return msgspec.convert({"rules": found}, ToolRules)


def presets(settings: Settings) -> Presets:
    """Return what being wrong costs whom."""
    thinking = settings.thinking
    found = {
        "general": thinking.preset,
        "by_lane": thinking.lane_presets,
        "by_client": thinking.client_presets,
    }
    return msgspec.convert(found, Presets)


def engine_options(settings: Settings, model_path: str) -> EngineOptions:
    """Return what the engine of these settings is started with."""
    return EngineOptions(
        model_name=settings.model.name,
        model_path=model_path,
        rows=settings.engine.max_rows,
        prefill_tokens_busy=settings.engine.prefill_tokens_busy,
        prefill_tokens_idle=settings.engine.prefill_tokens_idle,
        cache_bytes=settings.engine.cache_bytes,
        cache_folder=str(cache_folder(settings) / folder_name(settings.model.name)),
        cache_disk_bytes=settings.engine.cache_disk_bytes,
        cache_keep_s=settings.journal.session_retention_s,
        threads=settings.engine.threads,
        yarn_factor=settings.model.yarn_factor,
        long_kv_bits=settings.model.long_kv_bits,
        memory_bytes=settings.engine.memory_bytes,
        spill_dir=str(spill_folder(settings)),
        wire_memory=settings.engine.wire_memory,
        context_tokens=settings.model.context_tokens,
    )


def cache_folder(settings: Settings) -> Path:
    """Return where KV caches are, in a folder for each model."""
    return settings.data_dir / "caches"


def spill_folder(settings: Settings) -> Path:
    """Return where the KV caches of parked rows are while memory is short, one a process."""
    return settings.data_dir / "spill"


def folder_name(model_name: str) -> str:
    """Return the name of a model's folder there."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", model_name)


def group(
    settings: Settings,
    topics: Topics,
    publish: Callable[[Outgoing], asyncio.Future[None]],
) -> Group | None:
    """Return this worker's side of its group, None where it works alone or the broker is too old.

    A claim is a retained message that expires, which MQTT 3.1.1 does not know.
    """
    if settings.topics.group is None or settings.broker.protocol != "5":
        return None
    fleet = Fleet(
        settings.worker.id,
        away_s=settings.topics.takeover_s,
        claim_ahead=settings.topics.claim_ahead,
    )
    return Group(
        fleet,
        topics=topics,
        publish=publish,
        clock=time.monotonic,
        claim_s=settings.journal.retention_s,
    )

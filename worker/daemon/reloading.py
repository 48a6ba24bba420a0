"""What is taken over while the daemon runs: the operator's rules, what the router has learned.

Begins and ends no job. Sections of the settings that are not named here need a restart.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from worker.daemon.parts import presets, router, rules, tool_rules
from worker.daemon.unlearning import unlearn
from worker.domain.errors import EngineFailed
from worker.journal.store import JournalError
from worker.router.site import SiteError
from worker.settings_sources import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.daemon.access import Access
    from worker.daemon.choice import Choice
    from worker.daemon.delivery import Delivery
    from worker.settings import Settings

_RELOADED = ("thinking", "access")
"""Sections that are taken over."""

_log = structlog.get_logger(__name__)


class Reloading:
    """What can change.

    Args:
        settings: As of the start.
        read: Reads them again.
        choice: Chooses by the router and the operator's defaults.
        delivery: Keeps thoughts back, or does not.
        access: Keeps who may do what.

    """

    def __init__(
        self,
        settings: Settings,
        read: Callable[[], Settings],
        *,
        choice: Choice,
        delivery: Delivery,
        access: Access,
    ) -> None:
        self._settings = settings
        self._read = read
        self._choice = choice
        self._delivery = delivery
        self._access = access

    def reload(self) -> None:
        """Take over what has changed in the settings, and what commands have taught the router."""
        self._read_again()
        self._choose_anew()
        self._choice.tool_rules = tool_rules(self._settings)
        self._delivery.show_reasoning = self._settings.thinking.publish_reasoning
        self._access.use(rules(self._settings))

    async def unlearn(self) -> None:
        """Take from the router what only those who were forgotten have taught it.

        Raises:
            EngineFailed: It could not be deleted.

        """
        try:
            dropped = await asyncio.to_thread(unlearn, self._settings.data_dir)
        except (JournalError, SiteError) as error:
            _log.error("router_not_unlearned", why=str(error))
            raise EngineFailed("what the router has learned could not be deleted") from error
        if dropped:
            _log.info("router_unlearned", weights=dropped)
            self._choose_anew()

    def _choose_anew(self) -> None:
        thinking = self._settings.thinking
        self._choice.use(
            router(self._settings),
            presets(self._settings),
            default_mode=thinking.default_mode,
            budget_tokens=thinking.budget_tokens,
        )

    def _read_again(self) -> None:
        try:
            settings = self._read()
        except SettingsError as error:
            _log.error("settings_kept", why=str(error))
            return
        restart = [
            name
            for name in type(settings).model_fields
            if name not in _RELOADED and getattr(settings, name) != getattr(self._settings, name)
        ]
        _log.info("settings_read_again", need_a_restart=restart)
        changed = {name: getattr(settings, name) for name in _RELOADED}
        self._settings = self._settings.model_copy(update=changed)

"""Who may do what: names allowed and denied, operators, each client's quota; pure, no clock.

A client is who its topic says it is, which the broker's ACL sees to; nothing here looks at a
payload for that.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from worker.domain.errors import Forbidden
from worker.domain.messages import Lane  # noqa: TC001 - msgspec reads it at run time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.domain.messages import Request


class Quota(Struct, frozen=True, kw_only=True):
    """What one client may have; None is no limit.

    `thinking_tokens` caps each thought, 0 forbids them. `tools` are patterns of the functions that
    may be declared, `models` of the models that may be used, `lanes` those that may be asked for.
    """

    requests_per_minute: int | None = None
    tokens_per_day: int | None = None
    context_tokens: int | None = None
    thinking_tokens: int | None = None
    lanes: tuple[Lane, ...] | None = None
    tools: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None


UNLIMITED = Quota()


class Rules(Struct, frozen=True, kw_only=True):
    """The operator's rules; names are patterns with `*`.

    `allow` empty lets everybody in who is not denied. The quota of a client is the one under its
    own name, else that of the longest pattern that fits.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    quotas: dict[str, Quota] = {}

    def admits(self, client: str) -> bool:
        """Tell whether a client may use the worker at all."""
        return not _fits(client, self.deny) and (not self.allow or _fits(client, self.allow))

    def is_operator(self, client: str) -> bool:
        """Tell whether a client may act on others' requests; it has no quota."""
        return _fits(client, self.operators)

    def quota_of(self, client: str) -> Quota:
        """Return what a client may have."""
        if self.is_operator(client):
            return UNLIMITED
        found = self.quotas.get(client)
        if found is not None:
            return found
        fitting = [pattern for pattern in self.quotas if fnmatchcase(client, pattern)]
        return self.quotas[max(fitting, key=len)] if fitting else UNLIMITED

    def check(self, request: Request) -> None:
        """Do nothing if the request asks for nothing it may not have.

        Raises:
            Forbidden: It does; the error names the field.

        """
        client = request.client
        if not self.admits(client):
            raise Forbidden(f"this worker does not answer {client}")
        quota = self.quota_of(client)
        if quota.lanes is not None and request.lane not in quota.lanes:
            allowed = ", ".join(quota.lanes) or "none"
            raise Forbidden(f"lane: {client} may use {allowed}, not {request.lane}", field="lane")
        if quota.thinking_tokens == 0 and request.mode == "think":
            raise Forbidden(f"mode: {client} may not have requests thought about", field="mode")
        for index, tool in enumerate(request.tools):
            name = _name_of(tool)
            if quota.tools is not None and not _fits(name, quota.tools):
                raise Forbidden(
                    f"tools[{index}]: {client} may not use {name}", field=f"tools[{index}]"
                )


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _name_of(tool: dict[str, object]) -> str:
    function = tool.get("function")
    return str(function.get("name")) if isinstance(function, dict) else ""

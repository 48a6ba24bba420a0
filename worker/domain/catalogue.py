"""Which of the worker's models answers a request: the client's wish, its lane's, the default."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from worker.domain.errors import BadRequest, Forbidden
from worker.domain.messages import Lane  # noqa: TC001 - msgspec reads it at run time

if TYPE_CHECKING:
    from worker.domain.access import Quota
    from worker.domain.messages import Request

DEFAULT = "default"
"""What the model of the settings' `[model]` is called."""


class Catalogue(Struct, frozen=True, kw_only=True):
    """The models by name.

    `names` holds them in the operator's order, the default first, each with what it is called
    where it comes from: a request may use either. `lanes` says which of them serves a lane whose
    requests ask for none; the others are the default's.
    """

    names: dict[str, str]
    lanes: dict[Lane, str] = {}

    def of_request(self, request: Request, quota: Quota) -> str:
        """Return the name of the model that answers a request.

        Without a wish it is the lane's, or else the first in the catalogue that the client may use.

        Raises:
            BadRequest: There is no such model.
            Forbidden: Its client may not use it, or none at all.

        """
        allowed = [name for name in self.names if self._allows(quota, name)]
        if request.model is not None:
            return self._wanted(request.model, allowed, request.client)
        usual = self.lanes.get(request.lane, DEFAULT)
        if usual in allowed:
            return usual
        if not allowed:
            raise Forbidden(f"model: {request.client} may use none", field="model")
        return allowed[0]

    def _wanted(self, wanted: str, allowed: list[str], client: str) -> str:
        name = next((name for name, known in self.names.items() if wanted in (name, known)), None)
        if name in allowed:
            return name
        shown = ", ".join(allowed) or "none"
        if name is None:
            raise BadRequest(f"model: expected one of {shown}, got {wanted!r}", field="model")
        raise Forbidden(f"model: {client} may use {shown}, not {wanted}", field="model")

    def _allows(self, quota: Quota, name: str) -> bool:
        return quota.models is None or any(
            fnmatchcase(called, pattern)
            for pattern in quota.models
            for called in (name, self.names[name])
        )

"""Control messages: cancel, feedback, forget, prewarm, resume, status; bytes are `envelope`'s."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.domain.errors import BadRequest
from worker.domain.messages import Control, Kind
from worker.domain.policy import Limits, check_name
from worker.transport.envelope import read_body, route_of
from worker.transport.fields import convert
from worker.transport.requests import beginning_of_request
from worker.transport.schema import ControlFields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.domain.messages import ReplyRoute, Request
    from worker.transport.packets import Incoming
    from worker.transport.topics import Topics


def decode_control(
    incoming: Incoming,
    *,
    topics: Topics,
    limits: Limits,
    reply_allow: Sequence[str],
) -> Control:
    """Return the control message a packet holds.

    The request meant is the one of `id`, of `correlation` (its Correlation Data as text), or of
    the message's own Correlation Data.

    Raises:
        ThinkqError: The child that says what the message lacks of the contract.

    """
    body = read_body(incoming, limits)
    client = topics.parse_control(incoming.topic)
    route = route_of(incoming, body, client, topics, reply_allow)
    if isinstance(body.content, str):
        raise BadRequest("payload: expected an object with op, got text")
    fields = convert(body.content, ControlFields)
    if fields.of is not None:
        check_name(fields.of, "of")
    if fields.session is not None:
        check_name(fields.session, "session")
    return Control(
        op=fields.op,
        client=client,
        reply_to=route,
        id=fields.id,
        key=_key(fields, incoming.correlation_data),
        session=fields.session,
        from_seq=_from_seq(fields),
        verdict=fields.verdict,
        of=fields.of,
        about=_about(incoming, fields, client, route),
    )


def _about(
    incoming: Incoming, fields: ControlFields, client: str, route: ReplyRoute
) -> Request | None:
    """Return what a prewarm says of a request that will come."""
    given = {name: getattr(fields, name) for name in ("prompt", "messages", "tools", "context")}
    if fields.op != "prewarm":
        for name, value in given.items():
            if value is not None:
                raise BadRequest(f"{name}: expected with op prewarm only", field=name)
        return None
    return beginning_of_request(fields, client, route, incoming.arrived_at)


def _key(fields: ControlFields, correlation_data: bytes | None) -> bytes | None:
    if fields.id is not None:
        return check_name(fields.id, "id").encode()
    if fields.correlation is not None:
        return fields.correlation.encode()
    return correlation_data


def _from_seq(fields: ControlFields) -> dict[str, int]:
    """Return the first sequence number wanted of each kind; `seq` stands for all of them."""
    if fields.from_seq is not None:
        return {str(kind): seq for kind, seq in fields.from_seq.items()}
    return {} if fields.seq is None else dict.fromkeys((kind.value for kind in Kind), fields.seq)

"""The journal's values: the states of a record, what its questions are answered with, its codec.

Imports only the domain. On disk a Request, a Reply and a ReplyRoute are MessagePack, by msgspec.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

import msgspec
from msgspec import UNSET, Struct

from worker.domain.errors import BadRequest
from worker.domain.messages import (
    Kind,
    Message,
    Mode,
    Progress,
    Reply,
    ReplyRoute,
    Request,
    Route,
    ToolCall,
)

StreamLengths: TypeAlias = Mapping[Kind, Sequence[int]]
"""How many characters each part of a stream had, for each kind of text."""


class State(StrEnum):
    """How far a request has come."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    ANSWERED = "answered"
    DELIVERED = "delivered"
    DEAD = "dead"


class New(Struct, frozen=True):
    """The request was not known: it is on disk now, and is to be run."""


class Joined(Struct, frozen=True):
    """The same request waits or runs already; its reply will go to this one's route too."""

    state: State


class Answered(Struct, frozen=True):
    """The same request has its final reply, which is to be sent again."""

    reply: Reply
    routes: tuple[ReplyRoute, ...]


class Dead(Struct, frozen=True):
    """The same request was given up on; `reply` is what its client was told, if anything."""

    reason: str
    reply: Reply | None
    routes: tuple[ReplyRoute, ...]


Admission: TypeAlias = New | Joined | Answered | Dead


class Begun(Struct, frozen=True, omit_defaults=True):
    """How a request is being answered: what of it must not change if it is gone on with.

    `model` is the fingerprint of the one whose tokens follow, `remember` the mode that its session
    will remember.
    """

    model: str
    mode: Mode
    route: Route
    remember: Mode | None = None


class Tail(Struct, frozen=True, omit_defaults=True):
    """What a running request has come to: in the journal piece by piece, each since the last.

    `begun` stands in the first piece with tokens, and where the answer was begun anew: tokens and
    parts before it count no more. What was streamed is in `parts` and `progress`, in its order.
    """

    begun: Begun | None = None
    tokens: tuple[int, ...] = ()
    parts: tuple[tuple[Kind, str], ...] = ()
    progress: tuple[Progress, ...] = ()

    def __add__(self, later: Tail) -> Tail:
        """Return both pieces as one."""
        return Tail(
            later.begun or self.begun,
            later.tokens if later.begun else self.tokens + later.tokens,
            later.parts if later.begun else self.parts + later.parts,
            self.progress + later.progress,
        )


class Pending(Struct, frozen=True):
    """A request without an answer, and what it has come to in an earlier life of the worker.

    `attempts` is how many engines went down with it, `size_bytes` what it takes here.
    """

    request: Request
    routes: tuple[ReplyRoute, ...]
    attempts: int
    tail: Tail = Tail()
    size_bytes: int = 0


class Undelivered(Struct, frozen=True):
    """A final reply that the broker has not confirmed on `routes`."""

    client: str
    key: bytes
    reply: Reply
    routes: tuple[ReplyRoute, ...]


class Event(Struct, frozen=True):
    """One line of a record's history; `at` is Unix time in seconds."""

    at: float
    event: str


class Summary(Struct, frozen=True):
    """A record without its texts; times are Unix time in seconds."""

    client: str
    id: str
    state: State
    session: str | None
    attempts: int
    reason: str | None
    accepted_at: float
    updated_at: float
    size_bytes: int


class Stats(Struct, frozen=True):
    """Counts; `record_bytes` are those of requests and replies, `file_bytes` the database's."""

    states: dict[str, int]
    clients: dict[str, int]
    sessions: int
    record_bytes: int
    file_bytes: int
    oldest_at: float | None


_request_decoder = msgspec.msgpack.Decoder(Request)
_reply_decoder = msgspec.msgpack.Decoder(Reply)
_route_decoder = msgspec.msgpack.Decoder(ReplyRoute)
_lengths_decoder = msgspec.msgpack.Decoder(dict[Kind, list[int]])
_messages_decoder = msgspec.msgpack.Decoder(tuple[Message, ...])
_tail_decoder = msgspec.msgpack.Decoder(Tail)

encode = msgspec.msgpack.encode
decode_request = _request_decoder.decode
decode_reply = _reply_decoder.decode
decode_route = _route_decoder.decode
decode_lengths = _lengths_decoder.decode
decode_messages = _messages_decoder.decode
decode_tail = _tail_decoder.decode


def encode_request(request: Request) -> bytes:
    """Return a request's bytes on disk.

    Raises:
        BadRequest: JSON let something through that can't be kept: a whole number beyond 64 bits,
            or half a surrogate pair.

    """
    try:
        return encode(request)
    except (OverflowError, UnicodeEncodeError) as error:
        raise BadRequest(f"a value of the request can't be kept: {error}") from error


def stream_parts(reply: Reply, lengths: Mapping[Kind, Sequence[int]]) -> dict[Kind, list[str]]:
    """Cut the texts of a reply into the parts they were streamed in.

    A kind whose text is not in the reply, as the thought of a request that ended in an error, is
    left out: what remains of its stream can't be sent again.
    """
    parts: dict[Kind, list[str]] = {}
    for kind, wanted in lengths.items():
        if kind is Kind.TOOL:
            calls = () if reply.tool_calls is UNSET else reply.tool_calls
            texts = [_call_text(call) for call in calls]
        else:
            texts = _cut(_text_of(reply, kind), wanted)
        if [len(text) for text in texts] == list(wanted):
            parts[kind] = texts
    return parts


def _text_of(reply: Reply, kind: Kind) -> str:
    text = {Kind.ANSWER: reply.content, Kind.REASONING: reply.reasoning}.get(kind, UNSET)
    return "" if text is UNSET else text


def _cut(text: str, lengths: Sequence[int]) -> list[str]:
    parts = []
    start = 0
    for length in lengths:
        parts.append(text[start : start + length])
        start += length
    return parts


def _call_text(call: ToolCall) -> str:
    """Write a call as its stream has it: one part for each, in OpenAI's order of fields."""
    written = {"id": call.id, "type": call.type, "function": call.function}
    if call.confirm is not UNSET:
        written["confirm"] = call.confirm
    return msgspec.json.encode(written).decode()

"""What crosses the pipe between the daemon and the engine, both ways; imports no mlx.

Frames are a 4-byte big-endian length and a MessagePack body. The engine sends a `Step` for one
step of the batch or several, not one message a token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from worker.domain.messages import Kind, Mode, Sampling, TokenChoice
from worker.domain.model import Memory, ModelInfo  # noqa: TC001 - msgspec reads it at run time

if TYPE_CHECKING:
    import socket

ThoughtEnd: TypeAlias = Literal["none", "model", "budget", "loop"]

PATIENT, HURRIED = 0, 2
"""How urgent a row of batch work is, and one that somebody waits for."""

LENGTH_BYTES = 4
_READ_BYTES = 1 << 20


class EngineOptions(Struct, frozen=True, kw_only=True):
    """What an engine is started with. `model_path` is a local directory; nothing is fetched.

    `memory_bytes` bounds weights and all caches together, None at a share of the machine's memory.
    Caches for which it is short lie in `spill_dir`; an empty one keeps them in memory.
    `yarn_factor` is the most a request's context may be stretched, None as far as is known to
    work, `long_kv_bits` what the KV caches of such a context are packed into, None not at all.
    `wire_memory` raises the system's limit on memory that is never swapped (macOS).
    """

    model_name: str
    model_path: str
    rows: int = 16
    prefill_tokens_busy: int = 256
    prefill_tokens_idle: int = 2048
    cache_bytes: int = 0
    cache_folder: str | None = None
    cache_disk_bytes: int = 0
    cache_keep_s: float = 0.0
    threads: int | None = None
    yarn_factor: int | None = None
    long_kv_bits: int | None = None
    memory_bytes: int | None = None
    spill_dir: str = ""
    wire_memory: bool = False
    context_tokens: int | None = None


def is_stub(model_name: str) -> bool:
    """Tell whether a model is none: `stub`, or `stub-` and whatever tells it from others."""
    return model_name == "stub" or model_name.startswith("stub-")


class Doubt(Struct, frozen=True, kw_only=True):
    """When to think after all: at a token of the answer's first ones whose probability is below.

    `budget_tokens` bounds the thought then; None leaves it to the model's profile.
    """

    below: float
    budget_tokens: int | None = None


class Submit(Struct, frozen=True, tag=True, omit_defaults=True, kw_only=True):
    """Run a conversation. `row` is the daemon's name for it, never used twice.

    `messages` are in the shape chat templates take, soft switches removed. `budget_tokens`
    bounds the reasoning; None leaves it to the model's profile. `grammar` is a checked
    `response_format`. `generated` are the token ids that an earlier engine had already produced,
    when this is a continuation: they are replayed, not sent again. `context_tokens` is what this
    client may send at most, None as much as the model reads. `doubt` lets an answer without a
    thought begin anew with one. `owner` and `session` are whose caches the row may use and leaves.
    With `hold` its own cache stays until the row that names it in `held` begins, whatever room
    there is: both have the same messages. `urgency` counts from 0, batch work, to 2, an interactive
    request, which can't wait: of rows that memory is too short for, the least urgent waits.
    `deadline_tokens` are as many as the deadline leaves time for, thought and answer together, None
    as many as anybody wants: whoever reaches them is cut by the deadline.
    """

    row: int
    messages: list[dict[str, Any]]
    mode: Mode
    budget_tokens: int | None = None
    sampling: Sampling = Sampling()
    grammar: dict[str, Any] | None = None
    tools: list[dict[str, Any]] = []
    tool_choice: str | dict[str, Any] | None = None
    owner: str = ""
    session: str = ""
    hold: bool = False
    held: int | None = None
    generated: list[int] = []
    context_tokens: int | None = None
    doubt: Doubt | None = None
    urgency: int = 0
    deadline_tokens: int | None = None


class Cancel(Struct, frozen=True, tag=True):
    """Stop a row at the next step; it answers with `Done` and what it has."""

    row: int
    reason: Literal["cancelled", "deadline"] = "cancelled"


class Conclude(Struct, frozen=True, tag=True):
    """Let a row think no further: its thought is closed after the next token, as by its budget."""

    row: int


class Park(Struct, frozen=True, tag=True):
    """Take rows out of the batch and keep them with their KV caches, but those that have ended."""

    rows: list[int]


class Resume(Struct, frozen=True, tag=True):
    """Let a parked row go on, token for token."""

    row: int


class Forget(Struct, frozen=True, tag=True):
    """Keep no cache of what a client said, or of one of its sessions: it is to be forgotten."""

    owner: str
    session: str | None = None


class Ahead(Struct, frozen=True, tag=True, omit_defaults=True, kw_only=True):
    """Read what a prompt will begin with, as soon as nobody waits; it is kept as a row's is.

    `messages` end where what comes next is not known: with a message of the user's that may go on,
    or before one. A later one of the same `owner` and `name` replaces it. `owner` None pins it for
    everybody. What is `lasting` is kept on disk too.
    """

    owner: str | None
    kind: Literal["prewarm", "history", "pinned"]
    messages: list[dict[str, Any]]
    name: str = ""
    session: str = ""
    tools: list[dict[str, Any]] = []
    context_tokens: int | None = None
    lasting: bool = False


class Shutdown(Struct, frozen=True, tag=True):
    """Leave at once; the daemon has drained what it wanted to keep."""


ToEngine: TypeAlias = Submit | Cancel | Conclude | Park | Resume | Forget | Ahead | Shutdown


class Ready(Struct, frozen=True, tag=True):
    """The model is loaded; sent once, first."""

    model: ModelInfo
    load_s: float


class Loading(Struct, frozen=True, tag=True):
    """Progress of loading, so that a watchdog knows that the engine lives."""

    what: str
    fraction: float


class Text(Struct, frozen=True, tag=True, omit_defaults=True):
    """Text of one kind that row produced in this step."""

    row: int
    kind: Kind
    text: str


class State(Struct, frozen=True, tag=True, omit_defaults=True):
    """A row changed what it is doing."""

    row: int
    state: Literal["prefill", "thinking", "answering", "parked"]
    prefilled: float | None = None


class Escalated(Struct, frozen=True, tag=True):
    """A row dropped the beginning of its answer, of which nothing was sent, and thinks after all.

    `why` is one sentence for the user.
    """

    row: int
    why: str


class Done(Struct, frozen=True, tag=True, kw_only=True):
    """A row ended. The texts were all sent before as `Text`.

    `thought_end` is what ended its thought: the model itself, the budget, a loop, or nothing,
    where there was no thought.
    """

    row: int
    finish_reason: Literal["stop", "length", "tool_calls", "cancelled", "deadline"]
    prompt_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    completion_tokens: int = 0
    tool_calls: list[dict[str, Any]] = []
    thought_end: ThoughtEnd = "none"
    notes: list[str] = []
    logprobs: list[TokenChoice] = []


class NoRoom(Struct, frozen=True, tag=True):
    """There is no memory for a row now; the engine has let go of it and it may come again."""

    row: int


class Failed(Struct, frozen=True, tag=True, omit_defaults=True):
    """A row could not run; `code` is one of the contract's.

    Of a conversation that is too long, `tokens` says how long it is and `limit` how long it may be.
    """

    row: int
    code: str
    message: str
    field: str | None = None
    tokens: int | None = None
    limit: int | None = None


RowEvent: TypeAlias = Text | State | Escalated | Done | NoRoom | Failed


class Stored(Struct, frozen=True, omit_defaults=True):
    """What the caches of prompts take: in memory, of that what is pinned, and on disk.

    `disk_trouble` is why the last of them could not be written.
    """

    memory_bytes: int = 0
    pinned_bytes: int = 0
    disk_bytes: int = 0
    disk_trouble: str = ""
    read_ahead_tokens: int = 0


class Step(Struct, frozen=True, tag=True, omit_defaults=True, kw_only=True):
    """Everything that happened since the last one.

    `tokens` are the ids each row produced (row, ids), kept by the daemon so that a row can go on
    in a new engine. Speeds are this step's: prompt tokens prefilled and the seconds it took, rows
    decoded and the seconds, which are those of `decode_steps` steps together. `memory` comes now
    and then.
    """

    events: list[RowEvent] = []
    tokens: list[tuple[int, list[int]]] = []
    prefill_tokens: int = 0
    prefill_s: float = 0.0
    decode_rows: int = 0
    decode_s: float = 0.0
    decode_steps: int = 1
    stored: Stored | None = None
    memory: Memory | None = None


class Fatal(Struct, frozen=True, tag=True):
    """The engine can't start; it exits after this."""

    code: str
    message: str


FromEngine: TypeAlias = Ready | Loading | Step | Fatal

_encoder = msgspec.msgpack.Encoder()
_to_engine: msgspec.msgpack.Decoder[ToEngine] = msgspec.msgpack.Decoder(ToEngine)
_from_engine: msgspec.msgpack.Decoder[FromEngine] = msgspec.msgpack.Decoder(FromEngine)


def read_frame(connection: socket.socket) -> bytes | None:
    """Read the body of one frame from a blocking socket; None at its end."""
    header = _read_exactly(connection, LENGTH_BYTES)
    if header is None:
        return None
    return _read_exactly(connection, int.from_bytes(header, "big"))


def _read_exactly(connection: socket.socket, size: int) -> bytes | None:
    received = bytearray()
    while len(received) < size:
        chunk = connection.recv(min(size - len(received), _READ_BYTES))
        if not chunk:
            return None
        received += chunk
    return bytes(received)


def take_frames(received: bytearray) -> list[bytes]:
    """Take the bodies of all whole frames from the front of what was received."""
    bodies = []
    begin = 0
    while begin + LENGTH_BYTES <= len(received):
        end = begin + LENGTH_BYTES
        size = int.from_bytes(received[begin:end], "big")
        if end + size > len(received):
            break
        begin = end + size
        bodies.append(bytes(received[end:begin]))
    del received[:begin]
    return bodies


def frame(message: ToEngine | FromEngine) -> bytes:
    """Encode one message with its length in front."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def decode_to_engine(body: bytes) -> ToEngine:
    """Decode the body of a frame the daemon wrote."""
    return _to_engine.decode(body)


def decode_from_engine(body: bytes) -> FromEngine:
    """Decode the body of a frame the engine wrote."""
    return _from_engine.decode(body)

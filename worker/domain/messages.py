"""What goes in and what comes out, as frozen values; knows neither MQTT nor the model.

The field names are the contract's (version 1). `Request` is what is left of a packet once it has
been checked: its prompt is a list of messages, its lane and client are decided, its reply route
is allowed. Values are never changed on their way; a stage makes a new one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType, field

SCHEMA_VERSION = 1
"""The contract's version, announced on the worker's card."""

Json: TypeAlias = Any
"""A JSON value of the client's own shape: schemas, tool parameters, metadata."""


class Lane(StrEnum):
    """How urgent a request is; the first is served first."""

    INTERACTIVE = "interactive"
    STANDARD = "standard"
    BATCH = "batch"


class Mode(StrEnum):
    """Whether the model reasons before it answers."""

    THINK = "think"
    NO_THINK = "no_think"


class Encoding(StrEnum):
    """How a request was written, and so how its reply is; the value is the Content Type."""

    JSON = "application/json"
    MSGPACK = "application/msgpack"
    TEXT = "text/plain"


class Kind(StrEnum):
    """The parts of a stream, each with a topic of its own below the reply topic."""

    ANSWER = "answer"
    REASONING = "reasoning"
    TOOL = "tool"
    PROGRESS = "progress"


class FinishReason(StrEnum):
    """Why the text of a reply ends where it does."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CANCELLED = "cancelled"
    DEADLINE = "deadline"


DecidedBy: TypeAlias = Literal[
    "request", "switch", "session", "rule", "classifier", "intent", "deadline", "load", "default"
]


class FunctionCall(Struct, frozen=True, forbid_unknown_fields=True):
    """The function a tool call names; `arguments` is a JSON text, as OpenAI has it."""

    name: str
    arguments: str


class ToolCall(Struct, frozen=True, forbid_unknown_fields=True):
    """One call of a declared function.

    `confirm` says that the operator wants a person to confirm it before anything is done.
    """

    id: str
    function: FunctionCall
    type: Literal["function"] = "function"
    confirm: bool | UnsetType = UNSET


class Message(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One message of a conversation, as in OpenAI's chat completions, text only."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class Sampling(Struct, frozen=True, omit_defaults=True):
    """What the client asked of length and sampling; None leaves it to the mode's preset."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[int, float] = {}
    logprobs: bool = False
    top_logprobs: int = 0


class ReplyRoute(Struct, frozen=True, omit_defaults=True):
    """Where a reply goes and how it is written.

    `correlation_data` is echoed byte for byte; None where the request carried none.
    """

    topic: str
    encoding: Encoding = Encoding.JSON
    correlation_data: bytes | None = None


class Revises(Struct, frozen=True):
    """The answer that a revision is of, and the session it was given in."""

    content: str
    session: str | None = None


class Request(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A request that passed the door.

    `key` identifies it together with `client`: the bytes of `id`, or the Correlation Data.
    `id` is its printable form, safe as a topic level. `arrived_at` is Unix time in seconds;
    `deadline_ms` counts from there and is the nearer of the client's and the message's expiry.
    """

    id: str
    key: bytes
    client: str
    lane: Lane
    messages: tuple[Message, ...]
    reply_to: ReplyRoute
    arrived_at: float
    mode: Literal["auto", "think", "no_think"] = "auto"
    model: str | None = None
    thinking_budget: int | None = None
    session: str | None = None
    sampling: Sampling = Sampling()
    stream: bool = False
    revise: bool = False
    revises: Revises | None = None
    long: Literal["summarize"] | None = None
    response_format: dict[str, Json] | None = None
    tools: tuple[dict[str, Json], ...] = ()
    tool_choice: str | dict[str, Json] | None = None
    deadline_ms: int | None = None
    context: dict[str, Json] | None = None
    metadata: dict[str, Json] | None = None

    @property
    def of_session(self) -> str | None:
        """The session that its texts are of: a revision runs outside of the one that it is of."""
        return self.session if self.revises is None else self.revises.session


class Route(Struct, frozen=True):
    """Which mode was chosen, by what, and why in words.

    `score` is the probability that thinking pays; None where nothing had to be judged. `escalated`
    says that an answer without a thought was begun and taken back before anybody heard of it.
    """

    decided_by: DecidedBy
    reason: str
    score: float | None = None
    escalated: bool | UnsetType = UNSET


class Usage(Struct, frozen=True):
    """Tokens: `completion_tokens` includes `reasoning_tokens`."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    completion_tokens: int = 0


class TokenProbability(Struct, frozen=True):
    """A token's text and the natural logarithm of its probability."""

    token: str
    logprob: float


class TokenChoice(Struct, frozen=True):
    """A token of the answer, and the likeliest ones in its place, as OpenAI has it."""

    token: str
    logprob: float
    top_logprobs: tuple[TokenProbability, ...] = ()


class Timing(Struct, frozen=True):
    """Milliseconds since the request arrived, but `queue_ms`: how long it waited for a row."""

    queue_ms: float = 0.0
    first_token_ms: float | None = None
    first_answer_ms: float | None = None
    total_ms: float = 0.0


class ErrorBody(Struct, frozen=True, omit_defaults=True):
    """The `error` of a reply whose status is `error`."""

    code: str
    message: str
    retry_after_ms: int | None = None
    field: str | None = None


class Reply(Struct, frozen=True, kw_only=True):
    """The final reply: exactly one for each (client, id). Unset fields are not on the wire.

    `notes` say in words what was done to the answer: a loop that was cut, a grammar that was
    completed, a context that was kept in fewer bits. `revision` is 0 for an answer that is thought
    about again, 1 for what came of it.
    """

    id: str
    status: Literal["ok", "error"]
    content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    tool_calls: tuple[ToolCall, ...] | UnsetType = UNSET
    finish_reason: FinishReason | UnsetType = UNSET
    notes: tuple[str, ...] | UnsetType = UNSET
    logprobs: tuple[TokenChoice, ...] | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    route: Route | UnsetType = UNSET
    usage: Usage | UnsetType = UNSET
    timing: Timing | UnsetType = UNSET
    model: str | UnsetType = UNSET
    worker: str | UnsetType = UNSET
    session: str | UnsetType = UNSET
    metadata: dict[str, Json] | UnsetType = UNSET
    revision: int | UnsetType = UNSET
    error: ErrorBody | UnsetType = UNSET


class StreamPart(Struct, frozen=True):
    """A piece of one kind of text; `seq` counts from 0 for each kind without gaps."""

    id: str
    kind: Kind
    seq: int
    text: str


class Progress(Struct, frozen=True):
    """Where a streamed request stands; of what is summarized, which part is read of how many."""

    id: str
    seq: int
    state: Literal["queued", "loading", "prefill", "thinking", "answering", "parked", "summarizing"]
    position: int | UnsetType = UNSET
    part: int | UnsetType = UNSET
    parts: int | UnsetType = UNSET
    prefilled: float | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET


class Control(Struct, frozen=True, kw_only=True):
    """A control message. Which fields an operation needs is checked where it is carried out.

    `from_seq` gives, for `resume`, the next sequence number wanted of each kind; `verdict`, for
    `feedback`, what the user says of the mode; `of` whose requests are meant, where an operator
    acts for another client; `about`, for `prewarm`, what is known of a request that will come.
    """

    op: Literal["cancel", "feedback", "forget", "prewarm", "resume", "status"]
    client: str
    reply_to: ReplyRoute
    id: str | None = None
    key: bytes | None = None
    session: str | None = None
    from_seq: dict[str, int] = field(default_factory=dict)
    verdict: Literal["good", "should_have_thought", "need_not_have"] | None = None
    of: str | None = None
    about: Request | None = None

"""The fields a client may send, with types and ranges: the contract's table, version 1.

Everything else is refused by name. What types can't say, that two fields exclude each other or
that a tool must be declared, `requests` checks.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from worker.domain.messages import Json, ToolCall  # noqa: TC001 - msgspec reads the annotations

_MAX_INT32 = 2**31 - 1
_MAX_INT64 = 2**63 - 1
_MAX_STOPS = 8
_MAX_BIASES = 300

Count: TypeAlias = Annotated[int, Meta(ge=1, le=_MAX_INT32)]
CountOrZero: TypeAlias = Annotated[int, Meta(ge=0, le=_MAX_INT32)]
Text: TypeAlias = Annotated[str, Meta(min_length=1)]
Bias: TypeAlias = Annotated[float, Meta(ge=-100, le=100)]
KindName: TypeAlias = Literal["answer", "reasoning", "tool", "progress"]
FunctionName: TypeAlias = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$")]


class TextPart(Struct, frozen=True, forbid_unknown_fields=True):
    """One part of a message's content; there are only texts."""

    type: Literal["text"]
    text: str


class MessageFields(Struct, frozen=True, forbid_unknown_fields=True):
    """One message, as in OpenAI's chat completions; which role needs what is checked later."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    tool_call_id: str | None = None


class Function(Struct, frozen=True, forbid_unknown_fields=True):
    """What a tool is called and takes; `parameters` is a JSON Schema."""

    name: FunctionName
    description: str | None = None
    parameters: dict[str, Json] | None = None
    strict: bool | None = None


class Tool(Struct, frozen=True, forbid_unknown_fields=True):
    """A declared tool; there are only functions."""

    type: Literal["function"]
    function: Function


class ChosenFunction(Struct, frozen=True, forbid_unknown_fields=True):
    """The function that must be called."""

    name: str


class ToolChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """The form of `tool_choice` that names a function."""

    type: Literal["function"]
    function: ChosenFunction


class ResponseFormat(Struct, frozen=True):
    """Only what kind of format it is; whether it can be enforced is the engine's to say."""

    type: Literal["text", "json_object", "json_schema", "grammar", "regex"]
    json_schema: dict[str, Json] | None = None


class RequestFields(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A request's top level; None is the same as absent."""

    id: str | None = None
    prompt: Text | None = None
    messages: Annotated[list[MessageFields], Meta(min_length=1)] | None = None
    mode: Literal["auto", "think", "no_think"] | None = None
    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    thinking_budget: CountOrZero | None = None
    session: str | None = None
    max_tokens: Count | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: CountOrZero | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    seed: Annotated[int, Meta(ge=0, le=_MAX_INT64)] | None = None
    stop: Text | Annotated[list[Text], Meta(max_length=_MAX_STOPS)] | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=2)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    logit_bias: Annotated[dict[str, Bias], Meta(max_length=_MAX_BIASES)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    stream: bool | None = None
    revise: bool | None = None
    long: Literal["summarize"] | None = None
    response_format: dict[str, Json] | None = None
    tools: list[dict[str, Json]] | None = None
    tool_choice: str | dict[str, Json] | None = None
    lane: Literal["interactive", "standard", "batch"] | None = None
    deadline_ms: Count | None = None
    context: dict[str, Json] | None = None
    reply_to: str | None = None
    metadata: dict[str, Json] | None = None


class ControlFields(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A control message's top level. `correlation` is a request's Correlation Data as text."""

    op: Literal["cancel", "feedback", "forget", "prewarm", "resume", "status"]
    id: str | None = None
    correlation: str | None = None
    session: str | None = None
    reply_to: str | None = None
    from_seq: dict[KindName, CountOrZero] | None = None
    seq: CountOrZero | None = None
    verdict: Literal["good", "should_have_thought", "need_not_have"] | None = None
    of: str | None = None
    prompt: Text | None = None
    messages: Annotated[list[MessageFields], Meta(min_length=1)] | None = None
    tools: list[dict[str, Json]] | None = None
    context: dict[str, Json] | None = None

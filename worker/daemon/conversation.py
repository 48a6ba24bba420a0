"""From a request and its session to what the model reads and what the router judges; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from worker.domain.thinking import without_switches, without_thoughts
from worker.router.conversation import question_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.domain.messages import Message, Request
    from worker.router.judge import Question


def conversation(history: Sequence[Message], request: Request) -> tuple[Message, ...]:
    """Return the whole conversation without soft switches and old thoughts, system messages first.

    A request's own system message replaces the session's.
    """
    new = without_thoughts(without_switches(request.messages))
    systems = [message for message in new if message.role == "system"]
    earlier = list(without_switches(history))
    if systems:
        earlier = [message for message in earlier if message.role != "system"]
    rest = [message for message in new if message.role != "system"]
    return (*systems, *earlier, *rest)


def for_template(
    messages: Sequence[Message], context: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """Return the conversation in the shape chat templates take.

    Documents and live values stand right before the last user message's text, behind everything
    that stays the same from turn to turn, so that a change of them costs no cached prefix.
    """
    written = [_for_template(message) for message in messages]
    if context:
        for message in reversed(written):
            if message["role"] == "user":
                message["content"] = f"{_written_context(context)}\n\n{message['content']}"
                break
    return written


def question(messages: Sequence[Message], request: Request) -> Question:
    """Return what the router judges: the user's own words and the structure of the rest."""
    return question_of(
        messages,
        context=request.context,
        has_tools=bool(request.tools),
        wants_schema=request.response_format is not None,
        lane=request.lane,
    )


def characters(messages: Sequence[Message], context: dict[str, Any] | None) -> int:
    """How long the conversation is, roughly, before anybody tokenizes it."""
    written = len(_written_context(context)) if context else 0
    return written + sum(len(message.content or "") for message in messages)


def _for_template(message: Message) -> dict[str, Any]:
    written: dict[str, Any] = {"role": message.role, "content": message.content or ""}
    if message.name is not None:
        written["name"] = message.name
    if message.tool_call_id is not None:
        written["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        written["tool_calls"] = [
            {
                "id": call.id,
                "type": call.type,
                "function": {
                    "name": call.function.name,
                    "arguments": _arguments(call.function.arguments),
                },
            }
            for call in message.tool_calls
        ]
    return written


def _arguments(text: str) -> Any:
    # Templates write arguments as JSON themselves; a text would be quoted twice.
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def written_value(value: Any) -> str:
    """Return a value of `context` as the model reads it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _written_context(context: dict[str, Any]) -> str:
    parts = []
    for name, value in context.items():
        parts.append(f"{name}:\n{written_value(value)}")
    return "\n\n".join(parts)

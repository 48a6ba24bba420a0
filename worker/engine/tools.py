"""Tool calls: which grammar binds them, in a model's own format and where it has none.

A model whose chat template knows tools (Qwen3) calls when it wants to, in its own format; from
`<tool_call>` on a grammar leaves only declared names and valid arguments. For any other, the tools
are described in words, and a grammar lets the answer be either plain text or one call as JSON.
Where `tool_choice` demands a call, the grammar leaves only that, on every model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from worker.domain.errors import BadSchema
from worker.engine.schemas import MAX_COST, blame, check_schema

if TYPE_CHECKING:
    from collections.abc import Callable

_DESCRIPTION = (
    "You can call these tools. To call one, answer with nothing but a JSON object "
    '{{"name": <tool>, "arguments": <object>}}. Otherwise answer in plain text.\n{tools}'
)

_AS_PYTHON_WRITES = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "lenient": True,
}


def call_grammar(
    tools: list[dict[str, Any]], choice: str | dict[str, Any] | None, *, native: bool
) -> dict[str, Any] | None:
    """Return the grammar an answer must follow because of its tools, or None.

    Args:
        tools: OpenAI function tools; empty for none.
        choice: The request's `tool_choice`.
        native: Whether the model has a tool format of its own.

    """
    if not tools or choice == "none":
        return None
    named = choice["function"]["name"] if isinstance(choice, dict) else None
    offered = [tool["function"] for tool in tools if named in (None, tool["function"]["name"])]
    schema = _schema(offered)
    if named is not None or choice == "required":
        return {"type": "json_schema", "json_schema": {"schema": schema}}
    if native:
        return None
    call = msgspec.json.encode(schema).decode()
    return {
        "type": "grammar",
        "grammar": f"start: call | words\ncall: %json {call}\nwords: /[^{{](.|\\n)*/",
    }


def own_call_grammar(tools: list[dict[str, Any]], end_token: int) -> dict[str, Any] | None:
    """Return the grammar of what follows `<tool_call>` in a model's own format; None without tools.

    The format is Qwen3's (its chat template): the call as JSON on a line of its own, written as
    Python's `json.dumps` does. What a schema asks beyond what can be enforced is left to the model.
    """
    if not tools:
        return None
    schema = _schema([tool["function"] for tool in tools])
    call = msgspec.json.encode({"x-guidance": _AS_PYTHON_WRITES} | schema).decode()
    return {
        "type": "grammar",
        "grammar": f'start: "\\n" call "\\n" <[{end_token}]>\ncall: %json {call}',
    }


def check_tools(tools: list[dict[str, Any]]) -> None:
    """Do nothing if the parameters of all tools together are small enough to be compiled.

    Raises:
        BadSchema: They are not; `field` is the path of the part at fault.

    """
    cost = 0
    for index, tool in enumerate(tools):
        path = _path(index)
        cost += 1 + check_schema(tool["function"].get("parameters") or {}, path)
        if cost > MAX_COST:
            raise BadSchema(f"{path}: the tools have more than {MAX_COST} parts", field=path)


def blame_tools(
    tools: list[dict[str, Any]], fault: Callable[[Any], str | None], reason: str
) -> tuple[str, str]:
    """Return the path of the smallest part of the tools that can't be compiled, and why.

    Args:
        tools: Some that can't be.
        fault: Compiles a schema and says what is wrong with it, None if nothing is.
        reason: What is wrong with the whole.

    """
    for index, tool in enumerate(tools):
        schema = tool["function"].get("parameters") or {}
        found = fault(schema)
        if found is not None:
            return blame(schema, _path(index), fault, found)
    return "tools", reason.removeprefix("tools: ")


def _path(index: int) -> str:
    return f"tools[{index}].function.parameters"


def describe(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages with the tools described in the system message."""
    written = "\n".join(msgspec.json.encode(tool["function"]).decode() for tool in tools)
    text = _DESCRIPTION.format(tools=written)
    if messages and messages[0]["role"] == "system":
        first = messages[0]
        return [{**first, "content": f"{first['content']}\n\n{text}"}, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def _schema(functions: list[dict[str, Any]]) -> dict[str, Any]:
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": function["name"]},
                # Undeclared arguments are no use to anybody, and a small model can't stop.
                "arguments": {
                    "additionalProperties": False,
                    **(function.get("parameters") or {"type": "object"}),
                },
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for function in functions
    ]
    return calls[0] if len(calls) == 1 else {"anyOf": calls}

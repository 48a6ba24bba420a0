"""Tool calls: which grammar binds them, in a model's own format and where it has none.

A model whose chat template knows tools (Qwen3) calls when it wants to, in its own format; from
`<tool_call>` on a grammar leaves only declared names and valid arguments. For any other, the tools
are described in words, and a grammar lets the answer be either plain text or one call as JSON.
Where `tool_choice` demands a call, the grammar leaves only that, on every model.
"""

from __future__ import annotations

from typing import Any

import msgspec

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

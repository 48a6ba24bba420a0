"""What tools may be called with: the operator's rules for their arguments, and confirmation; pure.

A rule is applied twice: to the schema, so that a model can't say anything else, and to the call,
for models whose calls no grammar binds.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from worker.domain.errors import Forbidden, ThinkqError, UnknownTool

if TYPE_CHECKING:
    from collections.abc import Sequence


class ToolRule(Struct, frozen=True, kw_only=True):
    """A rule for a tool.

    `confirm` marks its calls as ones that a person must confirm. `arguments` are patterns with `*`
    of which each argument named must match one.
    """

    confirm: bool = False
    arguments: dict[str, tuple[str, ...]] = {}


class ToolRules(Struct, frozen=True):
    """The rules by a tool's name, or a pattern of names; the longest that fits counts."""

    rules: dict[str, ToolRule] = {}

    def of(self, name: str) -> ToolRule:
        """Return the rule for a tool; one that asks for nothing where there is none."""
        fitting = [pattern for pattern in self.rules if fnmatchcase(name, pattern)]
        if name in self.rules or not fitting:
            return self.rules.get(name, _NONE)
        return self.rules[max(fitting, key=len)]

    def bound(self, tools: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the tools with the rules written into the schemas of their arguments."""
        return [_bound(tool, self.of(tool["function"]["name"])) for tool in tools]

    def refusal(self, call: dict[str, Any], declared: Sequence[str]) -> ThinkqError | None:
        """Return why a call may not be made, None if it may.

        Args:
            call: In OpenAI's shape.
            declared: The names of the request's tools.

        """
        name = call["function"]["name"]
        if name not in declared:
            return UnknownTool(f"tool_calls: the model called {name!r}, which was not declared")
        try:
            arguments = msgspec.json.decode(call["function"]["arguments"], type=dict[str, Any])
        except msgspec.DecodeError:
            arguments = {}
        for argument, patterns in self.of(name).arguments.items():
            value = arguments.get(argument)
            if value is not None and not _allowed(value, patterns):
                return Forbidden(
                    f"tool_calls: the operator does not allow {name} with {argument} {value!r}",
                    field="tool_calls",
                )
        return None


_NONE = ToolRule()


def _allowed(value: object, patterns: Sequence[str]) -> bool:
    return isinstance(value, str) and any(
        re.fullmatch(_as_regex(pattern), value, re.DOTALL) for pattern in patterns
    )


def _bound(tool: dict[str, Any], rule: ToolRule) -> dict[str, Any]:
    function = tool["function"]
    schema = function.get("parameters") or {}
    properties = schema.get("properties") or {}
    named = {name: properties[name] for name in rule.arguments if name in properties}
    if not named:
        return tool
    limited = {name: _limited(old, rule.arguments[name]) for name, old in named.items()}
    parameters = {**schema, "properties": {**properties, **limited}}
    return {**tool, "function": {**function, "parameters": parameters}}


def _limited(schema: dict[str, Any], patterns: Sequence[str]) -> dict[str, Any]:
    if "enum" in schema:
        return {**schema, "enum": [one for one in schema["enum"] if _allowed(one, patterns)]}
    if any("*" in pattern for pattern in patterns):
        either = "|".join(_as_regex(pattern) for pattern in patterns)
        return {**schema, "type": "string", "pattern": f"^({either})$"}
    return {**schema, "enum": list(patterns)}


def _as_regex(pattern: str) -> str:
    return ".*".join(re.escape(part) for part in pattern.split("*"))

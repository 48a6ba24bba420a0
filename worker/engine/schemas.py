"""What of a JSON Schema may be compiled, and where in one the fault is; compiles nothing itself.

A schema is a client's, so what it costs is bounded before any of it is spent: the time to compile
one grows with its subschemas, and with the square of the properties that may be left out. Within
these limits it stays under a second on the slowest machine the tests run on (`bench/structured.py`
prints it).
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import msgspec

from worker.domain.errors import BadSchema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_COST = 1000
"""Subschemas, where a number with bounds counts threefold: it becomes a regex of its digits."""
MAX_PROPERTIES = 300
MAX_CHOICES = 2000
MAX_PATTERN_CHARACTERS = 1000
MAX_GRAMMAR_BYTES = 16 * 1024
MAX_GRAMMAR_LINES = 200

_BLAME_S = 2.0
_TABLES = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_SINGLE = (
    "items",
    "additionalProperties",
    "unevaluatedProperties",
    "additionalItems",
    "propertyNames",
    "contains",
    "not",
    "if",
    "then",
    "else",
)
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_PLAIN_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]{0,63}")


def check_schema(schema: Any, path: str) -> int:
    """Return what a schema costs, if it is small enough to be compiled.

    Args:
        schema: What a client sent.
        path: Where in the request it stands, for the error.

    Raises:
        BadSchema: It is too large, too deep, or refers to something outside itself; `field` is the
            path of the part at fault.

    """
    if not isinstance(schema, dict | bool):
        raise _refusal(path, f"expected a schema, got {type(schema).__name__}")
    size = len(msgspec.json.encode(schema))
    if size > MAX_BYTES:
        raise _refusal(path, f"expected a schema of at most {MAX_BYTES} bytes, got {size}")
    cost = choices = 0
    level = [(path, schema)]
    for _ in range(MAX_DEPTH):
        below: list[tuple[str, Any]] = []
        for where, part in level:
            if not isinstance(part, dict):
                continue
            cost += 3 if any(bound in part for bound in _BOUNDS) else 1
            choices += _check_one(where, part)
            if cost > MAX_COST:
                raise _refusal(where, f"more than {MAX_COST} parts up to here")
            if choices > MAX_CHOICES:
                raise _refusal(
                    where, f"the schema has more than {MAX_CHOICES} values in enums up to here"
                )
            below += subschemas(where, part)
        if not below:
            return cost
        level = below
    raise _refusal(level[0][0], f"schemas are nested more than {MAX_DEPTH} levels deep")


def check_text(grammar: Any, path: str) -> None:
    """Do nothing if a grammar or regex, as text, is small enough to be compiled.

    Raises:
        BadSchema: It is no text, too long, or has too many lines.

    """
    if not isinstance(grammar, str) or not grammar:
        raise _refusal(path, f"expected a text, got {type(grammar).__name__}")
    size = len(grammar.encode(errors="replace"))
    if size > MAX_GRAMMAR_BYTES:
        raise _refusal(path, f"expected at most {MAX_GRAMMAR_BYTES} bytes, got {size}")
    if grammar.count("\n") >= MAX_GRAMMAR_LINES:
        raise _refusal(
            path, f"expected at most {MAX_GRAMMAR_LINES} lines, got {grammar.count(chr(10))}"
        )


def subschemas(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the schemas directly inside one, each with its path."""
    for keyword in _TABLES:
        table = schema.get(keyword)
        if isinstance(table, dict):
            for name, part in table.items():
                yield f"{path}.{keyword}{_step(name)}", part
    for keyword in _LISTS:
        parts = schema.get(keyword)
        if isinstance(parts, list):
            for index, part in enumerate(parts):
                yield f"{path}.{keyword}[{index}]", part
    for keyword in _SINGLE:
        if isinstance(schema.get(keyword), dict):
            yield f"{path}.{keyword}", schema[keyword]


def blame(
    schema: Any, path: str, fault: Callable[[Any], str | None], reason: str
) -> tuple[str, str]:
    """Return the path of the smallest part that can't be compiled by itself, and why.

    Args:
        schema: One that can't be compiled.
        path: Where it stands.
        fault: Compiles a schema and says what is wrong with it, None if nothing is.
        reason: What is wrong with the whole.

    """
    until = time.monotonic() + _BLAME_S
    root = schema
    while isinstance(schema, dict):
        for where, part in subschemas(path, schema):
            if time.monotonic() > until:
                return path, reason
            found = fault(_alone(part, root))
            if found is not None:
                path, schema, reason = where, part, found
                break
        else:
            break
    return path, reason


def _alone(part: Any, root: dict[str, Any]) -> Any:
    """Return a part with what it may refer to."""
    if not isinstance(part, dict):
        return part
    named = {key: root[key] for key in ("$defs", "definitions") if key in root}
    return {**named, **part}


def _check_one(path: str, schema: dict[str, Any]) -> int:
    """Check what stands directly in a schema; return how many values it enumerates."""
    reference = schema.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#"):
        raise _refusal(f"{path}.$ref", "expected a reference within the schema (#…)")
    properties = schema.get("properties")
    if isinstance(properties, dict) and len(properties) > MAX_PROPERTIES:
        raise _refusal(
            f"{path}.properties", f"expected at most {MAX_PROPERTIES}, got {len(properties)}"
        )
    for pattern in (schema.get("pattern"), *(schema.get("patternProperties") or ())):
        if isinstance(pattern, str) and len(pattern) > MAX_PATTERN_CHARACTERS:
            raise _refusal(
                f"{path}.pattern",
                f"expected at most {MAX_PATTERN_CHARACTERS} characters, got {len(pattern)}",
            )
    values = schema.get("enum")
    return len(values) if isinstance(values, list) else 0


def _step(name: object) -> str:
    text = str(name)
    if _PLAIN_NAME.fullmatch(text):
        return f".{text}"
    return f"[{text[:64]!r}]"


def _refusal(path: str, why: str) -> BadSchema:
    return BadSchema(f"{path}: {why}", field=path)

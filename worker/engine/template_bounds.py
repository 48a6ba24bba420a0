"""The sandbox of chat templates, without what makes much of little in one operation.

Between two operations a template can be stopped, and is (`templates`); what is one operation to
Python can't. So whatever makes texts is asked first how long the text would be. What a template
is given is never refused: it is bounded by what a request may hold.
"""

from __future__ import annotations

import re
from functools import wraps
from typing import TYPE_CHECKING, Any

import jinja2.sandbox
from jinja2.compiler import CodeGenerator
from jinja2.exceptions import SecurityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from jinja2 import nodes
    from jinja2.compiler import Frame
    from jinja2.runtime import Context

MOST_CHARACTERS = 16_000_000
"""Of a text that a template makes: more than any request holds."""

_MOST_REPEATED = 1_000_000
_HIGHEST_POWER = 64
_MOST_BITS = 65_536
_WIDEST = 100_000
"""Of a column, a batch, a number of slices."""

_DEEPEST = 64

_TEXT_FILTERS = frozenset({
    "capitalize", "e", "escape", "forceescape", "format", "join", "lower", "pprint", "replace",
    "safe", "string", "striptags", "title", "tojson", "trim", "truncate", "upper", "urlencode",
    "urlize", "wordwrap", "xmlattr",
})  # fmt: skip
_WIDTH_FILTERS = frozenset({"batch", "center", "indent", "slice", "tojson", "wordwrap"})
_INDENTED = frozenset({"indent", "tojson"})
_WIDTH_METHODS = frozenset({"center", "expandtabs", "ljust", "rjust", "zfill"})
_FIELD_WIDTH = {
    "%": re.compile(r"%(\([^)%]{0,200}\))?[^a-zA-Z%]*?(\d{4}|\*)"),
    "{": re.compile(r"\{[^{}:]*:[^{}]*?(\d{4}|\{)"),
}
"""In a format: a width of thousands, or one that is itself an argument."""


class _Generator(CodeGenerator):
    """Has `~` ask before it joins."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        self.write("environment.joined((")
        for argument in node.nodes:
            self.visit(argument, frame)
            self.write(", ")
        self.write("))")


class _Filters(dict[str, Any]):
    """Filters, each of which asks first, those too that are added later."""

    def __init__(self, filters: dict[str, Any]) -> None:
        super().__init__()
        for name, found in filters.items():
            self[name] = found

    def __setitem__(self, name: str, found: Any) -> None:
        super().__setitem__(name, _asking(name, found))


class Bounded(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """The sandbox, with bounds on what one operation makes."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    code_generator_class = _Generator

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters = _Filters(self.filters)
        self.finalize = _printed

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """Join the parts of a template's text as long as there are not too many."""
        kept, length = [], 0
        for part in parts:
            length += len(part)
            _allow(length)
            kept.append(part)
        return "".join(kept)

    def joined(self, values: Sequence[Any]) -> str:
        """Return what `~` makes of values."""
        _allow(sum(map(weight, values)))
        return "".join(map(str, values))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Carry out an operator, if its result is not out of proportion."""
        _check_binop(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call what a template calls, if its result is not out of proportion."""
        text = getattr(obj, "__self__", None)
        if isinstance(text, str):
            _check_method(text, obj.__name__, args)
        return super().call(context, obj, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return `str.format` as a template may use it."""
        found = super().wrap_str_format(value)
        if found is None:
            return None
        sandboxed, text = found, value.__self__

        def formatted(*args: Any, **kwargs: Any) -> str:
            _check_format(text, "{", (*args, *kwargs.values()))
            return sandboxed(*args, **kwargs)

        return formatted


def weight(value: Any, depth: int = 0) -> int:
    """Return about how many characters a value has as a text, counted up to the most there may be.

    Raises:
        SecurityError: It is nested out of proportion.

    """
    if isinstance(value, str):
        return len(value)
    if depth > _DEEPEST:
        raise SecurityError(f"a value nested deeper than {_DEEPEST}")
    if isinstance(value, dict):
        parts: Iterable[Any] = (part for pair in value.items() for part in pair)
    elif isinstance(value, (list, tuple, set, frozenset)):
        parts = value
    else:
        return 16
    total = 2
    for part in parts:
        total += 2 + weight(part, depth + 1)
        if total > MOST_CHARACTERS:
            break
    return total


def _allow(characters: int) -> None:
    if characters > MOST_CHARACTERS:
        raise SecurityError(f"a text of more than {MOST_CHARACTERS} characters")


def _printed(value: Any) -> Any:
    _allow(weight(value))
    return value


def _check_binop(operator: str, left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        times = right if operator == "**" else 1
        if operator == "**" and abs(right) > _HIGHEST_POWER:
            raise SecurityError(f"a power of more than {_HIGHEST_POWER}")
        if left.bit_length() * max(1, times) + right.bit_length() > _MOST_BITS:
            raise SecurityError(f"a number of more than {_MOST_BITS} bits")
    elif operator == "**" and not isinstance(right, int):
        raise SecurityError("a power that is no whole number")
    elif operator == "+" and hasattr(left, "__len__") and hasattr(right, "__len__"):
        _allow(len(left) + len(right))
    elif operator == "%" and isinstance(left, str):
        _check_format(left, "%", right if isinstance(right, tuple) else (right,))
    elif operator == "*":
        for repeated, times in ((left, right), (right, left)):
            if (
                isinstance(times, int)
                and hasattr(repeated, "__len__")
                and len(repeated) * times > _MOST_REPEATED
            ):
                raise SecurityError(f"a text or list of more than {_MOST_REPEATED} parts")


def _check_format(text: str, mark: str, values: Sequence[Any]) -> None:
    if _FIELD_WIDTH[mark].search(text):
        raise SecurityError("a format with a width out of proportion")
    _allow(len(text) + text.count(mark) * sum(map(weight, values)))


def _check_method(text: str, name: str, args: Sequence[Any]) -> None:
    if name == "translate":
        raise SecurityError("translate")
    if name in _WIDTH_METHODS:
        widths = [one for one in args if isinstance(one, int)]
        tabs = max(1, text.count("\t")) if name == "expandtabs" else 1
        _allow(len(text) + tabs * max(widths, default=8))
    elif name == "join" and args:
        _check_join(text, args[0])
    elif name == "replace" and len(args) > 1:
        _check_replace(text, args[0], args[1])


def _check_join(separator: str, values: Any) -> None:
    if hasattr(values, "__len__"):
        _allow(weight(values) + len(separator) * len(values))
    elif len(separator) > _WIDEST:
        raise SecurityError("a separator out of proportion")


def _check_replace(text: str, old: Any, new: Any) -> None:
    if isinstance(old, str) and isinstance(new, str):
        _allow(len(text) + text.count(old) * len(new))


def _asking(name: str, found: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that asks before it makes a text."""
    if name not in _TEXT_FILTERS | _WIDTH_FILTERS | {"sum"}:
        return found

    # Jinja notes on the function what it wants beside its arguments, and that is copied.
    @wraps(found)
    def asking(*args: Any, **kwargs: Any) -> Any:
        data = args[1:] if hasattr(found, "jinja_pass_arg") else args
        _check_filter(name, data, kwargs)
        return found(*args, **kwargs)

    return asking


def _check_filter(name: str, data: Sequence[Any], named: dict[str, Any]) -> None:
    value, *rest = data
    options = [*rest, *named.values()]
    if name == "sum":
        if any(hasattr(one, "__len__") and not isinstance(one, str) for one in options):
            raise SecurityError("a sum of lists")
        return
    length = weight(value)
    widths = [one for one in options if isinstance(one, int)] if name in _WIDTH_FILTERS else []
    if max(widths, default=0) > _WIDEST:
        raise SecurityError(f"a width of more than {_WIDEST}")
    if name in _INDENTED:
        # Before each line, and in JSON as often as it is nested.
        given = [one if isinstance(one, int) else len(one) for one in options if one is not None
                 and isinstance(one, (int, str))]  # fmt: skip
        length *= 1 + max(given, default=4)
    _allow(length)
    if name == "join":
        separator = next((one for one in options if isinstance(one, str)), "")
        _check_join(separator, value)
    elif name == "replace" and isinstance(value, str) and len(options) > 1:
        _check_replace(value, options[0], options[1])
    elif name == "format" and isinstance(value, str):
        _check_format(value, "%", options)

"""What names, reply topics and sizes a client may use; pure questions, imports only the errors.

A name that passes `check_name` is safe everywhere it may go: as one level of a topic, in a user
property, in a log line and as a key. Brokers close the connection of whoever publishes a topic
with a control or non-character in it, so one bad name let through would silence the worker.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from msgspec import Struct

from worker.domain.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_NAME_CHARACTERS = 64
MAX_TOPIC_BYTES = 1024
"""Enough for any reply topic a person writes; MQTT itself allows 65,535."""

LEVEL_SEPARATOR = "/"
CLIENT_PLACEHOLDER = "%c"

_WILDCARDS = frozenset("+#")
_UNSAFE_CATEGORIES = {
    "Cc": "a control character",
    "Cf": "an invisible formatting character",
    "Cs": "half a surrogate pair",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0"
    "\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Letters, marks and signs that show nothing, so two names could look alike (Unicode's
Default_Ignorable_Code_Point, as far as it is not of category Cf; and the blank braille pattern)."""


class Limits(Struct, frozen=True, kw_only=True):
    """How much of everything one request may hold.

    `payload_bytes` is checked before anything is parsed. `depth` is how many arrays and objects
    may stand inside each other, `values` how many there may be in all.
    """

    payload_bytes: int = 2 * 1024 * 1024
    metadata_bytes: int = 4096
    depth: int = 64
    values: int = 30_000


def check_name(value: str, field: str, *, max_characters: int = MAX_NAME_CHARACTERS) -> str:
    """Return `value` if it may be a client, an id, a session or one level of a topic.

    Raises:
        BadRequest: It is empty, too long, starts with `$`, has a space at an end, or holds a
            wildcard, a slash, or a character that can't be seen.

    """
    if not value:
        raise BadRequest(f"{field}: expected a name, got an empty one", field=field)
    if len(value) > max_characters:
        raise BadRequest(
            f"{field}: expected at most {max_characters} characters, got {len(value)}", field=field
        )
    if value.startswith("$"):
        raise BadRequest(f"{field}: a name must not start with '$'", field=field)
    if value != value.strip(" "):
        raise BadRequest(f"{field}: a name must not begin or end with a space", field=field)
    for character in value:
        fault = _fault_of(character)
        if fault:
            raise BadRequest(f"{field}: a name must not hold {fault}", field=field)
    return value


def is_safe_name(value: str) -> bool:
    """Say whether `check_name` would return `value`."""
    try:
        check_name(value, "name")
    except BadRequest:
        return False
    return True


def check_root(value: str, field: str) -> str:
    """Return `value` if it may stand before all our topics: one name or several levels.

    Raises:
        BadRequest: A level is not a name.

    """
    for level in value.split(LEVEL_SEPARATOR):
        check_name(level, field)
    return value


def reply_topic_allowed(topic: str, *, client: str, default: str, allow: Sequence[str]) -> bool:
    """Say whether `client` may be answered on `topic`.

    Args:
        topic: The Response Topic or `reply_to`, as the client gave it.
        client: The client's checked name.
        default: Its default reply topic; the topic itself and all below it are the client's.
        allow: The operator's topic filters, with `%c` for the client: `lights/%c/#`.

    """
    levels = topic.split(LEVEL_SEPARATOR)
    if len(topic.encode(errors="replace")) > MAX_TOPIC_BYTES:
        return False
    if not all(is_safe_name(level) for level in levels):
        return False
    own = default.split(LEVEL_SEPARATOR)
    if levels[: len(own)] == own:
        return True
    return any(
        _matches(levels, topic_filter.split(LEVEL_SEPARATOR), client) for topic_filter in allow
    )


def _matches(levels: Sequence[str], filter_levels: Sequence[str], client: str) -> bool:
    """Match by levels, so that a client's name can never bring in a wildcard or a slash."""
    for position, wanted in enumerate(filter_levels):
        if wanted == "#":
            return True
        if position == len(levels):
            return False
        if wanted not in ("+", levels[position]) and (
            wanted.replace(CLIENT_PLACEHOLDER, client) != levels[position]
        ):
            return False
    return len(levels) == len(filter_levels)


def _fault_of(character: str) -> str | None:
    """Say what is wrong with a character in a name, or None."""
    if character in _WILDCARDS:
        return f"the wildcard '{character}'"
    if character == LEVEL_SEPARATOR:
        return f"'{LEVEL_SEPARATOR}'"
    codepoint = ord(character)
    if codepoint & 0xFFFE == 0xFFFE or 0xFDD0 <= codepoint <= 0xFDEF:  # noqa: PLR2004 - Unicode's own
        return "a non-character"
    category = unicodedata.category(character)
    if _INVISIBLE.match(character) or (category == "Zs" and character != " "):
        return "a character that can't be seen"
    return _UNSAFE_CATEGORIES.get(category)

"""What a payload would cost, found before anything of it is made a value; knows no fields.

A byte of MessagePack can be an empty list, which is 64 bytes of memory: two megabytes would become
a hundred and more. So the heads of its values are walked first, which makes nothing and ends at
the limit. JSON needs more bytes for less, and counting its commas outside texts is enough.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from worker.domain.errors import BadRequest, TooLarge

if TYPE_CHECKING:
    from worker.domain.policy import Limits

_TEXTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
# A quote after an even number of backslashes, and a colon: a field's name, or now and then a text
# that begins with a colon. So this counts too many, never too few.
_NAMES = re.compile(rb'(?<!\\)(?:\\\\)*+"[ \t\r\n]*+:')
_MAX_QUOTED = 64

_SIZED = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
"""Texts and binary data: by head, the bytes of their length."""
_PLAIN = dict.fromkeys((0xC0, 0xC2, 0xC3), 0) | {
    **dict.fromkeys((0xCC, 0xD0), 1),
    **dict.fromkeys((0xCD, 0xD1), 2),
    **dict.fromkeys((0xCA, 0xCE, 0xD2), 4),
    **dict.fromkeys((0xCB, 0xCF, 0xD3), 8),
}
"""Everything of a fixed size: by head, the bytes that follow."""
_IN_MAP = 2
_NESTED = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, _IN_MAP), 0xDF: (4, _IN_MAP)}
"""Arrays and maps: by head, the bytes of their count and how many values each entry has."""
_NEVER_USED = 0xC1
_EXTENSIONS = frozenset((0xC7, 0xC8, 0xC9, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8))


def check_json(payload: bytes, limits: Limits) -> int:
    """Return how many fields a JSON text has at most, if it has no more values than it may.

    Raises:
        TooLarge: It has more.

    """
    if payload.count(b'"') - payload.count(b'\\"') > 4 * limits.values:
        raise too_many(limits)
    commas = payload.count(b",")
    if commas > limits.values:
        for text in _TEXTS.finditer(payload):
            commas -= payload.count(b",", text.start(), text.end())
        if commas > limits.values:
            raise too_many(limits)
    fields = 0
    for fields, _ in enumerate(_NAMES.finditer(payload), 1):
        if fields > 2 * limits.values:
            raise too_many(limits)
    return fields


def unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """Return a map of the pairs; a hook for readers.

    Which of two fields of one name counts differs from reader to reader, so one in between could
    be made to see another request than we do (RFC 8259, section 4).

    Raises:
        BadRequest: Two have the same name.

    """
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = Counter(name for name, _ in pairs)
        name = str(names.most_common(1)[0][0])[:_MAX_QUOTED]
        raise BadRequest(f"{name}: expected this field once, got it twice", field=name)
    return fields


def check_msgpack(payload: bytes, limits: Limits) -> int:
    """Return how many fields MessagePack has, if it is one whole value, not too deep or too much.

    Raises:
        TooLarge: It has more values than a request may hold.
        BadRequest: It is nested too deep, ends too early or too late, or has an extension type.

    """
    # How many values each open array or map still lacks.
    open_values = [1]
    position = count = fields = 0
    while open_values:
        if not open_values[-1]:
            open_values.pop()
            continue
        open_values[-1] -= 1
        count += 1
        if count > 2 * limits.values:  # names count too
            raise too_many(limits)
        if position >= len(payload):
            raise _malformed("it ends in the middle of a value")
        head = payload[position]
        position, inside, each = _after(payload, position + 1, head)
        if each == _IN_MAP:
            fields += inside // _IN_MAP
        if inside:
            if len(open_values) > limits.depth:
                raise BadRequest(f"payload: nested more than {limits.depth} levels deep")
            if inside > len(payload) - position:
                raise _malformed("it ends in the middle of a value")
            open_values.append(inside)
    if position != len(payload):
        raise _malformed(f"{len(payload) - position} bytes follow its end")
    return fields


def too_many(limits: Limits) -> TooLarge:
    """Return the error for a payload of too many values."""
    return TooLarge(f"payload: expected at most {limits.values} values")


def _after(payload: bytes, position: int, head: int) -> tuple[int, int, int]:
    """Return where the value ends whose head was read, how many values are inside it, and of what.

    That is 2 in a map, where each field is two values, and 1 elsewhere.
    """
    inside, each = 0, 1
    if 0x80 <= head <= 0x8F:  # noqa: PLR2004 - the format's own, as are those that follow
        inside, each = _IN_MAP * (head & 0x0F), _IN_MAP
    elif 0x90 <= head <= 0x9F:  # noqa: PLR2004
        inside = head & 0x0F
    elif 0xA0 <= head <= 0xBF:  # noqa: PLR2004
        position += head & 0x1F
    elif head in _PLAIN:
        position += _PLAIN[head]
    elif head in _SIZED:
        size = _SIZED[head]
        position += size + _number(payload, position, size)
    elif head in _NESTED:
        size, each = _NESTED[head]
        inside = each * _number(payload, position, size)
        position += size
    elif head in _EXTENSIONS:
        raise _malformed("extension types are not allowed")
    elif head == _NEVER_USED:
        raise _malformed(f"no value begins with {head:#x}")
    return position, inside, each


def _number(payload: bytes, position: int, size: int) -> int:
    return int.from_bytes(payload[position : position + size], "big")


def _malformed(why: str) -> BadRequest:
    return BadRequest(f"payload: expected MessagePack: {why}")

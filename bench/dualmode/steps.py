"""Sums worked out in the small steps that a small model can follow; text only, exact integers."""

from __future__ import annotations


def add(a: int, b: int) -> str:
    """Return `a+b` column by column from the right, and the sum behind a colon."""
    if a < 10 and b < 10:
        return f"{a}+{b}={a + b}"
    columns, carry = [], 0
    for x, y in _columns(a, b):
        parts = [str(x), str(y)] + (["1"] if carry else [])
        total = x + y + carry
        columns.append(f"{'+'.join(parts)}={total}")
        carry = total // 10
    return f"{a}+{b}: {', '.join(columns)} -> {a + b}"


def subtract(a: int, b: int) -> str:
    """Return `a-b` column by column from the right; what is lent is said, `a` is not the smaller.

    `852-367: 2<7 12-7=5, 5-1=4<6 14-6=8, 8-1=7 7-3=4 -> 485`
    """
    if a < 20 and b < 10:
        return f"{a}-{b}={a - b}"
    columns, borrow = [], 0
    for x, y in _columns(a, b):
        said = ""
        if borrow:
            said = f"{x}-1={x - 1}" if x else "10-1=9"
        left = x - borrow if x or not borrow else 9
        borrow = 0 if x or not borrow else 1
        if left < y:
            said = f"{said or left}<{y} 1{left}"
            left, borrow = left + 10, 1
        elif said:
            said = f"{said} {left}"
        else:
            said = str(left)
        columns.append(f"{said}-{y}={left - y}")
    return f"{a}-{b}: {', '.join(columns)} -> {a - b}"


def multiply(a: int, b: int) -> str:
    """Return `a*b` place by place, the product said first: `42*4: 40*4=160, 2*4=8, 160+8=168`."""
    if a < b:
        a, b = b, a
    if a < 10 or b < 2:
        return f"{a}*{b}={a * b}"
    worked = _by_places(a, b)
    return worked if worked.startswith(f"{a}*{b}=") else f"{a}*{b}: {worked}"


def _by_places(a: int, b: int) -> str:
    if b < 10:
        return _by_digit(a, b)
    tens, ones = b // 10 * 10, b % 10
    if not ones:
        return f"{_by_digit(a, b // 10)}, so {a}*{b}={a * b}"
    return (
        f"{_by_digit(a, tens // 10)}, so {a}*{tens}={a * tens}. {_by_digit(a, ones)}. "
        f"{add(a * tens, a * ones)}"
    )


def divide(a: int, b: int) -> str:
    """Return `a/b`, which is whole, as tens and ones of the divisor, the quotient said first."""
    if a // b < 10:
        return f"{a}/{b}={a // b}"
    return f"{a}/{b}: {_by_tens(a, b) if b < 10 else _by_tenfolds(a, b)}"


def _by_tenfolds(a: int, b: int) -> str:
    """Take ten times the divisor away as often as it goes, and then divide the rest."""
    steps, times, rest = [f"{b}*10={b * 10}"], 0, a
    while rest >= 10 * b:
        steps.append(f"{rest}-{10 * b}={rest - 10 * b}")
        rest, times = rest - 10 * b, times + 1
    if not rest:
        return f"{', '.join(steps)}, {times} times, so {a // b}"
    steps += [f"{times} times", f"{rest}/{b}={rest // b}", f"{10 * times}+{rest // b}={a // b}"]
    return ", ".join(steps)


def _by_tens(a: int, b: int) -> str:
    quotient = a // b
    tens = quotient // 10 * 10
    rest = a - b * tens
    if not rest:
        return f"{b}*{tens}={a}, so {a}/{b}={quotient}"
    return (
        f"{b}*{tens}={b * tens}, {a}-{b * tens}={rest}, {rest}/{b}={quotient - tens}, "
        f"{tens}+{quotient - tens}={quotient}"
    )


def extreme(values: list[int], *, top: bool) -> str:
    """Return how the largest or the smallest is found, each held against the best so far.

    `18, 106, 90`: `106>18, max 106. 90<106, max 106`
    """
    best, steps = values[0], []
    for value in values[1:]:
        sign = "=" if value == best else ">" if value > best else "<"
        found = max(best, value) if top else min(best, value)
        steps.append(f"{value}{sign}{best}, {'max' if top else 'min'} {found}")
        best = found
    return ". ".join(steps)


def within(value: int, low: int, high: int) -> str:
    """Return how a value is held against two limits, the verdict last, as the rest follows from it."""
    if value < low:
        return f"{value} < {low}, low"
    return f"{value} >= {low}, {value} {'> ' if value > high else '<= '}{high}, {'high' if value > high else 'ok'}"


def counted(hits: list[bool], said: list[str]) -> str:
    """Go through things one by one, counting aloud those that are meant."""
    count, steps = 0, []
    for hit, words in zip(hits, said, strict=True):
        count += hit
        steps.append(f"{words} {f'yes {count}' if hit else 'no'}")
    return f"{', '.join(steps)}. That is {count}"


def _by_digit(a: int, digit: int) -> str:
    if a < 10 or digit < 2:
        return f"{a}*{digit}={a * digit}"
    text = str(a)
    places = [int(x) * 10 ** (len(text) - 1 - i) for i, x in enumerate(text) if x != "0"]
    parts = [f"{place}*{digit}={place * digit}" for place in places]
    if len(places) == 1:
        return parts[0]
    sums = "+".join(str(place * digit) for place in places)
    return f"{', '.join(parts)}, {sums}={a * digit}"


def _columns(a: int, b: int) -> list[tuple[int, int]]:
    width = max(len(str(a)), len(str(b)))
    left, right = str(a).zfill(width), str(b).zfill(width)
    return [(int(x), int(y)) for x, y in zip(reversed(left), reversed(right), strict=True)]

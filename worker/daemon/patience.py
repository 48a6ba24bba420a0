"""How long to wait before something that failed is tried again; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST_S = 0.5
_LAST_S = 8.0


def delays(first_s: float = _FIRST_S, last_s: float = _LAST_S) -> Iterator[float]:
    """Yield the seconds before each further try: twice as many each time, up to a limit."""
    delay_s = first_s
    while True:
        yield delay_s
        delay_s = min(last_s, 2 * delay_s)

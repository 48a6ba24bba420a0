"""Holds back the first words of an answer that may yet be taken back; knows no batch, no pipe.

A model that begins an answer unsure of its tokens is oftener wrong, and right when it thinks
(`bench/escalation.py` measures it). While the first tokens are watched nobody hears them, so that
nothing that was said is ever unsaid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.engine.pipe import RowEvent

FIRST_TOKENS = 8
"""Of an answer: after so many nothing is taken back."""


class Watch:
    """Watches the first tokens of one answer.

    Args:
        below: The probability, from 0 to 1, below which a token is a doubt.

    """

    def __init__(self, below: float) -> None:
        self._below = below
        self._left = FIRST_TOKENS
        self._held: list[RowEvent] = []

    @property
    def held(self) -> list[RowEvent]:
        """What the answer has said so far and nobody has heard."""
        return self._held

    @property
    def over(self) -> bool:
        """Whether enough was seen."""
        return self._left <= 0

    def is_doubt(self, probability: float) -> bool:
        """Tell whether the answer's next token is one to take it back for."""
        self._left -= 1
        return probability < self._below

    def let_go(self, events: list[RowEvent]) -> None:
        """Let everything held back be heard."""
        events += self._held
        self._held = []

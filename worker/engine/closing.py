"""The shortest way from a half-written bound text to one that its grammar accepts; runs no model.

A character at a time: the one that ends most, since what ends a value in JSON is always the same
few. One after which the same may follow as before it may run in a circle (`[0-9]+` takes a zero
for ever), so then one is looked for that leads on.
"""

from __future__ import annotations

import string
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

MAX_TOKENS = 1024
"""What needs more is not completed, and the caller says so."""

_FEW = 256
_PLAIN = b"a"


class Closer:
    """Completes texts of one model's vocabulary.

    Args:
        tokenizer: Knows the vocabulary.

    """

    def __init__(self, tokenizer: LLTokenizer) -> None:
        self._tokenizer = tokenizer
        # What ends a value stands before what begins or continues one; then all there is.
        self._inside = self._tokens('"}],:0')
        self._between = self._tokens('}]":,0')
        (self._letter,) = tokenizer.tokenize_bytes(_PLAIN)

    def closing(self, matcher: LLMatcher) -> list[int] | None:
        """Return the tokens of a short text that completes what was consumed; None: there is none.

        The matcher stays where it is.
        """
        tokens = self._completed(matcher.deep_copy(), MAX_TOKENS, None)
        return tokens or self._completed(matcher.deep_copy(), _FEW, Counter())

    def _completed(
        self, matcher: LLMatcher, limit: int, taken: Counter[int] | None
    ) -> list[int] | None:
        closing: list[int] = []
        leads: dict[bytes, int] = {}
        while not matcher.is_accepting():
            following = matcher.compute_ff_tokens()
            if not following:
                following = self._next(matcher, leads, taken)
            if not following or not matcher.consume_tokens(following):
                return None
            closing += following
            if len(closing) > limit:
                return None
        return closing

    def _next(
        self, matcher: LLMatcher, leads: dict[bytes, int], taken: Counter[int] | None
    ) -> list[int]:
        mask = matcher.compute_bitmask()
        if matcher.is_error():
            return []
        allowed = self._allowed(mask)
        if not allowed:
            return []
        if taken is not None:
            chosen = min(allowed, key=lambda token: taken[token])
            taken[chosen] += 1
            return [chosen]
        if mask not in leads:
            leads[mask] = chosen = allowed[0]
            if _after(matcher, chosen) == mask:
                others = (token for token in allowed[1:] if _after(matcher, token) != mask)
                leads[mask] = next(others, chosen)
        return [leads[mask]]

    def _allowed(self, mask: bytes) -> list[int]:
        # Where a letter may stand we are inside a string, and a bracket would be part of it.
        wanted = self._inside if _allows(mask, self._letter) else self._between
        allowed = [token for token in wanted if _allows(mask, token)]
        if allowed:
            return allowed
        # Another script, or a control token that the grammar itself asks for.
        bits = np.unpackbits(np.frombuffer(mask, dtype=np.uint8), bitorder="little")
        found: list[int] = np.flatnonzero(bits)[:1000].tolist()
        return [one for one in found if not self._tokenizer.is_special_token(one)] or found

    def _tokens(self, first: str) -> list[int]:
        characters = dict.fromkeys(f"{first}{string.printable.strip()} \n\t")
        encoded = (self._tokenizer.tokenize_bytes(one.encode()) for one in characters)
        return [tokens[0] for tokens in encoded if len(tokens) == 1]


def _allows(mask: bytes, token: int) -> bool:
    return bool(mask[token >> 3] >> (token & 7) & 1)


def _after(matcher: LLMatcher, token: int) -> bytes:
    """Return what may follow a token that may follow."""
    ahead = matcher.deep_copy()
    ahead.consume_token(token)
    mask: bytes = ahead.compute_bitmask()
    return mask

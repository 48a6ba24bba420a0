"""From token ids to the text a client sees, piece by piece; knows neither batches nor requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np
from mlx_lm.generate import TextStateMachine

from worker.domain.messages import TokenChoice, TokenProbability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlx_lm.tokenizer_utils import TokenizerWrapper

_LOOP_PERIOD_TOKENS = 64
_LOOP_REPEATS = 6
_LOOP_TOKENS = 96


def is_looping(tokens: Sequence[int]) -> bool:
    """Tell whether the end of a text is one n-gram again and again.

    That is six times at least and 96 tokens at least, so that a table's rule or a row of zeros
    passes; an n-gram may have up to 64 tokens.
    """
    for period in range(1, _LOOP_PERIOD_TOKENS + 1):
        span = max(_LOOP_REPEATS * period, _LOOP_TOKENS)
        if span <= len(tokens) and tokens[-span:-period] == tokens[-span + period :]:
            return True
    return False


def token_choice(
    tokenizer: TokenizerWrapper, token: int, logprobs: mx.array, count: int
) -> TokenChoice:
    """Return a token with its probability and the `count` likeliest ones.

    Args:
        tokenizer: Says how they are written.
        token: The one that was chosen.
        logprobs: Of the whole vocabulary, shape (vocabulary,).
        count: How many others to name, 0 to 20.

    """
    likeliest: list[int] = []
    if count:
        found = mx.argpartition(-logprobs, kth=count - 1)[:count]
        likeliest = np.array(found[mx.argsort(-logprobs[found])]).tolist()
    values: list[float] = np.array(logprobs[mx.array([token, *likeliest])]).tolist()
    return TokenChoice(
        tokenizer.decode([token]),
        values[0],
        tuple(
            TokenProbability(tokenizer.decode([one]), value)
            for one, value in zip(likeliest, values[1:], strict=True)
        ),
    )


class TextStream:
    """One kind of text as it grows: whitespace at both ends left out, ended by a stop string.

    What `add` and `finish` return, joined, is exactly the text a reply holds. Whitespace is held
    back until something follows it, and so is what may be the start of a stop string or the first
    bytes of a character.

    Args:
        tokenizer: Gives a detokenizer that keeps incomplete UTF-8 sequences back.
        stop: Strings that end the text; they are not part of it.

    """

    def __init__(self, tokenizer: TokenizerWrapper, stop: tuple[str, ...] = ()) -> None:
        self._detokenizer = tokenizer.detokenizer
        self._machine = TextStateMachine({"text": [(word, None) for word in stop]})
        self._state = self._machine.make_state("text")
        self._started = False
        self._held = ""
        self.stopped = False

    def add(self, token: int) -> str:
        """Take one token; return the text that is certain now, often nothing."""
        self._detokenizer.add_token(token)
        return self._pass_on(self._detokenizer.last_segment)

    def finish(self) -> str:
        """Return what was still held back, but for whitespace at the end."""
        self._detokenizer.finalize()
        text = self._pass_on(self._detokenizer.last_segment)
        if not self.stopped:
            _, rest, _ = TextStateMachine.flush(self._state)
            text += self._trimmed(rest)
        self._held = ""
        return text

    def _pass_on(self, text: str) -> str:
        if self.stopped or not text:
            return ""
        self._state, segments = TextStateMachine.split(self._state, text)
        self.stopped = self._state[0] is None
        return self._trimmed("".join(part for kind, part in segments if kind is not None))

    def _trimmed(self, text: str) -> str:
        text = self._held + text
        if not self._started:
            text = text.lstrip()
            self._started = bool(text)
        kept = text.rstrip()
        self._held = text[len(kept) :]
        return kept

"""From token ids to the text a client sees, piece by piece; knows neither batches nor requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlx_lm.generate import TextStateMachine

if TYPE_CHECKING:
    from mlx_lm.tokenizer_utils import TokenizerWrapper


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

"""Answers bound to a schema or grammar while they are decoded, by llguidance; knows no requests.

A `GrammarProcessor` sits on the rows that need one and masks what the grammar forbids next. It
must see each token before the next mask, so its row waits for the token's value; other rows
don't.
"""

from __future__ import annotations

import json
import string
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import llguidance.hf
import mlx.core as mx
import numpy as np
from llguidance import LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

from worker.domain.errors import BadSchema

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlx_lm.tokenizer_utils import TokenizerWrapper

_FIELD = "response_format"
# What ends a value stands before what begins or continues one; then whatever may stand at all.
_CLOSING_BYTES = tuple(
    character.encode() for character in dict.fromkeys('"}],:0' + string.printable.strip() + " ")
)
_MAX_CLOSING_TOKENS = 256
# A free choice of whitespace lets a small model write blank lines until it runs out of tokens.
_JSON_OPTIONS: dict[str, Any] = {"whitespace_flexible": False}


class Grammars:
    """Compiles what `response_format` may hold for one model's vocabulary.

    Args:
        tokenizer: The loaded model's tokenizer.
        vocabulary: The width of the model's logits, which may exceed the tokenizer's.

    """

    def __init__(self, tokenizer: TokenizerWrapper, vocabulary: int) -> None:
        self.tokenizer: LLTokenizer = llguidance.hf.from_tokenizer(
            tokenizer._tokenizer,  # noqa: SLF001 - llguidance takes the Hugging Face object itself
            n_vocab=vocabulary,
            eos_token=sorted(tokenizer.eos_token_ids),
        )
        self._compiled = lru_cache(maxsize=64)(self._compile)

    def matcher(self, response_format: dict[str, Any], field: str = _FIELD) -> LLMatcher:
        """Return a fresh matcher at the grammar's start.

        Args:
            response_format: The grammar, as a request has it.
            field: Which part of the request it comes from, for the error.

        Raises:
            BadSchema: The schema or grammar can't be enforced; the message says why.

        """
        # In the order the client gave: a schema's properties are written in the order they stand.
        grammar = self._compiled(json.dumps(response_format), field)
        return LLMatcher(self.tokenizer, grammar)

    def _compile(self, serialized: str, field: str) -> str:
        grammar = _grammar_of(json.loads(serialized), field)
        error = LLMatcher.validate_grammar(grammar, self.tokenizer)
        if error:
            raise BadSchema(f"{field}: {_first_line(error)}", field=field)
        return grammar


def _grammar_of(response_format: dict[str, Any], field: str) -> str:
    grammar: str
    try:
        match response_format["type"]:
            case "json_object":
                grammar = _json_grammar({"type": "object"})
            case "json_schema":
                schema = response_format["json_schema"]
                grammar = _json_grammar(schema.get("schema", schema))
            case "regex":
                grammar = LLMatcher.grammar_from_regex(response_format["regex"])
            case _:
                grammar = LLMatcher.grammar_from_lark(response_format["grammar"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadSchema(f"{field}: {_first_line(str(error))}", field=field) from error
    return grammar


def _json_grammar(schema: Any) -> str:
    grammar: str = LLMatcher.grammar_from_json_schema(schema, defaults=_JSON_OPTIONS)
    return grammar


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "can't be compiled"


class GrammarProcessor:
    """A logits processor of one row, in mlx-lm's calling convention.

    Args:
        matcher: At the grammar's start.
        prompt_length: How many tokens the row's context holds before the bound text begins.
            What comes after them has been sampled under the grammar.

    """

    def __init__(self, matcher: LLMatcher, prompt_length: int) -> None:
        self.matcher = matcher
        self._consumed = prompt_length

    def __call__(self, context: mx.array, logits: mx.array) -> mx.array:
        """Mask the logits, shape (1, vocabulary), by what may follow the context."""
        length = context.shape[0]
        if length > self._consumed:
            for token in np.array(context[self._consumed :]):
                self.matcher.consume_token(int(token))
            self._consumed = length
        return _masked(self.matcher, logits)


class CallProcessor:
    """A logits processor that binds each tool call a row makes of its own will.

    Args:
        matcher: Makes a matcher that stands where a call has just begun.
        start: The token that begins a call.
        end: The token that ends one; the grammar's last.
        prompt_length: How many tokens the row's context holds before what it wrote itself.

    """

    def __init__(
        self, matcher: Callable[[], LLMatcher], start: int, end: int, prompt_length: int
    ) -> None:
        self._new_matcher = matcher
        self._start, self._end = start, end
        self._seen = prompt_length
        self._matcher: LLMatcher | None = None

    def __call__(self, context: mx.array, logits: mx.array) -> mx.array:
        """Mask the logits, shape (1, vocabulary), where a call has begun and has not ended."""
        for token in np.array(context[self._seen :]):
            if token == self._start:
                self._matcher = self._new_matcher()
            elif self._matcher is not None:
                self._matcher.consume_token(int(token))
                if token == self._end:
                    self._matcher = None
        self._seen = context.shape[0]
        return logits if self._matcher is None else _masked(self._matcher, logits)


def _masked(matcher: LLMatcher, logits: mx.array) -> mx.array:
    vocabulary = logits.shape[-1]
    bitmask = allocate_token_bitmask(1, vocabulary)
    fill_next_token_bitmask(matcher, bitmask)
    bits = np.unpackbits(bitmask.view(np.uint8), bitorder="little")[:vocabulary]
    return mx.where(mx.array(bits.astype(bool)), logits, -mx.inf)


def shortest_closing(matcher: LLMatcher, tokenizer: LLTokenizer) -> str | None:
    """Return a short text that completes what the matcher has consumed, or None.

    It is greedy: forced text where the grammar leaves no choice, else the first character that
    is allowed, those that end a value before those that go on with it. That closes JSON in a few
    steps; a grammar that needs more than 256 is left open, and the caller says so.
    """
    matcher = matcher.deep_copy()
    closing: list[int] = []
    candidates = [
        tokens[0] for text in _CLOSING_BYTES if len(tokens := tokenizer.tokenize_bytes(text)) == 1
    ]
    while not matcher.is_accepting():
        forced = matcher.compute_ff_tokens()
        token = forced[0] if forced else _first_allowed(matcher, candidates)
        if token is None or len(closing) >= _MAX_CLOSING_TOKENS:
            return None
        if not matcher.consume_token(token):
            return None
        closing.append(token)
    text: str = tokenizer.decode_str(closing)
    return text


def _first_allowed(matcher: LLMatcher, candidates: list[int]) -> int | None:
    return next((token for token in candidates if matcher.validate_tokens([token]) == 1), None)

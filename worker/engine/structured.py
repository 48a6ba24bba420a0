"""Answers bound to a schema or grammar while they are decoded, by llguidance; knows no requests.

A `GrammarProcessor` sits on the rows that need one and masks what the grammar forbids next. It
must see each token before the next mask, so its row waits for the token's value; other rows
don't. The model reads that token while the mask is made.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import llguidance.hf
import mlx.core as mx
import numpy as np
from llguidance import LLMatcher, LLTokenizer
from llguidance._lib import LLParserLimits
from llguidance.gbnf_to_lark import any_to_lark
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

from worker.domain.errors import BadSchema
from worker.engine.closing import MAX_TOKENS, Closer
from worker.engine.schemas import blame, check_schema, check_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlx_lm.tokenizer_utils import TokenizerWrapper

_FIELD = "response_format"
# One blank behind a sign or none, as the model is used to: bound to none, it writes pieces of words
# that it has seldom seen. A free choice lets a small model write blank lines until it runs out of
# tokens.
_JSON_OPTIONS: dict[str, Any] = {
    "whitespace_flexible": False, "item_separator": ", ?", "key_separator": ": ?",
}  # fmt: skip
_LIMITS = LLParserLimits(
    max_grammar_size=50_000, max_items_in_row=1000, step_max_items=20_000, max_lexer_states=40_000
)
"""What one grammar may cost: 80 MB of lexer states, some 50 ms for a mask at the very worst."""


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
        self.closer = Closer(self.tokenizer)
        self._compiled = lru_cache(maxsize=32)(self._compile)

    def matcher(self, response_format: dict[str, Any], field: str = _FIELD) -> LLMatcher:
        """Return a fresh matcher at the grammar's start.

        Compiled once, on the thread that prepares a row: the engine's own only takes copies.

        Args:
            response_format: The grammar, as a request has it.
            field: Which part of the request it comes from, for the error.

        Raises:
            BadSchema: The schema or grammar can't be enforced; `field` is the path of the part at
                fault, as far as it can be told.

        """
        # In the order the client gave: a schema's properties are written in the order they stand.
        return self._compiled(json.dumps(response_format), field).deep_copy()

    def fault(self, schema: Any, options: dict[str, Any] | None = None) -> str | None:
        """Return why a schema can't be enforced, None if it can."""
        try:
            grammar = LLMatcher.grammar_from_json_schema(schema, defaults=options or _JSON_OPTIONS)
        except (ValueError, TypeError) as error:
            return _first_line(str(error))
        return self._fault_of(self._new(grammar))

    def _compile(self, serialized: str, field: str) -> LLMatcher:
        response_format: dict[str, Any] = json.loads(serialized)
        matcher = self._new(_grammar_of(response_format, field))
        reason = self._fault_of(matcher)
        if reason is None:
            return matcher
        path, schema = _schema_in(response_format, field)
        if schema is not None:
            path, reason = blame(schema, path, self.fault, reason)
        raise BadSchema(f"{path}: {reason}", field=path)

    def _new(self, grammar: str) -> LLMatcher:
        return LLMatcher(self.tokenizer, grammar, log_level=0, limits=_LIMITS)

    def _fault_of(self, matcher: LLMatcher) -> str | None:
        if matcher.is_error():
            return _first_line(matcher.get_error())
        # What can't be completed from its very beginning never ends.
        if self.closer.closing(matcher) is None:
            return f"nothing of at most {MAX_TOKENS} tokens satisfies it"
        return None


def _grammar_of(response_format: dict[str, Any], field: str) -> str:
    path, schema = _schema_in(response_format, field)
    grammar: str
    try:
        if schema is not None:
            check_schema(schema, path)
            grammar = LLMatcher.grammar_from_json_schema(schema, defaults=_JSON_OPTIONS)
        elif response_format["type"] == "regex":
            check_text(response_format.get("regex"), path)
            grammar = LLMatcher.grammar_from_regex(response_format["regex"])
        else:
            text = response_format.get("grammar")
            if field == _FIELD:  # the others are ours
                check_text(text, path)
            grammar = LLMatcher.grammar_from_lark(any_to_lark(text))
    except BadSchema:
        raise
    except Exception as error:
        # The conversion from GBNF raises whatever it comes across.
        raise BadSchema(f"{path}: {_first_line(str(error))}", field=path) from error
    return grammar


def _schema_in(response_format: dict[str, Any], field: str) -> tuple[str, Any]:
    """Return the path and the schema that a format holds, None where it holds another grammar."""
    match response_format["type"]:
        case "json_object":
            return field, {"type": "object"}
        case "json_schema":
            given = response_format["json_schema"]
            path = field if field != _FIELD else f"{field}.json_schema"
            if isinstance(given, dict) and "schema" in given:
                return (path if field != _FIELD else f"{path}.schema"), given["schema"]
            return path, given
        case "regex":
            return f"{field}.regex", None
        case _:
            return (f"{field}.grammar" if field == _FIELD else field), None


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:300] if text.strip() else "can't be compiled"


class GrammarProcessor:
    """A logits processor of one row, in mlx-lm's calling convention.

    Args:
        matcher: At the grammar's start.
        prompt_length: How many tokens the row's context holds before the bound text begins.
            What comes after them has been sampled under the grammar.
        on_fault: Told why, if the grammar turns out to cost too much.

    """

    def __init__(
        self, matcher: LLMatcher, prompt_length: int, on_fault: Callable[[str], None]
    ) -> None:
        self.matcher = matcher
        self._consumed = prompt_length
        self._on_fault = on_fault

    def __call__(self, context: mx.array, logits: mx.array) -> mx.array:
        """Mask the logits, shape (1, vocabulary), by what may follow the context."""
        _begin(logits)
        length = context.shape[0]
        if length > self._consumed:
            for token in np.array(context[self._consumed :]):
                self.matcher.consume_token(int(token))
            self._consumed = length
        return _masked(self.matcher, logits, self._on_fault)


class CallProcessor:
    """A logits processor that binds each tool call a row makes of its own will.

    Args:
        matcher: Makes a matcher that stands where a call has just begun.
        start: The token that begins a call.
        end: The token that ends one; the grammar's last.
        prompt_length: How many tokens the row's context holds before what it wrote itself.
        on_fault: Told why, if the grammar turns out to cost too much.

    """

    def __init__(
        self,
        matcher: Callable[[], LLMatcher],
        start: int,
        end: int,
        prompt_length: int,
        on_fault: Callable[[str], None],
    ) -> None:
        self._new_matcher = matcher
        self._start, self._end = start, end
        self._seen = prompt_length
        self._on_fault = on_fault
        self._matcher: LLMatcher | None = None

    def __call__(self, context: mx.array, logits: mx.array) -> mx.array:
        """Mask the logits, shape (1, vocabulary), where a call has begun and has not ended."""
        _begin(logits)
        for token in np.array(context[self._seen :]):
            if token == self._start:
                self._matcher = self._new_matcher()
            elif self._matcher is not None:
                self._matcher.consume_token(int(token))
                if token == self._end:
                    self._matcher = None
        self._seen = context.shape[0]
        return logits if self._matcher is None else _masked(self._matcher, logits, self._on_fault)


def _begin(logits: mx.array) -> None:
    """Let the model work while the mask is made."""
    mx.async_eval(logits)  # type: ignore[no-untyped-call]


def _masked(matcher: LLMatcher, logits: mx.array, on_fault: Callable[[str], None]) -> mx.array:
    vocabulary = logits.shape[-1]
    bitmask = allocate_token_bitmask(1, vocabulary)
    fill_next_token_bitmask(matcher, bitmask)
    if matcher.is_error():
        on_fault(_first_line(matcher.get_error()))
        return logits
    bits = np.unpackbits(bitmask.view(np.uint8), bitorder="little")[:vocabulary]
    return mx.where(mx.array(bits.view(bool)), logits, -mx.inf)

"""From a request to a row: its prompt, its limits, its grammars, and the tokens that end a thought.

Touches no array and no batch, so the reader's thread may prepare rows while the engine steps.
"""

from __future__ import annotations

import copy
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from worker.domain.errors import BadRequest, BadSchema, ContextTooLong
from worker.domain.messages import Mode
from worker.engine.pipe import Failed
from worker.engine.prompts import PromptWriter
from worker.engine.row import Next, Row
from worker.engine.structured import CallProcessor, GrammarProcessor, Grammars
from worker.engine.tools import blame_tools, call_grammar, check_tools, describe, own_call_grammar

if TYPE_CHECKING:
    from llguidance import LLMatcher
    from mlx_lm.tokenizer_utils import TokenizerWrapper

    from worker.engine.models import LoadedModel
    from worker.engine.pipe import Ahead, RowEvent, Submit

_SPARE_TOKENS = 64
_ANSWER_TOKENS = 1024
"""What an answer is given room for where its client doesn't say how long it may be."""

_ROOM_FOR_DOUBT = 2 * _SPARE_TOKENS
"""With fewer tokens left there is no room to drop some and think."""


class RowMaker:
    """Makes the rows of one model.

    Args:
        loaded: The model, its tokenizer and its profile.

    """

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._windows: tuple[int, ...] = (loaded.context_tokens,)
        self.why_no_more = f"the model {loaded.profile.name}"
        self.notes: dict[int, str] = {}
        """What replies say of a window."""
        profile = loaded.profile
        self._writer = PromptWriter(
            loaded.tokenizer,
            native=profile.thinking == "native",
            think_instruction=profile.think_instruction,
            answer_instruction=profile.answer_instruction,
        )
        self._grammars = Grammars(loaded.tokenizer, loaded.vocabulary)

    def within(self, *windows: int) -> RowMaker:
        """Return one that makes rows for other windows than what the model reads.

        Args:
            windows: How many tokens a conversation may have, ascending: a row gets the smallest
                that it fits.

        """
        maker = copy.copy(self)
        maker._windows = windows  # noqa: SLF001 - its own
        return maker

    def prepare(self, submit: Submit) -> Row:
        """Render and tokenize a request. Touches no array, so another thread may do it.

        Raises:
            ContextTooLong: The prompt leaves no room for an answer.
            BadSchema: Its grammar, or a tool's, can't be enforced.
            BadRequest: It names a token that the model doesn't have.

        """
        loaded = self._loaded
        mode = submit.mode
        row = self.row(submit, mode)
        if submit.tools:
            check_tools(submit.tools)
        if row.grammar:
            self._matcher(row)
        if row.own_calls:
            self._own_calls(row)
        if mode is Mode.THINK and row.reasoning_limit <= 0:
            row = self.row(replace(submit, mode=Mode.NO_THINK), Mode.NO_THINK)
        if row.completion_limit < _ROOM_FOR_DOUBT:
            row.watch = None
        unknown = [token for token in submit.sampling.logit_bias if token >= loaded.vocabulary]
        if unknown:
            raise BadRequest(
                f"logit_bias: expected token ids below {loaded.vocabulary}, got {unknown[0]}",
                field="logit_bias",
            )
        allowed = submit.context_tokens
        if allowed is not None and len(row.prompt) > allowed:
            raise ContextTooLong(
                f"the conversation has {len(row.prompt)} tokens; this client may send {allowed}",
                tokens=len(row.prompt),
                limit=allowed,
            )
        if row.completion_limit < 1:
            limit = self._windows[-1] - 1
            raise ContextTooLong(
                f"the conversation has {len(row.prompt)} tokens; "
                f"{self.why_no_more} reads at most {limit} and writes the rest",
                tokens=len(row.prompt),
                limit=limit,
            )
        return row

    def beginning(self, ahead: Ahead) -> list[int]:
        """Return the ids that every prompt begins with in which these messages go on."""
        *before, last = ahead.messages or [{"role": "system", "content": ""}]
        if last["role"] == "user":
            # What it says may be a part of a word yet.
            ends = [last, {**last, "content": f"{last['content']} and"}]
        else:
            before = ahead.messages
            ends = [{"role": "user", "content": text} for text in ("a", "1")]
        if last["role"] == "tool":
            ends = []
        one, other = (
            self._prompt([*before, *ends[which : which + 1]], ahead.tools, mode)
            for which, mode in enumerate((Mode.NO_THINK, Mode.THINK))
        )
        pairs = zip(one, other, strict=False)
        return [left for left, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]

    def _prompt(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]], mode: Mode
    ) -> list[int]:
        knows_tools = self._loaded.tokenizer.has_tool_calling
        if tools and not knows_tools:
            messages = describe(messages, tools)
        return self._writer.conversation(messages, mode, tools if knows_tools else None)

    def row(self, submit: Submit, mode: Mode) -> Row:
        """Return the row of a request in a mode, unchecked."""
        loaded, profile = self._loaded, self._loaded.profile
        tools = [] if submit.tool_choice == "none" else submit.tools
        knows_tools = loaded.tokenizer.has_tool_calling
        tokens = self._prompt(submit.messages, tools, mode)
        wanted = submit.sampling.max_tokens or profile.max_tokens(mode)
        spare = _SPARE_TOKENS if mode is Mode.THINK else 0
        window = self.window_for(len(tokens) + spare + self._needed(submit, mode, wanted))
        room = window - len(tokens) - spare
        calls = call_grammar(tools, submit.tool_choice, native=knows_tools)
        row = Row(
            submit,
            tokens,
            loaded.tokenizer,
            profile,
            completion_limit=min(wanted, room),
            calls=calls,
        )
        row.window = window
        if window in self.notes:
            row.notes.append(self.notes[window])
        if row.call_tokens is not None and knows_tools and _writes_json_calls(loaded.tokenizer):
            row.own_calls = own_call_grammar(tools, row.call_tokens[1])
        return row

    def window_for(self, tokens: int) -> int:
        """Return the smallest window that so many tokens fit, or the largest there is."""
        return next((one for one in self._windows if tokens <= one), self._windows[-1])

    def _needed(self, submit: Submit, mode: Mode, wanted: int) -> int:
        """Return how many tokens an answer is sure to find room for, if the model has any."""
        if submit.sampling.max_tokens is not None:
            return wanted
        thought = 0
        if mode is Mode.THINK:
            usual = self._loaded.profile.default_budget_tokens
            thought = usual if submit.budget_tokens is None else submit.budget_tokens
        return min(wanted, thought + _ANSWER_TOKENS)

    def closing(self, row: Row, following: Next) -> tuple[list[int], int]:
        """Return the tokens that lead to the answer, and how many of the last ones they replace."""
        ended_turn = row.generated[-1] in self._loaded.tokenizer.eos_token_ids
        if not row.native:
            bridge = self._writer.bridge()
            return (bridge[1:] if ended_turn else bridge), 0
        if following is Next.BEGIN_ANSWER:
            return self._writer.literal("\n\n"), 0
        if ended_turn:
            row.generated.pop()
        return self._writer.literal(self._loaded.profile.close_text), int(ended_turn)

    def bindings(self, row: Row, context_length: int) -> list[Any]:
        """Return the logits processors that bind what a row writes next.

        Args:
            row: Its answer so far counts as written under its grammar.
            context_length: How many tokens are read when it goes on.

        """
        if row.grammar and row.phase == "answering":
            matcher = self._matcher(row)
            matcher.consume_tokens(row.generated[row.answer_begins :])
            return [GrammarProcessor(matcher, context_length, row.note_fault)]
        if row.own_calls is not None and row.call_tokens is not None:
            fresh = partial(self._own_calls, row)
            written_from = context_length - len(row.generated)
            return [CallProcessor(fresh, *row.call_tokens, written_from, row.note_fault)]
        return []

    def end(self, row: Row, events: list[RowEvent]) -> None:
        """End a row; a bound answer that was cut is completed, or else is none."""
        if row.fault is None and row.finish_reason in ("length", "deadline"):
            end = "the deadline" if row.finish_reason == "deadline" else "the length's end"
            tokens = self._completion(row)
            if tokens is None:
                row.fault = f"the answer was cut by {end} and can't be completed"
            elif tokens:
                row.complete(tokens, events)
                row.notes.append(f"The answer was completed by its grammar at {end}.")
        if row.fault is None:
            row.finish(events)
        else:
            field = "response_format" if row.calls is None else "tools"
            events.append(Failed(row.row, "bad_schema", f"{field}: {row.fault}", field))

    def _completion(self, row: Row) -> list[int] | None:
        """Return the tokens that complete an answer that is cut; None: there are none.

        A call is not completed: what it would be made with is nobody's wish.
        """
        begun = row.generated[row.answer_begins :]
        if not row.grammar or row.phase != "answering" or row.is_calling or not begun:
            return []
        matcher = self._matcher(row)
        matcher.consume_tokens(begun)
        return self._grammars.closer.closing(matcher)

    def _matcher(self, row: Row) -> LLMatcher:
        assert row.grammar is not None
        if row.calls is None:
            return self._grammars.matcher(row.grammar)
        return self._bound_calls(row, row.grammar)

    def _own_calls(self, row: Row) -> LLMatcher:
        assert row.own_calls is not None
        return self._bound_calls(row, row.own_calls)

    def _bound_calls(self, row: Row, grammar: dict[str, Any]) -> LLMatcher:
        try:
            return self._grammars.matcher(grammar, field="tools")
        except BadSchema as error:
            path, reason = blame_tools(row.submit.tools, self._grammars.fault, error.message)
            raise BadSchema(f"{path}: {reason}", field=path) from None


def _writes_json_calls(tokenizer: TokenizerWrapper) -> bool:
    return getattr(tokenizer.tool_parser, "__module__", "") == "mlx_lm.tool_parsers.json_tools"

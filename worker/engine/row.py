"""One request's way through its phases, token by token: thought, answer, tool calls.

A row decides nothing about batches and runs no model: it is told each sampled token and says what
must happen next. Replaying the tokens of an earlier engine through it restores its state.
"""

from __future__ import annotations

import math
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from worker.domain.messages import Kind, Mode
from worker.engine.doubt import Watch
from worker.engine.pipe import Done, RowEvent, State, Submit, Text
from worker.engine.text import TextStream, is_looping, token_choice

if TYPE_CHECKING:
    import mlx.core as mx
    from mlx_lm.tokenizer_utils import TokenizerWrapper

    from worker.domain.messages import TokenChoice
    from worker.engine.disk import Loaded
    from worker.engine.pipe import ThoughtEnd
    from worker.engine.profiles import Profile

    FinishReason = Literal["stop", "length", "tool_calls", "cancelled", "deadline"]

_ANSWER_SHARE = 2
_ANSWER_RESERVE_TOKENS = 256
_HELD_CHARACTERS = 160
_LOOP_CHECK_TOKENS = 16


class Next(Enum):
    """What a row needs after a token."""

    GO_ON = auto()
    CLOSE_THOUGHT = auto()
    """The thought is over its budget: put the closing tokens in and go on with the answer."""
    BEGIN_ANSWER = auto()
    """The thought ended by itself, and something must be put in before the answer begins."""
    FINISH = auto()
    THINK_AFTER_ALL = auto()
    """The answer went wrong before anybody heard of it."""


class Row:
    """The state of one request in the batch.

    Args:
        submit: What the daemon asked for.
        prompt: Token ids of the rendered conversation.
        tokenizer: The model's.
        profile: How the model thinks.
        completion_limit: The most tokens it may sample, thought and answer together.
        calls: The grammar of tool calls, where the model has no format of its own for them or
            must make one.

    """

    def __init__(
        self,
        submit: Submit,
        prompt: list[int],
        tokenizer: TokenizerWrapper,
        profile: Profile,
        *,
        completion_limit: int,
        calls: dict[str, Any] | None = None,
    ) -> None:
        self.submit = submit
        self.prompt = prompt
        self.native = profile.thinking == "native"
        self.calls = calls
        self.grammar = calls or submit.grammar
        self.own_calls: dict[str, Any] | None = None
        """The grammar of what follows `<tool_call>`, where the model calls in its own format."""
        in_time = submit.deadline_tokens
        self._limited_by: FinishReason = "length"
        if in_time is not None and in_time < completion_limit:
            self._limited_by, completion_limit = "deadline", in_time
        self.completion_limit = completion_limit
        self.window = 0
        """How many tokens the conversation may have where it runs."""
        self.reasoning_limit = _reasoning_limit(submit, profile, completion_limit)
        self.phase: Literal["thinking", "answering", "tool"] = (
            "thinking" if submit.mode is Mode.THINK else "answering"
        )
        self.uid = -1
        self.cached_tokens = 0
        self.loaded: Loaded | None = None
        """What was found of its prompt on disk."""
        self.sampled = 0
        self.reasoning_tokens = 0
        self.generated: list[int] = []
        self.answer_begins = 0
        self.tool_calls: list[dict[str, Any]] = []
        self.finish_reason: FinishReason = "stop"
        self.thought_end: ThoughtEnd = "none"
        self.notes: list[str] = []
        self.fault: str | None = None
        """Why its grammar can't bind it any longer."""
        self.logprobs: list[TokenChoice] = []
        doubt = submit.doubt if submit.mode is Mode.NO_THINK else None
        self.watch = Watch(doubt.below) if doubt else None
        self.told = 0
        """How many of `generated` the daemon knows: not those that may yet be taken back."""
        self._tokenizer = tokenizer
        self._eos = tokenizer.eos_token_ids
        self._control = set(tokenizer.all_special_ids) | set(self._eos)
        self._think_start = tokenizer.think_start_id if self.native else None
        self._think_end = tokenizer.think_end_id if self.native else None
        self._tool_start = _single(tokenizer.tool_call_start_tokens)
        self._tool_end = _single(tokenizer.tool_call_end_tokens)
        self._begun = self.concluded = False
        # After a thought was closed by force its model may go on thinking without a mark: what it
        # says is held back until it has clearly begun to answer.
        self._held: str | None = None
        self.call_tokens = (
            (self._tool_start, self._tool_end) if self._tool_start and self._tool_end else None
        )
        self._interrupted: Literal["thinking", "answering", "tool"] = "answering"
        self._called = ""
        self._tool_text = TextStream(tokenizer)
        self._reasoning_text = TextStream(tokenizer)
        # Where a grammar says what the answer is, a stop string would cut it in the middle.
        self._answer_text = TextStream(tokenizer, () if self.grammar else submit.sampling.stop)

    @property
    def row(self) -> int:
        """The daemon's name for this row."""
        return self.submit.row

    def begin(self) -> list[RowEvent]:
        """Say, once, which phase the row begins in, when its prompt has been read."""
        if self._begun:
            return []
        self._begun = True
        return [self.state()]

    def state(self) -> State:
        """Say which phase the row is in."""
        return State(self.row, _state(self.phase))

    def accept(self, token: int, events: list[RowEvent]) -> Next:
        """Take one sampled token, add what it means to `events`, and say what comes next."""
        self.generated.append(token)
        self.sampled += 1
        if self.watch is None:
            return self._following(token, events)
        following = self._following(token, self.watch.held)
        if following is not Next.THINK_AFTER_ALL and (
            following is not Next.GO_ON or (self.watch.over and self.phase != "tool")
        ):
            self._stop_watching(events)
        return following

    def _stop_watching(self, events: list[RowEvent]) -> None:
        if self.watch is not None:
            self.watch.let_go(events)
            self.watch = None

    def untold(self) -> list[int]:
        """Return the tokens that the daemon may now know of."""
        if self.watch is not None:
            return []
        tokens, self.told = self.generated[self.told :], len(self.generated)
        return tokens

    def _following(self, token: int, events: list[RowEvent]) -> Next:
        if self.phase == "thinking":
            following = self._in_thought(token, events)
        elif self.phase == "tool":
            following = self._in_tool_call(token, events)
        else:
            following = self._in_answer(token, events)
        if following is Next.GO_ON and self.sampled >= self.completion_limit:
            self.finish_reason = self._limited_by
            return Next.FINISH
        return following

    def accept_forced(self, tokens: list[int], events: list[RowEvent]) -> None:
        """Take tokens that were put in, not sampled: they end the thought and are not shown."""
        self.generated.extend(~token for token in tokens)
        self.answer_begins = len(self.generated)
        if self.phase == "thinking":
            self._end_thought(events)
            if self.native and self.thought_end in ("budget", "loop") and not self.grammar:
                self._held = ""

    def conclude(self) -> None:
        """Think no further: there is time for the answer, and for nothing else."""
        self.reasoning_limit = min(self.reasoning_limit, self.reasoning_tokens)
        self.concluded = True

    def is_doubt(self, token: int, logprobs: mx.array) -> bool:
        """Tell whether the model is so unsure of its next token that it should think after all.

        Args:
            token: The one that was chosen.
            logprobs: Of the whole vocabulary, shape (vocabulary,).

        """
        if self.watch is None or self.phase != "answering":
            return False
        if token in self._control or token == self._think_start:
            return False
        doubt = self.watch.is_doubt(math.exp(cast("float", logprobs[token].item())))
        return doubt and not self.concluded

    def note_probability(self, token: int, logprobs: mx.array) -> None:
        """Keep what the model thought of a token that it is about to say in its answer.

        Args:
            token: The one that was chosen.
            logprobs: Of the whole vocabulary, shape (vocabulary,).

        """
        if self.phase != "answering" or token in self._control or token == self._think_start:
            return
        count = self.submit.sampling.top_logprobs
        self.logprobs.append(token_choice(self._tokenizer, token, logprobs, count))

    def finish(self, events: list[RowEvent]) -> None:
        """Give out what was held back, and the end."""
        self._stop_watching(events)
        self._emit(Kind.REASONING, self._reasoning_text.finish(), events)
        self._answer(self._answer_text.finish(), events)
        self._let_go(events)
        if self.is_calling:
            self._end_call(self._called + self._tool_text.finish(), events)
        if self.tool_calls and self.finish_reason == "stop":
            self.finish_reason = "tool_calls"
        events.append(
            Done(
                row=self.row,
                finish_reason=self.finish_reason,
                prompt_tokens=len(self.prompt),
                cached_tokens=self.cached_tokens,
                reasoning_tokens=self.reasoning_tokens,
                completion_tokens=self.sampled,
                tool_calls=self.tool_calls,
                thought_end=self.thought_end,
                notes=self.notes,
                logprobs=self.logprobs,
            )
        )

    def _in_thought(self, token: int, events: list[RowEvent]) -> Next:
        if token == self._think_end:
            self.thought_end = "model"
            self._end_thought(events)
            return Next.BEGIN_ANSWER if self.grammar else Next.GO_ON
        if token in self._eos:
            if self.tool_calls:
                self._end_thought(events)
                return Next.FINISH
            # A native model that ends its turn inside the thought still owes an answer.
            self.thought_end = "model"
            return Next.CLOSE_THOUGHT if self.native else Next.BEGIN_ANSWER
        if token == self._tool_start:
            self._begin_tool_call()
            return Next.GO_ON
        self.reasoning_tokens += 1
        if token not in self._control and token != self._think_start:
            self._emit(Kind.REASONING, self._reasoning_text.add(token), events)
        return self._after_thought_token()

    def _after_thought_token(self) -> Next:
        if self.reasoning_tokens >= self.reasoning_limit:
            self.thought_end = "budget"
        elif self._is_looping():
            self.thought_end = "loop"
            self.notes.append("The thought went round in circles and was closed.")
        else:
            return Next.GO_ON
        return Next.CLOSE_THOUGHT

    def _in_answer(self, token: int, events: list[RowEvent]) -> Next:
        if token in self._eos:
            return Next.FINISH
        if token == self._think_start:
            return self._reopen_thought(events)
        if token == self._tool_start:
            self._begin_tool_call()
            return Next.GO_ON
        if token == self._think_end and self._held is not None:
            self._unmark(events)
        elif token not in self._control and token != self._think_end:
            self._answer(self._answer_text.add(token), events)
        if self._answer_text.stopped:
            return Next.FINISH
        if not self.grammar and self._is_looping():
            self.notes.append("The answer went round in circles and was cut.")
            return Next.FINISH
        return Next.GO_ON

    def _in_tool_call(self, token: int, events: list[RowEvent]) -> Next:
        ended = token in self._eos
        if token == self._tool_end or ended:
            text = self._called + self._tool_text.finish()
            self._called = ""
            if self.watch is not None and not self._parsed(text):
                return Next.THINK_AFTER_ALL
            self._add_tool_call(text, events)
            self.phase = self._interrupted
            return Next.FINISH if ended else Next.GO_ON
        if token not in self._control:
            self._called += self._tool_text.add(token)
        return Next.GO_ON

    @property
    def is_calling(self) -> bool:
        """Whether it is in the middle of a call, in its own format or in ours."""
        return self.phase == "tool" or bool(self._called)

    def note_fault(self, why: str) -> None:
        """Keep why its grammar can't bind it any longer."""
        self.fault = why

    def complete(self, tokens: list[int], events: list[RowEvent]) -> None:
        """Take tokens that complete the answer without having been sampled."""
        for token in tokens:
            self._answer(self._answer_text.add(token), events)

    def _answer(self, text: str, events: list[RowEvent]) -> None:
        # An answer that is bound to be a call is one from its first character on.
        if self._called or (self.calls is not None and text.startswith("{")):
            self._called += text
        elif self._held is not None:
            self._held += text
            if len(self._held) > _HELD_CHARACTERS or "\n\n" in self._held.lstrip():
                self._let_go(events)
        else:
            self._emit(Kind.ANSWER, text, events)

    def _let_go(self, events: list[RowEvent]) -> None:
        held, self._held = self._held, None
        self._emit(Kind.ANSWER, held or "", events)

    def _unmark(self, events: list[RowEvent]) -> None:
        """Turn what was held back into the thought it was."""
        held, self._held = f"{self._held}{self._answer_text.finish()}", None
        self._answer_text = TextStream(self._tokenizer, self.submit.sampling.stop)
        self._emit(Kind.REASONING, held, events)
        self.logprobs.clear()
        self.notes.append("The model went on thinking after its budget; that is not in the answer.")

    def _is_looping(self) -> bool:
        return self.sampled % _LOOP_CHECK_TOKENS == 0 and is_looping(self.generated)

    def _reopen_thought(self, events: list[RowEvent]) -> Next:
        # After its thought was closed, or where it was told not to, the model begins another one:
        # it gets what is left of the budget, and its text never reaches the answer.
        self.phase = "thinking"
        if self.reasoning_tokens >= self.reasoning_limit:
            return Next.CLOSE_THOUGHT
        events.append(State(self.row, "thinking"))
        return Next.GO_ON

    def _end_thought(self, events: list[RowEvent]) -> None:
        self._emit(Kind.REASONING, self._reasoning_text.finish(), events)
        self._reasoning_text = TextStream(self._tokenizer)
        self.phase = "answering"
        events.append(State(self.row, "answering"))

    def _begin_tool_call(self) -> None:
        self._interrupted = self.phase
        self.phase = "tool"
        self._called = ""
        self._tool_text = TextStream(self._tokenizer)

    def _end_call(self, text: str, events: list[RowEvent]) -> None:
        if self.finish_reason != "stop" and not self._parsed(text):
            self.notes.append("A tool call was cut, so it is not made.")
        else:
            self._add_tool_call(text, events)

    def _add_tool_call(self, text: str, events: list[RowEvent]) -> None:
        parsed = self._parsed(text)
        if not parsed:
            # What can't be read as a call is not thrown away: the client sees it as text.
            self._emit(Kind.ANSWER, text, events)
            return
        for call in parsed:
            self.add_call(call.get("name", ""), call.get("arguments", {}), events)

    def _parsed(self, text: str) -> list[dict[str, Any]]:
        try:
            if self.calls is not None:
                parsed = msgspec.json.decode(text)
            else:
                parsed = self._tokenizer.tool_parser(text, self.submit.tools)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, SyntaxError):
            return []
        calls = parsed if isinstance(parsed, list) else [parsed]
        allowed = [] if self.submit.tool_choice == "none" else self.submit.tools
        declared = {tool["function"]["name"] for tool in allowed}
        return [call for call in calls if isinstance(call, dict) and call.get("name") in declared]

    def add_call(self, name: str, arguments: Any, events: list[RowEvent]) -> None:
        """Record one tool call, in OpenAI's shape, and stream it whole."""
        written = arguments if isinstance(arguments, str) else _json(arguments)
        call = {
            "id": f"call_{self.row}_{len(self.tool_calls)}",
            "type": "function",
            "function": {"name": name, "arguments": written},
        }
        self.tool_calls.append(call)
        self._emit(Kind.TOOL, _json(call), events)

    def _emit(self, kind: Kind, text: str, events: list[RowEvent]) -> None:
        if text:
            events.append(Text(self.row, kind, text))


def _reasoning_limit(submit: Submit, profile: Profile, completion_limit: int) -> int:
    if submit.mode is Mode.NO_THINK:
        return 0
    wanted = submit.budget_tokens
    budget = profile.default_budget_tokens if wanted is None else wanted
    # Whatever the thought costs, something is left for the answer: it never ends in a thought.
    reserve = max(1, min(completion_limit // _ANSWER_SHARE, _ANSWER_RESERVE_TOKENS))
    return max(0, min(budget, completion_limit - reserve))


def _state(phase: str) -> Literal["thinking", "answering"]:
    return "thinking" if phase == "thinking" else "answering"


def _single(tokens: tuple[int, ...] | None) -> int | None:
    return tokens[0] if tokens is not None and len(tokens) == 1 else None


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()

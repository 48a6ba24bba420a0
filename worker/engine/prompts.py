"""From a conversation to token ids, so that nothing a client wrote becomes a control token.

A chat template is rendered as text and then tokenized; text that spells `<|im_start|>` or
`</think>` would become the control token. So, before rendering, each spelling of an added token
in a client's text is replaced by a sentinel; after rendering, the template's own control tokens
are found, and only then the sentinels become text again. Runs of text between control tokens are
encoded whole, by a tokenizer without added tokens: the ids are those the model was trained on,
except that no client can make a control token (contract, promise 5).
"""

from __future__ import annotations

import json
import re
import secrets
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from worker.domain.messages import Mode
from worker.engine import templates

if TYPE_CHECKING:
    from mlx_lm.tokenizer_utils import TokenizerWrapper

_PLACEHOLDER = "THOUGHT"


class PromptWriter:
    """Renders and tokenizes conversations for one model.

    Args:
        tokenizer: The loaded model's tokenizer, with its chat template.
        native: Whether the template itself knows `enable_thinking` and `<think>`.
        think_instruction: For a model without the habit: what is added to the last user message
            to get a thought first.
        answer_instruction: For such a model: the user turn that asks for the answer.

    """

    def __init__(
        self,
        tokenizer: TokenizerWrapper,
        *,
        native: bool,
        think_instruction: str = "",
        answer_instruction: str = "",
    ) -> None:
        self._tokenizer = tokenizer
        self._native = native
        self._think_instruction = think_instruction
        self._answer_instruction = answer_instruction
        backend = tokenizer._tokenizer.backend_tokenizer  # noqa: SLF001 - the wrapper hides it
        state = json.loads(backend.to_str())
        self._added = {token["content"]: token["id"] for token in state["added_tokens"]}
        self._control = frozenset(
            token["id"] for token in state["added_tokens"] if token["special"]
        )
        state["added_tokens"] = []
        self._plain = Tokenizer.from_str(json.dumps(state))
        spellings = sorted(self._added, key=len, reverse=True)
        self._added_pattern = re.compile("|".join(map(re.escape, spellings)) or r"(?!)")

    def conversation(
        self,
        messages: list[dict[str, Any]],
        mode: Mode,
        tools: list[dict[str, Any]] | None = None,
    ) -> list[int]:
        """Return the token ids that makes the model answer the last message in the given mode.

        In thinking mode the prompt ends inside the thought, so that the model can't skip it; in
        non-thinking mode a native model finds an empty thought closed behind it.
        """
        thinking = mode is Mode.THINK
        if thinking and not self._native:
            messages = _with_instruction(messages, self._think_instruction)
        text, sentinel = self._render(messages, tools, thinking=thinking)
        tokens = self._encode(text, sentinel)
        if self._native:
            tokens = self._with_thought_marked(tokens, thinking=thinking)
        return tokens

    def bridge(self) -> list[int]:
        """Return the ids that lead a scaffolded model from its thought to its answer.

        They begin with the token that ends the assistant's turn.
        """
        thought = {"role": "assistant", "content": _PLACEHOLDER}
        asked = {"role": "user", "content": self._answer_instruction}
        opening = {"role": "user", "content": "?"}
        text, sentinel = self._render([opening, thought, asked], None, thinking=False)
        return self._encode(text.partition(_PLACEHOLDER)[2], sentinel)

    def literal(self, text: str) -> list[int]:
        """Return the ids of a text of our own, control tokens included."""
        return self._encode(text, "")

    def _render(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None, *, thinking: bool
    ) -> tuple[str, str]:
        # Unguessable, so that no client can write a sentinel of its own.
        sentinel = f"\ue000{secrets.token_hex(8)}:"
        hidden = self._hide(messages, sentinel)
        hidden_tools = self._hide(tools, sentinel) if tools else None

        def template() -> str:
            written: str = self._tokenizer.apply_chat_template(
                hidden,
                tools=hidden_tools,
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=thinking,
            )
            return written

        return templates.render(template, given=(hidden, hidden_tools)), sentinel

    def _hide(self, value: Any, sentinel: str) -> Any:
        if isinstance(value, str):
            return self._added_pattern.sub(
                lambda match: f"{sentinel}{self._added[match.group()]}\ue001", value
            )
        if isinstance(value, dict):
            return {
                self._hide(key, sentinel): self._hide(item, sentinel) for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._hide(item, sentinel) for item in value]
        return value

    def _encode(self, text: str, sentinel: str) -> list[int]:
        spelling = {str(number): content for content, number in self._added.items()}
        hidden = re.compile(re.escape(sentinel) + r"(\d+)\ue001") if sentinel else None
        tokens: list[int] = []
        end = 0
        for match in self._added_pattern.finditer(text):
            tokens += self._encode_plain(text[end : match.start()], hidden, spelling)
            tokens.append(self._added[match.group()])
            end = match.end()
        return tokens + self._encode_plain(text[end:], hidden, spelling)

    def _encode_plain(
        self, text: str, hidden: re.Pattern[str] | None, spelling: dict[str, str]
    ) -> list[int]:
        if not text:
            return []
        if hidden is not None:
            text = hidden.sub(lambda match: spelling[match.group(1)], text)
        ids: list[int] = self._plain.encode(text, add_special_tokens=False).ids
        if self._control.isdisjoint(ids):
            return ids
        # A vocabulary may have control tokens among its words. A word's letters are none.
        letters = [self._plain.encode(letter, add_special_tokens=False).ids for letter in text]
        return [token for found in letters for token in found if token not in self._control]

    def _with_thought_marked(self, tokens: list[int], *, thinking: bool) -> list[int]:
        start, end = self._tokenizer.think_start_id, self._tokenizer.think_end_id
        # Newer templates open the thought themselves; Qwen3's leaves that to the model.
        opened = start in tokens and end not in tokens[_last(tokens, start) :]
        if thinking:
            return tokens if opened else [*tokens, start, *self.literal("\n")]
        if opened:
            return [*tokens, *self.literal("\n"), end, *self.literal("\n\n")]
        if end in tokens[-4:]:
            return tokens
        return [*tokens, start, *self.literal("\n\n"), end, *self.literal("\n\n")]


def _last(tokens: list[int], token: int) -> int:
    return len(tokens) - 1 - tokens[::-1].index(token)


def _with_instruction(messages: list[dict[str, Any]], instruction: str) -> list[dict[str, Any]]:
    for index in range(len(messages) - 1, -1, -1):
        if messages[index]["role"] == "user":
            asked = messages[index]
            changed = {**asked, "content": f"{asked['content']}\n\n{instruction}"}
            return [*messages[:index], changed, *messages[index + 1 :]]
    return messages

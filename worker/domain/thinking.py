"""Mode and budget as a conversation states them: soft switches and limits; imports only domain.

The soft switches are Qwen3's: `/think` and `/no_think`, written by a person or in a system
message, the last one counts. A switch stands alone: `/think/foo`, `a/think`, `/thinking` and the
path of a URL are text. Languages that don't separate words by blanks may set it directly beside a
character of theirs. `</think>` is markup and no switch.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from worker.domain.messages import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.domain.messages import Message

_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
"""Characters of scripts written without blanks (kana, han, hangul, full-width forms)."""

_SWITCH = re.compile(
    # Not after a letter or digit, nor where a path or an address goes on.
    rf"(?<![^\W{_UNSPACED}])(?<![/\\~@#%&=+*<-])(?<!\A\.)(?<!\s\.)(?<!\.\.)"
    r"/(?P<no>no_)?think"
    rf"(?![^\W{_UNSPACED}])(?![/\\-])(?![.:?#=&@][^\W{_UNSPACED}])"
)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
_ADDRESS = "://"
_BLANKS = " \t"


def find_switch(messages: Sequence[Message]) -> Mode | None:
    """Return the mode that the soft switches of a conversation ask for, or None without one.

    The last user message wins over system messages, a later system message over an earlier one,
    and within a text the last switch counts (Qwen3 model card, "switching in multi-turn").
    Switches in older user messages were heard in their turn.
    """
    last_user = next((m for m in reversed(messages) if m.role == "user"), None)
    systems = [m for m in reversed(messages) if m.role == "system"]
    for message in ([last_user] if last_user else []) + systems:
        switches = list(_switches(message.content or ""))
        if switches:
            return Mode.NO_THINK if switches[-1]["no"] else Mode.THINK
    return None


def strip_switches(text: str) -> str:
    """Remove the soft switches of a text and the blank each leaves; other text is untouched."""
    kept: list[str] = []
    end = 0
    for switch in _switches(text):
        kept.append(text[end : switch.start()])
        end = switch.end()
    if not kept:
        return text
    kept.append(text[end:])
    result = kept[0]
    for part in kept[1:]:
        result = _join(result, part)
    return result


def without_switches(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages as the model should see them: no switch in a user or system message."""
    return tuple(
        msgspec.structs.replace(message, content=strip_switches(message.content))
        if message.role in ("user", "system") and message.content
        else message
        for message in messages
    )


def without_thoughts(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages without the thought that an assistant's text may begin with.

    A client that keeps its own history may send back `<think>…</think>` and the answer; no later
    turn should see the thought (Qwen3 model card, "No Thinking Content in History").
    """
    return tuple(
        msgspec.structs.replace(message, content=_THOUGHT.sub("", message.content, count=1))
        if message.role == "assistant" and message.content
        else message
        for message in messages
    )


def smallest_budget(*limits: int | None) -> int | None:
    """Return the tightest of several limits on reasoning tokens; None is no limit.

    The limits are the request's, the session's or router's, the profile's, and what the deadline
    leaves at the measured speed.
    """
    return min((limit for limit in limits if limit is not None), default=None)


def _switches(text: str) -> Iterator[re.Match[str]]:
    if "think" not in text:
        return
    for switch in _SWITCH.finditer(text):
        word = text[: switch.start()].rsplit(maxsplit=1)[-1:]
        in_address = word and _ADDRESS in word[0] and not text[switch.start() - 1].isspace()
        if not in_address:
            yield switch


def _join(before: str, after: str) -> str:
    """Join what stood around a switch as if it had never been written."""
    left, right = before.rstrip(_BLANKS), after.lstrip(_BLANKS)
    spaced = left != before or right != after
    starts_line = not left or left.endswith("\n")
    ends_line = not right or right.startswith(("\n", "\r\n"))
    if starts_line and ends_line:
        return left + right.removeprefix("\r").removeprefix("\n")
    if starts_line or ends_line or not spaced:
        return left + right
    return f"{left} {right}"

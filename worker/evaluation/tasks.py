"""Questions whose answers can be checked, and the checks; reads one file, knows no model.

A task's answer is compared by value, not by wording: a number is the last one the answer names,
JSON is compared as JSON, words are looked for as whole words. So a model may say a sentence where
another says a word, and neither gains by it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from worker.domain.messages import Json, Message  # noqa: TC001 - msgspec reads them at run time

if TYPE_CHECKING:
    from collections.abc import Sequence

SHIPPED = Path(__file__).with_name("tasks.jsonl")
"""The project's own tasks, held out from all training."""

EVERYDAY = Path(__file__).with_name("everyday.jsonl")
"""Half to be worked out, half not, by what the router tells apart; nothing is trained on them."""

SETS = {"tests": SHIPPED, "everyday": EVERYDAY}
"""What ships, by the name that a user says instead of a file's."""

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)


class Task(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question.

    Attributes:
        id: Its name.
        category: What it is counted by.
        messages: The conversation whose last message is answered.
        answer: What is right: a number for `number`, JSON for `json` and `tools` (there a list of
            arguments in the order of the calls), words parted by commas for `words`.
        check: How an answer is compared.
        choices: For `words`: all that could be named; the answer must name the right ones alone.
        tools: Tools that are offered.
        response_schema: A JSON Schema that the answer is bound to, as `response_format` does it.
        label: Whether thinking is needed, where somebody has said so.

    """

    id: str
    category: str
    messages: tuple[Message, ...]
    answer: str
    check: Literal["number", "json", "words", "tools"]
    choices: tuple[str, ...] = ()
    tools: tuple[dict[str, Json], ...] = ()
    response_schema: dict[str, Json] | None = None
    label: Literal["think", "no_think"] | None = None


def is_right(task: Task, text: str, calls: Sequence[dict[str, Any]] = ()) -> bool:
    """Tell whether an answer is right.

    Args:
        task: The question.
        text: The answer, without its thought.
        calls: The arguments of each tool call, in order.

    """
    if task.check == "tools":
        wanted: list[Any] = msgspec.json.decode(task.answer)
        return list(calls) == wanted
    if task.check == "json":
        return bool(_json_of(text) == msgspec.json.decode(task.answer))
    if task.check == "number":
        found = _NUMBER.findall(text)
        return bool(found) and _value(found[-1]) == _value(task.answer)
    return _names(task, text)


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _json_of(text: str) -> Any:
    fenced = _FENCE.search(text)
    try:
        return msgspec.json.decode((fenced.group(1) if fenced else text).strip())
    except msgspec.DecodeError:
        return None


def _names(task: Task, text: str) -> bool:
    wanted = [word.strip() for word in task.answer.split(",")]
    if not task.choices:
        return _plain(text) == _plain(task.answer)
    named = {choice for choice in task.choices if _mentions(text, choice)}
    return named == {word for word in wanted if word in task.choices} and (
        bool(named) or all(_mentions(text, word) for word in wanted)
    )


def _mentions(text: str, words: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(words.lower())}(?!\w)", text.lower()) is not None


def _plain(text: str) -> str:
    return re.sub(r"[\s.!]+", " ", text.lower()).strip()

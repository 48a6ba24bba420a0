"""How an exchange looks on a terminal: the question, the reason, the thoughts apart, the times.

Colour and movement only where a person looks; piped, it is plain text.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from msgspec import UNSET
from rich.console import Console
from rich.text import Text

from worker.domain.messages import Kind, Progress, Reply, StreamPart

if TYPE_CHECKING:
    from collections.abc import Iterable

_MARK = {Kind.REASONING: "  · ", Kind.ANSWER: "  → ", Kind.TOOL: "  ⚙ "}
_STYLE = {Kind.REASONING: "dim italic", Kind.ANSWER: "bold", Kind.TOOL: "cyan"}
_INDENT = "    "


class Transcript:
    """Prints exchanges as they happen.

    Args:
        console: Where to.
        thoughts: Whether the reasoning is shown.

    """

    def __init__(self, console: Console | None = None, *, thoughts: bool = True) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._thoughts = thoughts
        self._kind: Kind | None = None

    def asked(self, title: str, text: str) -> None:
        """Print a question."""
        self._console.print()
        self._console.rule(Text(title, style="bold cyan"), align="left")
        for line in text.splitlines():
            self._console.print(Text(f"  {line}", style="cyan"))

    def follow(self, events: Iterable[StreamPart | Progress | Reply]) -> Reply:
        """Print an exchange up to its final reply, and return that."""
        final: Reply | None = None
        for event in events:
            if isinstance(event, StreamPart):
                self._part(event)
            elif isinstance(event, Reply):
                final = event
        assert final is not None
        self._end_kind()
        self._footer(final)
        return final

    def _part(self, part: StreamPart) -> None:
        if part.kind is Kind.REASONING and not self._thoughts:
            return
        if part.kind is not self._kind:
            self._end_kind()
            self._kind = part.kind
            self._console.print(Text(_MARK[part.kind], style=_STYLE[part.kind]), end="")
        text = part.text.replace("\n", f"\n{_INDENT}")
        self._console.print(Text(text, style=_STYLE[part.kind]), end="")
        self._console.file.flush()

    def _end_kind(self) -> None:
        if self._kind is not None:
            self._console.print()
        self._kind = None

    def _footer(self, reply: Reply) -> None:
        if reply.error is not UNSET:
            said = f"  ✗ {reply.error.code}: {reply.error.message}"
            self._console.print(Text(said, style="bold red"))
        if reply.route is not UNSET and reply.mode is not UNSET:
            why = f"  {reply.mode} ({reply.route.decided_by}"
            if reply.route.score is not None:
                why += f", {reply.route.score:.2f}"
            self._console.print(Text(f"{why}): {reply.route.reason}", style="green"))
        self._console.print(Text(f"  {_times(reply)}", style="dim"))


def plain_answer(events: Iterable[StreamPart | Progress | Reply]) -> Reply:
    """Write the answer alone to standard output as it comes; for pipes. Return the final reply."""
    final: Reply | None = None
    wrote = False
    for event in events:
        if isinstance(event, StreamPart) and event.kind is Kind.ANSWER:
            sys.stdout.write(event.text)
            sys.stdout.flush()
            wrote = True
        elif isinstance(event, Reply):
            final = event
    assert final is not None
    if wrote:
        sys.stdout.write("\n")
    return final


def _times(reply: Reply) -> str:
    parts = []
    if reply.timing is not UNSET:
        timing = reply.timing
        if timing.first_token_ms is not None:
            parts.append(f"first token {timing.first_token_ms / 1000:.2f} s")
        if timing.first_answer_ms is not None:
            parts.append(f"first word of the answer {timing.first_answer_ms / 1000:.2f} s")
        parts.append(f"total {timing.total_ms / 1000:.2f} s")
    if reply.usage is not UNSET:
        usage = reply.usage
        tokens = f"{usage.completion_tokens} tokens"
        if usage.reasoning_tokens:
            tokens += f" ({usage.reasoning_tokens} of thought)"
        parts.append(tokens)
    return " · ".join(parts)

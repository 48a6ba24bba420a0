"""Labelled prompts put to the router: figures, latency, what was mistaken, a picture; no model."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from worker.domain.messages import Message, Mode
from worker.evaluation import lines, tasks
from worker.router.conversation import question_of
from worker.router.measures import Judged, reliability

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worker.router.judge import Router

GROUPS = ("lang", "category", "source")
SIZE, MARGIN = 320, 48
SHOWN_CHARACTERS = 70


class Labelled(Struct, frozen=True):
    """A prompt, or a conversation, whether it needs thinking, and what it may be counted by.

    `weight` is what it counts where something is learned from it.
    """

    label: Literal["think", "no_think"]
    text: str = ""
    messages: tuple[Message, ...] = ()
    lang: str = ""
    category: str = ""
    source: str = ""
    weight: float = 1.0

    @property
    def conversation(self) -> tuple[Message, ...]:
        """What is judged."""
        return (*self.messages, Message("user", self.text)) if self.text else self.messages


class Mistake(Struct, frozen=True):
    """A prompt that the router got wrong."""

    text: str
    label: str
    score: float


class Latency(Struct, frozen=True):
    """Seconds that one decision took, at percentiles of all."""

    p50: float
    p90: float
    p99: float


class Measured(Struct, frozen=True):
    """What the router said of prompts; `mistakes` come surest first."""

    judged: list[Judged]
    mistakes: list[Mistake]
    latency: Latency


def shipped() -> list[Labelled]:
    """Return the project's own: the tasks of `eval end-to-end`, none of which it was trained on."""
    return [
        Labelled(task.label, messages=task.messages, category=task.category, lang="en")
        for task in lines.read(tasks.SHIPPED, tasks.Task)
        if task.label is not None
    ]


def read(paths: Sequence[Path]) -> list[Labelled]:
    """Return the prompts of files of JSON lines.

    Raises:
        LinesError: A file can't be read, or a line is no labelled prompt.

    """
    found = [example for path in paths for example in lines.read(path, Labelled)]
    for example in found:
        if not example.conversation:
            raise lines.LinesError("expected text or messages in each line")
    return found


def measure(examples: Sequence[Labelled], router: Router) -> Measured:
    """Judge all prompts, one after another."""
    judged, mistakes, seconds = [], [], []
    for example in examples:
        begun = time.perf_counter()
        verdict = router.judge(question_of(example.conversation))
        seconds.append(time.perf_counter() - begun)
        groups = {key: getattr(example, key) for key in GROUPS if getattr(example, key)}
        wanted, chosen = example.label == "think", verdict.mode is Mode.THINK
        judged.append(Judged(wanted, chosen, verdict.score, groups))
        if wanted is not chosen:
            text = " ".join((example.conversation[-1].content or "").split())
            mistakes.append(Mistake(text[:SHOWN_CHARACTERS], example.label, verdict.score))
    mistakes.sort(key=lambda one: -abs(one.score - 0.5))
    return Measured(judged, mistakes, _latency(seconds))


def picture(judged: Sequence[Judged]) -> str:
    """Return an SVG of the share of hard prompts over their scores, circles as large as many."""
    span = SIZE - 2 * MARGIN
    left, bottom = MARGIN, SIZE - MARGIN
    turned, name = f"rotate(-90 14 {SIZE / 2})", "share that needs thinking"
    drawn = [
        f'<path d="M{left} {MARGIN}V{bottom}H{SIZE - MARGIN}" fill="none" stroke="black"/>',
        f'<path d="M{left} {bottom}L{SIZE - MARGIN} {MARGIN}" stroke="gray" stroke-dasharray="4"/>',
        f'<text x="{SIZE / 2}" y="{SIZE - 12}" text-anchor="middle">score</text>',
        f'<text x="14" y="{SIZE / 2}" text-anchor="middle" transform="{turned}">{name}</text>',
    ]
    for mean, share, count in reliability(judged):
        x, y = left + mean * span, bottom - share * span
        radius = 2 + 10 * (count / len(judged)) ** 0.5
        drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill-opacity="0.6"/>')
    for share in (0.0, 0.5, 1.0):
        x, y = left + share * span, bottom - share * span
        drawn.append(f'<text x="{MARGIN - 6}" y="{y + 4}" text-anchor="end">{share:.1f}</text>')
        drawn.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{share:.1f}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIZE}" height="{SIZE}" '
        'font-family="sans-serif" font-size="12">\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _latency(seconds: Sequence[float]) -> Latency:
    ordered = sorted(seconds)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * q))] for q in (0.5, 0.9, 0.99)]
    return Latency(*at)

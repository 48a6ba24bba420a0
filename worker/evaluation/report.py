"""From outcomes to rows, a table and a picture of accuracy over tokens; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from worker.domain.messages import Mode
from worker.evaluation.prompts import Labelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.evaluation.running import Outcome, Strategy
    from worker.evaluation.tasks import Task

WIDTH, HEIGHT, MARGIN = 480, 320, 48


class Row(Struct, frozen=True, kw_only=True):
    """One strategy's figures over some tasks; shares from 0 to 1, tokens and seconds as means.

    `closed_by_model` is the share of thoughts that the model ended itself, None without thoughts.
    """

    strategy: str
    category: str
    tasks: int
    accuracy: float
    thinking: float
    tokens: float
    thought_tokens: float
    seconds: float
    closed_by_model: float | None


def rows(measured: Mapping[Strategy, Sequence[Outcome]]) -> list[Row]:
    """Return a row for each strategy over all tasks, then one for each of its categories.

    Where both modes were measured, `ideal` is what no router could better: a thought only where
    there is no right answer without one, and there is with one.
    """
    found = []
    everything: dict[str, Sequence[Outcome]] = dict(measured.items())
    if {"never", "always"} <= measured.keys():
        pairs = zip(measured["never"], measured["always"], strict=True)
        everything["ideal"] = [
            thought if thought.right and not plain.right else plain for plain, thought in pairs
        ]
    for strategy, outcomes in everything.items():
        categories = sorted({one.category for one in outcomes})
        found.append(_row(strategy, "all", outcomes))
        found += [
            _row(strategy, category, [one for one in outcomes if one.category == category])
            for category in categories
        ]
    return found


def table(found: Sequence[Row]) -> str:
    """Return the rows as a table for people."""
    head = (
        f"{'mode':<8} {'category':<16} {'tasks':>6} {'right':>7} {'thinking':>9} "
        f"{'tokens':>7} {'thought':>8} {'seconds':>8} {'closed':>7}"
    )
    lines = [head]
    for row in found:
        closed = "-" if row.closed_by_model is None else f"{row.closed_by_model:.1%}"
        lines.append(
            f"{row.strategy:<8} {row.category:<16} {row.tasks:>6} {row.accuracy:>7.1%} "
            f"{row.thinking:>9.1%} {row.tokens:>7.1f} {row.thought_tokens:>8.1f} "
            f"{row.seconds:>8.2f} {closed:>7}"
        )
    return "\n".join([*lines, *_comparison(found)])


def labels(tasks: Sequence[Task], measured: Mapping[Strategy, Sequence[Outcome]]) -> list[Labelled]:
    """Return what each task needs of this model: a thought where it is right with one alone.

    Tasks that it gets wrong either way say nothing and are left out.
    """
    found = []
    for task, never, always in zip(tasks, measured["never"], measured["always"], strict=True):
        if never.right or always.right:
            label: Literal["think", "no_think"] = "no_think" if never.right else "think"
            found.append(Labelled(label, messages=task.messages, category=task.category))
    return found


def picture(found: Sequence[Row]) -> str:
    """Return an SVG of accuracy over mean tokens a task, one point a strategy."""
    points = [row for row in found if row.category == "all"]
    most = max((row.tokens for row in points), default=1.0) * 1.1 or 1.0

    def place(row: Row) -> tuple[float, float]:
        x = MARGIN + row.tokens / most * (WIDTH - 2 * MARGIN)
        return x, HEIGHT - MARGIN - row.accuracy * (HEIGHT - 2 * MARGIN)

    left, bottom = MARGIN, HEIGHT - MARGIN
    turned = f"rotate(-90 14 {HEIGHT / 2})"
    drawn = [
        f'<path d="M{left} {MARGIN}V{bottom}H{WIDTH - MARGIN}" fill="none" stroke="black"/>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">tokens a task</text>',
        f'<text x="14" y="{HEIGHT / 2}" text-anchor="middle" transform="{turned}">right</text>',
    ]
    for share in (0.0, 0.5, 1.0):
        y = HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN)
        drawn.append(f'<text x="{MARGIN - 6}" y="{y + 4}" text-anchor="end">{share:.0%}</text>')
    for row in points:
        x, y = place(row)
        told = f"{row.strategy} {row.accuracy:.0%} at {row.tokens:.0f}"
        drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/>')
        drawn.append(f'<text x="{x + 8:.1f}" y="{y - 8:.1f}">{told}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="12">\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _row(strategy: str, category: str, outcomes: Sequence[Outcome]) -> Row:
    thoughts = [one for one in outcomes if one.mode is Mode.THINK]
    count = len(outcomes)
    return Row(
        strategy=strategy,
        category=category,
        tasks=count,
        accuracy=sum(one.right for one in outcomes) / count,
        thinking=len(thoughts) / count,
        tokens=sum(one.completion_tokens for one in outcomes) / count,
        thought_tokens=sum(one.reasoning_tokens for one in thoughts) / max(1, len(thoughts)),
        seconds=sum(one.seconds for one in outcomes) / count,
        closed_by_model=(
            sum(one.thought_end == "model" for one in thoughts) / len(thoughts)
            if thoughts
            else None
        ),
    )


def _comparison(found: Sequence[Row]) -> list[str]:
    whole = {row.strategy: row for row in found if row.category == "all"}
    if not {"never", "always", "auto"} <= whole.keys():
        return []
    never, always, auto, ideal = (whole[name] for name in ("never", "always", "auto", "ideal"))
    lines = [""]
    if always.accuracy and always.tokens:
        lines.append(
            f"auto is right {auto.accuracy / always.accuracy:.2f} times as often as always, "
            f"at {auto.tokens / always.tokens:.2f} times its tokens; an ideal choice, "
            f"{ideal.accuracy / always.accuracy:.2f} times at {ideal.tokens / always.tokens:.2f}"
        )
    gap = always.accuracy - never.accuracy
    if gap > 0:
        lines.append(
            f"auto recovers {(auto.accuracy - never.accuracy) / gap:.0%} of what thinking gains, "
            f"thinking about {auto.thinking:.0%} of the tasks"
        )
    return lines

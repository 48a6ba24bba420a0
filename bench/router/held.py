"""Asks the router that ships about prompts that no model is trained on, data in `held/`.

    python -m bench.router.held [--mistakes N]

Prompts in six languages with hard cases, pairs of the same words and opposite needs, conversations,
languages the router was not made for, and all of it once more as a speech recognizer writes it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from worker.domain.messages import Mode
from worker.router.judge import Question, Router, load_router
from worker.router.measures import Judged, by_group, figures

HELD = Path(__file__).with_name("held")
FILLERS = {
    "en": "um so ", "de": "äh also ", "fr": "euh alors ", "es": "eh pues ", "zh": "嗯那个",
    "ja": "えーと",
}  # fmt: skip
_MARKS = re.compile(r"(?<!\d)[.,;:!?¿¡。，、！？：；]+(?!\d)|(?<=\d)[.,;:!?。，、！？：；]+(?!\d)")


class Asked(Struct, frozen=True):
    """A prompt that was never trained on, and what it needs."""

    text: str
    think: bool
    lang: str
    category: str
    hard: bool = False
    earlier: tuple[str, ...] = ()


def read(name: str, lang: str = "en") -> Iterator[Asked]:
    """Yield the prompts of one file: label, category and text a line, `@ xx` for a language."""
    for line in (HELD / name).read_text("utf-8").splitlines():
        if line.startswith("@ "):
            lang = line[2:].strip()
        if not line.strip() or line.startswith(("#", "@ ")):
            continue
        head, text = line.split(" | ", 1)
        label, category, *hard = head.split()
        *earlier, last = text.replace("\\n", "\n").split(" // ")
        yield Asked(last, label == "think", lang, category, bool(hard), tuple(earlier))


def prompts() -> list[Asked]:
    """Return the prompts of the six languages."""
    return [
        one
        for path in sorted(HELD.glob("prompts.??.txt"))
        for one in read(path.name, path.name.split(".")[1])
    ]


def as_heard(asked: Asked) -> Asked:
    """Return a prompt as a speech recognizer writes it: a filler, small letters, no stops."""
    text = FILLERS.get(asked.lang, "") + _MARKS.sub(" ", asked.text.lower())
    return Asked(text, asked.think, asked.lang, asked.category, asked.hard, asked.earlier)


def judge(asked: Sequence[Asked], router: Router) -> list[Judged]:
    """Return what the router says of each."""
    found = []
    for one in asked:
        verdict = router.judge(Question(text=one.text, earlier=one.earlier))
        groups = {"lang": one.lang, "category": one.category, "case": _case(one)}
        found.append(Judged(one.think, verdict.mode is Mode.THINK, verdict.score, groups))
    return found


def _case(asked: Asked) -> str:
    return "hard cases" if asked.hard else "plain cases"


def rows() -> Iterator[tuple[str, list[Asked]]]:
    """Yield the sets by name."""
    own = prompts()
    spoken = [one for one in own if "\n" not in one.text]
    yield "prompts", own
    yield "pairs", list(read("pairs.txt"))
    yield "conversations", list(read("conversations.txt"))
    yield "other languages", list(read("prompts.others.txt"))
    yield "prompts as heard", [as_heard(one) for one in spoken]


def table(sets: dict[str, tuple[list[Asked], list[Judged]]]) -> str:
    """Return the figures of each set, and of the groups of the first."""
    lines = [
        "| | prompts | right | found | wasted | ranking | off by |",
        "|---|---|---|---|---|---|---|",
    ]
    groups = {name: judged for name, (_, judged) in sets.items()}
    first = next(iter(groups.values()))
    for key in ("case", "lang", "category"):
        groups |= {f"prompts: {name}": some for name, some in by_group(first, key).items()}
    for name, judged in groups.items():
        row = figures(judged)
        shares = ["–" if s is None else f"{s:.1%}" for s in (row.accuracy, row.recall, row.wasted)]
        order = "–" if row.ranking is None else f"{row.ranking:.3f}"
        told = (name, str(row.prompts), *shares, order, f"{row.calibration_error:.3f}")
        lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, and the surest mistakes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mistakes", type=int, default=0)
    arguments = parser.parse_args()
    router = load_router()
    sets = {name: (asked, judge(asked, router)) for name, asked in rows()}
    print(table(sets))
    for name, (asked, judged) in sets.items():
        wrong = [
            (abs(said.score - 0.5), said.score, one)
            for one, said in zip(asked, judged, strict=True)
            if said.think is not said.chosen_think
        ]
        for _, score, one in sorted(wrong, key=lambda w: -w[0])[: arguments.mistakes]:
            text = " // ".join((*one.earlier, one.text)).replace("\n", " ")
            print(f"{name}: {score:.2f} {one.lang} {one.category} {text[:110]}")


if __name__ == "__main__":
    main()

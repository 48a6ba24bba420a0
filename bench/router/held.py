"""Asks the router that ships about prompts that no model is trained on, data in `held/`.

    python -m bench.router.held [--mistakes N]

Prompts in six languages with hard cases, pairs of the same words and opposite needs, conversations,
languages the router was not made for, and all of it once more as a speech recognizer writes it.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.router import corpus
from worker.domain.messages import Mode
from worker.router.judge import Question, Router, load_router
from worker.router.measures import Judged, by_group, figures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.router.corpus import Example

HELD = Path(__file__).with_name("held")
FILLERS = {
    "en": "um so ", "de": "äh also ", "fr": "euh alors ", "es": "eh pues ", "zh": "嗯那个",
    "ja": "えーと",
}  # fmt: skip
_MARKS = re.compile(r"(?<!\d)[.,;:!?¿¡。，、！？：；]+(?!\d)|(?<=\d)[.,;:!?。，、！？：；]+(?!\d)")


def prompts(source: str = "prompts") -> list[Example]:
    """Return a source's prompts of the six languages."""
    return [
        one for path in sorted(HELD.glob(f"{source}.??.txt")) for one in corpus.read_lines(path)
    ]


def as_heard(asked: Example) -> Example:
    """Return a prompt as a speech recognizer writes it: a filler, small letters, no stops."""
    text = FILLERS.get(asked.lang, "") + _MARKS.sub(" ", asked.text.lower())
    return msgspec.structs.replace(asked, text=text)


def judge(asked: Sequence[Example], router: Router) -> list[Judged]:
    """Return what the router says of each."""
    found = []
    for one in asked:
        verdict = router.judge(Question(text=one.text, earlier=one.earlier))
        groups = {"lang": one.lang, "category": one.category, "case": _case(one)}
        found.append(Judged(one.think, verdict.mode is Mode.THINK, verdict.score, groups))
    return found


def _case(asked: Example) -> str:
    return "hard cases" if asked.hard else "plain cases"


def rows() -> Iterator[tuple[str, list[Example]]]:
    """Yield the sets by name."""
    own = prompts()
    spoken = [one for one in own if "\n" not in one.text]
    yield "prompts", own
    yield "pairs", list(corpus.read_lines(HELD / "pairs.en.txt"))
    yield "conversations", list(corpus.read_lines(HELD / "conversations.en.txt"))
    yield "conversations, later", list(corpus.read_lines(HELD / "later.en.txt"))
    for name, source in (("blind", "blind"), ("blind, others", "blind2")):
        blind = prompts(source)
        yield name, blind
        yield f"{name}, hard cases", [one for one in blind if one.hard]
    yield "other languages", list(corpus.read_lines(HELD / "prompts.others.txt"))
    yield "prompts as heard", [as_heard(one) for one in spoken]


def table(sets: dict[str, tuple[list[Example], list[Judged]]]) -> str:
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

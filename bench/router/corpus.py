"""The labelled prompts the router learns from: collected, written one by one, written by grammars.

Each that a person could say comes a second time as a speech recognizer would write it.
"""

from __future__ import annotations

import json
import random
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from bench.router import grammar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DATA = Path(__file__).with_name("data")
COLLECTED = DATA / "collected.jsonl"
CONCEPTS = DATA / "concepts.toml"

WRITTEN = {
    "written": "written to be hard",
    "tempting": "the same, by others",
    "asked": "asked by others, blind",
}
"""What was written one by one for this project, each left out as a whole; as the report says it.

The first is half translations. The others are of authors who knew what the router is for and
nothing of it: no word of its lexicon, none of its data, none of its mistakes.
"""

LONGEST_HEARD = 300
"""Characters; nobody says more in one breath."""

FILLERS = {
    "en": ("um", "uh", "so", "okay so", "hey", "well", "like", "you know", "could you", "please"),
    "de": ("äh", "ähm", "also", "ja also", "hey", "sag mal", "bitte", "kannst du mal"),
    "fr": ("euh", "alors", "bon", "dis", "ben", "tu peux", "s'il te plaît"),
    "es": ("eh", "pues", "a ver", "oye", "bueno", "este", "puedes", "por favor"),
    "zh": ("嗯", "呃", "那个", "就是", "请问", "你帮我", "麻烦"),
    "ja": ("えっと", "えーと", "あの", "ねえ", "ちょっと", "すみません"),
}
_STOPS = re.compile(r"(?<!\d)[.,;:!?¿¡。，、！？：；…]+|[.,;:!?。，、！？：；…]+(?!\d)")


class Example(Struct, frozen=True):
    """A prompt and what it needs.

    `source` is what leave-one-source-out leaves out; `family` is the grammar's line, or again the
    source: prompts of one family share their words. `heard` marks the speech recognizer's copy.
    """

    text: str
    lang: str
    think: bool
    category: str
    source: str
    hard: bool = False
    family: str = ""
    heard: bool = False
    earlier: tuple[str, ...] = ()


def judged() -> list[Example]:
    """Return what is reported on: the collected prompts (data/LICENCES.md) and the written ones."""
    written = [
        one
        for source in WRITTEN
        for path in sorted(DATA.glob(f"{source}.*.txt"))
        for one in read_lines(path)
    ]
    return read_examples(COLLECTED) + written


def everything(seed: int = 1) -> list[Example]:
    """Return what is learned from, the same for the same seed; `judged` comes first."""
    said = judged() + from_grammars(seed)
    return said + list(as_heard(said))


def read_examples(path: Path) -> list[Example]:
    """Read labelled prompts, one JSON object a line, as `thinkq eval router` takes them."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return [
        Example(
            row["text"],
            row.get("lang", "en"),
            row["label"] == "think",
            row.get("category", ""),
            row.get("source", path.stem),
            row.get("hard", False),
            row.get("source", path.stem),
        )
        for row in rows
    ]


def read_lines(path: Path) -> Iterator[Example]:
    """Yield the prompts of a file of lines `think math ! | prompt`.

    `!` marks a hard case; ` // ` parts the messages of a conversation; a line `@ xx` gives the
    language of those below it, else the file's name does, which begins with the source.
    """
    source, lang, _ = path.name.split(".")
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("@ "):
            lang = line[2:].strip()
        if not line.strip() or line.startswith(("#", "@ ")):
            continue
        head, text = line.split(" | ", 1)
        label, category, *hard = head.split()
        *earlier, last = text.replace("\\n", "\n").split(" // ")
        yield Example(
            last, lang, label == "think", category, source,
            hard=bool(hard), family=line, earlier=tuple(earlier),
        )  # fmt: skip


def from_grammars(seed: int) -> list[Example]:
    """Return the prompts that the project's own grammars write."""
    return [
        Example(text, lang, think, category, f"grammar-{lang}", family=line)
        for path in sorted(DATA.glob("grammar.*.txt"))
        for lang in [path.name.split(".")[1]]
        for text, think, category, line in grammar.expand(path.read_text("utf-8"), seed=seed)
    ]


def as_heard(examples: Sequence[Example]) -> Iterator[Example]:
    """Yield copies in small letters, without stops, mostly with a filler before them."""
    for one in examples:
        if "\n" in one.text or len(one.text) > LONGEST_HEARD:
            continue
        chooser = random.Random(one.text)
        text = " ".join(_STOPS.sub(" ", one.text.lower()).split())
        filler = chooser.choice(("", "", *FILLERS[one.lang]))
        gap = "" if one.lang in ("zh", "ja") or not filler else " "
        yield msgspec.structs.replace(one, text=f"{filler}{gap}{text}", heard=True)


def concepts() -> tuple[dict[str, str], dict[str, str]]:
    """Return the concept of each word, and each concept's phrase for the user."""
    tables = tomllib.loads(CONCEPTS.read_text("utf-8"))
    entries: dict[str, str] = {}
    for name, table in tables.items():
        for word in table["words"].replace("\n", "|").split("|"):
            if word.strip():
                entries.setdefault(word.strip(), name)
    return entries, {name: table["phrase"] for name, table in tables.items()}

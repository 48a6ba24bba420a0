"""The labelled prompts the router learns from: collected ones and those the grammars write."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from msgspec import Struct

from bench.router import grammar

DATA = Path(__file__).with_name("data")
COLLECTED = DATA / "collected.jsonl"
CONCEPTS = DATA / "concepts.toml"


class Example(Struct, frozen=True):
    """A prompt and what it needs.

    `source` is what leave-one-source-out leaves out; `family` is the grammar's line, or again the
    source: prompts of one family share their words.
    """

    text: str
    lang: str
    think: bool
    category: str
    source: str
    hard: bool = False
    family: str = ""


def collected() -> list[Example]:
    """Return the collected prompts (sources and licences: data/LICENCES.md)."""
    return read_examples(COLLECTED)


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


def written(seed: int = 1) -> list[Example]:
    """Return the prompts that the project's own grammars write, the same for the same seed."""
    return [
        Example(text, lang, think, category, f"grammar-{lang}", family=line)
        for path in sorted(DATA.glob("grammar.*.txt"))
        for lang in [path.name.split(".")[1]]
        for text, think, category, line in grammar.expand(path.read_text("utf-8"), seed=seed)
    ]


def concepts() -> tuple[dict[str, str], dict[str, str]]:
    """Return the concept of each word, and each concept's phrase for the user."""
    tables = tomllib.loads(CONCEPTS.read_text("utf-8"))
    entries: dict[str, str] = {}
    for name, table in tables.items():
        for word in table["words"].replace("\n", "|").split("|"):
            if word.strip():
                entries.setdefault(word.strip(), name)
    return entries, {name: table["phrase"] for name, table in tables.items()}

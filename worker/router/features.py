"""What a text shows of its task: words, concepts and structure as named marks; pure and quick.

A text becomes a set of *marks*, strings that are present or not. Words are themselves (`prove`),
with `^` in front where the wish begins and `$` where the last sentence begins; a concept of the
lexicon is `@name`, a trait of structure `#name`. Numbers are binned, so that a linear model can
bend. Only a bounded window is read: the head and the tail of a long text say what is wanted.

Cost: docs/router.md, "Latency"; the window sizes and the set operations are what pays for it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from operator import add
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEAD_CHARS = 480
TAIL_CHARS = 320
"""The window: as much as 2,000 characters of any language can be read of in 100 microseconds."""

UNSPACED_CHARS = 240
"""Of a text without blanks, each gram is a look-up, so less of it is read, half from each end."""

STEM = 6
"""Letters of a stem: enough to tell families of words apart, few enough to join them."""

MANY_OPTIONS = 3
"""Lettered answers that make a multiple choice."""

PAYLOAD_CONCEPTS = frozenset({"translate", "summarize", "rewrite", "extract"})
"""Wishes that treat what follows them as material: its words say nothing of the task."""

WORK_CONCEPTS = frozenset({"prove", "solve", "debug", "implement", "plan", "cause", "compare"})
"""Wishes that make material a task of its own, even beside one of the above."""

_WORD = re.compile(r"[^\W\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE_END = re.compile(r"[.!?…]+[\s\"'”)]+|[。！？\n]+")
_PAYLOAD_START = re.compile(r"[:：\n\"“「『«„]")
_ARITHMETIC = re.compile(r"\d\s*[-+*/×÷^<>=]\s*[\d(a-z]|[a-z]\s*[-+*/^=<>]\s*\d", re.ASCII)
_LATEX = re.compile(r"\\[a-z]{2,}|\$[^$\n]{1,80}\$|\{\{")
_VARIABLE = re.compile(r"(?<![a-z'’])[xyzn](?![a-z'’])")
_CODE = re.compile(
    r"\bdef \w+\(|\breturn\b.*[;\n]|\bimport \w+|#include|\bfunction\s*\w*\(|=>|->|[=!]=|\w\(\)"
    r"|\bselect\b.+\bfrom\b|\bprint\w*\(|\bfor\s*\(|\{\n|;\n|</\w+>|\w+\.\w+\(|\bclass \w+[:({]"
    r"|\b\w+\[\w+\]|\bvar \w+|\bconst \w+|\blet \w+ ="
)
_OPTION = re.compile(r"(?:^|[\s(（])[a-e][.)、．:：）]", re.MULTILINE)
_SETTING = re.compile(
    r"\d\s*(?:%|°|percent|prozent|pour ?cent|por ciento|degrees|grad\b|degrés|grados|度|パーセント"
    r"|min|sec|hour|stunde|heure|hora|分|秒|小时|時間|[ap]\.?m\b|h\b|uhr|点|時)|\d:\d\d"
)
_MONEY = re.compile(r"[$€£¥]\s?\d|\d\s?[$€£¥]|\d\s*(?:元|円|dollar|euro|角|cent)")
_TABLE_ROW = re.compile(r"^[^\n]*(?:\|[^\n]*\||\t[^\n]*\t|(?:[^\n,]+,){3})", re.MULTILINE)
_POLITE = re.compile(
    r"(?:(?:hey|hi|hello|ok|okay|so|well|uh|um|uhm|er|like|please|pls|kindly|now|just|and|also"
    r"|could you|can you|would you|will you|i want you to|i need you to|i'd like you to|you should"
    r"|help me|let's|bitte|kannst du|könntest du|können sie|könnten sie|also|äh|ähm|hallo|mal"
    r"|s'il te plaît|s'il vous plaît|peux-tu|pouvez-vous|pourrais-tu|pourriez-vous|euh|bonjour"
    r"|por favor|puedes|podrías|puede|podría|eh|este|hola|oye)[\s,.!]+)+"
    r"|(?:(?:请问|请你|请|麻烦你|麻烦|帮我|帮忙|给我|你能|能不能|可以|那个|嗯|呃|就是|你好|额|啊|吧"
    r"|えーと|えっと|あの|すみません|ねえ|じゃあ)[,，、。\s]*)+"
)

_LENGTHS = (3, 5, 8, 13, 21, 36, 61, 101)
_COUNTS = (1, 2, 3, 5, 8)
_LINES = (2, 4, 9)
_SENTENCES = (2, 3, 5, 8)
_SHORT, _LONG = 13, 40


def read(text: str, concepts: Mapping[str, str]) -> set[str]:
    """Return the marks of a text.

    Args:
        text: The question, soft switches removed.
        concepts: Concept names by the words, stems and grams that stand for them.

    """
    view = _window(text).lower()
    view = _POLITE.sub("", view, count=1) if _POLITE.match(view) else view
    head, tail, payload_at = _zones(view)
    marks = _zone_marks(head, "^", concepts)
    wished = {mark[2:] for mark in marks if mark.startswith("^@")}
    material = bool(wished & PAYLOAD_CONCEPTS) and not wished & WORK_CONCEPTS
    structure = _structure(view, text)
    if material and payload_at:
        marks |= _lexical(head, concepts)
        structure.add("#material")
    else:
        marks |= _zone_marks(tail, "$", concepts)
        marks |= _lexical(view, concepts)
    size = next(mark for mark in structure if mark.startswith("#words"))
    scale = _scale(size)
    marks.update(f"{mark}~{scale}" for mark in tuple(marks) if mark[0] == "@")
    return marks | structure


def _window(text: str) -> str:
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


def _zones(view: str) -> tuple[str, str, int]:
    """Return the first sentence, the last one, and where what follows the wish begins (or 0)."""
    stripped = view.strip()
    opening = stripped[:160]
    start = _PAYLOAD_START.search(opening)
    ends = [m.end() for m in _SENTENCE_END.finditer(stripped)]
    inner = [end for end in ends if end < len(stripped)]
    candidates = inner[:1] + ([start.start()] if start else [])
    head_end = min(candidates, default=len(stripped))
    tail = stripped[inner[-1] :] if inner else stripped
    payload_at = head_end if head_end < len(stripped) - 1 else 0
    return stripped[:head_end], tail[-200:], payload_at


def _zone_marks(zone: str, sign: str, concepts: Mapping[str, str]) -> set[str]:
    """Return the marks of where a zone begins: its first words, and the concepts it has."""
    words = _WORD.findall(zone[:160])
    marks = {f"{sign}@{concepts[hit]}" for hit in concepts.keys() & _grams(zone[:160], words)}
    if words:
        marks.add(sign + words[0])
        marks.add(sign + " ".join(words[:2]))
        if sign == "^":
            marks.add(sign + " ".join(words[:3]))
    run = _UNSPACED.match(zone)
    if run:
        marks.add(sign + zone[:2])
        marks.add(sign + zone[:3])
    return marks


def _lexical(view: str, concepts: Mapping[str, str]) -> set[str]:
    grams = _grams(view, _WORD.findall(view))
    grams.update({"@" + concepts[hit] for hit in concepts.keys() & grams})
    return grams


def _grams(view: str, words: list[str]) -> set[str]:
    """Words, stems of six letters, pairs of words; one to three characters where none divide."""
    spaced = [word + " " for word in words]
    grams = set(map(add, spaced, words[1:]))
    grams.update(words)
    grams.update([word[:STEM] + "*" for word in words if len(word) > STEM])
    if not view.isascii():
        runs = "\n".join(_UNSPACED.findall(view))
        if runs:
            if len(runs) > UNSPACED_CHARS:
                runs = runs[: UNSPACED_CHARS // 2] + "\n" + runs[-UNSPACED_CHARS // 2 :]
            pairs = list(map(add, runs, runs[1:]))
            grams.update(runs)
            grams.update(pairs)
            grams.update(map(add, pairs, runs[2:]))
    return grams


def _structure(view: str, text: str) -> set[str]:
    """Return the marks of form: sizes, numbers, notation, code, tables, questions."""
    numbers = len(_NUMBER.findall(view))
    words = view.count(" ") + 1
    if not view.isascii():
        words += sum(map(len, _UNSPACED.findall(view))) // 2
    return {
        f"#words:{_bin(words, _LENGTHS)}",
        f"#numbers:{_bin(numbers, _COUNTS)}",
        f"#lines:{_bin(text.count(chr(10)) + 1, _LINES)}",
        f"#sentences:{_bin(len(_SENTENCE_END.findall(view)) + 1, _SENTENCES)}",
        *(_number_marks(view) if numbers else ()),
        *_notation_marks(view, text),
        *_question_marks(view),
    }


def _number_marks(view: str) -> Iterator[str]:
    if _ARITHMETIC.search(view):
        yield "#arithmetic"
    if _SETTING.search(view):
        yield "#setting"
    if _MONEY.search(view):
        yield "#money"


def _notation_marks(view: str, text: str) -> Iterator[str]:
    if ("\\" in view or "$" in view or "{{" in view) and _LATEX.search(view):
        yield "#latex"
    if _VARIABLE.search(view):
        yield "#variable"
    if code := len(_CODE.findall(view)):
        yield f"#code:{_bin(code, _COUNTS)}"
    if "```" in text:
        yield "#fence"
    if len(_OPTION.findall(view)) >= MANY_OPTIONS:
        yield "#options"
    if "\n" in view and (rows := len(_TABLE_ROW.findall(view))) > 1:
        yield f"#rows:{_bin(rows, _COUNTS)}"


def _question_marks(view: str) -> Iterator[str]:
    if view.rstrip().endswith(("?", "？", "吗", "呢", "か", "か。")):
        yield "#asks"
    elif "?" in view or "？" in view:
        yield "#asked"


def _bin(value: int, edges: tuple[int, ...]) -> int:
    at = bisect_right(edges, value)
    return edges[at - 1] if at else 0


def _scale(size: str) -> str:
    words = int(size.rsplit(":", 1)[1])
    return "short" if words < _SHORT else "long" if words >= _LONG else "middle"

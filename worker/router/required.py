"""Which sentences of Home Assistant's grammar a text can't be, by the names that they need.

hassil passes over a sentence whose literal words the text lacks. It does not look at lists: what
needs a colour or one of the home's rooms is matched against every text, which in German takes as
long as all the rest. So what a list's values require is added to what the sentence requires; it
stays a necessary condition, and nothing that would match is passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hassil.expression import (
    Alternative,
    Group,
    ListReference,
    RuleReference,
    Sentence,
    Sequence,
    TextChunk,
)
from hassil.intents import TextSlotList

if TYPE_CHECKING:
    from collections.abc import Mapping

DEEPEST = 24
"""Rules within rules; hassil's own bound."""


def require_names(intents: Any, lists: Mapping[str, Any]) -> None:
    """Add to each sentence what the lists that it can't do without require.

    Args:
        intents: hassil's `Intents`; its sentences are changed.
        lists: The home's own lists, besides those of the grammar.

    """
    of_lists: dict[int, frozenset[str] | None] = {}
    for intent in intents.intents.values():
        for data in intent.data:
            slots = {**intents.slot_lists, **lists, **data.slot_lists}
            rules = {**intents.expansion_rules, **data.expansion_rules}
            for sentence in data.sentences:
                clauses = set(sentence.get_required_clauses(rules))
                for name in _needed(sentence.expression, rules):
                    values = slots.get(name)
                    if not isinstance(values, TextSlotList):
                        continue
                    if id(values) not in of_lists:
                        of_lists[id(values)] = _fragments(values, rules)
                    fragments = of_lists[id(values)]
                    if fragments is not None:
                        clauses.add(fragments)
                sentence.required_clauses = frozenset(clauses)


def _needed(expression: Any, rules: Mapping[str, Any], depth: int = 0) -> set[str]:
    """Return the lists that an expression can't be matched without."""
    if isinstance(expression, ListReference):
        return {expression.list_name}
    if isinstance(expression, RuleReference):
        rule = None if depth > DEEPEST else rules.get(expression.rule_name)
        return set() if rule is None else _needed(rule.expression, rules, depth + 1)
    if not isinstance(expression, Group):
        return set()
    parts = [_needed(item, rules, depth + 1) for item in expression.items]
    if isinstance(expression, Alternative):
        return set() if expression.is_optional or not parts else set.intersection(*parts)
    return set().union(*parts)


def _fragments(values: TextSlotList, rules: Mapping[str, Any]) -> frozenset[str] | None:
    """Return texts of which one is in whatever a list matches, None where that can't be said."""
    found: set[str] = set()
    for value in values.values:
        text = value.text_in
        whole = Sequence(items=[text]) if isinstance(text, TextChunk) else text
        clauses = Sentence(expression=whole).get_required_clauses(rules)
        if not clauses:
            return None
        found |= max(clauses, key=lambda clause: (min(map(len, clause)), sorted(clause)))
    return frozenset(found)

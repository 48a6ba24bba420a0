"""What may bind an answer, what is refused and where, and how a text that is cut is completed.

No model runs here: the tokenizer is the embedded model's, and what is said is drawn at random from
what the grammar allows.
"""

import json
import random

import numpy as np
import pytest
from mlx_lm.tokenizer_utils import load as load_tokenizer

from worker.domain.errors import BadSchema
from worker.engine import schemas
from worker.engine.structured import Grammars

VOCABULARY = 49_152
LIGHT = {
    "type": "object",
    "properties": {
        "room": {"enum": ["kitchen", "hall"]},
        "level": {"type": "integer", "minimum": 10, "maximum": 100},
        "note": {"type": "string"},
    },
    "required": ["room", "level"],
    "additionalProperties": False,
}
TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 2},
                "below": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 3},
            },
            "required": ["name", "below"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}
SATISFIABLE = {
    "object": {"type": "json_object"},
    "light": {"type": "json_schema", "json_schema": {"schema": LIGHT}},
    "tree": {"type": "json_schema", "json_schema": {"schema": TREE}},
    "numbers": {
        "type": "json_schema",
        "json_schema": {"type": "array", "items": {"type": "number"}, "minItems": 4},
    },
    "long text": {"type": "json_schema", "json_schema": {"type": "string", "minLength": 400}},
    "another script": {"type": "json_schema", "json_schema": {"enum": ["日本語", "中国語"]}},
    "either": {
        "type": "json_schema",
        "json_schema": {"anyOf": [{"type": "null"}, LIGHT, {"type": "boolean"}]},
    },
    "a version": {"type": "regex", "regex": r"[0-9]+\.[0-9]+\.[a-z]{3}"},
    "words": {"type": "regex", "regex": r"(yes|no|maybe)( (yes|no|maybe)){3,6}!"},
    "sentences": {"type": "regex", "regex": r"([A-Z][a-z]+( [a-z]+){4,9}\. ){40}"},
    "lark": {"type": "grammar", "grammar": 'start: "on " N | "off"\nN: /[0-9]{2,3}/ "%"'},
    "gbnf": {"type": "grammar", "grammar": 'root ::= ("on " [0-9]+ "%") | "off"\n'},
}


@pytest.fixture(scope="module")
def grammars(embedded_path):
    return Grammars(load_tokenizer(embedded_path), VOCABULARY)


def schema(of):
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": of}}


def drawn(matcher, count, chance):
    """Let a matcher consume tokens that it allows, at random; return them."""
    tokens = []
    while len(tokens) < count and not matcher.is_stopped():
        mask = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
        allowed = np.flatnonzero(np.unpackbits(mask, bitorder="little")[:VOCABULARY])
        tokens.append(int(chance.choice(allowed)))
        matcher.consume_token(tokens[-1])
    return tokens


@pytest.mark.parametrize("bound", SATISFIABLE.values(), ids=SATISFIABLE)
def test_whatever_was_said_until_it_was_cut_there_is_a_short_way_to_the_end(grammars, bound):
    chance = random.Random(7)
    for count in (0, 1, 2, 3, 5, 8, 13, 21, 34):
        matcher = grammars.matcher(bound)
        said = drawn(matcher, count, chance)
        if said and said[-1] in grammars.tokenizer.eos_tokens:
            said.pop()
            matcher = grammars.matcher(bound)
            matcher.consume_tokens(said)
        closing = grammars.closer.closing(matcher)
        assert closing is not None
        whole = grammars.matcher(bound)
        assert whole.consume_tokens(said + closing)
        assert whole.is_accepting()
        if bound["type"].startswith("json"):
            json.loads(grammars.tokenizer.decode_str(said + closing))


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ('{"room":"hall","level":30}', True),
        ('{"room": "hall", "level": 30}', True),
        ('{"room":  "hall","level":30}', False),
        ('{"room":"hall",\n"level":30}', False),
    ],
)
def test_behind_a_sign_of_json_there_may_be_one_blank_and_no_more(grammars, text, allowed):
    tokens = grammars.tokenizer.tokenize_str(text)
    matcher = grammars.matcher(schema(LIGHT))
    assert (matcher.validate_tokens(tokens) == len(tokens)) is allowed


def test_the_closing_of_a_free_object_adds_nothing_that_was_not_begun(grammars):
    matcher = grammars.matcher({"type": "json_object"})
    matcher.consume_tokens(grammars.tokenizer.tokenize_str('{"a":'))
    assert grammars.tokenizer.decode_str(grammars.closer.closing(matcher)) == '""}'


def nested(depth):
    inner = {"type": "string"}
    for _ in range(depth):
        inner = {"type": "object", "properties": {"a": inner}}
    return inner


def with_property(part):
    return {"type": "object", "properties": {"ok": {"type": "string"}, "bad one": part}}


IN_PROPERTY = "response_format.json_schema.schema.properties['bad one']"
ENDLESS = {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"]}
REFUSED = {
    "an unknown type": (with_property({"type": "shoe"}), IN_PROPERTY),
    "a keyword that can't be enforced": (
        {"type": "array", "items": with_property({"not": {"type": "string"}})},
        IN_PROPERTY.replace(".properties", ".items.properties"),
    ),
    "a choice of nothing": (
        {**with_property({"anyOf": [{"enum": []}]}), "required": ["bad one"]},
        f"{IN_PROPERTY}.anyOf[0]",
    ),
    "a look ahead": (with_property({"type": "string", "pattern": "^(?=a)b$"}), IN_PROPERTY),
    "a reference to elsewhere": (
        with_property({"$ref": "https://example.com/s.json"}),
        f"{IN_PROPERTY}.$ref",
    ),
    "a reference to nothing": (with_property({"$ref": "#/$defs/none"}), IN_PROPERTY),
    "nothing but itself": ({"$ref": "#"}, "response_format.json_schema.schema"),
    "no end": (
        {"$defs": {"n": ENDLESS}, "$ref": "#/$defs/n"},
        "response_format.json_schema.schema.$defs.n.properties.n",
    ),
    "a text of a million characters": (
        {**with_property({"type": "string", "minLength": 1_000_000}), "required": ["bad one"]},
        IN_PROPERTY,
    ),
    "a list of ten thousand": (
        {
            **with_property({"type": "array", "items": {"type": "integer"}, "minItems": 10_000}),
            "required": ["bad one"],
        },
        IN_PROPERTY,
    ),
    "too many properties": (
        with_property({"properties": {f"p{number}": {} for number in range(5000)}}),
        f"{IN_PROPERTY}.properties",
    ),
    "too many choices": (with_property({"enum": list(range(5000))}), IN_PROPERTY),
    "a pattern of a kilobyte": (
        with_property({"type": "string", "pattern": "a" * 2000}),
        f"{IN_PROPERTY}.pattern",
    ),
    "too deep": (
        nested(60),
        "response_format.json_schema.schema" + ".properties.a" * schemas.MAX_DEPTH,
    ),
}


@pytest.mark.parametrize(("given", "path"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_enforced_is_refused_with_the_path_of_the_part_at_fault(
    grammars, given, path
):
    with pytest.raises(BadSchema) as refused:
        grammars.matcher(schema(given))
    assert refused.value.field == path
    assert refused.value.message.startswith(f"{path}: ")
    assert len(refused.value.message) < 1000


def test_a_schema_with_too_many_parts_is_refused_before_it_is_compiled(grammars, monkeypatch):
    monkeypatch.setattr(Grammars, "_new", None)
    parts = [{"type": "integer", "minimum": number} for number in range(5000)]
    with pytest.raises(BadSchema, match="more than 1000 parts"):
        grammars.matcher(schema({"anyOf": parts}))
    with pytest.raises(BadSchema, match="at most 262144 bytes"):
        grammars.matcher(schema({"description": "x" * 300_000}))


@pytest.mark.parametrize(
    ("bound", "path"),
    [
        ({"type": "regex", "regex": "(["}, "response_format.regex"),
        ({"type": "regex"}, "response_format.regex"),
        ({"type": "regex", "regex": "a" * 20_000}, "response_format.regex"),
        ({"type": "regex", "regex": 3}, "response_format.regex"),
        ({"type": "grammar", "grammar": "start: nothing"}, "response_format.grammar"),
        ({"type": "grammar", "grammar": "start: start"}, "response_format.grammar"),
        ({"type": "grammar", "grammar": 'start: "a"\n' * 300}, "response_format.grammar"),
        ({"type": "grammar", "grammar": "root ::= ("}, "response_format.grammar"),
        ({"type": "grammar"}, "response_format.grammar"),
    ],
)
def test_a_grammar_or_regex_that_can_not_be_used_is_refused(grammars, bound, path):
    with pytest.raises(BadSchema) as refused:
        grammars.matcher(bound)
    assert refused.value.field == path


HOSTILE = [
    {"type": "regex", "regex": r"(a|b)*a(a|b){30}"},
    {"type": "regex", "regex": r"((a{1,1000}){1,1000}){1,1000}x"},
    {"type": "regex", "regex": r"((\p{L}{1,1000}){1,1000}){1,1000}x"},
    {"type": "grammar", "grammar": 'start: (x{1,1000}){1,1000}\nx: ("a" | "b" "c"?){1,1000}'},
    {"type": "grammar", "grammar": 'start: e\ne: | e e e | "a" e | /[a-z]*/ e'},
]


@pytest.mark.parametrize("bound", HOSTILE, ids=lambda bound: str(next(iter(bound.values())))[:30])
def test_an_exploding_regex_is_refused_or_costs_a_step_little(grammars, bound):
    try:
        matcher = grammars.matcher(bound)
    except BadSchema:
        return
    # llguidance counts what it does, and stops: no clock is asked here.
    drawn(matcher, 20, random.Random(3))


def test_a_matcher_is_compiled_once(grammars, monkeypatch):
    bound = {"type": "regex", "regex": "compiled [a-z]+ once"}
    first = grammars.matcher(bound)
    monkeypatch.setattr(Grammars, "_new", None)
    second = grammars.matcher(bound)
    assert first.consume_tokens(grammars.tokenizer.tokenize_str("compiled a"))
    assert second.consume_tokens(grammars.tokenizer.tokenize_str("compiled b"))

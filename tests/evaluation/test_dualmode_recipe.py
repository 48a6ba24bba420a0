"""The embedded model's recipe: its examples are right, its sides apart, its tasks what ships."""

import json
import re
from random import Random

import msgspec
import numpy as np
import pytest
from llguidance import LLMatcher, LLTokenizer

from bench.dualmode import (
    at_sight,
    comparing,
    dataset,
    homes,
    house,
    machines,
    more_homes,
    more_machines,
    more_numbers,
    more_stories,
    more_times,
    near_machines,
    near_numbers,
    near_stories,
    numbers,
    recipe,
    stories,
    times,
    vocabulary,
    wordings,
)
from bench.dualmode.example import WORDS, Side, belongs, drawn, of_side
from bench.dualmode.tasks import held_out, learned, task_of
from worker.evaluation.tasks import SHIPPED, is_right

MODULES = [numbers, machines, stories, homes]
LEARNED_ONLY = [
    near_numbers, near_machines, near_stories, more_numbers, more_times, more_machines,
    more_stories, more_homes, at_sight,
]  # fmt: skip
DRAWS = 300


def drawn_from(module, side, kinds=None, count=DRAWS):
    rng = Random(7)
    return [drawn(rng, side, kinds or module.GENERATORS) for _ in range(count)]


@pytest.mark.parametrize("module", MODULES, ids=lambda one: one.__name__.rpartition(".")[2])
@pytest.mark.parametrize("side", list(Side))
def test_each_examples_own_answer_passes_its_check(module, side):
    for example in drawn_from(module, side):
        calls = [call["arguments"] for call in example.calls]
        if example.check != "none":
            assert is_right(task_of(example, "x"), example.answer, calls), example


@pytest.mark.parametrize("module", LEARNED_ONLY, ids=lambda one: one.__name__.rpartition(".")[2])
def test_an_example_of_a_kind_that_is_only_learned_passes_its_own_check(module):
    for example in drawn_from(module, Side.TRAIN):
        assert is_right(task_of(example, "x"), example.answer), example


def test_a_condition_to_be_seen_at_sight_is_told_as_the_state_has_it():
    signs = {"warmer": 1, "higher": 1, "stronger": 1, "colder": -1, "lower": -1, "weaker": -1}
    told = 0
    for example in drawn_from(at_sight, Side.TRAIN, [(at_sight.verdicts, 1)]):
        now = {
            name: int(found[1])
            for name in ("outside temperature", "humidity", "wind")
            if (found := re.search(rf"\b{name}\W+(\d+)", example.system))
        }
        clauses = re.findall(
            r"(it|the (?:humidity|wind)) is (\w+) than (\d+) (?:degrees outside|percent|km/h)",
            example.question,
        )
        answers = re.findall(r"yes|no(?!n)|true|false", example.answer)
        if len(answers) != len(example.thought.split(". ")) or len(clauses) != len(answers):
            continue
        for (what, comparison, limit), said in zip(clauses, answers, strict=True):
            reading = now[{"it": "outside temperature"}.get(what, what.removeprefix("the "))]
            assert ((reading - int(limit)) * signs[comparison] > 0) == (said in {"yes", "true"})
            told += 1
    assert told > DRAWS


def test_a_wording_that_is_held_out_is_never_learned():
    def wordings(side, kinds=None):
        asked = (example.question for example in drawn_from(numbers, side, kinds))
        return {re.sub(r"#(, #)+", "#", re.sub(r"\d+", "#", question)) for question in asked}

    learned = wordings(Side.TRAIN) | wordings(Side.TRAIN, dataset.NEAR[numbers])
    assert not learned & wordings(Side.HELD_OUT)


def test_no_wording_of_the_longer_lists_is_held_out(monkeypatch):
    def plain(text):
        return re.sub(r"[^a-z0-9{}/*+=-]+", " ", text.lower()).strip()

    asked = {
        "before": of_side(Side.HELD_OUT, house.BEFORE),
        "after": of_side(Side.HELD_OUT, house.AFTER),
    }

    def noted(rng, side, kind, asks):
        asked[kind] = of_side(Side.HELD_OUT, asks)
        return wordings.wording(rng, side, kind, asks)

    for module in (numbers, comparing, times, stories, machines, homes):
        monkeypatch.setattr(module, "wording", noted)
    for module in MODULES:
        drawn_from(module, Side.TRAIN, count=4 * DRAWS)  # so that each kind of command comes
    assert set(asked) | {"if"} == set(wordings.MORE)
    for kind, held_out_wordings in asked.items():
        learned_too = {plain(text) for text in held_out_wordings} & {
            plain(text) for text in wordings.MORE[kind]
        }
        assert not learned_too - {""}, kind


def test_the_words_that_things_to_learn_from_are_named_with_are_many_and_none_is_held_out():
    words = set(vocabulary.words())
    assert len(words) > 10_000
    assert not words & set(of_side(Side.HELD_OUT, WORDS))
    assert not words & {
        word for room in of_side(Side.HELD_OUT, house.ROOMS) for word in room.split()
    }


def test_prose_that_was_written_later_is_held_to_as_well(tmp_path):
    encode = dataset.Encoder(dataset.tokenizer_folder(tmp_path))
    more = tmp_path / "prose.jsonl"
    more.write_text(json.dumps("The river rose all night. " * 100) + "\n", encoding="utf-8")
    assert len(encode.prose(more)) > len(encode.prose())


def test_the_same_seed_writes_the_same_examples(tmp_path):
    def tokens():
        rng = Random(5)
        return [encode(rng, dataset.draw(rng)) for _ in range(40)]

    encode = dataset.Encoder(dataset.tokenizer_folder(tmp_path))
    assert tokens() == tokens()
    assert np.array_equal(encode.prose(), encode.prose())


@pytest.mark.parametrize("module", MODULES, ids=lambda one: one.__name__.rpartition(".")[2])
def test_what_is_asked_on_one_side_is_never_asked_on_the_other(module):
    for side in Side:
        assert all(belongs(example, side) for example in drawn_from(module, side))


def test_every_thought_names_the_number_it_leads_to():
    for module in (numbers, stories):
        for example in drawn_from(module, Side.TRAIN):
            if example.check == "number":
                assert example.expected in example.thought, example


def test_the_tasks_that_ship_are_what_the_recipe_writes():
    written = b"".join(msgspec.json.encode(task) + b"\n" for task in held_out())
    assert written == SHIPPED.read_bytes()


def test_a_right_answer_satisfies_the_schema_it_is_bound_to():
    letters = LLTokenizer("byte")
    for task in held_out():
        if task.response_schema is not None:
            grammar = LLMatcher.grammar_from_json_schema(task.response_schema)
            said = letters.tokenize_str(task.answer)
            assert LLMatcher(letters, grammar).validate_tokens(said) == len(said), task.id


def test_a_fifth_of_what_is_worked_out_is_of_kinds_that_were_never_learned():
    for module in (numbers, machines, stories):
        kinds = module.GENERATORS + dataset.NEAR[module]
        learned = {example.kind for example in drawn_from(module, Side.TRAIN, kinds)}
        kinds = [(one, 1) for one in module.HELD_OUT_KINDS]
        new = {example.kind for example in drawn_from(module, Side.HELD_OUT, kinds)}
        assert new
        assert not new & learned


def test_tasks_to_compare_with_are_asked_as_those_to_learn_from_are():
    tasks = learned(30)
    assert len(tasks) == 30
    assert tasks == learned(30)
    assert not {task.messages for task in tasks} & {task.messages for task in held_out()}


def test_the_card_tells_known_kinds_from_new_ones():
    def row(strategy, category):
        return {
            "strategy": strategy, "category": category, "tasks": 10, "accuracy": 0.5,
            "thought_tokens": 40.0, "tokens": 60.0, "closed_by_model": 1.0,
        }  # fmt: skip

    rows = [row(s, c) for s in ("never", "always", "auto") for c in ("all", "home", "times")]
    answers = [
        {"task": task.id, "category": task.category, "mode": "think", "right": True}
        for task in held_out()
    ]
    card = recipe.card(
        rows, answers, [row("always", "all")], [row("never", "home")], "4 over 2 is 2"
    )
    assert (
        "| kinds that were learned; numbers, names and wordings that were not | 256 | 100% |"
        in card
    )
    assert "| kinds that no example had | 64 | 100% |" in card
    assert "$" not in card

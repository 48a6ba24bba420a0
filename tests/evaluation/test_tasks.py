"""Checkable tasks: how answers are compared, and that those which ship are sound."""

import json

import pytest

from bench.router.tasks import everyday
from worker.domain.messages import Message
from worker.evaluation import lines
from worker.evaluation.lines import LinesError
from worker.evaluation.tasks import EVERYDAY, SHIPPED, Task, is_right


def task(check, answer, **fields):
    asked = (Message(role="user", content="?"),)
    return Task(id="t", category="c", messages=asked, answer=answer, check=check, **fields)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("42", True),
        ("6 times 7 is 42.", True),
        ("It is 42.0 degrees", True),
        ("41", False),
        ("42, no, 43", False),
        ("", False),
    ],
)
def test_a_number_is_right_if_it_is_the_last_one_named(text, right):
    assert is_right(task("number", "42"), text) is right


def test_a_number_with_thousands_marked_is_the_same_number():
    assert is_right(task("number", "1250"), "That makes 1,250 euros.")


def test_json_is_compared_by_value_and_found_in_a_fence():
    answer = task("json", '{"a": 1, "b": [2]}')
    assert is_right(answer, '{"b":[2],"a":1}')
    assert is_right(answer, 'Here:\n```json\n{"a": 1, "b": [2]}\n```')
    assert not is_right(answer, '{"a": 1}')
    assert not is_right(answer, "a: 1")


def test_only_the_right_words_of_the_choices_may_be_named():
    answer = task("words", "vibration", choices=("vibration", "current"))
    assert is_right(answer, "The vibration is over its limit.")
    assert not is_right(answer, "vibration and current")
    assert not is_right(answer, "vibrations")


def test_none_of_the_choices_is_an_answer_too():
    answer = task("words", "none", choices=("vibration", "current"))
    assert is_right(answer, "None.")
    assert not is_right(answer, "Nothing I can name.")


def test_words_without_choices_are_the_whole_answer():
    assert is_right(task("words", "14:05"), "14:05.")
    assert not is_right(task("words", "14:05"), "It is 14:05")


def test_tool_calls_are_right_with_their_arguments_in_order():
    answer = task("tools", '[{"device": "lamp"}]')
    assert is_right(answer, "", [{"device": "lamp"}])
    assert not is_right(answer, "", [{"device": "lamp"}, {"device": "fan"}])


def test_a_line_that_is_no_task_is_named(tmp_path):
    path = tmp_path / "tasks.jsonl"
    path.write_text('{"id": "a"}\n')
    with pytest.raises(LinesError, match=r"tasks\.jsonl, line 1"):
        lines.read(path, Task)


def test_a_file_without_a_task_is_refused(tmp_path):
    path = tmp_path / "tasks.jsonl"
    path.write_text("\n")
    with pytest.raises(LinesError, match="no line"):
        lines.read(path, Task)


def test_the_tasks_that_ship_are_many_and_no_two_ask_the_same():
    tasks = lines.read(SHIPPED, Task)
    asked = {tuple((said.role, said.content) for said in one.messages) for one in tasks}
    assert len(tasks) >= 400
    assert len(asked) == len(tasks)
    assert {one.category for one in tasks} >= {"arithmetic", "units", "times", "machines", "home"}


def test_the_tasks_of_everyday_are_those_that_their_command_writes():
    assert lines.read(EVERYDAY, Task) == list(everyday())


def test_half_of_the_tasks_of_everyday_are_to_be_worked_out():
    labels = [one.label for one in lines.read(EVERYDAY, Task)]
    assert labels.count("think") == labels.count("no_think") == len(labels) // 2
    assert len(labels) >= 300


def test_the_tasks_of_everyday_cover_what_the_router_tells_apart():
    assert {one.category for one in lines.read(EVERYDAY, Task)} == {
        "command", "lookup", "state", "extraction", "sentiment", "rewriting", "translation",
        "summary", "maths", "code", "logic", "planning", "diagnosis", "analytics",
    }  # fmt: skip


@pytest.mark.parametrize("path", [SHIPPED, EVERYDAY], ids=lambda path: path.stem)
def test_each_answer_that_ships_passes_its_own_check_and_nothing_said_does_not(path):
    for one in lines.read(path, Task):
        calls = json.loads(one.answer) if one.check == "tools" else []
        assert is_right(one, one.answer, calls), one.id
        assert not is_right(one, ""), one.id


@pytest.mark.parametrize("path", [SHIPPED, EVERYDAY], ids=lambda path: path.stem)
def test_another_answer_to_a_choice_that_ships_is_wrong(path):
    for one in lines.read(path, Task):
        others = set(one.choices) - {word.strip() for word in one.answer.split(",")}
        assert not [other for other in others if is_right(one, other)], one.id


def test_no_two_tasks_that_ship_have_one_name_or_one_question():
    tasks = lines.read(SHIPPED, Task) + lines.read(EVERYDAY, Task)
    assert len({one.id for one in tasks}) == len(tasks)
    assert len({one.messages for one in tasks}) == len(tasks)


def test_what_a_program_of_everyday_prints_is_its_answer(capsys):
    for one in lines.read(EVERYDAY, Task):
        if one.category == "code":
            exec(one.messages[-1].content.split("\n", 1)[1], {})
            assert capsys.readouterr().out.strip() == one.answer

"""`thinkq eval end-to-end`, with the stub for a model: what is asked, counted and drawn."""

import json

import pytest

TASKS = [
    {"text": "Turn on the light.", "category": "home", "answer": "never said", "check": "words"},
    {"text": "Prove that the square root of 2 is irrational.", "category": "maths", "answer": "7"},
]


@pytest.fixture
def tasks(tmp_path):
    path = tmp_path / "tasks.jsonl"
    lines = [
        {
            "id": f"task-{number}",
            "category": task["category"],
            "messages": [{"role": "user", "content": task["text"]}],
            "answer": task["answer"],
            "check": task.get("check", "number"),
        }
        for number, task in enumerate(TASKS)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def run(thinkq, tasks, *arguments):
    return thinkq("eval", "end-to-end", "--model", "stub", "--tasks", tasks, *arguments)


def test_each_mode_is_counted_in_all_and_by_category(thinkq, tasks):
    done = run(thinkq, tasks, "--json")
    rows = {(row["strategy"], row["category"]): row for row in json.loads(done.stdout)}
    assert rows["never", "all"]["thinking"] == 0
    assert rows["always", "all"]["thinking"] == 1
    assert rows["auto", "all"]["thinking"] == 0.5
    assert rows["auto", "maths"]["thinking"] == 1
    assert rows["always", "all"]["tokens"] > rows["never", "all"]["tokens"]


def test_an_ideal_choice_thinks_only_where_a_thought_alone_is_right(thinkq, tmp_path):
    asked = {"category": "c", "check": "number"}
    tasks = tmp_path / "tasks.jsonl"
    rows = [
        {"id": name, "messages": [{"role": "user", "content": said}], "answer": "7", **asked}
        for name, said in (("plain", "say 7"), ("neither", "say 8"))
    ]
    tasks.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run(thinkq, tasks, "--modes", "never,always", "--json")
    (ideal,) = [
        row
        for row in json.loads(done.stdout)
        if (row["strategy"], row["category"]) == ("ideal", "all")
    ]
    assert (ideal["accuracy"], ideal["thinking"]) == (0.5, 0)


def test_only_the_modes_that_were_asked_for_are_run(thinkq, tasks):
    done = run(thinkq, tasks, "--modes", "auto", "--json")
    assert {row["strategy"] for row in json.loads(done.stdout)} == {"auto"}


def test_a_mode_that_does_not_exist_is_refused(thinkq, tasks):
    done = run(thinkq, tasks, "--modes", "sometimes")
    assert done.returncode == 2
    assert "sometimes" in done.stderr


def test_answers_and_the_picture_go_into_files(thinkq, tasks, tmp_path):
    answers, picture = tmp_path / "answers.jsonl", tmp_path / "picture.svg"
    done = run(thinkq, tasks, "--answers", answers, "--plot", picture)
    assert "never" in done.stdout
    assert len(answers.read_text().splitlines()) == 6
    assert picture.read_text().startswith("<svg")


def test_labels_say_what_needs_a_thought_and_leave_out_what_is_never_right(thinkq, tmp_path):
    asked = {"messages": [{"role": "user", "content": "say 7"}], "category": "c", "check": "number"}
    tasks, labels = tmp_path / "tasks.jsonl", tmp_path / "labels.jsonl"
    rows = [{"id": "right", "answer": "7", **asked}, {"id": "wrong", "answer": "8", **asked}]
    tasks.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(thinkq, tasks, "--labels", labels).returncode == 0
    (label,) = [json.loads(line) for line in labels.read_text().splitlines()]
    assert (label["label"], label["messages"][0]["content"]) == ("no_think", "say 7")


def test_labels_need_both_modes(thinkq, tasks, tmp_path):
    done = run(thinkq, tasks, "--modes", "auto", "--labels", tmp_path / "labels.jsonl")
    assert done.returncode == 2
    assert "never and always" in done.stderr


def test_a_model_that_is_not_there_is_said_so(thinkq, tasks):
    done = thinkq("eval", "end-to-end", "--model", "no/such", "--tasks", tasks)
    assert done.returncode == 4
    assert "thinkq models pull no/such" in done.stderr


def test_the_tasks_that_ship_are_called_by_their_names(thinkq):
    done = run(thinkq, "everyday", "--modes", "never", "--limit", "14", "--json")
    categories = {row["category"] for row in json.loads(done.stdout)}
    assert {"all", "command", "planning", "translation"} <= categories


def test_a_file_of_tasks_that_is_not_there_is_refused(thinkq):
    done = run(thinkq, "everynight")
    assert done.returncode == 2
    assert "everynight" in done.stderr

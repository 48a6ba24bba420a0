"""`thinkq ask` and `thinkq chat` against a real daemon, in pipes as scripts use them."""

import json

import pytest


@pytest.fixture
def ask(thinkq, stub_daemon):
    """Run `thinkq ask` as the client `me` of the module's daemon."""

    def run(*arguments, command="ask", **options):
        return thinkq(
            command,
            *arguments,
            "--broker",
            f"127.0.0.1:{stub_daemon.port}",
            "--name",
            "me",
            THINKQ_TOPICS__ROOT=stub_daemon.root,
            **options,
        )

    return run


def test_the_answer_and_nothing_else_goes_to_a_pipe(ask):
    done = ask("hello there", "--think")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello there\n", "")


def test_a_dash_reads_the_prompt_from_standard_input(ask):
    assert ask("-", stdin="from a pipe").stdout == "from a pipe\n"


def test_an_error_reply_is_a_sentence_and_status_1(ask):
    done = ask("stub: fail=bad_schema")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: bad_schema: ")


def test_think_and_no_think_exclude_each_other(ask):
    assert ask("hi", "--think", "--no-think").returncode == 2


def test_what_is_wrong_with_a_lane_is_said_by_the_worker(ask):
    done = ask("hi", "--lane", "express")
    assert done.returncode == 1
    assert "bad_request: lane" in done.stderr


def test_no_reply_in_time_is_a_failure(ask):
    # Long enough for the broker to take the request: if it does not, that is what is said.
    done = ask("stub: tokens=100 delay_ms=100", "--timeout", "3")
    assert done.returncode == 1
    assert "no final reply" in done.stderr


def test_a_file_that_is_no_schema_is_named(ask, tmp_path):
    (tmp_path / "schema.json").write_text("{")
    done = ask("hi", "--json-schema", "schema.json")
    assert done.returncode == 2
    assert "schema.json" in done.stderr


def test_a_schema_goes_along(ask, tmp_path):
    (tmp_path / "schema.json").write_text(json.dumps({"type": "nonsense"}))
    done = ask("hi", "--json-schema", "schema.json")
    assert (done.returncode, done.stdout) in {(0, "hi\n"), (1, "")}


def test_a_session_keeps_what_was_said(ask, stub_daemon, wire_of):
    ask("my name is Ada /think", "--session", "s1")
    reply = wire_of(stub_daemon).ask({"prompt": "again", "session": "s1"})
    assert reply["route"]["decided_by"] == "session"


def test_chat_answers_line_by_line_until_there_are_no_more(ask):
    done = ask(command="chat", stdin="hello\nand again\n")
    assert (done.returncode, done.stdout) == (0, "hello\nand again\n")

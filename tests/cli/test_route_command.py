"""`thinkq route`: the choice of mode, without a model."""

import json
import subprocess
import sys


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_message_is_explained(thinkq):
    done = thinkq("route", "Prove that the square root of 2 is irrational.")
    assert done.returncode == 0
    assert "mode        think" in done.stdout
    assert "reason" in done.stdout


def test_explain_draws_what_spoke_for_and_against(thinkq):
    assert "█" in thinkq("route", "--explain", "Prove that it is so.").stdout


def test_lines_are_answered_in_their_order(thinkq):
    texts = ["Turn on the light.", "Prove Fermat's little theorem.", "Hi!", "证明根号2是无理数"]
    stdin = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    found = lines(thinkq("route", "--jsonl", stdin=stdin))
    assert [line["mode"] for line in found] == ["no_think", "think", "no_think", "think"]
    assert all(set(line) == {"mode", "score", "decided_by", "reason"} for line in found)
    assert all(0 <= line["score"] <= 1 for line in found)


def test_a_line_that_is_wrong_is_answered_in_its_place(thinkq):
    stdin = '{"text": "hi"}\nnonsense\n{"txt": 1}\n{"text": "hi"}\n'
    done = thinkq("route", "--jsonl", stdin=stdin)
    found = lines(done)
    assert done.returncode == 1
    assert ["error" in line for line in found] == [False, True, True, False]


def test_a_soft_switch_decides(thinkq):
    (line,) = lines(thinkq("route", "--jsonl", stdin='{"text": "Hi! /think"}\n'))
    assert (line["mode"], line["decided_by"]) == ("think", "switch")


def test_no_language_model_is_loaded():
    code = (
        'import io, sys; sys.stdin = io.TextIOWrapper(io.BytesIO(b\'{"text": "hi"}\\n\')); '
        "from worker.cli import main; main(['route', '--jsonl']); "
        "heavy = [m for m in ('mlx', 'mlx_lm', 'transformers', 'numpy') if m in sys.modules]; "
        "print(heavy, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"

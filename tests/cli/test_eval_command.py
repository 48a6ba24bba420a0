"""`thinkq eval router`: figures on labelled prompts."""

import json

import pytest

from worker.router.measures import Judged, calibration_error, figures, ranking

PROMPTS = [
    {"text": "Prove that the square root of 2 is irrational.", "label": "think", "lang": "en"},
    {"text": "Turn on the kitchen light.", "label": "no_think", "lang": "en"},
    {"text": "把灯关掉", "label": "no_think", "lang": "zh"},
]


def judged(*pairs):
    return [Judged(think, score >= 0.5, score) for think, score in pairs]


def test_a_file_of_prompts_is_counted_in_all_and_by_group(thinkq, tmp_path):
    path = tmp_path / "labelled.jsonl"
    path.write_text("".join(json.dumps(prompt) + "\n" for prompt in PROMPTS))
    rows = json.loads(thinkq("eval", "router", "--by", "lang", "--json", "--data", path).stdout)[
        "figures"
    ]
    assert [rows[name]["prompts"] for name in ("all", "en", "zh")] == [3, 2, 1]
    assert rows["all"]["accuracy"] == 1


def test_a_line_that_is_wrong_is_named(thinkq, tmp_path):
    (tmp_path / "labelled.jsonl").write_text('{"text": "hi", "label": "maybe"}\n')
    done = thinkq("eval", "router", "--data", "labelled.jsonl")
    assert done.returncode == 2
    assert "labelled.jsonl, line 1" in done.stderr


def test_without_a_file_the_prompts_that_ship_are_judged(thinkq, tmp_path):
    done = thinkq("eval", "router", "--mistakes", "3", "--plot", tmp_path / "curve.svg")
    assert "of those that need think: " in done.stdout
    assert "µs (p50)" in done.stdout
    assert (tmp_path / "curve.svg").read_text().startswith("<svg")


def test_a_conversation_may_stand_for_a_text(thinkq, tmp_path):
    messages = [
        {"role": "user", "content": "Prove that 2 is prime."},
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "And now for 7."},
    ]
    path = tmp_path / "talks.jsonl"
    path.write_text(json.dumps({"messages": messages, "label": "think"}))
    told = json.loads(thinkq("eval", "router", "--json", "--data", path).stdout)
    assert told["figures"]["all"]["confusion"]["think"]["think"] == 1


def test_f1_is_the_mean_of_both_modes():
    found = figures(judged((True, 0.9), (True, 0.1), (False, 0.1), (False, 0.2)))
    assert found.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)


@pytest.mark.parametrize(
    ("pairs", "share"),
    [
        ([(True, 0.9), (False, 0.1)], 1.0),
        ([(True, 0.1), (False, 0.9)], 0.0),
        ([(True, 0.5), (False, 0.5)], 0.5),
        ([(True, 0.5)], None),
    ],
)
def test_ranking_is_how_often_a_hard_prompt_scores_above_an_easy_one(pairs, share):
    assert ranking(judged(*pairs)) == share


def test_a_score_that_is_as_often_right_as_it_says_is_calibrated():
    pairs = [(True, 0.75)] * 3 + [(False, 0.75)]
    assert calibration_error(judged(*pairs)) == 0


def test_a_score_that_is_too_sure_is_off_by_the_difference():
    assert calibration_error(judged((False, 0.95), (True, 0.95))) == pytest.approx(0.45)


def test_what_was_missed_and_what_was_wasted_are_told_apart():
    found = figures(judged((True, 0.9), (True, 0.1), (False, 0.1), (False, 0.9), (False, 0.2)))
    assert (found.recall, found.wasted) == (0.5, pytest.approx(1 / 3))


def test_the_tasks_of_everyday_are_judged_by_their_name(thinkq):
    done = thinkq("eval", "router", "--data", "everyday", "--json")
    assert json.loads(done.stdout)["figures"]["all"]["prompts"] == 336

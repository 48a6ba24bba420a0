"""What a site teaches the router: little from little, what it was told, and nothing for ever."""

import pytest

from worker.domain.messages import Mode
from worker.router import site, tune
from worker.router.judge import Question, load_router
from worker.router.site import Site, SiteError
from worker.router.tune import Case


def case(marks, think, log_odds=0.0):
    return Case(frozenset(marks.split()), log_odds, think)


WRONG = [case("palletizer jam", True, -2.0) for _ in range(8)]
RIGHT = [case("lamp on", False, -3.0) for _ in range(8)]


def test_what_was_always_wrong_is_moved_and_what_was_right_stays():
    layer = tune.fit(WRONG + RIGHT)
    assert layer.correction({"palletizer", "jam"}) > 1
    assert abs(layer.correction({"lamp", "on"})) < 0.5


def test_a_word_seen_once_moves_nothing():
    layer = tune.fit([case("odd", True, -1.0), *RIGHT])
    assert "odd" not in layer.weights


def test_few_examples_move_less_than_many():
    few, many = tune.fit(WRONG[:2]), tune.fit(WRONG)
    marks = {"palletizer", "jam"}
    assert 0 < few.correction(marks) < many.correction(marks)


def test_the_same_examples_make_the_same_layer():
    assert tune.fit(WRONG + RIGHT) == tune.fit(WRONG + RIGHT)


def test_what_is_said_of_unseen_cases_comes_from_layers_without_them():
    lonely = [case(f"word{n} word{n}b", True, -2.0) for n in range(10)]
    moved = [after - one.log_odds for after, one in zip(tune.unseen(lonely), lonely, strict=True)]
    assert max(moved) == pytest.approx(min(moved), abs=0.2)
    assert tune.unseen(WRONG)[0] > WRONG[0].log_odds + 1


def test_a_layer_is_put_in_force_and_taken_away_again(tmp_path):
    assert site.in_force(tmp_path) is None
    site.put(tmp_path, Site(bias=1.0))
    site.put(tmp_path, Site(bias=2.0))
    assert site.in_force(tmp_path) == Site(bias=2.0)
    assert site.undo(tmp_path) == Site(bias=2.0)
    assert site.in_force(tmp_path) == Site(bias=1.0)
    site.undo(tmp_path)
    assert site.undo(tmp_path) is None


def test_what_no_example_has_any_more_leaves_all_layers(tmp_path):
    site.put(tmp_path, Site(bias=0.5, weights={"palletizer": 1.0, "jam": 0.5}))
    site.put(tmp_path, Site(weights={"palletizer": 2.0}))
    assert site.keep_only(tmp_path, {"jam", "lamp"}) == 2
    assert site.layers(tmp_path) == [Site(bias=0.5, weights={"jam": 0.5}), Site()]


def test_what_an_operators_own_files_have_stays_whatever_is_forgotten(tmp_path):
    layer = Site(weights={"press": 1.0}, own=("press",))
    site.put(tmp_path, layer)
    assert site.keep_only(tmp_path, set()) == 0
    assert site.in_force(tmp_path) == layer


def test_the_file_is_its_owners_alone(tmp_path):
    site.put(tmp_path, Site())
    assert (tmp_path / site.FILE_NAME).stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_layer_is_said_so(tmp_path):
    (tmp_path / site.FILE_NAME).write_text("{")
    with pytest.raises(SiteError, match=r"router-site\.json"):
        site.in_force(tmp_path)


def test_the_router_uses_the_layer_and_says_so():
    question = Question(text="Please check the palletizer.")
    plain = load_router().judge(question)
    taught = load_router(site=Site(bias=6.0)).judge(question)
    assert (plain.mode, taught.mode) == (Mode.NO_THINK, Mode.THINK)
    assert ("is like what was judged here before", 6.0) in taught.features

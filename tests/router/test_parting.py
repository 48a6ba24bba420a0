"""A wish and the material that it is about: told apart by form, weighed apart."""

import pytest

from worker.domain.messages import Mode
from worker.router.features import read
from worker.router.judge import Question, load_router

ROUTER = load_router()
CONCEPTS = {"hat": "clothes", "帽子": "clothes"}
PUZZLE = (
    "Anna is older than Ben, Ben is older than Carla, and Dimitri is younger than Anna. "
    "Who is the oldest?"
)


def marks(text):
    return read(text, CONCEPTS)


@pytest.mark.parametrize(
    "text",
    [
        'put this into other words "the red hat hangs on the third hook from the left"',
        "put this into other words: the red hat hangs on the third hook from the left",
        "put this into other words\nthe red hat hangs on the third hook from the left",
        "put this into other words -- the red hat hangs on the third hook from the left",
        "换句话说：那顶红色的帽子挂在左边第三个钩子上面",
        "换句话说「那顶红色的帽子挂在左边第三个钩子上面」",
    ],
)
def test_what_is_set_off_has_marks_of_its_own(text):
    found = marks(text)
    assert "#parted" in found
    assert "|@clothes" in found
    assert "@clothes" not in found


@pytest.mark.parametrize(
    "text",
    [
        "the red hat hangs on the third hook from the left",
        "Sensors: hall 21 degrees, cellar 9 degrees, a hat on the hook",
        "The hat is red: good.",
    ],
)
def test_a_label_or_a_short_end_parts_nothing(text):
    found = marks(text)
    assert "#parted" not in found
    assert "@clothes" in found


def test_a_question_on_the_last_line_belongs_to_the_wish():
    found = marks("these are the readings\npress one 71 degrees\npress two 93 degrees\nwhich hat?")
    assert "@clothes" in found
    assert "|degrees" in found


def test_the_same_puzzle_is_solved_or_picked_from():
    assert ROUTER.judge(Question(text=PUZZLE)).mode is Mode.THINK
    assert ROUTER.judge(Question(text=f'Names only please: "{PUZZLE}"')).mode is Mode.NO_THINK


def test_what_is_not_to_be_solved_is_not_taken_for_it():
    wish = "List the numbers in here, don't solve it"
    assert "@solve" not in read(wish, {"solve": "solve", "don t solve": "unsolved"})


def test_a_part_that_is_set_off_is_explained_as_one():
    features = ROUTER.judge(Question(text=f'What would you say of this: "{PUZZLE}"')).features
    assert any(phrase.startswith("comes with a text that") for phrase, _ in features)

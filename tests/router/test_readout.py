"""Look-ups in a list that the text itself gives."""

import pytest

from worker.router.readout import reads_off


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ("boiler 71 °c, tank 48 °c, outlet 63 °c. ", "what does the tank read?"),
        ("readings: pump 1 4 bar, fan 3 2 bar, saw 2 3 bar. ", "what has the saw?"),
        (
            "paula plays the cello. viktor plays the horn. rosa plays the drums. ",
            "what does viktor play?",
        ),
        ("paula,4711\nviktor,815\nrosa,3\n", "viktor's phone?"),
        ("锅炉71度，水箱48度，供水63度。", "水箱是多少？"),
        ("早番は田中さん、遅番は鈴木さん、夜勤は佐藤さん。", "夜勤は誰ですか？"),
    ],
)
def test_a_question_that_names_one_entry_reads_it_off(told, asked):
    assert reads_off(told, asked)


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ("boiler 71 °c, tank 48 °c, outlet 63 °c. ", "which two differ the least?"),
        ("boiler 71 °c, tank 48 °c, outlet 63 °c. ", "is the boiler hotter than the tank?"),
        ("tom buys three boxes of twelve eggs and drops two. ", "how many eggs are left?"),
        ("an oven, a bed, a lamp, a chair and a fridge. ", "how many objects do i have?"),
        ("", "what does the tank read?"),
    ],
)
def test_a_question_that_names_several_entries_or_none_does_not(told, asked):
    assert not reads_off(told, asked)

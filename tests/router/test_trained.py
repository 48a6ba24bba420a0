"""The router that ships: what it must get right, and what must not change its mind."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.router import corpus, held, learn
from worker.domain.messages import Lane, Message, Mode
from worker.evaluation import lines, tasks
from worker.router.classifier import MODEL_PATH
from worker.router.conversation import LONGEST_LEANING, leaning, question_of
from worker.router.judge import Question, load_router
from worker.router.measures import by_group, figures
from worker.router.policy import Preset, Presets, threshold

ROUTER = load_router()


def mode_of(text, *, earlier=(), lane=Lane.STANDARD, preset=None):
    router = ROUTER if preset is None else load_router(preset)
    return router.judge(Question(text=text, earlier=tuple(earlier), lane=lane)).mode


HARD = [
    "Prove that the square root of 2 is irrational.",
    "is 2027 prime?",
    "A train leaves at 8:15 at 80 km/h and another at 9:00 at 100 km/h. When do they meet?",
    "Write a Python function that returns the longest palindrome in a string.",
    "Why does this loop never end?\n\nwhile i < 10:\n    print(i)",
    "Three friends each tell one lie. Who broke the vase, if exactly one of them did?",
    "The motor runs hot, vibration rose from 2 to 6 mm/s and the oil is dark. What is the cause?",
    "Plan the maintenance of 4 presses so that two always run and nobody works at night.",
    "证明根号2是无理数",
    "小明有12个苹果,给了小红三分之一,又买了5个,现在有几个?",
    "Beweise, dass es unendlich viele Primzahlen gibt.",
    "Démontre que la somme de deux nombres pairs est paire.",
    "Demuestra que la raíz de 2 es irracional.",
    "ルート2が無理数であることを証明してください。",
]

EASY = [
    "Turn on the kitchen light.",
    "Dim the lamp to 30 % in 10 minutes.",
    "Set the oven to 180 degrees at 6:45 and the timer to 25 minutes.",
    "Hi, how are you?",
    "What is the capital of France?",
    "Translate to German: If x + 3 = 10, what is x?",
    "Summarize in one sentence: The meeting has been moved to Thursday because the client is away.",
    "What is the temperature in the bedroom?",
    "Play some jazz in the living room.",
    "把客厅的灯调到百分之三十",
    "今天天气怎么样?",
    "Schalte das Licht im Wohnzimmer aus.",
    "Allume la lumière de la cuisine.",
    "Apaga la luz del dormitorio.",
    "リビングの電気をつけて",
]


DOUBTFUL = next(
    one.text
    for one in held.prompts()
    if threshold(Preset.BALANCED, Lane.STANDARD)
    < ROUTER.judge(Question(text=one.text)).score
    < threshold(Preset.BALANCED, Lane.STANDARD, load=1)
)


def test_a_clients_preset_goes_before_its_lanes_and_that_before_the_general_one():
    presets = Presets(Preset.BALANCED, {Lane.BATCH: Preset.THOROUGH}, {"kitchen": Preset.QUICK})
    assert presets.of("kitchen", Lane.BATCH) is Preset.QUICK
    assert presets.of("press", Lane.BATCH) is Preset.THOROUGH
    assert presets.of("press", Lane.STANDARD) is Preset.BALANCED


def test_where_others_wait_a_doubtful_question_is_not_thought_about_and_the_reply_says_so():
    assert ROUTER.judge(Question(text=DOUBTFUL)).mode is Mode.THINK
    verdict = ROUTER.judge(Question(text=DOUBTFUL, load=1))
    assert (verdict.mode, verdict.decided_by) == (Mode.NO_THINK, "load")


def test_load_does_not_change_what_is_plain_nor_batch_work():
    assert ROUTER.judge(Question(text=HARD[0], load=1)).mode is Mode.THINK
    assert threshold(Preset.QUICK, Lane.BATCH, load=1) == threshold(Preset.QUICK, Lane.BATCH)


@pytest.mark.parametrize("text", HARD)
def test_what_must_be_worked_out_is_thought_about(text):
    assert mode_of(text) is Mode.THINK


@pytest.mark.parametrize("text", EASY)
def test_what_needs_no_work_is_answered_at_once(text):
    assert mode_of(text) is Mode.NO_THINK


@pytest.mark.parametrize("text", HARD + EASY)
def test_small_letters_and_no_full_stop_change_nothing(text):
    spoken = text.lower().rstrip(".。")
    assert mode_of(spoken) is mode_of(text)


@pytest.mark.parametrize("text", [text for text in HARD + EASY if text.isascii()])
@pytest.mark.parametrize("filler", ["um so ", "hey could you please ", "okay uh "])
def test_fillers_and_politeness_change_nothing(filler, text):
    assert mode_of(filler + text[0].lower() + text[1:]) is mode_of(text)


def test_a_long_text_with_a_simple_wish_is_not_hard():
    material = "The pump was stopped, cleaned and restarted; pressure is back at 4.2 bar. " * 30
    assert mode_of(f"Summarize this report in one sentence:\n\n{material}") is Mode.NO_THINK


def test_a_wish_that_refers_to_something_hard_is_hard():
    assert (
        mode_of("and now prove it", earlier=["Is the sum of two odd numbers even?"]) is Mode.THINK
    )


def test_a_wish_that_refers_to_a_command_is_a_command():
    assert mode_of("and in the bedroom too", earlier=["Turn on the light."]) is Mode.NO_THINK


def test_tool_results_and_system_prompts_are_not_the_question():
    hard = "Prove that there are infinitely many primes. " * 5
    messages = (
        Message("system", hard),
        Message("user", "Turn on the light."),
        Message("tool", hard),
    )
    assert ROUTER.judge(question_of(messages)).mode is Mode.NO_THINK


def test_a_lane_in_which_nobody_waits_thinks_wherever_a_lane_with_somebody_does():
    for text in HARD + EASY:
        if mode_of(text, lane=Lane.INTERACTIVE) is Mode.THINK:
            assert mode_of(text, lane=Lane.BATCH) is Mode.THINK


def test_a_thorough_router_thinks_wherever_a_quick_one_does():
    for text in HARD + EASY:
        if mode_of(text, preset=Preset.QUICK) is Mode.THINK:
            assert mode_of(text, preset=Preset.THOROUGH) is Mode.THINK


@given(st.text())
def test_any_text_has_a_probability_and_a_reason(text):
    verdict = ROUTER.judge(Question(text=text))
    assert 0 <= verdict.score <= 1
    assert verdict.reason.endswith(".")


@given(st.text(), st.lists(st.text(), max_size=3))
def test_the_same_question_has_the_same_verdict(text, earlier):
    question = Question(text=text, earlier=tuple(earlier))
    assert ROUTER.judge(question) == load_router().judge(question)


def test_features_are_listed_with_the_strongest_first():
    verdict = ROUTER.judge(Question(text=HARD[0]))
    strengths = [abs(weight) for _, weight in verdict.features]
    assert strengths == sorted(strengths, reverse=True)


def test_the_trained_file_is_small():
    assert MODEL_PATH.stat().st_size < 5_000_000


def test_the_concepts_it_ships_are_those_it_is_trained_with():
    import tomllib

    data = Path(__file__).parents[2] / "bench" / "router" / "data" / "concepts.toml"
    shipped = json.loads(MODEL_PATH.read_text())["phrases"]
    written = tomllib.loads(data.read_text())
    assert shipped == {name: table["phrase"] for name, table in written.items()}


def test_prompts_that_it_was_never_trained_on_are_mostly_judged_right():
    judged = held.judge(held.prompts(), ROUTER)
    cases = {name: figures(some) for name, some in by_group(judged, "case").items()}
    assert cases["plain cases"].accuracy >= 0.95
    assert cases["hard cases"].accuracy >= 0.8
    assert figures(judged).calibration_error <= 0.06


def test_no_prompt_that_is_asked_about_is_trained_on():
    trained_on = {example.text.lower() for example in corpus.judged() + corpus.from_grammars(1)}
    asked = [one for name, some in held.rows() if name != "conversations" for one in some]
    assert not [one.text for one in asked if one.text.lower() in trained_on]


@pytest.mark.parametrize("path", tasks.SETS.values(), ids=tasks.SETS.keys())
def test_no_task_that_ships_is_trained_on(path):
    trained_on = {example.text.lower() for example in corpus.everything()}
    asked = {one.messages[-1].content.lower() for one in lines.read(path, tasks.Task)}
    assert not asked & trained_on


def test_speech_recognizer_noise_changes_few_minds():
    spoken = [one for one in held.prompts() if "\n" not in one.text]
    before = held.judge(spoken, ROUTER)
    after = held.judge([held.as_heard(one) for one in spoken], ROUTER)
    changed = sum(a.chosen_think is not b.chosen_think for a, b in zip(before, after, strict=True))
    assert changed <= 0.08 * len(spoken)


def test_other_languages_do_no_worse_than_length_alone():
    asked = list(corpus.read_lines(held.HELD / "prompts.others.txt"))
    longest_first = max(
        sum((len(one.text) >= length) is one.think for one in asked) for length in range(300)
    )
    assert figures(held.judge(asked, ROUTER)).accuracy >= longest_first / len(asked)


def test_conversations_are_judged_by_what_they_refer_to():
    asked = list(corpus.read_lines(held.HELD / "conversations.en.txt"))
    assert figures(held.judge(asked, ROUTER)).accuracy >= 0.8


def test_readings_beside_a_question_count_by_their_structure_and_not_their_words():
    messages = (Message("user", "Which one should worry us most?"),)
    readings = {"press": [4.1, 4.0, 3.6, 3.1], "pump": [2.2, 2.3, 2.2, 2.9], "saw": [1, 2, 1]}
    words = {"note": "Prove that the sum of two odd numbers is even. " * 5}
    alone = ROUTER.judge(question_of(messages)).score
    assert ROUTER.judge(question_of(messages, context=readings)).score > alone
    assert ROUTER.judge(question_of(messages, context=words)).score < alone


LISTS = {
    "Boiler 71 °C, tank 48 °C, outlet 63 °C, return 31 °C.": (
        "What does the outlet read?",
        "By how much is the boiler hotter than the return?",
    ),
    "Frühschicht: Anna. Spätschicht: Bernd. Nachtschicht: Carla.": (
        "Wer hat die Spätschicht?",
        "Jede dauert 7,5 Stunden. Wie viele Stunden arbeiten alle drei zusammen in 4 Tagen?",
    ),
    "Pompe 1 4 bar, pompe 2 6 bar, pompe 3 5 bar.": (
        "Que montre la pompe 3 ?",
        "De combien la pompe 2 dépasse-t-elle la moyenne des deux autres ?",
    ),
    "锅炉71度，水箱48度，供水63度，回水31度。": ("水箱几度？", "锅炉比回水高多少度，平均是多少？"),
}
"""A list, a question that reads an entry off, and one that makes something of it."""


@pytest.mark.parametrize("told", LISTS)
def test_an_entry_of_a_list_is_read_off_and_what_is_made_of_it_is_worked_out(told):
    read_off, worked_out = LISTS[told]
    assert mode_of(f"{told} {read_off}") is Mode.NO_THINK
    assert mode_of(f"{told} {worked_out}") is Mode.THINK


@pytest.mark.parametrize(
    "form",
    ["Answer with one word.", "Give only the result as your final answer.", "No explanation."],
)
def test_what_the_answer_shall_look_like_does_not_make_a_problem_easier(form):
    problem = "Anna is married to Ben. Ben's mother is Clara. How is Clara related to Anna?"
    assert mode_of(problem) is Mode.THINK
    assert mode_of(f"{problem} {form}") is Mode.THINK


def test_who_doubts_an_answer_that_was_worked_out_has_it_worked_out_again():
    asked = "A tank holds 340 litres and loses 4 % a day. When is it half empty?"
    assert mode_of("Are you sure? Check it again.", earlier=[asked]) is Mode.THINK
    assert mode_of("Are you sure?", earlier=["Is the kitchen light off?"]) is Mode.NO_THINK


def test_a_question_about_what_was_just_told_is_judged_with_it():
    told = "Two pumps fill a tank in 6 and 9 hours."
    assert mode_of("how long do they need together", earlier=[told]) is Mode.THINK
    assert mode_of("ok, thanks", earlier=[told]) is Mode.NO_THINK


def test_readings_count_for_more_where_they_are_weighed_against_each_other():
    readings = {"rows": [[71, 48, 63], [70, 49, 61], [75, 47, 66]]}

    def moved(text):
        alone, beside = (
            ROUTER.judge(question_of((Message("user", text),), context=context)).features
            for context in (None, readings)
        )
        return dict(beside)["comes with readings"] - dict(alone).get("comes with readings", 0.0)

    assert moved("Which one deviates most?") > moved("What do they show?")


def test_readings_beside_a_wish_to_pass_them_on_make_it_no_harder():
    messages = (Message("user", "Translate the note into German."),)
    readings = {"rows": [[1, 2, 3], [4, 5, 6], [7, 8, 9]]}
    alone = ROUTER.judge(question_of(messages)).score
    assert ROUTER.judge(question_of(messages, context=readings)).score <= alone


def test_what_a_tool_answered_is_not_what_the_user_asks():
    asked = (Message("user", "Turn on the light."),)
    answered = (
        Message("assistant", None),
        Message("tool", "Solve x^2 - 5x + 6 = 0 step by step and prove it."),
    )
    assert ROUTER.judge(question_of(asked + answered)) == ROUTER.judge(question_of(asked))


def test_the_weights_that_ship_are_those_the_data_makes():
    shipped = json.loads(MODEL_PATH.read_text("utf-8"))
    examples = corpus.everything()
    learned = learn.corpus_of(examples, corpus.concepts()[0])
    start = [shipped["weights"].get(name, 0) / learn.UNIT for name in learned.names]
    near = np.array([*start, shipped["bias"] / learn.UNIT])
    fitted = learn.fit(learned, learn.weights_of(examples), start=near)
    made = learn.model_of(learned, fitted, (1.0, 0.0), corpus.concepts())
    assert made.weights == shipped["weights"]
    assert made.bias == shipped["bias"]


def test_a_long_message_is_not_searched_for_what_it_leans_on():
    # Its patterns look from every sign on, which takes the square of a length.
    assert leaning((), "are you sure?") > 0
    assert leaning((), "are you sure?" + " " * LONGEST_LEANING) == 0

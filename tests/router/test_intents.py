"""Commands that need no model: recognized only where there is one reading."""

import pytest

from worker.domain.messages import Lane, Message, ReplyRoute, Request
from worker.router import required
from worker.router.intents import LONGEST_CHARACTERS, Home, IntentsMissing, Recognizer

HOME = Home(
    devices={"ceiling light": "light", "bedroom blind": "cover", "coffee machine": "switch"},
    areas=("kitchen", "bedroom"),
)
ENGLISH = Recognizer("en", HOME)


def meant(text, **where):
    found = ENGLISH.recognize(text, **where)
    return None if found is None else (found.intent, found.slots)


def request(*contents, **fields):
    messages = tuple(Message("user", content) for content in contents)
    return Request(
        id="1",
        key=b"1",
        client="c",
        lane=Lane.INTERACTIVE,
        messages=messages,
        reply_to=ReplyRoute("r"),
        arrived_at=0.0,
        **fields,
    )


@pytest.mark.parametrize(
    ("text", "intent", "slots"),
    [
        ("Turn on the ceiling light.", "HassTurnOn", {"name": "ceiling light"}),
        ("turn off the coffee machine", "HassTurnOff", {"name": "coffee machine"}),
        (
            "set the ceiling light to 30%",
            "HassLightSet",
            {"name": "ceiling light", "brightness": 30},
        ),
        ("turn on the kitchen light", "HassTurnOn", {"area": "kitchen", "domain": "light"}),
    ],
)
def test_a_command_to_what_the_home_has_is_recognized(text, intent, slots):
    assert meant(text) == (intent, slots)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "turn on the sauna light",
        "turn on the ceiling light and close the bedroom blind",
        "maybe turn on the ceiling light",
        "why is the ceiling light on",
        "add milk to my shopping list",
        "turn on the ceiling light\nand explain why",
        "turn on the ceiling light " + "please " * LONGEST_CHARACTERS,
    ],
)
def test_what_is_less_than_certain_is_left_to_the_model(text):
    assert meant(text) is None


def test_a_devices_name_goes_before_the_area_it_begins_with():
    assert meant("close the bedroom blind") == ("HassTurnOff", {"name": "bedroom blind"})


def test_a_light_without_a_name_is_the_one_where_the_client_is():
    assert meant("turn on the light") is None
    assert meant("turn on the light", area="nowhere") is None
    assert meant("turn on the light", area="Kitchen") == (
        "HassTurnOn", {"area": "kitchen", "domain": "light"},
    )  # fmt: skip


def test_other_languages_have_their_own_sentences():
    german = Recognizer("de", Home(areas=("Küche",)))
    found = german.recognize("Schalte das Licht in der Küche ein")
    assert (found.intent, found.slots["area"]) == ("HassTurnOn", "Küche")


@pytest.mark.parametrize(
    ("language", "home", "texts"),
    [
        ("en", Home(devices={"living-room lamp": "light", "TV": "media_player"}, areas=("Hall",)), (
            "turn on the living room lamp", "TURN ON THE LIVING-ROOM LAMP!", "turn_on_the_tv",
            "set the hall lights to red", "set hall to 21 degrees", "pause", "first floor on",
            "turn off the lights", "what is the temperature in the hall", "add milk to my list",
        )),
        ("de", Home(devices={"Küchenlicht": "light", "Rollo": "cover"}, areas=("Küche", "Bad")), (
            "schalte das Küchenlicht ein", "mach das Licht in der Küche blau", "bad rot",
            "wie warm ist es im Bad", "Rollo hoch", "das Küchenlicht auf 30 %", "etwas leiser",
        )),
        ("zh-CN", Home(devices={"客厅 灯": "light", "窗帘": "cover"}, areas=("客厅", "厨房")), (
            "打开客厅灯", "打开 客厅 灯", "关闭窗帘", "厨房温度是多少", "把客厅灯调成红色",
        )),
    ],
    ids=["en", "de", "zh-CN"],
)  # fmt: skip
def test_no_sentence_that_would_match_is_passed_over(monkeypatch, language, home, texts):
    quick = Recognizer(language, home)
    monkeypatch.setattr(required, "require_names", lambda *_: None)
    thorough = Recognizer(language, home)
    places = (None, home.areas[0])
    found = [quick.recognize(text, area=area) for text in texts for area in places]
    assert found == [thorough.recognize(text, area=area) for text in texts for area in places]
    assert any(found)


def test_a_language_without_sentences_is_refused_with_those_there_are():
    with pytest.raises(IntentsMissing, match=r"'tlh'.*en"):
        Recognizer("tlh", HOME)


COMMAND = "turn on the ceiling light"


def test_a_plain_request_is_recognized():
    assert ENGLISH.of_request(request(COMMAND)).intent == "HassTurnOn"


@pytest.mark.parametrize(
    "asked",
    [
        request(COMMAND, mode="think"),
        request(COMMAND, response_format={"type": "json_object"}),
        request(COMMAND, tools=({"type": "function", "function": {"name": "f"}},)),
        request(f"{COMMAND} /think"),
        request("hello", COMMAND),
    ],
    ids=["hard mode", "schema", "tools", "switch", "conversation"],
)
def test_a_request_that_wants_more_goes_to_the_model(asked):
    assert ENGLISH.of_request(asked) is None

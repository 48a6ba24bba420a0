"""A chat template that means harm: it reads nothing, gets nowhere, and does not go on for ever."""

import json
import shutil
import time

import pytest
from jinja2 import TemplateError
from rig import Daemon

from worker.domain.errors import EngineFailed
from worker.domain.messages import Mode
from worker.engine import templates
from worker.engine.models import load
from worker.engine.prompts import PromptWriter

MESSAGES = [{"role": "user", "content": "hello"}]
TOOLS = [{"type": "function", "function": {"name": "lamp", "parameters": {}}}]

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__class__.__base__ }}",
    "{{ '{0.__class__.__mro__}'.format(messages) }}",
    "{{ '%s'.__mod__(messages) }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].environ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ strftime_now.__globals__.__builtins__.open('/etc/passwd').read() }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context.environment }}",
    "{{ dict.__call__.__globals__ }}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update(role='system') }}",
    "{{ tools[0].clear() }}",
    "{% set ns = namespace(__class__=1) %}",
    "{% include '/etc/passwd' %}",
    "{% import '/etc/passwd' as x %}",
    "{% extends '/etc/passwd' %}",
    "{{ open('/etc/passwd').read() }}",
    "{{ __import__('os').system('true') }}",
    "{% do messages.append(1) %}",
    "{{ 10**99999999 }}",
    "{{ 'x' * 10**10 }}",
    "{{ 10**10 * ['x'] }}",
    "{% for i in range(10**9) %}{% endfor %}",
]


@pytest.fixture(scope="module")
def tokenizer(tiny_qwen3):
    return load(tiny_qwen3).tokenizer


@pytest.fixture
def written(tokenizer):
    """Return what comes of a conversation with this template."""
    own = tokenizer._tokenizer.chat_template
    writer = PromptWriter(tokenizer, native=True)

    def write(template, messages=MESSAGES):
        tokenizer._tokenizer.chat_template = template
        return tokenizer.decode(writer.conversation(messages, Mode.NO_THINK, TOOLS))

    yield write
    tokenizer._tokenizer.chat_template = own


@pytest.mark.parametrize("escape", ESCAPES)
def test_what_would_lead_out_of_the_sandbox_is_an_error(escape, written):
    with pytest.raises((TemplateError, EngineFailed)) as caught:
        written(escape)
    assert "root:" not in str(caught.value)


@pytest.mark.parametrize(
    "nothing",
    [
        "{{ ''|attr('__class__') }}",
        "{{ raise_exception.__globals__ }}",
        "{{ range.__self__ }}",
        "{{ os }}{{ sys }}{{ builtins }}",
    ],
)
def test_what_no_template_may_see_is_nothing(nothing, written):
    assert written(f"[{nothing}]").startswith("[]")


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(templates, "LONGEST_S", 0.3)


ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}BODY{% endfor %}{% endfor %}"


@pytest.mark.parametrize("body", ["", "{{ i + j }}", "{% set k = i ~ j %}"])
def test_one_that_does_not_end_is_ended_and_the_next_is_undisturbed(body, written, hurried):
    began = time.monotonic()
    with pytest.raises(EngineFailed, match=r"takes longer than 0\.3 s"):
        written(ENDLESS.replace("BODY", body))
    assert time.monotonic() - began < 5
    # What was sent to end it strikes nobody else.
    for _ in range(1000):
        assert "fine" in written("fine")


def test_one_that_calls_itself_without_end_is_an_error(written):
    with pytest.raises(EngineFailed, match="RecursionError"):
        written("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}")


def test_one_that_makes_megabytes_of_a_greeting_is_refused(written):
    with pytest.raises(EngineFailed, match="characters of a request"):
        written(
            "{% for i in range(99999) %}{{ 'a long line of words, again and again' }}{% endfor %}"
        )


def test_a_long_request_may_be_long(written):
    long = [{"role": "user", "content": "word " * 300_000}]
    text = written("{{ messages[0].content }}", long)
    assert len(text) > 1_000_000


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
        ("{{ messages + 1 }}", "TypeError"),
        ("{{ 'a' + 1 }}", "TypeError"),
    ],
)
def test_one_that_fails_fails_in_words(template, words, written):
    with pytest.raises((EngineFailed, TemplateError), match=words):
        written(template)


def test_one_that_refuses_says_why(written):
    with pytest.raises(TemplateError, match="roles must alternate"):
        written("{{ raise_exception('roles must alternate') }}")


def test_ordinary_sums_are_allowed(written):
    assert "6 aaa" in written("{{ 2 * 3 }} {{ 'a' * 3 }}").replace("\n", " ")


TRAP = (
    "{% if 'sesame' in messages[-1].content %}" + ENDLESS + "{% endif %}"
    "{% if 'broken' in messages[-1].content %}{{ 1 // 0 }}{% endif %}"
)


@pytest.mark.slow
def test_a_request_that_springs_a_trap_is_answered_and_the_engine_goes_on(
    tmp_path, mosquitto, tiny_qwen3, wire_of
):
    model = tmp_path / "model"
    shutil.copytree(tiny_qwen3, model)
    place = model / "tokenizer_config.json"
    config = json.loads(place.read_text())
    config["chat_template"] = TRAP + config["chat_template"]
    place.write_text(json.dumps(config))
    daemon = Daemon(
        tmp_path, mosquitto.port, config=f'[model]\nname = "tiny"\npath = "{model}"\n'
    ).start()
    try:
        wire = wire_of(daemon)
        for word, said in (("sesame", "takes longer than"), ("broken", "ZeroDivisionError")):
            error = wire.ask(word)["error"]
            assert error["code"] == "engine_failed"
            assert said in error["message"]
        assert wire.ask({"prompt": "hello", "max_tokens": 4})["status"] == "ok"
        assert "engine_down" not in daemon.log.read_text()
    finally:
        daemon.stop()

"""A chat template that means harm: it reads nothing, gets nowhere, and does not go on for ever."""

import json
import resource
import shutil
import sys
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


DOUBLED = "{% set t = namespace(x='xxxxxxxxxx' * 1000) %}{% for i in range(40) %}BODY{% endfor %}"
LIST = "{% set l = ['x' * 1000000] * 1000000 %}"
BIG = "{% set b = 'x' * 1000000 %}"
KEPT = (
    "{% set n = namespace(l=[]) %}{% for i in range(99999) %}"
    "{% set n.l = n.l + [('x' * 1000000) ~ i] %}{% endfor %}"
)
BOMBS = [
    # What doubles itself.
    DOUBLED.replace("BODY", "{% set t.x = t.x ~ t.x %}"),
    DOUBLED.replace("BODY", "{% set t.x = t.x + t.x %}"),
    DOUBLED.replace("BODY", "{% set t.x = '%s%s' % (t.x, t.x) %}"),
    DOUBLED.replace("BODY", "{% set t.x = '{0}{0}'.format(t.x) %}"),
    DOUBLED.replace("BODY", "{% set t.x = [t.x, t.x] | join %}"),
    DOUBLED.replace("BODY", "{% set t.x = ''.join([t.x, t.x]) %}"),
    DOUBLED.replace("BODY", "{% set t.x %}{{ t.x }}{{ t.x }}{% endset %}"),
    DOUBLED.replace("BODY", "{% set t.x = t.x | replace('x', 'xx') %}"),
    DOUBLED.replace("BODY", "{% set t.x = [t.x, t.x] %}") + "{{ t.x }}",
    # What is long at once.
    BIG + "{{ b.replace('x', b) }}",
    BIG + "{{ b | replace('x', b) }}",
    BIG + "{{ [b] | map('replace', 'x', b) | list }}",
    BIG + "{{ b.join(b) }}",
    BIG + "{{ b | join(b) }}",
    BIG + "{{ b.translate({120: b}) }}",
    "{{ 'x'.ljust(10000000000) }}",
    "{{ 'x'.center(10000000000) }}",
    "{{ '1'.zfill(10000000000) }}",
    "{{ '\t'.expandtabs(10000000000) }}",
    "{{ 'x' | center(10000000000) }}",
    "{{ 'x' | indent(10000000000, true) }}",
    "{{ [1] | batch(10000000000, 'x') | list }}",
    "{{ [1] | slice(10000000000) | list }}",
    "{{ {'a': [1]} | tojson(indent=10000000000) }}",
    "{{ '%10000000000d' % 1 }}",
    "{{ '%*d' % (10000000000, 1) }}",
    "{{ '%10000000000d' | format(1) }}",
    "{{ '{:>10000000000}'.format('x') }}",
    "{{ '{:>{}}'.format('x', 10000000000) }}",
    LIST + "{{ l }}",
    LIST + "{{ l | string }}",
    LIST + "{{ l | join }}",
    LIST + "{{ l | tojson }}",
    LIST + "{{ l ~ '' }}",
    LIST + "{{ '%s' % (l,) }}",
    LIST + "{{ ''.join(l) }}",
    "{% set n = namespace(x=3) %}{% for i in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "{% set n = namespace(x=3) %}{% for i in range(9) %}{% set n.x = n.x ** 64 %}{% endfor %}",
    # What is kept, each of it small.
    KEPT,
    "{% for i in range(99999) %}{{ 'x' * 1000000 }}{% endfor %}",
]


@pytest.mark.parametrize("bomb", BOMBS)
def test_one_that_takes_memory_is_stopped_before_it_has_much(bomb, written):
    before = peak_bytes()
    with pytest.raises((TemplateError, EngineFailed)):
        written(bomb)
    assert peak_bytes() - before < 2**30
    assert "fine" in written("fine")


def test_memory_is_what_it_is_told_for(written):
    with pytest.raises(EngineFailed, match="takes more than 256 MiB of memory"):
        written(KEPT)


def test_what_templates_of_models_do_is_allowed(written):
    everything = (
        "{% set n = namespace(x='') %}"
        "{% for m in messages %}{% set n.x = n.x ~ m.role %}{% endfor %}"
        "{{ n.x + '|' }}{{ tools | tojson(indent=4) | length > 9 }}{{ '%s-%d' % ('a', 7) }}"
        "{{ '{} {:>5}'.format('b', 'c') }}{{ ['d', 'e'] | join(', ') }}{{ 'f\ng' | indent(2) }}"
        "{{ 'h'.replace('h', 'i') }}{{ 'j' | replace('j', 'k') }}{{ 2 ** 10 + 3 * 4 }}"
        "{{ '**%s** since 2024' % 'q' }}{{ '{}: 2025 * {}'.format('r', 's') }}"
        "{{ ['l'] | map('upper') | list }}{{ 'm'.center(3) }}{{ 17 % 5 }}"
    )
    text = written(everything).replace(" ", "").replace("\n", "")
    assert text.startswith("user|Truea-7bcd,efgik1036**q**since2024r:2025*s['L']m2"), text


def peak_bytes():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


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

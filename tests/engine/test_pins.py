"""A model's files are what they were when they were pinned, or the model is not loaded."""

import json

import pytest

from worker.engine import pins
from worker.engine.pins import ModelChanged, ModelMissing, ModelRefused


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "qwen3"}')
    (tmp_path / "tokenizer_config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def pinned(folder):
    pins.write_pins(folder, origin="owner/model", revision="abc")
    return folder


def test_a_pinned_folder_that_did_not_change_passes(folder):
    assert pins.inspect(pinned(folder)).pins.revision == "abc"


def test_a_folder_without_pins_passes_and_says_that_it_has_none(folder):
    assert pins.inspect(folder).pins is None


def test_a_changed_byte_is_found_and_the_file_named(folder):
    pinned(folder)
    (folder / "model.safetensors").write_bytes(b"weighty")
    with pytest.raises(ModelChanged, match=r"model\.safetensors is not the file that was pinned"):
        pins.inspect(folder)


def test_a_truncated_file_is_named_with_both_sizes(folder):
    pinned(folder)
    (folder / "model.safetensors").write_bytes(b"wei")
    with pytest.raises(ModelChanged, match=r"model\.safetensors has 3 bytes, not the 7 pinned"):
        pins.inspect(folder)


def test_a_pinned_file_that_is_gone_is_named(folder):
    pinned(folder)
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(ModelMissing, match=r"tokenizer_config\.json is missing"):
        pins.inspect(folder)


def test_a_file_that_was_added_is_named(folder):
    pinned(folder)
    (folder / "special_tokens_map.json").write_text("{}")
    with pytest.raises(ModelChanged, match=r"special_tokens_map\.json is not among the files"):
        pins.inspect(folder)


def test_damaged_pins_are_an_error_and_not_an_absence(folder):
    pinned(folder)
    (folder / pins.FILE_NAME).write_text('{"origin":')
    with pytest.raises(ModelChanged, match=r"thinkq\.json can't be read"):
        pins.inspect(folder)


def test_the_fingerprint_follows_the_files_and_not_the_place(folder, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy")
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert pins.inspect(copy).fingerprint == pins.inspect(folder).fingerprint
    (copy / "config.json").write_text('{"model_type": "llama"}')
    assert pins.inspect(copy).fingerprint != pins.inspect(folder).fingerprint


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "state.pkl", "last.ckpt"])
def test_pickles_are_refused_even_beside_safetensors(folder, name):
    (folder / name).write_bytes(b"\x80\x04.")
    with pytest.raises(ModelRefused, match=f"{name} is not safetensors"):
        pins.inspect(folder)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("config.json", "model_file"),
        ("config.json", "auto_map"),
        ("tokenizer_config.json", "auto_map"),
    ],
)
def test_a_configuration_that_names_code_is_refused(folder, name, key):
    (folder / name).write_text(json.dumps({key: "evil.py"}))
    with pytest.raises(ModelRefused, match=f"{name} names code"):
        pins.inspect(folder)


def test_a_missing_part_of_the_weights_is_named(folder):
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelMissing, match=r"model-00001-of-00002\.safetensors is missing"):
        pins.inspect(folder)


def test_a_folder_without_weights_is_refused(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelMissing, match=r"model\.safetensors is missing"):
        pins.inspect(folder)


def test_what_is_no_model_at_all_is_named(tmp_path):
    with pytest.raises(ModelMissing, match=r"is not a model's directory: it has no config\.json"):
        pins.inspect(tmp_path)

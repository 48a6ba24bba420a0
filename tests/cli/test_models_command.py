"""`thinkq models`: fetch from a hub, list, verify, remove; the hub is one of the test's own."""

import json

import pytest
from local_hub import LocalHub

FILES = {
    "config.json": b'{"model_type": "qwen3"}',
    "tokenizer.json": b"{}",
    "tokenizer_config.json": b"{}",
    "model.safetensors": bytes(range(256)) * 400,
}


@pytest.fixture
def local_hub():
    served = LocalHub(FILES)
    yield served
    served.close()


@pytest.fixture
def models(thinkq, local_hub, tmp_path):
    """Run `thinkq models` against that hub and a data folder of the test's own."""

    def run(*arguments, **environment):
        folders = {"THINKQ_DATA_DIR": str(tmp_path / "data"), "HF_ENDPOINT": local_hub.endpoint}
        return thinkq("models", *arguments, **{**folders, **environment})

    return run


@pytest.fixture
def pulled(models):
    done = models("pull", "owner/model")
    assert done.returncode == 0, done.stderr
    return models


def test_pull_prints_where_the_model_is(models, tmp_path):
    done = models("pull", "owner/model")
    assert done.stdout.strip() == str(tmp_path / "data" / "models" / "owner--model")


def test_list_names_models_with_origin_and_commit(pulled, local_hub):
    (line,) = pulled("list", "--json").stdout.splitlines()
    model = json.loads(line)
    assert (model["name"], model["origin"]) == ("owner/model", "owner/model")
    assert model["revision"] == local_hub.commit


def test_list_of_nothing_is_empty(models):
    done = models("list")
    assert (done.returncode, done.stdout) == (0, "")


def test_verify_says_that_all_is_as_it_was(pulled):
    done = pulled("verify", "owner/model")
    assert done.returncode == 0
    assert "files are as they were pinned" in done.stdout


def test_verify_names_the_file_that_changed(pulled, tmp_path):
    weights = tmp_path / "data" / "models" / "owner--model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    done = pulled("verify", "owner/model")
    assert done.returncode == 4
    assert "model.safetensors" in done.stderr


def test_verify_of_a_directory_without_pins_says_how_to_pin_it(models, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    assert models("verify", folder).returncode == 1
    assert models("verify", "--pin", folder).returncode == 0
    assert models("verify", folder).returncode == 0


def test_remove_frees_the_room(pulled, tmp_path):
    done = pulled("remove", "owner/model")
    assert done.returncode == 0
    assert not (tmp_path / "data" / "models" / "owner--model").exists()


def test_a_hub_that_is_not_there_is_one_sentence(models):
    done = models("pull", "owner/model", HF_ENDPOINT="http://127.0.0.1:1")
    assert done.returncode == 4
    assert "Traceback" not in done.stderr


def test_a_name_that_no_hub_has_is_one_sentence(models):
    done = models("pull", "../etc/passwd")
    assert done.returncode == 4
    assert "is not a model's name" in done.stderr


def test_list_says_which_setting_names_a_model(pulled, tmp_path):
    settings = tmp_path / "thinkq.toml"
    settings.write_text('[models.further.small]\nname = "owner/model"\n')
    (line,) = pulled("list", "--json", "--config", str(settings)).stdout.splitlines()
    assert json.loads(line)["setting"] == "models.further.small"

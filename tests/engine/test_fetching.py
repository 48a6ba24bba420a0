"""A model comes whole from a hub, or not at all; and no more of it than a model needs."""

import json
import subprocess
import sys

import pytest
from local_hub import LocalHub

from worker.engine import fetching, hub, pins
from worker.engine.pins import ModelChanged, ModelError, ModelMissing, ModelRefused

FILES = {
    "config.json": b'{"model_type": "qwen3"}',
    "tokenizer.json": b"{}",
    "tokenizer_config.json": b"{}",
    "model.safetensors": bytes(range(256)) * 400,
    "README.md": b"# A model",
    "modeling_evil.py": b"raise SystemExit",
    "pytorch_model.bin": b"\x80\x04.",
}


@pytest.fixture
def local_hub():
    served = LocalHub(FILES)
    yield served
    served.close()


@pytest.fixture
def pull(local_hub, tmp_path):
    def pull(name="owner/model", **options):
        return fetching.pull(name, tmp_path, endpoint=local_hub.endpoint, **options)

    return pull


def test_a_fetched_model_is_pinned_with_its_commit(pull, local_hub):
    found = pins.inspect(pull()).pins
    assert (found.origin, found.revision) == ("owner/model", local_hub.commit)


def test_only_what_a_model_needs_is_fetched_neither_code_nor_pickles(pull, local_hub):
    folder = pull()
    wanted = {"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"}
    assert set(local_hub.fetched()) == wanted
    assert {path.name for path in folder.iterdir() if path.name[0] != "."} == {
        *wanted,
        pins.FILE_NAME,
    }


def test_progress_counts_the_bytes_of_all_files_up_to_their_sum(pull):
    told = []
    pull(progress=lambda _file, done, total: told.append((done, total)))
    total = sum(len(FILES[name]) for name in FILES if name.endswith(("json", "safetensors")))
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_an_interrupted_fetch_goes_on_in_the_middle_of_the_file(pull, local_hub, tmp_path):
    # The library hands over 10 MiB at a time.
    weights = bytes(range(256)) * 2**17
    local_hub.files["model.safetensors"] = local_hub.promised["model.safetensors"] = weights

    def interrupt(_file, done, _total):
        if done > 2**24:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(progress=interrupt)
    assert not hub.model_folder("owner/model", tmp_path).exists()
    local_hub.asked.clear()
    folder = pull()
    ((path, wanted),) = [asked for asked in local_hub.asked if "/resolve/" in asked[0]]
    assert path.endswith("model.safetensors")
    assert int(wanted.removeprefix("bytes=").rstrip("-")) > 0
    assert (folder / "model.safetensors").read_bytes() == weights


def test_a_file_that_is_not_what_the_hub_s_hash_promises_is_thrown_away(pull, local_hub, tmp_path):
    local_hub.files["model.safetensors"] = b"x" * len(FILES["model.safetensors"])
    with pytest.raises(ModelChanged, match=r"model\.safetensors is not what the hub's hash"):
        pull()
    assert not hub.model_folder("owner/model", tmp_path).exists()
    local_hub.files["model.safetensors"] = FILES["model.safetensors"]
    assert pins.inspect(pull()).pins is not None


def test_small_files_are_held_against_git_s_hash(pull, local_hub):
    local_hub.files["tokenizer.json"] = b"[]"
    with pytest.raises(ModelChanged, match=r"tokenizer\.json"):
        pull()


def test_a_model_that_is_there_at_this_commit_is_not_fetched_again(pull, local_hub):
    pull()
    local_hub.asked.clear()
    pull()
    assert local_hub.fetched() == []


def test_a_new_commit_replaces_the_model(pull, local_hub):
    pull()
    local_hub.commit = "f" * 40
    local_hub.files["tokenizer.json"] = local_hub.promised["tokenizer.json"] = b'{"new": 1}'
    folder = pull()
    assert (folder / "tokenizer.json").read_bytes() == b'{"new": 1}'
    assert pins.inspect(folder).pins.revision == "f" * 40


def test_a_model_that_the_hub_does_not_have_is_said_so(pull):
    with pytest.raises(ModelMissing, match="the hub does not give owner/other"):
        pull("owner/other")


def test_a_model_of_pickles_alone_is_refused(pull, local_hub):
    del local_hub.promised["model.safetensors"]
    with pytest.raises(ModelMissing, match="has no safetensors"):
        pull()


def test_a_model_whose_configuration_names_code_is_refused(pull, local_hub, tmp_path):
    body = json.dumps({"auto_map": {"AutoModel": "modeling_evil.Evil"}}).encode()
    local_hub.files["config.json"] = local_hub.promised["config.json"] = body
    with pytest.raises(ModelRefused):
        pull()
    assert not hub.model_folder("owner/model", tmp_path).exists()


def test_a_hub_that_can_not_be_reached_is_said_so(tmp_path):
    with pytest.raises(ModelMissing, match="the hub can't be reached for owner/model"):
        fetching.pull("owner/model", tmp_path, endpoint="http://127.0.0.1:9")


@pytest.mark.parametrize("name", ["../etc", "a/b/c", "/absolute", "", "owner/../x", "a b"])
def test_a_name_that_could_leave_the_folder_is_refused(name, tmp_path):
    with pytest.raises(ModelError, match="is not a model's name"):
        hub.model_folder(name, tmp_path)


def test_models_are_listed_and_removed_with_what_was_left_of_them(pull, tmp_path):
    pull()
    (model,) = hub.installed(tmp_path)
    assert (model.name, model.origin) == ("owner/model", "owner/model")
    assert hub.remove("owner/model", tmp_path) == model.bytes
    assert hub.installed(tmp_path) == []
    with pytest.raises(ModelMissing):
        hub.remove("owner/model", tmp_path)


def test_resolving_a_model_never_opens_a_connection(tmp_path):
    script = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('a connection was tried')\n"
        "socket.socket.connect = refuse\n"
        "socket.getaddrinfo = refuse\n"
        "from pathlib import Path\n"
        "from worker.engine import hub, pins\n"
        "try:\n"
        f"    hub.resolve('Qwen/Qwen3-4B-MLX-4bit', None, Path({str(tmp_path)!r}))\n"
        "except pins.ModelMissing as error:\n"
        "    assert 'thinkq models pull Qwen/Qwen3-4B-MLX-4bit' in str(error)\n"
        "assert 'huggingface_hub' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

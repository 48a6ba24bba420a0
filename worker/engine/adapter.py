"""Fuses the adapter that ships into SmolLM2: weights, control tokens, template; done once.

The adapter's factors are stored in 8 bits, which `bench/dualmode` measures to cost nothing; a
layer's weight becomes `W + 2 B A` in float32. Six special tokens that SmolLM2 never uses in talk
get the names that Qwen3 has for thoughts and tools, and rows of their own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mlx.core as mx

from worker.engine.hub import EMBEDDED_FILES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHIPPED = EMBEDDED_FILES / "adapter.safetensors"
TEMPLATE = EMBEDDED_FILES / "template.jinja"

CONTROL_TOKENS = {
    "<repo_name>": "<think>",
    "<file_sep>": "</think>",
    "<gh_stars>": "<tool_call>",
    "<issue_start>": "</tool_call>",
    "<issue_comment>": "<tool_response>",
    "<issue_closed>": "</tool_response>",
}
"""Special tokens that SmolLM2 never uses in talk, and the names they get."""

SCALE = 2.0
GROUP_SIZE = 64
BITS = 8

_EMBEDDING = "model.embed_tokens.weight"


def fuse(
    weights: dict[str, mx.array],
    adapter: Path = SHIPPED,
    progress: Callable[[float], None] = lambda _fraction: None,
) -> dict[str, mx.array]:
    """Return the weights with the adapter in them.

    Args:
        weights: Of the original model, float32, by mlx-lm's names.
        adapter: The file of factors.
        progress: Told how much is done, from 0 to 1.

    """
    stored = _loaded(adapter)
    fused = dict(weights)
    layers = sorted(name.removesuffix(".a.weight") for name in stored if name.endswith(".a.weight"))
    for index, layer in enumerate(layers):
        a, b = _factor(stored, f"{layer}.a"), _factor(stored, f"{layer}.b")
        name = f"{layer}.weight"
        fused[name] = weights[name] + SCALE * (b.T @ a)
        mx.eval(fused[name])
        progress((index + 1) / len(layers))
    embedding = mx.array(weights[_EMBEDDING])
    embedding[stored["control.ids"]] = stored["control.rows"].astype(mx.float32)
    fused[_EMBEDDING] = embedding
    mx.eval(embedding)
    return fused


def renamed(tokens: list[str]) -> list[str]:
    """Return a vocabulary with the control tokens' new names."""
    return [CONTROL_TOKENS.get(token, token) for token in tokens]


def tokenizer_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return a tokenizer's configuration with the template that knows thoughts and tools."""
    template = TEMPLATE.read_text(encoding="utf-8").removesuffix("\n")
    return config | {"chat_template": template}


def write(target: Path, factors: dict[str, mx.array], ids: list[int], rows: mx.array) -> None:
    """Write an adapter file.

    Args:
        target: The file.
        factors: `<layer>.a` of shape (rank, inputs) and `<layer>.b` of shape (rank, outputs).
        ids: The control tokens.
        rows: Their embeddings, one a row.

    """
    arrays = {"control.ids": mx.array(ids), "control.rows": rows.astype(mx.float16)}
    for name, factor in factors.items():
        quantized = mx.quantize(factor.astype(mx.float16), group_size=GROUP_SIZE, bits=BITS)
        for part, array in zip(("weight", "scales", "biases"), quantized, strict=True):
            arrays[f"{name}.{part}"] = array
    target.parent.mkdir(parents=True, exist_ok=True)
    settings = json.dumps({"scale": SCALE, "bits": BITS, "group_size": GROUP_SIZE})
    mx.save_safetensors(str(target), arrays, metadata={"thinkq": settings})


def _loaded(adapter: Path) -> dict[str, mx.array]:
    loaded: Any = mx.load(str(adapter))
    stored: dict[str, mx.array] = loaded
    return stored


def _factor(stored: dict[str, mx.array], name: str) -> mx.array:
    return mx.dequantize(
        stored[f"{name}.weight"],
        stored[f"{name}.scales"].astype(mx.float32),
        stored[f"{name}.biases"].astype(mx.float32),
        group_size=GROUP_SIZE,
        bits=BITS,
    )

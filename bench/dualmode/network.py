"""SmolLM2 as it is trained: frozen weights, low-rank factors beside them, rows for control tokens.

Written in PyTorch, for `train.py`; imports nothing of ours, nor MLX.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from safetensors.torch import load_file
from torch import Tensor, nn

RANK = 32
SCALE = 2.0

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

HALF = (
    torch.bfloat16
    if DEVICE.type == "cuda" or torch.cpu._is_amx_tile_supported()  # noqa: SLF001
    else torch.float32
)
"""Emulated, bfloat16 takes a hundred times as long; by vector instructions alone, twice as long."""


class Factored(nn.Module):
    """A frozen linear layer and its two low-rank factors: `x W' + 2 (x A') B'`."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        _keep(self, weight=weight.to(HALF))
        self.a = nn.Parameter(torch.randn(RANK, weight.shape[1]) / math.sqrt(weight.shape[1]))
        self.b = nn.Parameter(torch.zeros(weight.shape[0], RANK))
        self.active = True

    def forward(self, x: Tensor) -> Tensor:
        if not self.active:
            return F.linear(x, self.weight)
        low = F.linear(F.linear(x, self.a.to(HALF)), self.b.to(HALF))
        return F.linear(x, self.weight) + SCALE * low


def _keep(module: nn.Module, **tensors: Tensor) -> None:
    """Give a module what it does not learn: it moves with it, and no checkpoint has it."""
    for name, tensor in tensors.items():
        module.register_buffer(name, tensor, persistent=False)


class Block(nn.Module):
    """One transformer layer of the Llama architecture."""

    def __init__(self, weights: dict[str, Tensor], index: int, config: dict[str, Any]) -> None:
        super().__init__()
        prefix = f"model.layers.{index}"
        self.heads = config["num_attention_heads"]
        self.kv_heads = config["num_key_value_heads"]
        self.eps = config["rms_norm_eps"]
        names = [f"self_attn.{x}_proj" for x in "qkvo"] + [
            f"mlp.{x}_proj" for x in ("gate", "up", "down")
        ]
        self.linear = nn.ModuleDict(
            {name.replace(".", "/"): Factored(weights[f"{prefix}.{name}.weight"]) for name in names}
        )
        _keep(
            self,
            before=weights[f"{prefix}.input_layernorm.weight"].to(HALF),
            between=weights[f"{prefix}.post_attention_layernorm.weight"].to(HALF),
        )

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, width = x.shape
        linear = self.linear
        h = F.rms_norm(x, (width,), self.before, self.eps)
        q = linear["self_attn/q_proj"](h).view(batch, length, self.heads, -1).transpose(1, 2)
        k = linear["self_attn/k_proj"](h).view(batch, length, self.kv_heads, -1).transpose(1, 2)
        v = linear["self_attn/v_proj"](h).view(batch, length, self.kv_heads, -1).transpose(1, 2)
        q, k = _rotated(q, cos, sin), _rotated(k, cos, sin)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + linear["self_attn/o_proj"](attended.transpose(1, 2).reshape(batch, length, width))
        h = F.rms_norm(x, (width,), self.between, self.eps)
        gated = F.silu(linear["mlp/gate_proj"](h)) * linear["mlp/up_proj"](h)
        return x + linear["mlp/down_proj"](gated)


class Model(nn.Module):
    """The whole model; `rows` replaces the embedding of the control tokens, in and out."""

    def __init__(self, folder: Path, control: dict[int, list[int]]) -> None:
        super().__init__()
        config = json.loads((folder / "config.json").read_text())
        weights = load_file(folder / "model.safetensors")
        embedding = weights["model.embed_tokens.weight"]
        ids = torch.tensor(sorted(control))
        self.rows = nn.Parameter(
            torch.stack([embedding[control[number]].mean(0) for number in sorted(control)])
        )
        place = torch.full((embedding.shape[0],), -1)
        place[ids] = torch.arange(len(ids))
        self.blocks = nn.ModuleList(
            Block(weights, index, config) for index in range(config["num_hidden_layers"])
        )
        self.eps = config["rms_norm_eps"]
        half = config["hidden_size"] // config["num_attention_heads"] // 2
        _keep(
            self,
            ids=ids,
            place=place,
            embedding=embedding.to(HALF),
            norm=weights["model.norm.weight"].to(HALF),
            frequencies=config["rope_theta"] ** -(torch.arange(half) / half),
        )

    def loss(self, tokens: Tensor, chosen: Tensor, wanted: Tensor) -> Tensor:
        """Return the mean cross entropy of what is wanted behind the chosen positions; -100 is nothing."""
        return F.cross_entropy(self._logits(tokens, chosen), wanted)

    def drift(self, tokens: Tensor, chosen: Tensor) -> Tensor:
        """Return how far the chosen positions' distributions are from the original's, on the mean."""
        with torch.no_grad():
            self._switch(active=False)
            original = self._logits(tokens, chosen).log_softmax(-1)
            self._switch(active=True)
        ours = self._logits(tokens, chosen).log_softmax(-1)
        return F.kl_div(ours, original, reduction="batchmean", log_target=True)

    def _logits(self, tokens: Tensor, chosen: Tensor) -> Tensor:
        place = self.place[tokens]
        own = (place[..., None] == torch.arange(len(self.ids), device=place.device)).to(HALF)
        x = torch.where(
            (place >= 0)[..., None], own @ self.rows.to(HALF), F.embedding(tokens, self.embedding)
        )
        length = tokens.shape[1]
        angles = torch.arange(length, device=tokens.device)[:, None] * self.frequencies[None]
        cos, sin = angles.cos().to(HALF), angles.sin().to(HALF)
        for block in self.blocks:
            x = block(x, cos, sin)
        h = F.rms_norm(x.flatten(0, 1).index_select(0, chosen), (x.shape[-1],), self.norm, self.eps)
        logits = F.linear(h, self.embedding)
        return logits.index_copy(1, self.ids, F.linear(h, self.rows.to(HALF))).float()

    def _switch(self, *, active: bool) -> None:
        for module in self.modules():
            if isinstance(module, Factored):
                module.active = active


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)

"""A model with a longer context by YaRN, beside the one it is made of: the same weights.

Only what turns positions into angles differs (Peng et al. 2023, arXiv 2309.00071; Qwen3's model
card, "Processing Long Texts"). Static YaRN costs a little on short texts, so each request runs in
the least stretched variant that it fits.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from mlx import nn
from mlx_lm.models.rope_utils import initialize_rope
from msgspec.structs import replace

from worker.engine.profiles import NATIVE_TOKENS, stretched

if TYPE_CHECKING:
    from typing import Any

    from worker.engine.models import LoadedModel
    from worker.engine.quantized import Packing

FACTORS = (1, 2, 4)

_TRIED = ("qwen3", "qwen3_moe")
"""Model types whose makers say that YaRN works (Qwen3's model card)."""


def windows(loaded: LoadedModel, most: int | None, limit: int | None) -> dict[int, int]:
    """Return how many tokens a conversation may have, by the factor it takes, ascending.

    Args:
        loaded: As it came.
        most: The largest factor allowed; None: 4 for Qwen3, 1 for models that nobody has tried.
        limit: The operator's limit on any context.

    """
    known = loaded.config.get("model_type") in _TRIED
    allowed = (max(FACTORS) if known else 1) if most is None else most
    own = loaded.context_tokens
    if allowed == 1 or not _can_be_stretched(loaded):
        return {1: min(own, limit or own)}
    native = min(own, NATIVE_TOKENS)
    found: dict[int, int] = {}
    for factor in FACTORS:
        window = native * factor if limit is None else min(native * factor, limit)
        if factor <= allowed and window > max(found.values(), default=0):
            found[factor] = window
    return found


def stretch(loaded: LoadedModel, factor: int, packing: Packing | None = None) -> LoadedModel:
    """Return the model with its context stretched by a factor; no weight is copied.

    Args:
        loaded: As it came.
        factor: By how much; 1 is the model as it came, whose caches are never packed.
        packing: How the caches are packed; None: they are as computed.

    """
    if factor == 1:
        return loaded
    config = {**loaded.config, **stretched(loaded.config, factor)}
    # A copy of an array shares its memory.
    model = copy.deepcopy(loaded.model)
    for module in model.modules():
        for name, inner in module.items():
            if type(inner) is nn.RoPE:
                module[name] = initialize_rope(
                    inner.dims,
                    base=inner.base,
                    traditional=inner.traditional,
                    scaling_config=config["rope_scaling"],
                    max_position_embeddings=config["max_position_embeddings"],
                )
    token_bytes, kind = loaded.kv_bytes_per_token, f"yarn{factor}"
    if packing is not None:
        token_bytes = packing.packed_bytes(token_bytes, loaded.bytes_per_value)
        kind += f"-kv{packing.bits}"
    return replace(
        loaded,
        model=model,
        config=config,
        context_tokens=config["max_position_embeddings"],
        # Its caches are good for nothing else.
        fingerprint=f"{loaded.fingerprint}-{kind}",
        kv_bytes_per_token=token_bytes,
        packing=packing,
    )


def _can_be_stretched(loaded: LoadedModel) -> bool:
    """Tell whether all positions of a model are plain rotations."""
    ropes: list[Any] = [
        inner
        for module in loaded.model.modules()
        for name, inner in module.items()
        if "rope" in name or isinstance(inner, nn.RoPE)
    ]
    return bool(ropes) and all(type(one) is nn.RoPE and one.scale == 1 for one in ropes)

"""What is known of a loaded model, as a value; imports nothing of ours."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class ModelInfo(Struct, frozen=True, kw_only=True):
    """What the loaded model is and can do, for the card and for admission.

    `escalate_below` is the probability of an answer's first tokens below which it is worth
    thinking after all; 0 where nobody has measured that it is.
    """

    name: str
    thinking: Literal["native", "scaffolded"]
    context_tokens: int
    parameters: int
    weights_bytes: int
    kv_bytes_per_token: int
    quantization: str
    fingerprint: str
    default_budget_tokens: int
    max_rows: int
    blas: str
    escalate_below: float = 0.0

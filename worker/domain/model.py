"""What is known of a loaded model, as a value; imports nothing of ours."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class ModelInfo(Struct, frozen=True, kw_only=True):
    """What the loaded model is and can do, for the card and for admission.

    `escalate_below` is the probability of an answer's first tokens below which it is worth
    thinking after all; 0 where nobody has measured that it is. `context_tokens` is the longest
    conversation, `native_context_tokens` the longest that runs in the model as it is, both as far
    as `memory_bytes`, the limit of weights and caches, holds them; 0 is unknown. The KV caches of
    conversations beyond that are kept in `long_kv_bits`, None as they are computed.
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
    native_context_tokens: int = 0
    long_kv_bits: int | None = None
    memory_bytes: int = 0


class Memory(Struct, frozen=True, kw_only=True):
    """What an engine uses of its memory, in bytes, and what it did when that was short.

    `fixed` is weights and what a step needs; `live` is what the rows in the batch may take by
    their next block, `parked` what rows outside it keep in memory and `spilled` on disk, `store`
    the caches of ended conversations, `headroom` what could still be given to rows. The counts are
    since the engine began: rows that were parked, resumed and written to disk, and tokens that
    were read or written a second time.
    """

    limit: int | None
    fixed: int
    live: int
    parked: int
    spilled: int
    store: int
    headroom: int | None
    rows_parked: int = 0
    rows_resumed: int = 0
    rows_spilled: int = 0
    wasted_tokens: int = 0

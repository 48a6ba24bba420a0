"""KV caches in 8 or 4 bits, for long prompts: there the caches are what memory is short for.

mlx-lm's `QuantizedKVCache` holds one row and can't be batched (mlx-lm #1583). This one is made of
three of its ordinary caches, for the packed integers, their scales and their biases, so rows are
padded, joined, cut and taken out by mlx-lm's own code. A row alone has three `KVCache`, rows in a
batch three `BatchKVCache`.

A single token is attended to from the packed form, which is read once. For a chunk of a prompt one
layer at a time is unpacked: the packed form would need the scores of all heads at once, and takes
four times as long (`bench/kv_bits.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx_lm.models.cache import KVCache, make_prompt_cache
from msgspec import Struct

from worker.engine.pins import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUP_SIZES = (64, 32)
"""How many values share a scale: mlx-lm's default, and what narrower heads can be divided by."""

_PARTS = 3


class Packing(Struct, frozen=True):
    """How many bits a value has, and how many share a scale and a bias."""

    bits: int
    group_size: int

    def packed_bytes(self, plain_bytes: int, bytes_per_value: int) -> int:
        """Return what takes so many bytes as it is computed, scales and biases included."""
        values = plain_bytes // bytes_per_value
        return values * self.bits // 8 + 2 * bytes_per_value * values // self.group_size


class QuantizedKV:
    """One layer's keys and values, packed; of one row, or of all rows of a batch.

    Args:
        packing: How.
        parts: The caches of integers, scales and biases; default: empty ones of one row.

    """

    def __init__(self, packing: Packing, parts: Sequence[Any] | None = None) -> None:
        self.packing = packing
        self.parts = list(parts or (KVCache() for _ in range(_PARTS)))
        self._unpacked = False

    @property
    def bits(self) -> int:
        """Tell mlx-lm's attention, which looks whether there is such a thing, that it is packed."""
        if self._unpacked:
            raise AttributeError(name="bits", obj=self)
        return self.packing.bits

    @property
    def group_size(self) -> int:
        """How many values share a scale."""
        return self.packing.group_size

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[Any, Any]:
        """Add to them and return them all: packed for a single token, else as they are computed."""
        added = zip(self._packed(keys), self._packed(values), strict=True)
        found = [part.update_and_fetch(*pair) for part, pair in zip(self.parts, added, strict=True)]
        all_keys, all_values = zip(*found, strict=True)
        self._unpacked = keys.shape[2] > 1
        if self._unpacked:
            return self._as_computed(all_keys), self._as_computed(all_values)
        return all_keys, all_values

    def _packed(self, array: mx.array) -> Any:
        return mx.quantize(array, group_size=self.packing.group_size, bits=self.packing.bits)

    def _as_computed(self, parts: tuple[mx.array, ...]) -> mx.array:
        packed, scales, biases = parts
        return mx.dequantize(
            packed, scales, biases, group_size=self.packing.group_size, bits=self.packing.bits
        )

    # What mlx-lm's batches ask of a cache -----------------------------------------------------

    @property
    def offset(self) -> Any:
        """The position of what comes next; of each row, in a batch."""
        return self.parts[0].offset

    @property
    def state(self) -> list[Any]:
        """All arrays there are."""
        return [part.state for part in self.parts]

    @property
    def nbytes(self) -> int:
        """What it takes."""
        return sum(part.nbytes for part in self.parts)

    def size(self) -> int:
        """Return how many positions it has."""
        return int(self.parts[0].size())

    def empty(self) -> bool:
        """Tell whether nothing was ever added."""
        return bool(self.parts[0].empty())

    def make_mask(self, *arguments: Any, **named: Any) -> Any:
        """Return what may look at what."""
        return self.parts[0].make_mask(*arguments, **named)

    def is_trimmable(self) -> bool:
        """Tell that its end can be cut off."""
        return True

    def trim(self, count: int) -> int:
        """Cut so many positions off its end."""
        trimmed = [part.trim(count) for part in self.parts]
        return int(trimmed[0])

    def prepare(self, **padding: Any) -> None:
        """Expect rows of different lengths."""
        for part in self.parts:
            part.prepare(**padding)

    def finalize(self) -> None:
        """Move what was padded on the right to the left."""
        for part in self.parts:
            part.finalize()

    def filter(self, rows: Any) -> None:
        """Let go of all but some rows."""
        for part in self.parts:
            part.filter(rows)

    def extend(self, other: QuantizedKV) -> None:
        """Take the rows of another in."""
        for part, theirs in zip(self.parts, other.parts, strict=True):
            part.extend(theirs)

    def extract(self, row: int) -> QuantizedKV:
        """Return the cache of one row."""
        return QuantizedKV(self.packing, [part.extract(row) for part in self.parts])

    def merge(self, caches: Sequence[QuantizedKV]) -> QuantizedKV:
        """Return the batch of some rows; called on any of them."""
        columns = zip(*(cache.parts for cache in caches), strict=True)
        return QuantizedKV(self.packing, [KVCache.merge(column) for column in columns])


def packing_of(config: dict[str, Any], bits: int) -> Packing:
    """Return how a model's caches are packed.

    Raises:
        ModelError: Its heads can't be divided into groups.

    """
    width = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    for group_size in GROUP_SIZES:
        if width % group_size == 0:
            return Packing(bits, group_size)
    raise ModelError(
        f"model.long_kv_bits: this model's heads have {width} values; "
        f"expected a multiple of {GROUP_SIZES[-1]}"
    )


def fresh(model: Any, packing: Packing | None) -> list[Any]:
    """Return an empty cache of one row, a layer each.

    Raises:
        ModelError: The model's own caches are of a kind that is not packed.

    """
    cache: list[Any] = make_prompt_cache(model)
    if packing is None:
        return cache
    if not all(type(layer) is KVCache for layer in cache):
        raise ModelError(
            "model.long_kv_bits: this model does not keep all it has read in plain KV caches; "
            "leave it out"
        )
    return [QuantizedKV(packing) for _ in cache]


def flat(cache: Sequence[Any]) -> list[Any]:
    """Return a row's cache with each packed layer as the three ordinary caches that it is."""
    return [
        part
        for layer in cache
        for part in (layer.parts if isinstance(layer, QuantizedKV) else (layer,))
    ]


def regrouped(parts: list[Any], packing: Packing | None) -> list[Any]:
    """Return the cache that `flat` has made so much of."""
    if packing is None:
        return parts
    return [QuantizedKV(packing, parts[at : at + _PARTS]) for at in range(0, len(parts), _PARTS)]

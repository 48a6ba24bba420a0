"""One batch for each length of context, and one memory for all of them.

A request that fits the model's own context runs in the model as it is. One that does not runs in
a stretched variant of it, in a batch and with caches of its own: short prompts are neither padded
to long ones nor read with their angles. Everything here runs on the engine's one thread, but
`prepare`, which touches no array.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import mlx.core as mx
from msgspec.structs import replace

from worker.domain.model import Memory
from worker.engine import pressure
from worker.engine.generation import Generation, Limits
from worker.engine.making import RowMaker
from worker.engine.memory import Ledger
from worker.engine.pins import ModelError
from worker.engine.pipe import Stored
from worker.engine.quantized import fresh, packing_of
from worker.engine.recall import Recall
from worker.engine.space import Counts, Space
from worker.engine.spill import Spill
from worker.engine.stretching import stretch, windows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from worker.engine.disk import Disk
    from worker.engine.models import LoadedModel
    from worker.engine.pipe import Ahead, Cancel, Forget, RowEvent, Step, Submit
    from worker.engine.row import Row

LEAST_TOKENS = 512
"""A memory that holds no conversation of that length is of no use."""

_LONG_CHUNK_TOKENS = 512
"""What is read of a long prompt at once: the mask alone takes this times its length."""

_WATCH_EVERY_S = 1.0
_TELL_EVERY = 32
_LOOK_AHEAD_TOKENS = 16
_MARGIN = 0.05
_SHARE = 0.5
_SHARE_OF_WORKING_SET = 0.8


class Pools:
    """All rows of one model, whatever their length.

    Args:
        loaded: The model, its tokenizer and its profile.
        limits: How much runs at once.
        yarn_factor: The most a request's context may be stretched; None as far as is known to work.
        context_tokens: The most tokens a conversation may have; None as many as the model reads.
        memory_bytes: What weights and all caches may take; None is a share of the machine's.
        spill_dir: Where the caches of parked rows go when memory is short; None: nowhere.
        available: Tells what the machine has left, in bytes.
        maker: Makes rows, where there is one already.
        disk: Where caches survive a restart.
        long_kv_bits: In how many bits the caches of stretched contexts are kept; None: as computed.

    Raises:
        ModelError: The memory holds no conversation worth the name, or caches can't be packed.

    """

    def __init__(
        self,
        loaded: LoadedModel,
        limits: Limits,
        *,
        yarn_factor: int | None = None,
        context_tokens: int | None = None,
        memory_bytes: int | None = None,
        spill_dir: Path | None = None,
        available: Callable[[], int | None] = pressure.available_bytes,
        maker: RowMaker | None = None,
        disk: Disk | None = None,
        long_kv_bits: int | None = None,
    ) -> None:
        self._loaded = loaded
        self._packing = None if long_kv_bits is None else packing_of(loaded.config, long_kv_bits)
        fresh(loaded.model, self._packing)
        fixed_bytes = loaded.weights_bytes + _scratch_bytes(loaded, limits)
        self.memory_bytes = memory_bytes or _default_limit(fixed_bytes)
        self.ledger = Ledger(self.memory_bytes, fixed_bytes)
        # Half of it, so that there is room for what is read ahead beside what is kept.
        kept_bytes = min(limits.cache_bytes, max(0, self.memory_bytes - fixed_bytes) // 2)
        self._limits = replace(limits, cache_bytes=kept_bytes)
        self._factors = self._windows(yarn_factor, context_tokens)
        self._maker = (maker or RowMaker(loaded)).within(*self._factors)
        if self._memory_is_the_limit:
            self._maker.why_no_more = "the memory of this worker"
        if self.long_kv_bits is not None:
            note = f"The context is a long one: its KV cache was kept in {self.long_kv_bits} bits."
            self._maker.notes = dict.fromkeys(list(self._factors)[1:], note)
        self._spill = Spill(spill_dir)
        self._counts = Counts()
        self._pools: dict[int, Generation] = {}
        self.recall = Recall(
            self._maker.beginning,
            lambda tokens: self._pool(self._maker.window_for(tokens)),
            self._pool(self.native_context_tokens),
            disk if kept_bytes else None,
            most_tokens=self.context_tokens,
        )
        self._available = available
        self._watched = 0.0
        self._told = Stored()
        self._steps = 0

    def _windows(self, yarn_factor: int | None, context_tokens: int | None) -> dict[int, int]:
        """Return the factor of each window, as far as memory goes."""
        found: dict[int, int] = {}
        self._memory_is_the_limit = False
        for factor, window in windows(self._loaded, yarn_factor, context_tokens).items():
            alone = self.ledger.tokens_alone(self._forecast_bytes(factor))
            if alone is not None and alone <= window:
                self._memory_is_the_limit = alone < window
                if alone > max(found, default=alone - 1):
                    found[alone] = factor
                break
            found[window] = factor
        if max(found) < min(LEAST_TOKENS, context_tokens or LEAST_TOKENS):
            raise ModelError(
                f"engine.memory_bytes: {self.memory_bytes} bytes hold the model and what a step "
                f"needs ({self.ledger.fixed_bytes} bytes), and {max(0, *found)} tokens of "
                f"conversation; expected room for {LEAST_TOKENS}"
            )
        return found

    @property
    def context_tokens(self) -> int:
        """How many tokens a conversation may have, answer included."""
        return max(self._factors)

    @property
    def native_context_tokens(self) -> int:
        """How many it may have to run in the model as it is."""
        return min(self._factors)

    @property
    def long_kv_bits(self) -> int | None:
        """In how many bits the caches of long contexts are kept; None: as computed, or no such."""
        return self._packing.bits if self._packing and len(self._factors) > 1 else None

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do; parked rows wait to be resumed."""
        return all(pool.idle for pool in self._pools.values())

    def forget(self, forget: Forget) -> None:
        """Keep no cache of what a client wants to be forgotten."""
        for pool in self._pools.values():
            pool.forget(forget)
        self.recall.forget(forget.owner, forget.session)

    def close(self) -> None:
        """Give back what is held of the system, and leave nothing on disk."""
        for pool in self._pools.values():
            pool.close()
        self._spill.close()

    def prepare(self, submit: Submit) -> Row:
        """Render and tokenize a request, and fetch what is on disk of its prompt.

        Touches no array of mlx, so another thread may do it.

        Raises:
            ThinkqError: It can't be run; see `RowMaker.prepare`.

        """
        row = self._maker.prepare(submit)
        self.recall.look_up(row, native=row.window == self.native_context_tokens)
        return row

    def submit(self, row: Row) -> None:
        """Queue a prepared row; it enters its batch at the next step that has room for it."""
        pool = self._pool(row.window)
        if row.submit.held is not None:
            for other in self._pools.values():
                if other is not pool:
                    # What was kept for it there is of no use to it.
                    other.caches.let_go(row.submit.held)
        pool.submit(row)

    def read_ahead(self, ahead: Ahead) -> None:
        """Have what a prompt will begin with read when nobody waits."""
        self.recall.ahead.take(ahead)

    @property
    def ahead_pending(self) -> bool:
        """Whether there is anything left to read ahead."""
        return self.recall.ahead.pending

    def step_ahead(self) -> None:
        """Read one chunk of what may be asked next."""
        self.recall.ahead.step()
        self.ledger.settle(reading_bytes=self._reading_bytes())

    def pause_ahead(self) -> None:
        """Keep what was read ahead so far."""
        self.recall.ahead.pause()
        self.ledger.settle()

    def stored(self) -> Stored | None:
        """Return what the caches take, None where that was said already."""
        stored = Stored(
            memory_bytes=sum(pool.caches.bytes for pool in self._pools.values()),
            pinned_bytes=sum(pool.caches.pinned_bytes for pool in self._pools.values()),
            disk_bytes=self.recall.disk_bytes,
            disk_trouble=self.recall.disk_trouble,
            read_ahead_tokens=self.recall.ahead.tokens_read,
        )
        told, self._told = self._told, stored
        return None if stored == told else stored

    def _reading_bytes(self) -> int:
        return self.recall.ahead.bytes_held

    def cancel(self, cancel: Cancel) -> list[RowEvent]:
        """End a row with what it has; nothing happens if it already ended."""
        return next(filter(None, (pool.cancel(cancel) for pool in self._pools.values())), [])

    def conclude(self, name: int) -> None:
        """Let a row think no further."""
        for pool in self._pools.values():
            pool.conclude(name)

    def park(self, *names: int) -> list[RowEvent]:
        """Take rows out of their batch and keep them; nothing happens to those that have ended."""
        return [event for pool in self._pools.values() for event in pool.park(*names)]

    def resume(self, name: int) -> None:
        """Let a parked row back in, at the next step that has room for it."""
        for pool in self._pools.values():
            pool.resume(name)

    def step(self) -> Step:
        """Take a step in each batch that has something to do, and say what came of it."""
        if time.monotonic() - self._watched >= _WATCH_EVERY_S:
            self.watch()
        busy = [pool for pool in self._pools.values() if not pool.idle]
        step: Step | None = None
        for pool in busy:
            pool.others_decode = any(other.decoding for other in busy if other is not pool)
            step = pool.step() if step is None else _both(step, pool.step())
        assert step is not None, "an idle engine takes no step"
        self._steps += 1
        if self._steps % _LOOK_AHEAD_TOKENS == 0:
            self.ledger.grown(2 * _LOOK_AHEAD_TOKENS)
        aside = self._set_aside()
        if aside:
            step = replace(step, events=[*step.events, *aside])
        self.ledger.settle()
        if self._steps % _TELL_EVERY == 1 or aside or self.idle:
            step = replace(step, memory=self.memory(), stored=self.stored())
        return step

    def watch(self) -> None:
        """Look what the machine has left, and give up what it lacks."""
        self._watched = time.monotonic()
        available = self._available()
        if available is not None:
            self.ledger.note_available(available, int(_MARGIN * pressure.total_bytes()))
            self.ledger.settle()

    def memory(self) -> Memory:
        """Say what is used, and what was done when it was short."""
        ledger, counts = self.ledger, self._counts
        return Memory(
            limit=ledger.limit_bytes,
            fixed=ledger.fixed_bytes,
            live=ledger.live_bytes,
            parked=ledger.parked_bytes,
            spilled=self._spill.bytes,
            store=ledger.store_bytes,
            headroom=ledger.headroom_bytes,
            rows_parked=counts.parked,
            rows_resumed=counts.resumed,
            rows_spilled=counts.spilled,
            wasted_tokens=counts.wasted_tokens,
        )

    def _set_aside(self) -> list[RowEvent]:
        """Take rows out of their batches for which there is no memory any more."""
        events: list[RowEvent] = []
        while self.ledger.too_many():
            rows = [(row, pool) for pool in self._pools.values() for row in pool.rows.values()]
            # Of the least urgent, the one that has done the least.
            row, pool = min(rows, key=lambda one: (one[0].submit.urgency, one[0].sampled))
            events += pool.set_aside(row.row)
        return events

    def _pool(self, window: int) -> Generation:
        pool = self._pools.get(window)
        if pool is None:
            pool = self._pools[window] = self._make(window)
        return pool

    def _make(self, window: int) -> Generation:
        factor = self._factors[window]
        limits = self._limits
        if factor > 1:
            chunk = min(limits.prefill_tokens_idle, _LONG_CHUNK_TOKENS)
            limits = replace(limits, prefill_tokens_idle=chunk)
        return Generation(
            replace(stretch(self._loaded, factor, self._packing), context_tokens=window),
            limits,
            maker=self._maker.within(window),
            space=Space(self.ledger, self._forecast_bytes(factor), self._spill, self._counts),
        )

    def _forecast_bytes(self, factor: int) -> int:
        """Return what a token takes where the context is stretched so much."""
        plain = self._loaded.kv_bytes_per_token
        if factor == 1 or self._packing is None:
            return plain
        # While a prompt is read, one layer at a time is unpacked.
        unpacked = -(-plain // int(self._loaded.config["num_hidden_layers"]))
        return self._packing.packed_bytes(plain, self._loaded.bytes_per_value) + unpacked


def _both(one: Step, other: Step) -> Step:
    return replace(
        one,
        events=[*one.events, *other.events],
        tokens=[*one.tokens, *other.tokens],
        prefill_tokens=one.prefill_tokens + other.prefill_tokens,
        prefill_s=one.prefill_s + other.prefill_s,
        decode_rows=one.decode_rows + other.decode_rows,
        decode_s=one.decode_s + other.decode_s,
    )


def _scratch_bytes(loaded: LoadedModel, limits: Limits) -> int:
    """Return roughly what a step needs beside weights and caches: activations and logits."""
    config = loaded.config
    hidden = int(config.get("hidden_size", 0))
    inner = int(config.get("intermediate_size", 4 * hidden))
    per_token = 4 * (8 * hidden + 3 * inner)
    return limits.prefill_tokens_idle * per_token + limits.rows * loaded.vocabulary * 8


def _default_limit(fixed_bytes: int) -> int:
    """Return what an engine may use where nobody says."""
    if sys.platform == "darwin":
        found = mx.device_info().get("max_recommended_working_set_size")
        share = int(_SHARE_OF_WORKING_SET * int(found or pressure.total_bytes() // 2))
    else:
        share = int(_SHARE * pressure.total_bytes())
    # On a machine that is too small for the model even that is not enough: it will swap.
    return max(share, fixed_bytes + fixed_bytes // 4)

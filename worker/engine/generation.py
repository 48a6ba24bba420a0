"""The batch: rows in mlx-lm's BatchGenerator, put in, closed, cut and taken out between steps.

Everything here runs on the engine's one thread. `Generation.step` is one decode step for every
live row and at most one chunk of prefill; whoever calls it looks at its inbox in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlx.core as mx
from mlx_lm.generate import BatchGenerator
from mlx_lm.models.cache import can_trim_prompt_cache, trim_prompt_cache
from msgspec import Struct
from msgspec.structs import replace

from worker.domain.messages import Mode
from worker.engine.caches import Caches
from worker.engine.making import RowMaker
from worker.engine.outside import Held, Outside, kept
from worker.engine.pace import Pace
from worker.engine.pipe import (
    HURRIED,
    PATIENT,
    Cancel,
    Escalated,
    Forget,
    NoRoom,
    RowEvent,
    State,
    Step,
)
from worker.engine.row import Next, Row
from worker.engine.sampling import penalties, seeded_sampler, shared_sampler
from worker.engine.space import Space

if TYPE_CHECKING:
    from worker.engine.models import LoadedModel
    from worker.engine.sampling import Sampler

_PROGRESS_TOKENS = 512


class Limits(Struct, frozen=True):
    """How much runs at once: rows, and prompt tokens a step while rows decode and while none do.

    `cache_bytes` is what the caches of ended conversations may take, `wire_memory` whether the
    system's limit on memory that is never swapped is raised while the model runs.
    """

    rows: int = 16
    prefill_tokens_busy: int = 256
    prefill_tokens_idle: int = 2048
    cache_bytes: int = 0
    wire_memory: bool = False


class Generation:
    """All rows of one model.

    Args:
        loaded: The model, its tokenizer and its profile.
        limits: How much runs at once.
        maker: Makes rows; default: as long as the model reads.
        space: What memory its rows may have; default: any.

    """

    def __init__(
        self,
        loaded: LoadedModel,
        limits: Limits,
        *,
        maker: RowMaker | None = None,
        space: Space | None = None,
    ) -> None:
        self._loaded = loaded
        self._limits = limits
        self._maker = maker or RowMaker(loaded)
        self.prepare = self._maker.prepare
        self._batch = BatchGenerator(
            loaded.model,
            max_tokens=loaded.context_tokens,
            stop_tokens=[[token] for token in loaded.tokenizer.eos_token_ids],
            completion_batch_size=limits.rows,
            prefill_batch_size=limits.rows,
            prefill_step_size=limits.prefill_tokens_idle,
        )
        self.caches = Caches(limits.cache_bytes, loaded.packing)
        self._outside = Outside()
        self._pace = Pace(limits.prefill_tokens_busy, limits.prefill_tokens_idle)
        self._prefilling: dict[int, int] = {}
        self._rows: dict[int, Row] = {}
        self.others_decode = False
        """Whether rows of other batches wait for this one's steps."""
        self._space = space or Space()
        self._space.bind(
            self._rows, self._prefilling, self._outside, self.caches, limits.prefill_tokens_idle
        )
        if not limits.wire_memory:
            # The batch has raised the system's limit on memory that is never swapped: on a small
            # Mac that has taken the kernel down (mlx #3186).
            self._batch.close()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do; parked rows wait to be resumed."""
        return not self._rows and self._outside.idle

    def forget(self, forget: Forget) -> None:
        """Keep no cache of what a client, or one of its sessions, has said."""
        self.caches.forget(forget.owner, forget.session)

    def close(self) -> None:
        """Give back what the batch holds of the system's memory limits."""
        self._batch.close()

    def submit(self, row: Row) -> None:
        """Queue a prepared row; it enters the batch at the next step that has room for it."""
        self._outside.wait(row)

    def cancel(self, cancel: Cancel) -> list[RowEvent]:
        """End a row with what it has; nothing happens if it already ended."""
        row = self._rows.get(cancel.row)
        events: list[RowEvent] = []
        if row is not None:
            row.finish_reason = cancel.reason
            cache, known = self._batch.remove([row.uid], return_prompt_caches=True)[row.uid]
            self._forget(row)
            # Who interrupts an answer often asks again, in the same conversation.
            self._keep(row, known, cache)
        else:
            held = self._outside.take(cancel.row)
            if held is None:
                return events
            self._space.discard(held)
            row = held.row
            row.finish_reason = cancel.reason
        self._maker.end(row, events)
        return events

    def conclude(self, name: int) -> None:
        """Let a row think no further, wherever it is; nothing happens if it has ended."""
        row = self._rows.get(name) or self._outside.find(name)
        if row is not None:
            row.conclude()

    def park(self, *names: int) -> list[RowEvent]:
        """Take rows out of the batch and keep them; nothing happens to those that have ended."""
        events: list[RowEvent] = []
        uids = [self._rows[name].uid for name in names if name in self._rows]
        # All at once: each time rows leave, the batch copies what the others have.
        taken = self._batch.remove(uids, return_prompt_caches=True) if uids else {}
        for name in names:
            row = self._rows.get(name)
            held = self._outside.take(name) if row is None else self._kept(row, *taken[row.uid])
            if held is not None:
                self._space.counts.parked += 1
                self._outside.park(held)
                events.append(State(name, "parked"))
        return events

    def _kept(self, row: Row, cache: list[Any], known: list[int]) -> Held:
        begun = row.row not in self._prefilling
        self._forget(row)
        whole = [*row.prompt, *_real(row.generated)]
        held = kept(row, cache, list(known), [] if begun else whole[len(known) :])
        if held.cache is None and begun:
            self._space.waste(row)
        return held

    def resume(self, name: int) -> None:
        """Let a parked row back in, at the next step that has room for it."""
        self._space.counts.resumed += self._outside.resume(name)

    @property
    def model(self) -> Any:
        """What the batch runs."""
        return self._loaded.model

    @property
    def bytes_per_token(self) -> int:
        """What a token takes in a cache."""
        return self._loaded.kv_bytes_per_token

    @property
    def rows(self) -> dict[int, Row]:
        """The rows in the batch, or about to be, by name."""
        return self._rows

    @property
    def decoding(self) -> bool:
        """Whether any row is past its prompt."""
        return len(self._rows) > len(self._prefilling)

    def set_aside(self, name: int) -> list[RowEvent]:
        """Take a row out of the batch until there is memory for it again."""
        events = self.park(name)
        self.resume(name)
        return events

    def step(self) -> Step:
        """Decode one token for each live row, prefill one chunk, and say what came of it."""
        events: list[RowEvent] = []
        tokens: list[tuple[int, list[int]]] = []
        self._let_in(events)
        self._batch.prefill_step_size = self._chunk_of_each()
        with self._batch.stats() as stats:
            prompts, responses = self._batch.next()
        by_uid = {row.uid: row for row in self._rows.values()}
        for progress in prompts:
            self._note_prefill(by_uid.get(progress.uid), progress, events)
        for response in responses:
            row = by_uid.get(response.uid)
            if row is not None:
                if row.submit.sampling.logprobs:
                    row.note_probability(response.token, response.logprobs)
                self._take(row, response, events)
                tokens.append((row.row, row.untold()))
        if not responses:
            self._pace.note(stats.prompt_tokens, stats.prompt_time)
        return Step(
            events=events,
            tokens=tokens,
            prefill_tokens=stats.prompt_tokens,
            prefill_s=stats.prompt_time,
            decode_rows=len(responses),
            decode_s=stats.generation_time,
        )

    @property
    def _busy(self) -> bool:
        return self.decoding or self.others_decode

    def _chunk_of_each(self) -> int:
        """Return how many tokens of each prompt the next step reads."""
        reading = [name for name, left in self._prefilling.items() if left > 1]
        patient = all(self._rows[name].submit.urgency == PATIENT for name in reading)
        chunk = self._pace.chunk(decoding=self._busy, patient=patient and bool(reading))
        return max(1, chunk // len(reading)) if patient and reading else chunk

    def _let_in(self, events: list[RowEvent]) -> None:
        # While rows decode, a chunk of prompt is the longest pause their streams will see: let in
        # what fits into one chunk, or a single longer prompt. Who can't wait never waits for that.
        first = self._let_back_in(events)
        room = self._pace.chunk(decoding=self._busy, patient=False)
        room -= sum(self._prefilling.values())
        while self._outside.waiting and len(self._rows) < self._limits.rows:
            row = self._outside.waiting[0]
            if self._prefilling and len(row.prompt) > room and row.submit.urgency < HURRIED:
                return
            self._outside.waiting.popleft()
            if row.submit.urgency <= first or not self._space.admit(row):
                events.append(NoRoom(row.row))
                continue
            room -= len(row.prompt)
            self._enter(row, events)

    def _let_back_in(self, events: list[RowEvent]) -> int:
        """Return how urgent a row is that finds no memory to go on; -1 where none is left out."""
        returning = self._outside.returning
        while returning and len(self._rows) < self._limits.rows:
            held = returning.popleft()
            if not self._space.admit(held.row):
                returning.appendleft(held)
                return held.row.submit.urgency
            self._space.fetch(held)
            self._return(held, events)
        return -1

    def _enter(self, row: Row, events: list[RowEvent]) -> None:
        following = self._replay(row)
        row.told = len(row.generated)
        if following is Next.FINISH:
            row.finish(events)
            return
        if following is not Next.GO_ON:
            closing, _ = self._maker.closing(row, following)
            row.accept_forced(closing, events)
        self._rows[row.row] = row
        events.append(State(row.row, "prefill"))
        self._read(row)

    def _read(self, row: Row) -> None:
        """Insert a row from its beginning, or from where its client's caches know no further."""
        tokens = [*row.prompt, *_real(row.generated)]
        if row.loaded is not None:
            self.caches.restore(row.submit.owner, row.loaded, row.submit.session)
            row.loaded = None
        cache, known = self.caches.find(row.submit.owner, tokens)
        row.cached_tokens = min(known, len(row.prompt))
        if row.submit.held is not None:
            self.caches.let_go(row.submit.held)
        self._insert(row, tokens[known:], cache, tokens[:known])

    def _return(self, held: Held, events: list[RowEvent]) -> None:
        row = held.row
        self._rows[row.row] = row
        if held.cache is None:
            events.append(State(row.row, "prefill"))
            self._read(row)
        else:
            events.append(row.state() if len(held.unread) == 1 else State(row.row, "prefill"))
            self._insert(row, held.unread, held.cache, held.tokens)

    def _replay(self, row: Row) -> Next:
        """Bring a row to where an earlier engine had it, without a word to the client."""
        unheard: list[RowEvent] = []
        following = Next.GO_ON
        forced: list[int] = []
        for token in row.submit.generated:
            if token < 0:
                forced.append(~token)
                continue
            if forced:
                row.accept_forced(forced, unheard)
                forced = []
            following = row.accept(token, unheard)
        if forced:
            row.accept_forced(forced, unheard)
            following = Next.GO_ON
        return following

    def _penalties(self, row: Row, context_length: int) -> list[Any]:
        wish = row.submit.sampling
        return penalties(wish, written_from=context_length - len(row.generated))

    def _insert(
        self,
        row: Row,
        tokens: list[int],
        cache: list[Any] | None = None,
        cached: list[int] | None = None,
    ) -> None:
        known = cached or []
        processors = self._penalties(row, len(known) + len(tokens))
        processors += self._maker.bindings(row, len(known) + len(tokens))
        (row.uid,) = self._batch.insert(
            [tokens],
            caches=[self.caches.fresh(self.model) if cache is None else cache],
            all_tokens=[known],
            samplers=[self._sampler(row)],
            logits_processors=[processors],
        )
        self._prefilling[row.row] = len(tokens)

    def _sampler(self, row: Row) -> Sampler:
        parameters = self._loaded.profile.preset(row.submit.mode).overridden(row.submit.sampling)
        seed = row.submit.sampling.seed
        if seed is None or parameters.temperature == 0:
            return shared_sampler(parameters)
        return seeded_sampler(parameters, seed, row.sampled)

    def _note_prefill(self, row: Row | None, progress: Any, events: list[RowEvent]) -> None:
        if row is None:
            return
        if progress.end_of_prompt:
            self._prefilling.pop(row.row, None)
            events.extend(row.begin())
            return
        done, total = progress.progress
        self._prefilling[row.row] = total - done
        if total > _PROGRESS_TOKENS:
            events.append(State(row.row, "prefill", prefilled=done / total))

    def _take(self, row: Row, response: Any, events: list[RowEvent]) -> None:
        if row.is_doubt(response.token, response.logprobs):
            following, why = Next.THINK_AFTER_ALL, "The answer began unsure"
            row.sampled += 1
        else:
            following, why = row.accept(response.token, events), "It began with a malformed call"
        if row.fault is not None:
            following = Next.FINISH
        if following is Next.GO_ON:
            return
        # At an end-of-turn token the batch has let go of the row, and its cache comes with it.
        released = response.finish_reason is not None
        if following is Next.FINISH:
            self._maker.end(row, events)
            self._forget(row)
            self._space.ledger.note_answer(row.submit.mode, row.sampled)
        if released:
            cache, known = response.prompt_cache, list(response.all_tokens)
        else:
            cache, known = self._batch.remove([row.uid], return_prompt_caches=True)[row.uid]
        if following is Next.FINISH:
            self._keep(row, known, cache)
        elif following is Next.THINK_AFTER_ALL:
            self._forget(row)
            # What was read of the prompt is found again there, as far as both prompts are alike.
            self._keep(row, known, cache)
            self._think_after_all(row, why, events)
        else:
            self._answer_after_thought(row, following, cache, list(known), events)

    def _think_after_all(self, row: Row, why: str, events: list[RowEvent]) -> None:
        doubt = row.submit.doubt
        assert doubt is not None
        submit = replace(
            row.submit, mode=Mode.THINK, budget_tokens=doubt.budget_tokens, doubt=None, generated=[]
        )
        thinking = self._maker.row(submit, Mode.THINK)
        thinking.sampled = row.sampled
        if row.concluded:
            thinking.conclude()
        self._rows[row.row] = thinking
        events.append(Escalated(row.row, f"{why}, so it was thought about after all."))
        events.append(State(row.row, "prefill"))
        self._read(thinking)
        # What this request has read itself is no saving that a client should be told of.
        thinking.cached_tokens = row.cached_tokens

    def _answer_after_thought(
        self,
        row: Row,
        following: Next,
        cache: list[Any],
        known: list[int],
        events: list[RowEvent],
    ) -> None:
        closing, replaced = self._maker.closing(row, following)
        if replaced and can_trim_prompt_cache(cache):
            trim_prompt_cache(cache, replaced)
            known = known[:-replaced]
        # Unevaluated, it would keep the whole batch's KV cache alive.
        mx.eval([layer.state for layer in cache])
        row.accept_forced(closing, events)
        self._insert(row, closing, cache, known)

    def _keep(self, row: Row, known: list[int], cache: list[Any]) -> None:
        held = row.submit.hold and row.finish_reason == "stop"
        self.caches.keep(
            row.submit.owner,
            known,
            cache,
            session=row.submit.session,
            hold=row.row if held else None,
        )

    def _take_out(self, row: Row) -> None:
        self._batch.remove([row.uid])
        self._forget(row)

    def _forget(self, row: Row) -> None:
        del self._rows[row.row]
        self._space.leave(row)
        self._prefilling.pop(row.row, None)


def _real(generated: list[int]) -> list[int]:
    return [token if token >= 0 else ~token for token in generated]

"""Puts tasks to an engine in each mode and notes what came back; imports no mlx.

With greedy sampling a mode gives the same answer each time, so `auto` needs no run of its own: its
outcome for a task is that of the mode the router chose, or of thinking after all where the model
began unsure, what was taken back counted in.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from worker.domain.messages import Kind, Mode, Sampling
from worker.engine.doubt import FIRST_TOKENS
from worker.engine.pipe import Done, Failed, Submit, Text, ThoughtEnd
from worker.engine.supervisor import Engine
from worker.evaluation.tasks import is_right
from worker.router.conversation import question_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.domain.model import ModelInfo
    from worker.engine.pipe import EngineOptions, Step
    from worker.evaluation.tasks import Task
    from worker.router.judge import Router

Strategy: TypeAlias = Literal["never", "always", "auto"]

MODES: dict[Strategy, Mode] = {"never": Mode.NO_THINK, "always": Mode.THINK}


class EngineLost(Exception):
    """The engine went down while it was being measured."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What one task in one mode came to. `seconds` is from its start to its end, in company.

    `least_sure` is the lowest probability among the answer's first tokens, and `first_tokens` how
    many they were: what an escalation goes by.
    """

    task: str
    category: str
    mode: Mode
    right: bool
    answer: str
    reasoning_tokens: int
    completion_tokens: int
    seconds: float
    thought_end: ThoughtEnd
    least_sure: float = 1.0
    first_tokens: int = 0
    escalated: bool = False


class _Running(Struct):
    task: Task
    mode: Mode
    begun: float
    ended: asyncio.Future[Outcome]
    texts: dict[Kind, str] = {}


class Examiner:
    """Runs tasks, a few at once. It is the engine's listener; made on the event loop.

    Args:
        clock: The monotonic clock, in seconds.
        bound: Whether answers are bound to the schemas that tasks have.

    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, bound: bool = True) -> None:
        self._clock = clock
        self._bound = bound
        self._running: dict[int, _Running] = {}
        self._names = 0
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.model: ModelInfo | None = None

    async def ask(
        self,
        engine: Engine,
        tasks: Sequence[Task],
        mode: Mode,
        *,
        at_once: int,
        budget_tokens: int | None = None,
        told: Callable[[], None] = lambda: None,
    ) -> list[Outcome]:
        """Return what each task came to, in the order of the tasks.

        Raises:
            EngineLost: The engine went down.

        """
        room = asyncio.Semaphore(at_once)

        async def one(task: Task) -> Outcome:
            async with room:
                outcome = await self._ask_one(engine, task, mode, budget_tokens)
                told()
                return outcome

        return list(await asyncio.gather(*map(one, tasks)))

    def doubts(self, outcome: Outcome) -> bool:
        """Tell whether the daemon would have taken an answer back and thought after all."""
        return self.model is not None and outcome.least_sure < self.model.escalate_below

    async def until_ready(self, engine: Engine) -> None:
        """Wait until the model is loaded.

        Raises:
            EngineLost: It can't be.

        """
        ready = asyncio.ensure_future(engine.ready.wait())
        self._lost.add_done_callback(lambda _lost: ready.cancel())
        try:
            await ready
        except asyncio.CancelledError:
            if not self._lost.done():
                raise
            self._lost.result()

    def engine_ready(self, model: ModelInfo, load_s: float) -> None:  # noqa: ARG002 - the protocol's
        """Learn which model answers."""
        self.model = model

    def engine_down(self, why: str, rows: Sequence[int], *, from_outside: bool) -> None:  # noqa: ARG002
        """Give up: what is measured over two engines is no measurement."""
        if not self._lost.done():
            self._lost.set_exception(EngineLost(why))
        for row in rows:
            self._running.pop(row).ended.set_exception(EngineLost(why))

    def engine_step(self, step: Step) -> None:
        """Gather texts and ends."""
        for event in step.events:
            running = self._running.get(event.row)
            if running is None:
                continue
            if isinstance(event, Text):
                running.texts[event.kind] = running.texts.get(event.kind, "") + event.text
            elif isinstance(event, Done):
                del self._running[event.row]
                running.ended.set_result(self._outcome(running, event))
            elif isinstance(event, Failed):
                del self._running[event.row]
                failed = EngineLost(f"{running.task.id}: {event.message}")
                running.ended.set_exception(failed)

    async def _ask_one(
        self, engine: Engine, task: Task, mode: Mode, budget_tokens: int | None
    ) -> Outcome:
        row, self._names = self._names, self._names + 1
        ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._running[row] = _Running(task, mode, self._clock(), ended)
        grammar = None
        if self._bound and task.response_schema is not None:
            grammar = {"type": "json_schema", "json_schema": task.response_schema}
        engine.submit(
            Submit(
                row=row,
                messages=[{"role": one.role, "content": one.content} for one in task.messages],
                mode=mode,
                budget_tokens=budget_tokens,
                sampling=Sampling(temperature=0.0, logprobs=True),
                grammar=grammar,
                tools=list(task.tools),
                owner=f"task {row}",
            )
        )
        return await ended

    def _outcome(self, running: _Running, done: Done) -> Outcome:
        task, text = running.task, running.texts.get(Kind.ANSWER, "").strip()
        first = done.logprobs[:FIRST_TOKENS]
        calls = [msgspec.json.decode(call["function"]["arguments"]) for call in done.tool_calls]
        return Outcome(
            task=task.id,
            category=task.category,
            mode=running.mode,
            right=is_right(task, text, calls),
            answer=text or msgspec.json.encode(calls).decode(),
            reasoning_tokens=done.reasoning_tokens,
            completion_tokens=done.completion_tokens,
            seconds=self._clock() - running.begun,
            thought_end=done.thought_end,
            least_sure=math.exp(min((one.logprob for one in first), default=0.0)),
            first_tokens=len(first),
        )


def chosen_modes(tasks: Sequence[Task], router: Router) -> list[Mode]:
    """Return what the router chooses for each task."""
    return [router.judge(question_of(task.messages)).mode for task in tasks]


async def measure(
    options: EngineOptions,
    tasks: Sequence[Task],
    strategies: Sequence[Strategy],
    *,
    router: Router,
    at_once: int,
    budget_tokens: int | None = None,
    bound: bool = True,
    told: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[Strategy, list[Outcome]]:
    """Start an engine, put the tasks to it in every mode that is needed, and stop it.

    Args:
        options: What the engine is started with.
        tasks: The questions.
        strategies: What is compared.
        router: Chooses for `auto`.
        at_once: How many tasks run together.
        budget_tokens: A cap on each thought; None leaves it to the model's profile.
        bound: Whether answers are bound to the schemas that tasks have.
        told: Hears how many runs are done, and of how many.

    Returns:
        For each strategy what each task came to, in the order of the tasks.

    Raises:
        EngineLost: The engine could not start, or went down.

    """
    chosen = chosen_modes(tasks, router)
    everything = range(len(tasks))
    wanted: dict[Mode, list[int]] = {Mode.NO_THINK: [], Mode.THINK: []}
    for mode, indexes in wanted.items():
        if any(MODES.get(strategy) is mode for strategy in strategies):
            indexes.extend(everything)
        elif "auto" in strategies:
            indexes.extend(index for index in everything if chosen[index] is mode)
    examiner = Examiner(bound=bound)
    engine = Engine(options, examiner)
    engine.start()
    found: dict[Mode, dict[int, Outcome]] = {}
    done, total = 0, sum(map(len, wanted.values()))

    def tell() -> None:
        nonlocal done
        done += 1
        told(done, total)

    try:
        await examiner.until_ready(engine)
        for mode, indexes in wanted.items():
            if mode is Mode.THINK and "auto" in strategies:
                plain = found[Mode.NO_THINK]
                doubted = [i for i in plain if chosen[i] is not mode and examiner.doubts(plain[i])]
                indexes.extend(sorted(set(doubted) - set(indexes)))
                total = done + len(indexes)
            asked = [tasks[index] for index in indexes]
            outcomes = await examiner.ask(
                engine, asked, mode, at_once=at_once, budget_tokens=budget_tokens, told=tell
            )
            found[mode] = dict(zip(indexes, outcomes, strict=True))
    finally:
        await engine.stop()

    def outcome(strategy: Strategy, index: int) -> Outcome:
        mode = MODES.get(strategy, chosen[index])
        first = found[mode][index]
        if strategy != "auto" or mode is Mode.THINK or not examiner.doubts(first):
            return first
        thought = found[Mode.THINK][index]
        tokens = thought.completion_tokens + first.first_tokens
        return replace(thought, completion_tokens=tokens, escalated=True)

    return {strategy: [outcome(strategy, index) for index in everything] for strategy in strategies}

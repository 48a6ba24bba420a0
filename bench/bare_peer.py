"""mlx-lm itself, in a process of its own: a bare BatchGenerator and a bare generate_step.

    python bench/bare_peer.py MODEL

A line of JSON on stdin, a line of JSON on stdout. `{"batch", "tokens", "apart"}` gives tokens a
second of these prompts, all at once or with the first one ahead; `{"prompts", "tokens"}` the
greedy token ids of each, one prompt after the other; `{"read", "written"}` the tokens a second of
reading and of writing so many.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self


class BarePeer:
    """A running peer.

    Args:
        model_path: What it loads.

    """

    def __init__(self, model_path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(model_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[1],
        )  # fmt: skip

    def ask(self, **question: Any) -> Any:
        """Put one question and return its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def throughput(self, prompts: list[str], tokens: int, *, apart: bool = False) -> float:
        """Return tokens a second of greedy answers, see `Bare.throughput`."""
        return float(self.ask(batch=prompts, tokens=tokens, apart=apart))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Bare:
    """A model, driven by mlx-lm alone.

    Args:
        model_path: What is loaded, after its BLAS.

    """

    def __init__(self, model_path: str) -> None:
        from worker.engine import blas

        blas.prepare()
        # After its BLAS: these bring in mlx.
        from worker.engine import models
        from worker.engine.making import RowMaker

        self._loaded = models.load(model_path)
        self._maker = RowMaker(self._loaded)
        self._stop = self._loaded.tokenizer.eos_token_ids

    def throughput(self, batch: list[str], tokens: int, *, apart: bool) -> float:
        """Return tokens a second of greedy answers.

        Args:
            batch: The prompts.
            tokens: Of each answer.
            apart: Whether the first one is there a step before the others, as one is that comes
                over a network; else all are there at once, which nobody who serves can have.

        """
        from mlx_lm.generate import BatchGenerator

        prompts = [self._rendered(text) for text in batch]
        generator = BatchGenerator(
            self._loaded.model,
            stop_tokens=[[token] for token in self._stop],
            completion_batch_size=32,
        )
        begun = time.perf_counter()
        left, produced = len(batch), 0
        waiting = [prompts[:1], prompts[1:]] if apart and left > 1 else [prompts]
        while left:
            if waiting:
                some = waiting.pop(0)
                generator.insert(some, max_tokens=[tokens] * len(some))
            for response in generator.next_generated():
                produced += 1
                left -= response.finish_reason is not None
        return produced / (time.perf_counter() - begun)

    def greedy(self, text: str, tokens: int) -> list[int]:
        """Return the greedy tokens of a prompt."""
        import mlx.core as mx
        from mlx_lm.generate import generate_step

        prompt = mx.array(self._rendered(text))
        steps = (int(token) for token, _ in generate_step(prompt, self._loaded.model,
                                                          max_tokens=tokens))  # fmt: skip
        return list(itertools.takewhile(lambda token: token not in self._stop, steps))

    def speed(self, read: int, written: int) -> dict[str, float]:
        """Return tokens a second of one prompt that is read and one answer that is written."""
        import mlx.core as mx
        from mlx_lm.generate import generate_step
        from mlx_lm.models.cache import make_prompt_cache

        cache = make_prompt_cache(self._loaded.model)
        begun = time.perf_counter()
        steps = generate_step(mx.array([5 + n % 1000 for n in range(read)]), self._loaded.model,
                              max_tokens=written + 1, prompt_cache=cache)  # fmt: skip
        next(steps)
        first = time.perf_counter()
        wrote = sum(1 for _ in steps)
        return {"read": read / (first - begun), "written": wrote / (time.perf_counter() - first)}

    def _rendered(self, text: str) -> list[int]:
        from worker.domain.messages import Mode
        from worker.engine.pipe import Submit

        messages = [{"role": "user", "content": text}]
        return self._maker.prepare(Submit(row=0, messages=messages, mode=Mode.NO_THINK)).prompt

    def answer(self, question: dict[str, Any]) -> Any:
        """Answer one question."""
        if "batch" in question:
            return self.throughput(**question)
        if "prompts" in question:
            return [self.greedy(text, question["tokens"]) for text in question["prompts"]]
        return self.speed(**question)


if __name__ == "__main__":
    model = Bare(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(model.answer(json.loads(line))), flush=True)

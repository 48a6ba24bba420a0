"""What a KV cache in 8 or 4 bits costs and saves, beside one as it is computed.

    python bench/kv_bits.py [--tokens 1500] [--answer 48] [--prompts 6] [--rows 4] [--json FILE]

For the embedded model and a tiny one of Qwen3's architecture (random weights: its figures of
agreement are those of a model that is never sure). The same batch as the daemon's runs prompts of
this repository's documents, as long as asked, without stretching: only the cache differs. All three
kinds in turn, speeds on the CPU backend by processor time. `same token` is how often the most
probable next token is the one that the cache as computed leads to, over the latter's answers; `same
answer` how many whole greedy answers are equal.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairs import embedded_path

from worker.engine import blas

blas.prepare()

# After its BLAS: these bring in mlx.
import mlx.core as mx  # noqa: E402
from msgspec.structs import replace  # noqa: E402

from worker.domain.messages import Mode, Sampling  # noqa: E402
from worker.engine.generation import Generation, Limits  # noqa: E402
from worker.engine.making import RowMaker  # noqa: E402
from worker.engine.models import LoadedModel, load  # noqa: E402
from worker.engine.pipe import Submit  # noqa: E402
from worker.engine.quantized import fresh, packing_of  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
KINDS = (None, 8, 4)
QUESTION = "\n\nSay in one paragraph what this is about."


# On the processor its own time, which other programs don't change.
clock = time.process_time if mx.default_device() == mx.Device(mx.cpu) else time.perf_counter


class Kind:
    """One model with its cache in so many bits."""

    def __init__(self, loaded: LoadedModel, bits: int | None, maker: RowMaker, answer: int) -> None:
        packing = None if bits is None else packing_of(loaded.config, bits)
        self.loaded = replace(loaded, packing=packing)
        # Whole prompts at once, so that rows soon write side by side.
        limits = Limits(prefill_tokens_busy=2048)
        self.batch = Generation(self.loaded, limits, maker=maker)
        self._maker = maker
        self._greedy = Sampling(temperature=0, max_tokens=answer)
        self.read: list[float] = []
        self.written: list[float] = []
        self.bytes_per_token = 0.0

    def answers(self, prompts: list[str]) -> list[list[int]]:
        """Run prompts beside each other; note the speeds, return the tokens of each."""
        for row, prompt in enumerate(prompts):
            messages = [{"role": "user", "content": prompt}]
            submit = Submit(row=row, messages=messages, mode=Mode.NO_THINK, sampling=self._greedy)
            self.batch.submit(self._maker.prepare(submit))
        said: list[list[int]] = [[] for _ in prompts]
        read = read_s = wrote = wrote_s = 0.0
        while not self.batch.idle:
            begun = clock()
            step = self.batch.step()
            took = clock() - begun
            for row, tokens in step.tokens:
                said[row] += tokens
            if step.prefill_tokens:
                read, read_s = read + step.prefill_tokens, read_s + took
            elif step.decode_rows == len(prompts):
                wrote, wrote_s = wrote + step.decode_rows, wrote_s + took
        self.read.append(read / read_s)
        self.written.append(wrote / wrote_s if wrote else float("nan"))
        return said

    def most_probable(self, prompt: list[int], answer: list[int]) -> list[int]:
        """Return what it would have said at each position of an answer."""
        cache = fresh(self.loaded.model, self.loaded.packing)
        for begin in range(0, len(prompt) - 1, 512):
            chunk = prompt[begin : min(begin + 512, len(prompt) - 1)]
            self.loaded.model(mx.array([chunk]), cache=cache)
            mx.eval([layer.state for layer in cache])
        self.bytes_per_token = sum(layer.nbytes for layer in cache) / _room(cache)
        found = []
        for token in [prompt[-1], *answer[:-1]]:
            logits = self.loaded.model(mx.array([[token]]), cache=cache)
            found.append(int(mx.argmax(logits[0, -1])))
        return found


def _room(cache: list[Any]) -> int:
    """Return how many positions there is room for in a cache."""
    first = getattr(cache[0], "parts", cache)[0]
    return int(first.keys.shape[2])


def documents(loaded: LoadedModel, count: int, tokens: int) -> list[str]:
    """Return so many different texts of so many tokens."""
    paths = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    ids = loaded.tokenizer.encode("\n\n".join(path.read_text("utf-8") for path in paths))
    apart = (len(ids) - tokens) // count
    return [
        loaded.tokenizer.decode(ids[at : at + tokens]) + QUESTION
        for at in range(0, count * apart, apart)
    ]


def rows_of(name: str, loaded: LoadedModel, arguments: argparse.Namespace) -> Iterator[list[Any]]:
    """Yield a line for each kind of cache."""
    maker = RowMaker(loaded)
    kinds = {bits: Kind(loaded, bits, maker, arguments.answer) for bits in KINDS}
    prompts = documents(loaded, arguments.prompts, arguments.tokens)
    said: dict[int | None, list[list[int]]] = {bits: [] for bits in KINDS}
    for prompt in prompts:
        for bits, kind in kinds.items():
            said[bits] += kind.answers([prompt])
    alone = {bits: (kind.read[:], kind.written[:]) for bits, kind in kinds.items()}
    together = said
    if arguments.rows > 1:
        together = {bits: kind.answers(prompts[: arguments.rows]) for bits, kind in kinds.items()}
    for bits, kind in kinds.items():
        equal = places = 0
        for prompt, answer in zip(prompts, said[None], strict=True):
            messages = [{"role": "user", "content": prompt}]
            ids = maker.prepare(Submit(row=0, messages=messages, mode=Mode.NO_THINK)).prompt
            found = kind.most_probable(ids, answer)
            equal += sum(one == other for one, other in zip(found, answer, strict=True))
            places += len(answer)
        read, written = alone[bits]
        yield [
            name,
            "as computed" if bits is None else f"{bits} bits",
            round(kind.bytes_per_token),
            statistics.median(read),
            statistics.median(written),
            kind.written[-1],
            equal / places,
            sum(one == other for one, other in zip(said[bits], said[None], strict=True)),
            together[bits][: arguments.rows] == said[bits][: arguments.rows],
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=1500)
    parser.add_argument("--answer", type=int, default=48)
    parser.add_argument("--prompts", type=int, default=6)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--model", choices=["embedded", "tiny", "both"], default="both")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    together = f"{arguments.rows} rows tok/s"
    head = ["model", "cache", "bytes/token", "read tok/s", "1 row tok/s", together, "same token",
            "same answer", "batch = alone"]  # fmt: skip
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        models = {"embedded": embedded_path}
        if arguments.model != "embedded":
            sys.path.insert(0, str(ROOT / "tests" / "engine"))
            import tiny_qwen3

            models["tiny Qwen3"] = lambda: tiny_qwen3.make(
                Path(folder) / "tiny", embedded_path(), head_dim=64, hidden_size=256
            )
        if arguments.model == "tiny":
            del models["embedded"]
        for name, path in models.items():
            for line in rows_of(name, load(path()), arguments):
                lines.append(dict(zip(head, line, strict=True)))
                written = [f"{one:.3g}" if isinstance(one, float) else f"{one}" for one in line]
                print("| " + " | ".join(written) + " |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(lines, indent=1))


if __name__ == "__main__":
    main()

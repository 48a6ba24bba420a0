"""Trains a low-rank adapter and a few token rows with PyTorch; resumes where it stopped.

    python -m bench.dualmode.train DATA_FOLDER MODEL_FOLDER OUT [--tokens 3300000 | --minutes 80]

The base weights stay frozen, in bfloat16 where the device has matrix units for it and in float32
elsewhere; each linear layer gets a pair of factors of rank 32, each control token a row of its own.
Prompts are masked. After every fourth step comes half a one for what the model must not forget: on
plain English its distribution of the next token is held to the original's (the divergence of
Kullback and Leibler, at half of the positions), which keeps its English. A checkpoint is written
every five minutes; the same command goes on from the last one. At the end what was learned goes
into `OUT/learned.npz`. Imports of ours the network alone, and no MLX.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.dualmode.network import DEVICE, Model

LENGTHS = (48, 64, 96, 128, 192, 256, 384)
"""What examples are padded to: few, since a compiled block is compiled for each."""

FINE_LENGTHS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 140, 160, 192, 224, 240, 280, 320, 384)
"""The same where nothing is compiled, so that less is padding. All of them divide `BATCH_TOKENS` of a
GPU, so that what is recorded there of one length fits into the memory of another."""

WARM_UP_STEPS = 20
DECAY_FROM = 0.6
"""The learning rate falls linearly to nothing over what is left from here."""

PROSE_EVERY = 4
PROSE_SHARE = 2
"""A step of prose has this part of another's tokens; of its positions one in so many is compared."""

PROSE_WEIGHT = 8.0
"""What a drift counts beside a loss."""

SAVED_EVERY_S = 300.0

LEARNED = "learned.npz"
"""What was learned, for `export`, which has no torch."""

BATCH_TOKENS, PEAK_RATE = (13_440, 1.5e-3) if DEVICE.type == "cuda" else (2048, 1e-3)
"""More tokens a step bear a higher rate."""

UNRECORDED_STEPS = 4
"""So many steps a GPU takes before one is recorded: what is set up once is then there."""

GROUP_SIZE = 64
"""How many 8-bit numbers of an adapter file share a scale."""


def batches(
    data: Any, seed: int, padded: tuple[int, ...], size: int, count: int
) -> list[tuple[int, list[int]]]:
    """Return padded length and examples of each batch of `size` tokens, in the order of training.

    All examples come once before one comes again, each time in another order.
    """
    lengths = np.diff(data["starts"]).tolist()
    groups: dict[int, list[int]] = {length: [] for length in padded}
    rng = Random(seed)
    order = list(range(len(lengths)))
    found: list[tuple[int, list[int]]] = []
    while len(found) < count:
        rng.shuffle(order)
        found += _grouped(order, lengths, groups, size)
    return found[:count]


def _grouped(
    order: list[int], lengths: list[int], groups: dict[int, list[int]], size: int
) -> list[tuple[int, list[int]]]:
    """Return the batches that are full; what is left stays in the groups."""
    found, padded = [], sorted(groups)
    for index in order:
        length = next((length for length in padded if lengths[index] <= length), None)
        if length is None:
            continue
        groups[length].append(index)
        if len(groups[length]) == size // length:
            found.append((length, groups[length]))
            groups[length] = []
    return found


def tensors(
    data: Any, length: int, examples: list[int], *, filled: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return tokens, the positions behind which something is learned, and what it is.

    Tokens are `(examples, length)`, positions count through all of them. `filled` makes two sizes of
    what is learned: half as many positions as tokens, or as many; behind those added nothing is
    wanted (-100).
    """
    tokens = torch.zeros((len(examples), length), dtype=torch.long)
    wanted = torch.full((len(examples), length), -100)
    for row, index in enumerate(examples):
        begin, end = data["starts"][index], data["starts"][index + 1]
        ids = torch.from_numpy(data["tokens"][begin:end].astype(np.int64))
        tokens[row, : len(ids)] = ids
        learned = int(data["targets"][index])
        wanted[row, len(ids) - 1 - learned : len(ids) - 1] = ids[-learned:]
    chosen = (wanted.view(-1) >= 0).nonzero().view(-1)
    named = wanted.view(-1)[chosen]
    if filled:
        half = tokens.numel() // 2
        more = (half if len(chosen) <= half else tokens.numel()) - len(chosen)
        chosen, named = F.pad(chosen, (0, more)), F.pad(named, (0, more), value=-100)
    return tokens, chosen, named


def prose(data: Any, step: int, size: int) -> tuple[Tensor, Tensor]:
    """Return rows of prose as tokens, and the positions that are compared."""
    rng = Random(step)
    rows = data["prose"]
    chosen = [rng.randrange(len(rows)) for _ in range(size // PROSE_SHARE // rows.shape[1])]
    tokens = torch.from_numpy(rows[chosen].astype(np.int64))
    compared = rng.sample(range(tokens.numel()), tokens.numel() // PROSE_SHARE)
    return tokens, torch.tensor(sorted(compared))


class Learner:
    """Takes steps of two sorts: towards what is to be learned, and back to what is to stay."""

    def __init__(self, model: Model, optimizer: torch.optim.Optimizer, *, recorded: bool) -> None:
        self._model, self._optimizer = model, optimizer
        self.learn = Recorded(self._learn) if recorded else self._learn
        self.stay = Recorded(self._stay) if recorded else self._stay
        self.total, self.drift = torch.zeros((2, 1), device=DEVICE)

    def _learn(self, *inputs: Tensor) -> None:
        """Take a step towards what is wanted."""
        loss = self._model.loss(*(one.to(DEVICE) for one in inputs))
        self._step(loss)
        self.total += loss.detach()

    def _stay(self, *inputs: Tensor) -> None:
        """Take a step back to the original's distribution."""
        drift = self._model.drift(*(one.to(DEVICE) for one in inputs))
        self._step(PROSE_WEIGHT * drift)
        self.drift.copy_(drift.detach())

    def _step(self, loss: Tensor) -> None:
        self._optimizer.zero_grad(set_to_none=False)
        loss.backward()
        nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()


class Recorded:
    """A step on a GPU: recorded once for each shape of what it is given, then played back.

    A step has thousands of launches; one by one they take longer than the work itself.
    """

    def __init__(self, step: Callable[..., None]) -> None:
        self._step = step
        self._played: dict[Any, tuple[torch.cuda.CUDAGraph, list[Tensor]]] = {}
        self._seen = 0

    def __call__(self, *inputs: Tensor) -> None:
        """Take the step."""
        self._seen += 1
        if self._seen <= UNRECORDED_STEPS:
            self._step(*inputs)
            return
        shape = tuple(one.shape for one in inputs)
        if shape not in self._played:
            self._played[shape] = self._record(inputs)
        graph, given = self._played[shape]
        for one, new in zip(given, inputs, strict=True):
            one.copy_(new.pin_memory(), non_blocking=True)
        graph.replay()

    def _record(self, inputs: tuple[Tensor, ...]) -> tuple[torch.cuda.CUDAGraph, list[Tensor]]:
        given, graph = [one.to(DEVICE) for one in inputs], torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        # They are played one after another, so all may use the same memory.
        with torch.cuda.graph(graph, pool=_pool(), stream=torch.cuda.current_stream()):
            self._step(*given)
        return graph, given


@cache
def _pool() -> Any:
    return torch.cuda.graph_pool_handle()


def rate(step: int, done: float) -> float:
    """Return a step's share of the highest learning rate, `done` of all having been done."""
    if step < WARM_UP_STEPS:
        return (step + 1) / WARM_UP_STEPS
    return min(1.0, (1 - done) / (1 - DECAY_FROM))


def shipped(path: Path) -> dict[str, Tensor]:
    """Return what an adapter file holds, by the names of this model's parameters."""
    stored = load_file(path)
    found = {"rows": stored["control.rows"].float()}
    for name, words in stored.items():
        if not name.endswith(".weight"):
            continue
        _, _, index, place, linear, part, _ = name.split(".")
        scales, biases = (
            stored[name.replace(".weight", other)].float().repeat_interleave(GROUP_SIZE, -1)
            for other in (".scales", ".biases")
        )
        factor = words.view(torch.uint8).float() * scales + biases
        found[f"blocks.{index}.linear.{place}/{linear}.{part}"] = (
            factor.T.contiguous() if part == "b" else factor
        )
    return found


def earlier(path: Path) -> dict[str, Tensor]:
    """Return what an earlier run learned: its folder, or the adapter file made of it."""
    if path.is_file():
        return shipped(path)
    learned = np.load(path / LEARNED)
    return {name: torch.from_numpy(learned[name]) for name in learned.files}


def main() -> None:
    """Train, or go on training."""
    arguments = _arguments()
    torch.manual_seed(0)
    data = dict(np.load(arguments.data / "train.npz"))
    control = json.loads((arguments.data / "control.json").read_text())
    model = Model(arguments.model, {int(number): pieces for number, pieces in control.items()})
    if arguments.begin is not None:
        model.load_state_dict(earlier(arguments.begin), strict=False)
    model.to(DEVICE)
    on_gpu = DEVICE.type == "cuda"
    recorded, compiled = (not arguments.plain and on_gpu, not arguments.plain and not on_gpu)
    _prepare(model, recorded=recorded, compiled=compiled)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=torch.tensor(PEAK_RATE, device=DEVICE), weight_decay=0.0, fused=True,
        capturable=recorded,
    )  # fmt: skip
    learner = Learner(model, optimizer, recorded=recorded)
    size, count = arguments.batch, arguments.tokens // arguments.batch
    order = batches(data, 2, LENGTHS if compiled else FINE_LENGTHS, size, count)
    first, spent = _resume(arguments.out, model, optimizer)
    print(f"{count} steps of {size} tokens, from {first}", flush=True)
    begun = saved = time.monotonic()
    seen = 0
    for step in range(first, count):
        minutes = (spent + time.monotonic() - begun) / 60
        done = max(step / count, minutes / arguments.minutes if arguments.minutes else 0.0)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"].fill_(arguments.rate * rate(step, done))
        if step % PROSE_EVERY == 0:
            learner.stay(*prose(data, step, size))
        tokens, chosen, wanted = tensors(data, *order[step], filled=recorded)
        learner.learn(tokens, chosen, wanted)
        seen += tokens.numel()
        if step % 10 == 9:
            speed = seen / (time.monotonic() - begun)
            print(
                f"step {step + 1} done {done:.1%} loss {learner.total.item() / 10:.4f} "
                f"drift {learner.drift.item():.3f} {speed:.0f} tokens/s",
                flush=True,
            )
            learner.total.zero_()
        now = time.monotonic()
        if now - saved > SAVED_EVERY_S:
            _save(arguments.out, model, optimizer, step + 1, spent + now - begun)
            saved = now
    arguments.out.mkdir(parents=True, exist_ok=True)
    learned = {name: value.detach().cpu().numpy() for name, value in model.named_parameters()}
    np.savez(arguments.out / LEARNED, **learned)
    print(f"learned from {seen} tokens")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tokens", type=int, default=3_300_000)
    parser.add_argument("--minutes", type=float, help="End then, with the rate fallen to nothing.")
    parser.add_argument(
        "--begin", type=Path, help="Begin with an earlier run's folder, or an adapter file."
    )
    parser.add_argument("--rate", type=float, default=PEAK_RATE, help="The highest learning rate.")
    parser.add_argument("--batch", type=int, default=BATCH_TOKENS, help="Tokens a step.")
    parser.add_argument("--plain", action="store_true", help="Neither compile nor record.")
    return parser.parse_args()


def _prepare(model: Model, *, recorded: bool, compiled: bool) -> None:
    if recorded:
        # cuDNN's attention makes a plan for each shape, which can't be recorded.
        torch.backends.cuda.enable_cudnn_sdp(False)
        torch.cuda.set_stream(torch.cuda.Stream())
    if compiled:
        for block in model.blocks:
            block.compile()


def _save(
    out: Path, model: Model, optimizer: torch.optim.Optimizer, step: int, spent: float
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    partial = out / "checkpoint.partial"
    torch.save(
        {
            "step": step,
            "spent": spent,
            "model": dict(model.named_parameters()),
            "optimizer": optimizer.state_dict(),
        },
        partial,
    )
    partial.rename(out / "checkpoint.pt")


def _resume(out: Path, model: Model, optimizer: torch.optim.Optimizer) -> tuple[int, float]:
    """Return the step to go on with, and the seconds that have been spent."""
    path = out / "checkpoint.pt"
    if not path.is_file():
        return 0, 0.0
    state = torch.load(path, map_location=DEVICE)
    model.load_state_dict(state["model"], strict=False)
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"]), float(state["spent"])


if __name__ == "__main__":
    main()

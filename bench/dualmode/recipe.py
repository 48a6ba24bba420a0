"""Makes the embedded model's adapter and its card, from nothing: data, training, figures.

    python -m bench.dualmode.recipe [--folder build/dualmode] [--tokens 100000000] [--card]

Needs the packages of the `finetune` group, and up to 14 GB of memory. Where PyTorch finds a GPU (its
CUDA build in place of the CPU's) the training took eleven minutes for a hundred million tokens;
writing examples and prose and evaluating take longer, on the processor. Without one it is ten
million tokens, and a night on two cores, or two hours where they have matrix units. A training that
was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from string import Template
from typing import Any

from bench.dualmode.tasks import held_out, of_new_kinds
from worker.evaluation import lines

ROOT = Path(__file__).parents[2]
CARD = ROOT / "docs" / "embedded-model.md"
CARD_TEMPLATE = Path(__file__).with_name("card.md")
EXAMPLES, HOME, THOUGHTS, SEED = 1_000_000, 1.8, 0.85, 71
TOKENS, TOKENS_WITHOUT_GPU = 100_000_000, 10_000_000
PROSE_SEED, PROSE_BATCHES = 11, 40


def main() -> None:
    """Build, train, export, convert, evaluate, write the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "dualmode")
    parser.add_argument("--tokens", type=int, help="How many to train on, to try it with few.")
    parser.add_argument("--card", action="store_true", help="Only measure and write the card.")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    plain, ours = folder / "smollm2", folder / "dual"
    _run("-c", CONVERT, plain, "")
    if not arguments.card:
        import torch

        usual = TOKENS if torch.cuda.is_available() else TOKENS_WITHOUT_GPU
        tokens = arguments.tokens or usual
        data, run, prose = folder / "data", folder / "run", folder / "prose.jsonl"
        prose.write_text(
            _output(
                "-m", "bench.dualmode.prose", plain, "--seed", PROSE_SEED,
                "--batches", max(1, PROSE_BATCHES * tokens // TOKENS),
            ),
            encoding="utf-8",
        )  # fmt: skip
        _run(
            "-m", "bench.dualmode.dataset", data, "--examples", EXAMPLES * tokens // TOKENS,
            "--home", HOME, "--thoughts", THOUGHTS, "--seed", SEED, "--prose", prose,
        )  # fmt: skip
        _run("-m", "bench.dualmode.train", data, plain, run, "--tokens", tokens)
        _run("-m", "bench.dualmode.export", run / "learned.npz", data / "control.json")
    _run("-c", CONVERT, ours, "dual")
    answers = folder / "answers.jsonl"
    measured = _output(
        "-m", "worker.cli", "eval", "end-to-end", "--model", ours.absolute(), "--at-once", 16,
        "--answers", answers, "--json",
    )  # fmt: skip
    learned = folder / "learned.jsonl"
    _run("-m", "bench.dualmode.tasks", "--learned", learned)
    familiar = _output(
        "-m", "worker.cli", "eval", "end-to-end", "--model", ours.absolute(), "--at-once", 16,
        "--tasks", learned, "--modes", "always", "--json",
    )  # fmt: skip
    commands = folder / "commands.jsonl"
    lines.write(commands, [task for task in held_out() if task.category == "home"])
    free = _output(
        "-m", "worker.cli", "eval", "end-to-end", "--model", ours.absolute(), "--at-once", 16,
        "--tasks", commands, "--modes", "never", "--free", "--json",
    )  # fmt: skip
    ratio = _output("-m", "bench.dualmode.perplexity", ours, plain)
    told = [json.loads(line) for line in answers.read_text("utf-8").splitlines()]
    CARD.write_text(
        card(json.loads(measured), told, json.loads(familiar), json.loads(free), ratio.strip()),
        encoding="utf-8",
    )
    print(CARD)


CONVERT = """
import sys
from pathlib import Path
from worker.engine import blas
blas.prepare()
from worker.engine import gguf
gguf.convert(Path(sys.argv[1]), dual_mode=bool(sys.argv[2]))
"""


def card(
    rows: list[dict[str, Any]],
    answers: list[dict[str, Any]],
    familiar: list[dict[str, Any]],
    free: list[dict[str, Any]],
    perplexity: str,
) -> str:
    """Return the model card with the figures in it.

    Args:
        rows: The evaluation's figures, by strategy and category.
        answers: What each task came to, in each mode.
        familiar: The figures of tasks in wordings that were learned, thought about.
        free: The figures of commands that were not bound to a schema.
        perplexity: Ours, the original's and their ratio, as a text.

    """
    by_name = {(row["strategy"], row["category"]): row for row in rows}
    categories = sorted({row["category"] for row in rows} - {"all", "home"})
    reasoning = {
        strategy: _mean([by_name[strategy, name] for name in categories])
        for strategy in ("never", "always")
    }
    table = [
        f"| {name} | {by_name['never', name]['tasks']} | {by_name['never', name]['accuracy']:.1%} | "
        f"{by_name['always', name]['accuracy']:.1%} | {by_name['always', name]['thought_tokens']:.0f} |"
        for name in [*categories, "home"]
    ]
    new = of_new_kinds(held_out())
    right: dict[bool, dict[str, bool]] = {True: {}, False: {}}
    for one in answers:
        if one["mode"] == "think" and one["category"] != "home":
            right[one["task"] in new][one["task"]] = one["right"]
    everything, auto = by_name["always", "all"], by_name["auto", "all"]
    return Template(CARD_TEMPLATE.read_text("utf-8")).substitute(
        table="\n".join(table),
        home=f"{by_name['never', 'home']['accuracy']:.1%}",
        home_free=f"{_mean([row for row in free if row['category'] == 'home']):.1%}",
        never=f"{reasoning['never']:.1%}",
        always=f"{reasoning['always']:.1%}",
        closed=f"{everything['closed_by_model']:.1%}",
        thought=f"{everything['thought_tokens']:.0f}",
        auto=f"{auto['accuracy']:.1%}",
        auto_tokens=f"{auto['tokens'] / everything['tokens']:.2f}",
        auto_share=f"{auto['accuracy'] / everything['accuracy']:.2f}",
        perplexity=perplexity,
        familiar=sum(row["tasks"] for row in familiar if row["category"] == "all"),
        familiar_right=f"{_mean([row for row in familiar if row['category'] == 'all']):.0%}",
        known=len(right[False]),
        known_right=_share(right[False]),
        new=len(right[True]),
        new_right=_share(right[True]),
    )


def _mean(rows: list[dict[str, Any]]) -> float:
    """Return the share of right answers over several categories."""
    return sum(row["accuracy"] * row["tasks"] for row in rows) / sum(row["tasks"] for row in rows)


def _share(right: dict[str, bool]) -> str:
    return f"{sum(right.values()) / len(right):.0%}"


def _run(*arguments: object) -> None:
    subprocess.run([sys.executable, *map(str, arguments)], check=True, cwd=ROOT)


def _output(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], check=True, cwd=ROOT, stdout=subprocess.PIPE
    )
    return done.stdout.decode()


if __name__ == "__main__":
    main()

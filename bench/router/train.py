"""Trains the router: rebuilds worker/router/router.json and its report from the data beside this.

    python -m bench.router.train [--check]

The model is fitted on everything. What is reported comes from models that had not seen the source
they are asked about: one fit for each source left out; the same scores calibrate the shipped one.
`--check` writes nothing and fails if the shipped file is not what the data makes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
import numpy as np

from bench.router import corpus, learn
from worker.domain.messages import Lane, Mode
from worker.router.classifier import probability
from worker.router.measures import Figures, Judged, by_group, figures, reliability
from worker.router.policy import Preset, choose

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "worker" / "router" / "router.json"
REPORT = Path(__file__).with_name("report.md")

HEAD = """\
# How the router does on sources it has not seen

Written by `python -m bench.router.train`. Each prompt is judged by a model that was trained without any prompt of its source; the thresholds are those of the preset `balanced` and the lane `standard`. *right*: share of right modes; *found*: hard prompts that are thought about; *wasted*: easy ones that are; *ranking*: area under the ROC curve; *off by*: expected calibration error.
"""  # noqa: E501 - a paragraph is one line


def main() -> int:
    """Train, report, and write or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="Only compare with what is shipped.")
    arguments = parser.parse_args()
    examples = corpus.everything()
    concepts = corpus.concepts()
    learned = learn.corpus_of(examples, concepts[0])
    weights = learn.weights_of(examples)
    fitted = learn.fit(learned, weights)
    totals = unseen_totals(learned, weights, fitted)
    # Of what is written to mislead a model that has seen none is too sure; people seldom write so.
    usual = np.where(learned.sources == "tempting", 0.0, weights)
    platt = learn.calibrate(totals, learned.think, usual)
    model = learn.model_of(learned, fitted, platt, concepts)
    written = msgspec.json.format(msgspec.json.encode(model), indent=1) + b"\n"
    report = report_of(examples, totals, platt)
    if arguments.check:
        same = written == SHIPPED.read_bytes() and report == REPORT.read_text("utf-8")
        print("The shipped file is what the data makes." if same else "It is not.")
        return not same
    SHIPPED.write_bytes(written)
    REPORT.write_text(report, "utf-8")
    print(report)
    return 0


def unseen_totals(learned: learn.Corpus, weights: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Return for each example the log odds of a model that had not seen its source."""
    totals = np.zeros(len(weights))
    for source in sorted(set(learned.sources)):
        left_out = learned.sources == source
        apart = learn.fit(learned, weights, ~left_out, fitted, flat=learn.FLAT_ENOUGH)
        totals[left_out] = learn.totals_of(learned, apart)[left_out]
        print(f"left out: {source}", file=sys.stderr)
    return totals


def report_of(
    examples: list[corpus.Example], totals: np.ndarray, platt: tuple[float, float]
) -> str:
    """Return the report: each prompt judged by a model without its source."""
    judged = [
        judged_of(example, probability(platt[0] * float(total) + platt[1]))
        for example, total in zip(examples, totals, strict=True)
        if not example.source.startswith("grammar")
    ]
    said = [one for one in judged if one.groups["as"] == "said"]
    collected = [one for one in said if one.groups["source"] not in corpus.WRITTEN]
    by_source = by_group(said, "source")
    sets = {"collected": collected, "of these, hard cases": by_group(collected, "case")["hard"]}
    sets |= {name: by_source[source] for source, name in corpus.WRITTEN.items()}
    sets["hard cases of the last"] = by_group(by_source["asked"], "case")["hard"]
    sets["all, as heard by a recognizer"] = by_group(judged, "as")["heard"]
    parts = [
        HEAD,
        table("", sets),
        "The rest is of the collected prompts.\n",
        table("language", by_group(collected, "lang")),
        table("category", by_group(collected, "category")),
        table("source left out", by_group(collected, "source")),
        "## Reliability\n",
        "| mean score | share that needs thinking | prompts |\n|---|---|---|",
        *(f"| {mean:.2f} | {share:.2f} | {count} |" for mean, share, count in reliability(said)),
    ]
    return "\n".join(parts) + "\n"


def judged_of(example: corpus.Example, score: float) -> Judged:
    """Return an example with the mode that its score chooses."""
    mode = choose(score, Preset.BALANCED, Lane.STANDARD)
    groups = {
        "lang": example.lang,
        "category": example.category,
        "source": example.source,
        "case": "hard" if example.hard else "plain",
        "as": "heard" if example.heard else "said",
    }
    return Judged(example.think, mode is Mode.THINK, score, groups)


def table(heading: str, groups: dict[str, list[Judged]]) -> str:
    """Return the figures of groups as a table."""
    lines = [
        f"| {heading} | prompts | right | found | wasted | ranking | off by |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, group in groups.items():
        row = figures(group)
        lines.append(f"| {name} | {row.prompts} | {' | '.join(cells(row))} |")
    return "\n".join(lines) + "\n"


def cells(row: Figures) -> list[str]:
    """Return the figures of a row, a dash where there is nothing to say."""
    shares = [row.accuracy, row.recall, row.wasted]
    ranking = "–" if row.ranking is None else f"{row.ranking:.3f}"
    shown = ["–" if share is None else f"{share:.1%}" for share in shares]
    return [*shown, ranking, f"{row.calibration_error:.3f}"]


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    sys.exit(main())

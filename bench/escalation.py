"""Whether to think after all: what an escalation at unsure first tokens would gain, and cost.

    thinkq eval end-to-end --answers FILE     (on the model you run)
    python bench/escalation.py FILE

FILE has what each task came to without a thought, with one, and as the router chose. An escalation
watches the first eight tokens of what the router sends unthinking; if one of them was less sure
than a threshold, it drops them and thinks. Escalating at random as often is the peer: what lies
above it is what the model's own doubt is worth.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

THRESHOLDS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.01)


def main() -> None:
    """Print a row for each threshold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("answers", type=Path)
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.answers.read_text().splitlines()]
    count = len(rows) // 3
    never, always, auto = rows[:count], rows[count : 2 * count], rows[2 * count :]
    auto = [never[i] if one["escalated"] else one for i, one in enumerate(auto)]
    base = right(auto)
    print(f"{count} tasks; never {right(never):.1%}, always {right(always):.1%}, auto {base:.1%}")
    print(f"auto takes {sum(one['completion_tokens'] for one in auto) / count:.1f} tokens a task")
    heads = (
        ("unsure below", 12),
        ("escalated", 11),
        ("right", 8),
        ("at random", 11),
        ("tokens", 9),
    )
    print("".join(head.rjust(width) for head, width in heads))
    for threshold in THRESHOLDS:
        chosen, tokens, escalated = [], 0, 0
        for index, one in enumerate(auto):
            tokens += one["completion_tokens"]
            escalates = one["mode"] == "no_think" and one["least_sure"] < threshold
            if escalates:
                escalated += 1
                # What was said is thrown away, and the thought begins from the same prefill.
                tokens += one["first_tokens"] - one["completion_tokens"]
                tokens += always[index]["completion_tokens"]
            chosen.append(always[index] if escalates else one)
        easy = [i for i, task in enumerate(auto) if task["mode"] == "no_think"]
        gain = sum(always[i]["right"] - auto[i]["right"] for i in easy) / max(1, len(easy))
        print(
            f"{threshold:>12.2f}{escalated / count:>11.1%}{right(chosen):>8.1%}"
            f"{base + gain * escalated / count:>11.1%}{tokens / count:>9.1f}"
        )


def right(rows: list[dict]) -> float:
    """Return the share of right answers."""
    return sum(row["right"] for row in rows) / len(rows)


if __name__ == "__main__":
    main()

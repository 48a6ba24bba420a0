"""What the router's choice is worth where more, or fewer, of the requests are plain commands.

    thinkq eval end-to-end --answers FILE     (on the model you run)
    python bench/mix.py FILE

Two thirds of the tasks that ship are there to be worked out; few houses are like that. The same
answers are weighed so that commands to a home are a given share of all. For each share: how often
the router chose to think; how often it was right and how many tokens it took, over always thinking;
the share of the gap between never and always that it recovers; and the tokens of `ideal`, a choice
that knows beforehand which thoughts will pay.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

SHARES = (1 / 3, 0.5, 2 / 3, 0.8, 0.9)


def main() -> None:
    """Print a row for each share of commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("answers", type=Path)
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.answers.read_text("utf-8").splitlines()]
    count = len(rows) // 3
    never, always, auto = rows[:count], rows[count : 2 * count], rows[2 * count :]
    ideal = [
        two if two["right"] and not one["right"] else one
        for one, two in zip(never, always, strict=True)
    ]
    commands = sum(one["category"] == "home" for one in never)
    heads = ("commands", "thinks", "right", "tokens", "recovered", "ideal")
    print("".join(head.rjust(11) for head in heads))
    for share in SHARES:
        weights = [
            share / commands if one["category"] == "home" else (1 - share) / (count - commands)
            for one in never
        ]
        thinks = sum(
            weight
            for weight, one in zip(weights, auto, strict=True)
            if one["mode"] == "think" or one["escalated"]
        )
        low, high, got = (mean(some, "right", weights) for some in (never, always, auto))
        most, taken, least = (
            mean(some, "completion_tokens", weights) for some in (always, auto, ideal)
        )
        print(
            f"{share:>11.0%}{thinks:>11.1%}{got / high:>11.2f}"
            f"{taken / most:>11.2f}{(got - low) / (high - low):>11.0%}{least / most:>11.2f}"
        )


def mean(rows: list[dict[str, Any]], what: str, weights: list[float]) -> float:
    """Return the weighted mean of a figure; the weights add up to one."""
    return sum(weight * row[what] for weight, row in zip(weights, rows, strict=True))


if __name__ == "__main__":
    main()

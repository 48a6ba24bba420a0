"""Tokens a second through broker, journal and daemon, against mlx-lm itself and its server.

    python bench/throughput.py [--quick] [--repeats 3]

The same prompts, weights and BLAS on every side, in turn, in one job, so that greedy answers are of
the same lengths; a ratio is the median of its pairs. Through thinkq the tokens are streamed over a
loopback Mosquitto, and the clock runs from the first request to the last final reply. The bare side
is one process with the prompts already tokenized: what a BatchGenerator can do here. Three figures
tell what bounds the others: the bare side when one prompt is there a step before the others; the
bare side against the server; and thinkq's greedy tokens against the server's with Qwen's preset,
which is what sampling that costs nothing would come to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bare_peer import BarePeer
from figures import Effort, Figure, medians, paired, run
from pairs import embedded_path
from sides import GREEDY, QWEN, both, stories, throughput

if TYPE_CHECKING:
    from collections.abc import Iterator

BARE = {1: 0.97, 4: 0.97, 16: 0.95}
SERVER, SERVER_PRESET = 1.05, 1.3


def figures(effort: Effort) -> Iterator[Figure]:
    """Yield the ratios for each number of clients."""
    tokens = effort.of(64, 16)
    with BarePeer(embedded_path()) as bare, both() as (ours, theirs):
        for count, wanted in BARE.items():

            def round_of(count: int) -> tuple[float, ...]:
                greedy, sampled = stories(count), stories(count)
                return (
                    throughput(ours, greedy, tokens, GREEDY),
                    bare.throughput(greedy, tokens),
                    throughput(theirs, greedy, tokens, GREEDY),
                    throughput(ours, sampled, tokens, QWEN),
                    throughput(theirs, sampled, tokens, QWEN),
                    bare.throughput(greedy, tokens, apart=True),
                )

            if not effort.quick:
                round_of(count)
            rounds = [round_of(count) for _ in range(effort.repeats)]
            mine, alone, served, preset, served_preset = medians(rounds)[:5]
            yield Figure(f"tokens/s ÷ bare BatchGenerator, {count} clients", wanted,
                         paired(rounds, 1), "more", f"{mine:.1f} / {alone:.1f}, ÷ one that gets "
                         f"the first before the others {paired(rounds, 5):.2f}")  # fmt: skip
            yield Figure(f"tokens/s ÷ mlx_lm.server, {count} clients", SERVER,
                         paired(rounds, 2), "more", f"{mine:.1f} / {served:.1f}, a bare one's "
                         f"{paired([one[1:] for one in rounds]):.2f}")  # fmt: skip
            yield Figure(f"the same with Qwen's preset, {count} clients", SERVER_PRESET,
                         paired([one[3:] for one in rounds]), "more",
                         f"{preset:.1f} / {served_preset:.1f}, were sampling free "
                         f"{paired(rounds, 4):.2f}")  # fmt: skip


if __name__ == "__main__":
    run(figures, __doc__)

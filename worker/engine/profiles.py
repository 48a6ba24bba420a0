"""How each kind of model thinks: its presets, its budgets, what opens and closes a thought.

A profile is chosen from the model itself, not from its name. Presets of Qwen3 are its model
card's ("Best Practices"), its closing sentence is its technical report's (arXiv 2505.09388, 4.3).
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from worker.domain.messages import Mode
from worker.engine.sampling import SamplingParameters

NATIVE_TOKENS = 32_768
"""What Qwen3 reads as it is; YaRN counts from there."""

_SMALL_PARAMETERS = 1_000_000_000

_ESCALATE_BELOW = 0.6
"""Measured on the embedded model by `bench/escalation.py`."""


class Profile(Struct, frozen=True, kw_only=True):
    """How a model thinks and how long it may.

    `thinking` is native where the template knows `enable_thinking` and the vocabulary `<think>`;
    a scaffolded model is asked for a thought by `think_instruction` and for its answer by
    `answer_instruction`. `close_text` ends a native thought that has used up its budget.
    `escalate_below` is the probability of an answer's first tokens below which it thinks after all.
    """

    name: str
    thinking: Literal["native", "scaffolded"]
    think_preset: SamplingParameters
    answer_preset: SamplingParameters
    default_budget_tokens: int
    max_think_tokens: int
    max_answer_tokens: int
    close_text: str = ""
    think_instruction: str = ""
    answer_instruction: str = ""
    escalate_below: float = 0.0

    def preset(self, mode: Mode) -> SamplingParameters:
        """Return how tokens are chosen in a mode unless the client says otherwise."""
        return self.think_preset if mode is Mode.THINK else self.answer_preset

    def max_tokens(self, mode: Mode) -> int:
        """Return how many tokens a reply may have in a mode unless the client says otherwise."""
        return self.max_think_tokens if mode is Mode.THINK else self.max_answer_tokens


_NATIVE = Profile(
    name="native",
    thinking="native",
    think_preset=SamplingParameters(temperature=0.6, top_p=0.95, top_k=20, min_p=0.0),
    answer_preset=SamplingParameters(temperature=0.7, top_p=0.8, top_k=20, min_p=0.0),
    default_budget_tokens=8_192,
    max_think_tokens=16_384,
    max_answer_tokens=4_096,
    close_text=(
        "Considering the limited time by the user, I have to give the solution based on the "
        "thinking directly now.\n</think>\n\n"
    ),
)

_SCAFFOLDED = Profile(
    name="scaffolded",
    thinking="scaffolded",
    think_preset=SamplingParameters(temperature=0.2, top_p=0.9, top_k=20),
    answer_preset=SamplingParameters(temperature=0.2, top_p=0.9, top_k=20),
    default_budget_tokens=1_024,
    max_think_tokens=2_048,
    max_answer_tokens=1_024,
    think_instruction="First work this out step by step, in short sentences.",
    answer_instruction="Now give me only the final answer, in one short sentence.",
)


def profile_of(*, native: bool, parameters: int, greedy: bool = False) -> Profile:
    """Return the profile of a model.

    Args:
        native: Whether its template and vocabulary know thinking.
        parameters: How many weights it has: a small model gains nothing from a long thought.
        greedy: Whether its makers want the likeliest token each time.

    """
    profile = _NATIVE if native else _SCAFFOLDED
    if greedy:
        likeliest = SamplingParameters(temperature=0.0)
        # Of a sampled token a low probability may be style; of the likeliest one it is doubt.
        profile = replace(
            profile,
            think_preset=likeliest,
            answer_preset=likeliest,
            escalate_below=_ESCALATE_BELOW if native else 0.0,
        )
    if parameters >= _SMALL_PARAMETERS:
        return profile
    return replace(profile, default_budget_tokens=160, max_think_tokens=512, max_answer_tokens=384)


def stretched(config: dict[str, Any], factor: int) -> dict[str, Any]:
    """Return the changes to a model's configuration that give it a longer context by YaRN.

    Args:
        config: The model's `config.json`.
        factor: 1 leaves it alone; 4 makes Qwen3's 32,768 tokens 131,072 (its model card,
            "Processing Long Texts").

    """
    if factor == 1:
        return {}
    # Qwen3's config says 40,960: 32,768 and room for an answer. YaRN counts from the former.
    original = min(config.get("max_position_embeddings", NATIVE_TOKENS), NATIVE_TOKENS)
    return {
        "rope_scaling": {
            "rope_type": "yarn",
            "factor": float(factor),
            "original_max_position_embeddings": original,
        },
        "max_position_embeddings": original * factor,
    }

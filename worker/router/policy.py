"""How sure the router must be before it spends a thought: presets, lanes; pure arithmetic.

The score is a probability. Above one threshold thinking is plain, below another it is not; what
lies between is a matter of cost, and there the lane decides.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from worker.domain.messages import Lane, Mode


class Preset(StrEnum):
    """What a wrong answer costs this user against a slow one."""

    QUICK = "quick"
    BALANCED = "balanced"
    THOROUGH = "thorough"


class Band(Struct, frozen=True):
    """Two thresholds on the score: at `low` or below no thinking, at `high` or above thinking."""

    low: float
    high: float


BANDS = {
    Preset.QUICK: Band(0.55, 0.85),
    Preset.BALANCED: Band(0.35, 0.65),
    Preset.THOROUGH: Band(0.15, 0.45),
}

_PLACE_IN_BAND = {Lane.INTERACTIVE: 1.0, Lane.STANDARD: 0.5, Lane.BATCH: 0.0}
"""Where in the band a lane draws its line: somebody waits for the first, nobody for the last."""


def threshold(preset: Preset, lane: Lane, load: float = 0.0) -> float:
    """Return the score from which a question of this lane is thought about.

    Args:
        preset: What being wrong costs.
        lane: Whether somebody waits.
        load: How full the worker is, from 0 to 1; others wait for what this one thinks. It moves
            the line within the band, and not for batch work, which yields to the others anyway.

    """
    band = BANDS[preset]
    place = _PLACE_IN_BAND[lane]
    if lane is not Lane.BATCH:
        place += load * (1.0 - place)
    return band.low + place * (band.high - band.low)


def choose(score: float, preset: Preset, lane: Lane, load: float = 0.0) -> Mode:
    """Return the mode for a score between 0 and 1."""
    return Mode.THINK if score >= threshold(preset, lane, load) else Mode.NO_THINK


class Presets(Struct, frozen=True):
    """The operator's presets: a client's own before its lane's before the general one."""

    general: Preset = Preset.BALANCED
    by_lane: dict[Lane, Preset] = {}
    by_client: dict[str, Preset] = {}

    def of(self, client: str, lane: Lane) -> Preset:
        """Return the preset for a client's request in a lane."""
        return self.by_client.get(client) or self.by_lane.get(lane) or self.general

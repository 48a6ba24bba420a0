"""How fast the engine has been lately, and what that leaves before a deadline; knows no clock."""

from __future__ import annotations

from msgspec import Struct

from worker.domain.messages import Mode

_WEIGHT = 0.1
_MIN_PREFILL_TOKENS = 16
_CHARACTERS_PER_TOKEN = 3.0
_ANSWER_TOKENS = 24
_MIN_THOUGHT_TOKENS = 24
_CAUTION = 0.8


class Speeds:
    """Moving averages of what the engine reports with its steps.

    Before the first step they are unknown and nothing is refused on their account.
    """

    def __init__(self) -> None:
        self.prefill_tokens_per_s: float | None = None
        self.row_tokens_per_s: float | None = None
        """Tokens one row gets a second, at the number of rows that ran lately."""
        self.request_s: float | None = None
        """Seconds a request holds its row."""

    def note_step(self, prefill_tokens: int, prefill_s: float, rows: int, decode_s: float) -> None:
        """Take the figures of one step of the engine."""
        if prefill_tokens >= _MIN_PREFILL_TOKENS and prefill_s > 0:
            self.prefill_tokens_per_s = _mixed(
                self.prefill_tokens_per_s, prefill_tokens / prefill_s
            )
        if rows and decode_s > 0:
            self.row_tokens_per_s = _mixed(self.row_tokens_per_s, 1 / decode_s)

    def note_request(self, seconds: float) -> None:
        """Take how long a request held its row."""
        self.request_s = _mixed(self.request_s, seconds)

    def wait_ms(self, ahead: int, rows: int) -> int:
        """Estimate how long `ahead` requests take to get through `rows` rows, in milliseconds."""
        return max(100, int(1000 * (self.request_s or 1.0) * (ahead + 1) / max(1, rows)))


def _mixed(old: float | None, new: float) -> float:
    return new if old is None else old + _WEIGHT * (new - old)


class Fit(Struct, frozen=True):
    """What fits before a deadline: the most tokens of thought, or that nothing does."""

    reachable: bool
    thought_tokens: int | None = None


def fit(speeds: Speeds, *, characters: int, left_s: float) -> Fit:
    """Say what can be done in the time left for a request of so many characters.

    With nothing measured yet everything fits. A short answer is the least there is to do.
    """
    prefill, decode = speeds.prefill_tokens_per_s, speeds.row_tokens_per_s
    if prefill is None or decode is None:
        return Fit(reachable=left_s > 0)
    prompt_s = characters / _CHARACTERS_PER_TOKEN / prefill
    least_s = prompt_s + 1 / decode
    if left_s < least_s * _CAUTION:
        return Fit(reachable=False)
    spare_s = left_s - prompt_s - _ANSWER_TOKENS / decode
    return Fit(reachable=True, thought_tokens=max(0, int(spare_s * decode * _CAUTION)))


def mode_that_fits(wanted: Mode, thought_tokens: int | None) -> Mode:
    """Return the mode that the time left allows: a thought of a few words is not worth its cost."""
    if thought_tokens is not None and thought_tokens < _MIN_THOUGHT_TOKENS:
        return Mode.NO_THINK
    return wanted

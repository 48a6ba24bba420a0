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


class Measured(Struct):
    """What was measured of a model, to begin with at the next start.

    `fingerprint` is that of the model it was measured on; `row_tokens_per_s` holds, by how many
    rows ran, the tokens that one row got a second; `request_s` is how long a request held its row,
    `load_s` how long loading took.
    """

    fingerprint: str = ""
    prefill_tokens_per_s: float | None = None
    row_tokens_per_s: dict[int, float] = {}
    request_s: float | None = None
    load_s: float | None = None


class Speeds:
    """Moving averages of what an engine reports with its steps, for each number of rows.

    Before the first step they are unknown and nothing is refused on their account.

    Args:
        measured: What is known from the last run.

    """

    def __init__(self, measured: Measured | None = None) -> None:
        self.measured = measured or Measured()
        self._rows = 1

    @property
    def prefill_tokens_per_s(self) -> float | None:
        """Tokens of prompts read a second."""
        return self.measured.prefill_tokens_per_s

    @property
    def row_tokens_per_s(self) -> float | None:
        """Tokens one row gets a second, at the number of rows that ran last."""
        return self.at(self._rows)

    @property
    def load_s(self) -> float | None:
        """Seconds that loading takes."""
        return self.measured.load_s

    def at(self, rows: int) -> float | None:
        """Return the tokens one row gets a second when so many run.

        Where that was never measured it is taken from the nearest number that was.
        """
        known = self.measured.row_tokens_per_s
        if not known:
            return None
        return known[min(known, key=lambda other: (abs(other - rows), other))]

    def begin(self, fingerprint: str) -> None:
        """Note which model is measured from now on; what is known of another one is forgotten."""
        if self.measured.fingerprint not in ("", fingerprint):
            self.measured = Measured()
        self.measured.fingerprint = fingerprint

    def note_step(self, prefill_tokens: int, prefill_s: float, rows: int, decode_s: float) -> None:
        """Take the figures of one step of the engine."""
        measured = self.measured
        if prefill_tokens >= _MIN_PREFILL_TOKENS and prefill_s > 0:
            measured.prefill_tokens_per_s = _mixed(
                measured.prefill_tokens_per_s, prefill_tokens / prefill_s
            )
        if rows and decode_s > 0:
            self._rows = rows
            known = measured.row_tokens_per_s
            known[rows] = _mixed(known.get(rows), 1 / decode_s)

    def note_request(self, seconds: float) -> None:
        """Take how long a request held its row."""
        self.measured.request_s = _mixed(self.measured.request_s, seconds)

    def note_load(self, seconds: float) -> None:
        """Take how long loading took, until now: it is the same work each time."""
        self.measured.load_s = seconds

    def wait_ms(self, ahead: int, rows: int) -> int:
        """Estimate how long `ahead` requests take to get through `rows` rows, in milliseconds."""
        return max(100, int(1000 * (self.measured.request_s or 1.0) * (ahead + 1) / max(1, rows)))


def _mixed(old: float | None, new: float) -> float:
    return new if old is None else old + _WEIGHT * (new - old)


class Fit(Struct, frozen=True):
    """What fits before a deadline: the most tokens of thought, or that nothing does."""

    reachable: bool
    thought_tokens: int | None = None


def fit(speeds: Speeds, *, characters: int, left_s: float, rows: int = 1) -> Fit:
    """Say what can be done in the time left for a request of so many characters.

    With nothing measured yet everything fits. A short answer is the least there is to do.

    Args:
        speeds: How fast the model has been.
        characters: The prompt's length.
        left_s: Until the deadline.
        rows: How many run at once, this request among them.

    """
    prefill, decode = speeds.prefill_tokens_per_s, speeds.at(rows)
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

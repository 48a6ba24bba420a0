"""How fast the engine has been lately, and what that leaves before a deadline; knows no clock."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from worker.domain.messages import Mode

_WEIGHT = 0.1
_STEP_WEIGHT = 0.03
"""A chunk of another's prompt is one long step among many: its cost is spread over some thirty."""
_REMEMBERED_STEPS = 10
"""As many steps of this run weigh as much as what is known from the last one."""
_MIN_PREFILL_TOKENS = 16
_CHARACTERS_PER_TOKEN = 3.0
_ANSWER_TOKENS = 24
_LEAST_ANSWER_TOKENS = 8
"""With fewer an answer is of no use, unless its client wants fewer."""
_MIN_THOUGHT_TOKENS = 24
_CAUTION = 0.8
_STOP_BEFORE_S = 0.25
_STOP_BEFORE_SHARE = 0.1
_ANSWER_SHARE = 0.5


class Measured(Struct):
    """What was measured of a model, to begin with at the next start.

    `fingerprint` is that of the model it was measured on; `row_tokens_per_s` holds, by how many
    rows ran, the tokens that one row got a second, the time counted that others' prompts took;
    `request_s` is how long a request held its row, `request_tokens` how many it wrote meanwhile,
    `batch_tokens_per_s` how many batch work wrote a second from its beginning on, the time counted
    that it stood still; `load_s` is how long loading took.
    """

    fingerprint: str = ""
    prefill_tokens_per_s: float | None = None
    row_tokens_per_s: dict[int, float] = {}
    request_s: float | None = None
    request_tokens: float | None = None
    batch_tokens_per_s: float | None = None
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
        self._steps = Counter(dict.fromkeys(self.measured.row_tokens_per_s, _REMEMBERED_STEPS))

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

    def rows_at_pace(self, share: float, most: int) -> int:
        """Return how many rows may run for each to be at least so fast, of one that runs alone.

        What was never measured is between what was, by the time of a step.

        Args:
            share: Of the speed of a row alone.
            most: As many as there are, which is the answer too while one alone is unknown.

        """
        known = self.measured.row_tokens_per_s
        if 1 not in known:
            return most
        longest_s = 1 / (share * known[1])
        return next((rows for rows in range(most, 1, -1) if self._step_s(rows) <= longest_s), 1)

    def _step_s(self, rows: int) -> float:
        known = self.measured.row_tokens_per_s
        below = max(other for other in known if other <= rows)
        above = min((other for other in known if other > rows), default=below)
        part = (rows - below) / (above - below) if above > below else 0.0
        return (1 - part) / known[below] + part / known[above]

    @property
    def answer_tokens(self) -> float:
        """Tokens that a request writes, thought and answer: the mean of late; 1 while unknown."""
        return self.measured.request_tokens or 1.0

    def reading_s(self, characters: int) -> float:
        """Return how many seconds reading so many characters takes; 0 while unknown."""
        speed = self.measured.prefill_tokens_per_s
        return 0.0 if speed is None else characters / _CHARACTERS_PER_TOKEN / speed

    def begin(self, fingerprint: str) -> None:
        """Note which model is measured from now on; what is known of another one is forgotten."""
        if self.measured.fingerprint not in ("", fingerprint):
            self.measured = Measured()
            self._steps.clear()
        self.measured.fingerprint = fingerprint

    def note_step(
        self, prefill_tokens: int, prefill_s: float, rows: int, decode_s: float, steps: int = 1
    ) -> None:
        """Take the figures of one step of the engine, or the sums of several of as many rows."""
        measured = self.measured
        if prefill_tokens >= _MIN_PREFILL_TOKENS and prefill_s > 0:
            measured.prefill_tokens_per_s = _mixed(
                measured.prefill_tokens_per_s, prefill_tokens / prefill_s
            )
        if rows and decode_s > 0:
            self._rows = rows
            known = measured.row_tokens_per_s
            # What a client sees of its stream, a prompt of another's that was read in between too.
            step_s = (decode_s + max(0.0, prefill_s)) / steps
            before_s = 1 / known[rows] if known.get(rows) else None
            self._steps[rows] += steps
            weight = max(1 - (1 - _STEP_WEIGHT) ** steps, min(1.0, steps / self._steps[rows]))
            known[rows] = 1 / _mixed(before_s, step_s, weight)

    def beside_others(self, rows: int, *, patient: bool) -> float | None:
        """Return the tokens one row gets a second when so many run.

        Args:
            rows: How many.
            patient: Whether it is batch work, that steps aside for others.

        """
        speed, paced = self.at(rows), self.measured.batch_tokens_per_s
        if speed is None or paced is None or not patient:
            return speed
        return min(speed, paced)

    def note_request(self, seconds: float, tokens: int = 0, *, patient: bool = False) -> None:
        """Take how long a request held its row, how many tokens it wrote, and if it was patient."""
        measured = self.measured
        measured.request_s = _mixed(measured.request_s, seconds)
        if tokens > 0:
            measured.request_tokens = _mixed(measured.request_tokens, tokens)
        if patient and tokens >= _MIN_PREFILL_TOKENS and seconds > 0:
            measured.batch_tokens_per_s = _mixed(measured.batch_tokens_per_s, tokens / seconds)

    def note_load(self, seconds: float) -> None:
        """Take how long loading took, until now: it is the same work each time."""
        self.measured.load_s = seconds

    def wait_ms(self, ahead: int, rows: int) -> int:
        """Estimate how long `ahead` requests take to get through `rows` rows, in milliseconds."""
        return max(100, int(1000 * (self.measured.request_s or 1.0) * (ahead + 1) / max(1, rows)))


def _mixed(old: float | None, new: float, weight: float = _WEIGHT) -> float:
    return new if old is None else old + weight * (new - old)


class Fit(Struct, frozen=True):
    """What fits before a deadline: so many tokens of thought, so many in all, or nothing.

    None is as many as anybody wants.
    """

    reachable: bool
    thought_tokens: int | None = None
    tokens: int | None = None


def fit(
    speeds: Speeds,
    *,
    characters: int,
    left_s: float,
    rows: int = 1,
    queue_s: float = 0.0,
    wanted_tokens: int | None = None,
    patient: bool = False,
    thinks: bool = False,
) -> Fit:
    """Say what can be done in the time left for a request of so many characters.

    With nothing measured yet everything fits. A short answer is the least there is to do. What is
    refused, and what a thought may take, is judged with caution in the request's favour; an answer
    gets what there may be time for, as it is stopped in time if there is not.

    Args:
        speeds: How fast the model has been.
        characters: The prompt's length.
        left_s: Until it has to end.
        rows: How many run at once, this request among them.
        queue_s: How long it waits for its turn.
        wanted_tokens: How long its answer may be.
        patient: Whether it steps aside for others.
        thinks: Whether its client wants a thought first, however short.

    """
    prefill, decode = speeds.prefill_tokens_per_s, speeds.beside_others(rows, patient=patient)
    if prefill is None or decode is None:
        return Fit(reachable=left_s > queue_s)
    least_tokens = _LEAST_ANSWER_TOKENS * (2 if thinks else 1)
    least_tokens = min(least_tokens, wanted_tokens or least_tokens)
    begins_s = queue_s + speeds.reading_s(characters)
    if left_s < (begins_s + least_tokens / decode) * _CAUTION:
        return Fit(reachable=False)
    tokens = max(0.0, left_s - begins_s) * decode
    return Fit(
        reachable=True,
        thought_tokens=max(0, int((tokens - _ANSWER_TOKENS) * _CAUTION)),
        tokens=max(least_tokens, int(tokens / _CAUTION)),
    )


def stop_before_s(deadline_s: float) -> float:
    """Return how long before a deadline work ends, so that what there is arrives before it.

    Args:
        deadline_s: From arrival, in seconds.

    """
    return min(_STOP_BEFORE_S, deadline_s * _STOP_BEFORE_SHARE)


def answer_share_s(speeds: Speeds, left_s: float, rows: int, *, patient: bool = False) -> float:
    """Return how long before its end a thought is closed, for the answer to have its share.

    Args:
        speeds: How fast the model has been.
        left_s: Until the request has to end, in seconds.
        rows: How many run at once.
        patient: Whether it steps aside for others.

    """
    decode = speeds.beside_others(rows, patient=patient)
    if decode is None:
        return left_s * _ANSWER_SHARE
    return min(left_s * _ANSWER_SHARE, _ANSWER_TOKENS / decode)


def mode_that_fits(wanted: Mode, thought_tokens: int | None) -> Mode:
    """Return the mode that the time left allows: a thought of a few words is not worth its cost."""
    if thought_tokens is not None and thought_tokens < _MIN_THOUGHT_TOKENS:
        return Mode.NO_THINK
    return wanted

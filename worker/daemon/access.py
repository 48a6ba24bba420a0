"""Quotas over time: requests of the last minute, tokens of the last day; asks the rules for limits.

Rules may be exchanged while requests run: what was counted stays counted.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

from worker.domain.errors import QuotaExceeded, ThinkqError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from worker.domain.access import Quota, Rules
    from worker.domain.messages import Request

MINUTE_S = 60.0
DAY_S = 86_400.0
_GRAIN_S = 60.0
"""Tokens of one minute are kept as one entry: a day of a busy client is 1,440 of them."""


class _Window:
    """Amounts of the last so many seconds, and when enough of them will have passed."""

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._entries: deque[list[float]] = deque()
        self.total = 0.0

    def add(self, now: float, amount: float, grain_s: float = 0.0) -> None:
        if self._entries and now - self._entries[-1][0] < grain_s:
            self._entries[-1][1] += amount
        else:
            self._entries.append([now, amount])
        self.total += amount

    def drop_old(self, now: float) -> None:
        while self._entries and now - self._entries[0][0] >= self._length_s:
            self.total -= self._entries.popleft()[1]

    def wait_s(self, now: float, limit: float) -> float:
        """Return after how many seconds the total will be below a limit."""
        left = self.total
        for moment, amount in self._entries:
            left -= amount
            if left < limit:
                return max(0.0, moment + self._length_s - now)
        return 0.0


class Access:
    """Counts what clients use and says when they have had enough.

    Args:
        rules: The operator's.
        clock: The monotonic clock, in seconds.

    """

    def __init__(self, rules: Rules, clock: Callable[[], float]) -> None:
        self.rules = rules
        self._clock = clock
        self._requests: defaultdict[str, _Window] = defaultdict(lambda: _Window(MINUTE_S))
        self._tokens: defaultdict[str, _Window] = defaultdict(lambda: _Window(DAY_S))

    def use(self, rules: Rules) -> None:
        """Go by other rules from now on."""
        self.rules = rules

    def quota_of(self, client: str) -> Quota:
        """Return what a client may have by the rules of now."""
        return self.rules.quota_of(client)

    def refusal(self, request: Request) -> ThinkqError | None:
        """Return why a new request may not be taken, or None."""
        try:
            self.rules.check(request)
        except ThinkqError as error:
            return error
        quota = self.rules.quota_of(request.client)
        return self._over(
            self._requests, request.client, quota.requests_per_minute, "requests a minute"
        ) or self._over(self._tokens, request.client, quota.tokens_per_day, "tokens a day")

    def count(self, client: str) -> None:
        """Note that a request was taken."""
        if self.rules.quota_of(client).requests_per_minute is not None:
            self._requests[client].add(self._clock(), 1)

    def spend(self, client: str, tokens: int, ago_s: float = 0.0) -> None:
        """Note that tokens were read and written for a client, so many seconds ago."""
        if self.rules.quota_of(client).tokens_per_day is not None:
            self._tokens[client].add(self._clock() - ago_s, tokens, _GRAIN_S)

    @property
    def counts_tokens(self) -> bool:
        """Whether anybody's tokens are limited."""
        return any(quota.tokens_per_day is not None for quota in self.rules.quotas.values())

    def restore(self, spent: Iterable[tuple[str, int, float]]) -> None:
        """Take over what an earlier life of this worker has counted: client, tokens, seconds ago.

        The oldest must come first.
        """
        for client, tokens, ago_s in spent:
            self.spend(client, tokens, ago_s)

    def _over(
        self, windows: dict[str, _Window], client: str, limit: int | None, what: str
    ) -> QuotaExceeded | None:
        if limit is None:
            return None
        now = self._clock()
        window = windows[client]
        window.drop_old(now)
        if window.total < limit:
            return None
        return QuotaExceeded(
            f"{client} may have {limit} {what}",
            retry_after_ms=int(window.wait_s(now, limit) * 1000) + 1,
        )

"""How long to stay away from a broker after losing it; pure but for the jitter."""

from __future__ import annotations

import random

_FIRST_S = 0.25
_LAST_S = 30.0
_MAX_DOUBLINGS = 8

SESSION_TAKEN_OVER = 0x8E
_TAKEN_OVER_S = 120.0

_REFUSALS = {
    0x84: "the broker speaks another version of MQTT: set broker.protocol",
    0x85: "the broker does not accept the client id",
    0x86: "check broker.username and broker.password",
    0x87: "check broker.username and broker.password, and what the broker lets this user do",
    0x8A: "the broker has banned this client",
    0x8C: "the broker wants another way of authentication",
}
"""By MQTT 5 reason code (table 2-6); paho translates those of 3.1.1."""

_SAME_ID = "another client connects with the same client id: give each worker its own"
_SUSPICIOUS_LOSSES = 3


def hint(reason_code: int, losses: int = 0) -> str | None:
    """Say what a person can do about a lost connection, or None.

    Args:
        reason_code: What the broker said.
        losses: How often before this the connection was lost soon after it was made. Not every
            broker says that a session was taken over: Mosquitto 2.0 just closes.

    """
    if reason_code == SESSION_TAKEN_OVER or losses >= _SUSPICIOUS_LOSSES:
        return _SAME_ID
    return _REFUSALS.get(reason_code)


def retry_delay_s(failures: int, reason_code: int) -> float:
    """Return how many seconds to wait before connecting again.

    Doubles with each failure in a row, and is long at once where trying soon can't help: two
    clients with one id would throw each other out for ever. The random half keeps the workers
    of a broker that comes back from arriving together.
    """
    if reason_code == SESSION_TAKEN_OVER:
        longest_s = _TAKEN_OVER_S
    elif reason_code in _REFUSALS:
        longest_s = _LAST_S
    else:
        longest_s = min(_LAST_S, _FIRST_S * 2 ** min(failures, _MAX_DOUBLINGS))
    return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret

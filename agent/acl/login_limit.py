"""Limits how often one bearer token of an auth method is traded for a token of the agent, each of which is stored."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

BURST = 200  # logins with one bearer token at once: as many programs may share it and start together
PER_SECOND = 10.0  # further logins
KNOWN = 10_000  # bearer tokens that are remembered: the last used

_Key = tuple[str, bytes]


class LoginLimit:
    """A token bucket for each bearer token."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[_Key, tuple[float, float]] = (
            OrderedDict()
        )  # remaining logins, and their time (seconds)

    def take(self, method: str, bearer: str, now: float) -> float:
        """Count a login; 0.0, or the seconds until the next one is allowed."""
        key = method, hashlib.blake2b(bearer.encode(errors="replace"), digest_size=16).digest()
        left, since = self._buckets.pop(key, (float(BURST), now))
        left = min(float(BURST), left + max(0.0, now - since) * PER_SECOND)
        allowed = left >= 1
        self._buckets[key] = left - allowed, now
        if len(self._buckets) > KNOWN:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) / PER_SECOND

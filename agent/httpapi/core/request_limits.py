"""Limits on the requests of all callers together (`limits.request_limits`).

The agent's own endpoints and those of status do not count: what keeps a service registered, and what watches the agent,
goes on working. https://developer.hashicorp.com/consul/docs/agent/config/config-files#limits
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from pyconsul.agent.config.sections.http import RequestLimits
from pyconsul.agent.httpapi.core.errors import HTTPError

#: Seconds' worth of requests that may come at once; Consul's factor.
BURST = 10
#: Seconds between two messages about one limit.
LOG_EVERY_S = 10.0
_EXEMPT = ("/v1/agent/", "/v1/status/", "/ui/")
_READ_REFUSED = "rate limit exceeded, try again later or against a different server"
_WRITE_REFUSED = "rate limit exceeded for operation that can only be performed by the leader, try again later"

log = logging.getLogger("agent.http")


class Bucket:
    """Tokens that come at a rate a second, up to a burst; a rate below 0 has no limit."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._burst = max(rate * BURST, 1.0) if rate else 0.0
        self._tokens = self._burst
        self._last = now

    def take(self, now: float) -> bool:
        """Whether there was a token."""
        if self._rate < 0:
            return True
        self._tokens = min(self._burst, self._tokens + (now - self._last) * self._rate)
        self._last = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class RequestRates:
    """The limits in force; `now` counts seconds and never goes back."""

    def __init__(self, limits: RequestLimits, now: Callable[[], float]) -> None:
        self._enforcing = limits.mode.lower() == "enforcing"
        self._now = now
        self._read, self._write = Bucket(limits.read_rate, now()), Bucket(limits.write_rate, now())
        self._logged: dict[str, float] = {}
        self._exceeded: dict[str, int] = {}

    def refusal(self, method: str, pattern: str) -> HTTPError | None:
        """Count a request for a route; what to refuse it with, or None."""
        if pattern.startswith(_EXEMPT):
            return None
        reads = method in ("GET", "HEAD", "OPTIONS")
        now = self._now()
        if (self._read if reads else self._write).take(now):
            return None
        self._log("read" if reads else "write", now)
        if not self._enforcing:
            return None
        return HTTPError(429, _READ_REFUSED) if reads else HTTPError(503, _WRITE_REFUSED)

    def _log(self, kind: str, now: float) -> None:
        self._exceeded[kind] = self._exceeded.get(kind, 0) + 1
        if now - self._logged.get(kind, -LOG_EVERY_S) < LOG_EVERY_S:
            return
        self._logged[kind] = now
        log.warning(
            "requests exceed limits.request_limits.%s_rate: requests=%d refused=%s",
            kind, self._exceeded.pop(kind), str(self._enforcing).lower(),
        )  # fmt: skip


def request_rates(limits: RequestLimits, now: Callable[[], float] = time.monotonic) -> RequestRates | None:
    """None when there is nothing to limit."""
    if limits.mode.lower() == "disabled" or (limits.read_rate < 0 and limits.write_rate < 0):
        return None
    return RequestRates(limits, now)

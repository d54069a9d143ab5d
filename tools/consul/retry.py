"""When a failed query to Consul is tried again. Pure."""

from __future__ import annotations

from typing import Protocol

from pyconsul.agent.common.structs import struct


class Jitter(Protocol):
    """Draws the jitter, as random.Random does."""

    def uniform(self, a: float, b: float, /) -> float:
        """Return a number from `a` to `b`."""
        ...


class LazyRandom:
    """Loads `random` when the first number is drawn."""

    def uniform(self, a: float, b: float, /) -> float:
        """Return a number from `a` to `b`."""
        import random

        return random.uniform(a, b)


@struct(frozen=True)
class RetryPolicy:
    """When a failed query is tried again.

    `attempts`: retries before giving up; 0: without limit; None: 12 before the first answer, then without limit, so
    that an outage does not end running programs. `backoff`, `max_backoff`: seconds before the first and at most
    before any further try; it doubles each time, and up to half of it is jitter.
    """

    enabled: bool = True
    attempts: int | None = None
    backoff: float = 0.25
    max_backoff: float = 60.0

    def delay(self, failures: int, rng: Jitter, *, answered: bool = False) -> float | None:
        """Return the seconds to wait after that many failures in a row (1 …); None: give up."""
        limit = (0 if answered else 12) if self.attempts is None else self.attempts
        if not self.enabled or (limit and failures > limit):
            return None
        longest = min(self.backoff * 2.0 ** min(failures - 1, 32), self.max_backoff)
        return longest * rng.uniform(0.5, 1)

"""Lifeguard: the health score of the local node, and suspicions that end sooner the more members confirm them."""

from __future__ import annotations

from pyconsul.agent.gossip.swim.formulas import expected_confirmations, min_suspicion_s, suspicion_s
from pyconsul.agent.gossip.swim.settings import SwimSettings


class Awareness:
    """A score from 0 (healthy) to `limit` − 1; the higher, the longer this node waits before it accuses others."""

    __slots__ = ("_limit", "score")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.score = 0

    def change(self, delta: int) -> None:
        self.score = min(max(self.score + delta, 0), self._limit - 1)


class Suspicion:
    """Started by an accuser, who does not count as confirmation."""

    __slots__ = ("_expected", "_maximum_s", "_minimum_s", "_started_at", "accusers", "deadline")

    def __init__(self, settings: SwimSettings, members: int, accuser: str, now: float) -> None:
        self._started_at = now
        self._expected = expected_confirmations(settings, members)
        self._minimum_s = min_suspicion_s(settings, members)
        self._maximum_s = settings.suspicion_max_timeout_mult * self._minimum_s
        self.accusers = [accuser]
        self.deadline = self._end()

    def confirm(self, accuser: str) -> bool:
        """Take another accusation; return whether it counts and is to be passed on."""
        if len(self.accusers) > self._expected or accuser in self.accusers:
            return False
        self.accusers.append(accuser)
        self.deadline = self._end()
        return True

    def _end(self) -> float:
        confirmations = len(self.accusers) - 1
        return self._started_at + suspicion_s(confirmations, self._expected, self._minimum_s, self._maximum_s)

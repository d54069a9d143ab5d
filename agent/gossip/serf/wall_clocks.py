"""Wall clocks of the members, compared by probes: own addition, in a field of ack payloads that Serf ignores.

A peer's clock was read in the middle of the round trip, give or take half of it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

from pyconsul.agent.gossip.serf.effects import NOTHING, Effects, LogLine

MAX_OFFSET_S = 2.0  # beyond it the log and `members -why` name the difference
_DOUBLE = struct.Struct(">d")


class WallClocks:
    """The differences between the clock of this agent and those of the members that it probes."""

    def __init__(self, clock: Callable[[], float] | None) -> None:
        """clock: Unix seconds of this agent; None: nothing is compared or sent."""
        self._clock = clock
        self._offsets: dict[str, float] = {}

    @property
    def is_used(self) -> bool:
        """Return whether clocks are compared."""
        return self._clock is not None

    def stamp(self, payload: bytes) -> bytes:
        """Return the payload of an ack, whose last field is the clock, with the present time in it."""
        return payload if self._clock is None else payload[: -_DOUBLE.size] + _DOUBLE.pack(self._clock())

    def observe(self, name: str, clock: float | None, rtt_s: float) -> Effects:
        """Compare the clock of a member, as it was half a round trip ago, with this agent's."""
        if self._clock is None or clock is None or not math.isfinite(clock):
            return NOTHING
        offset = clock + rtt_s / 2 - self._clock()
        known = self._offsets.get(name, 0.0)
        self._offsets[name] = offset
        if abs(offset) <= MAX_OFFSET_S + rtt_s or abs(known) > MAX_OFFSET_S + rtt_s:
            return NOTHING  # equal, or known already
        return (LogLine("clock", f"clocks differ: member={name} {describe(offset)}"),)

    def offset(self, name: str) -> float | None:
        """Return how far the clock of a member is ahead of this agent's, in seconds; None: not known."""
        return self._offsets.get(name)

    def forget(self, name: str) -> None:
        """Drop what is known of a member."""
        self._offsets.pop(name, None)


def describe(offset_s: float) -> str:
    """Return a difference in words."""
    return f"its clock is {abs(offset_s):.1f} s {'ahead of' if offset_s > 0 else 'behind'} this agent's"

"""The graceful leave of this agent: first the intent, then the membership protocol, then some time to let both spread.

| state | entered by | effect | left |
| --- | --- | --- | --- |
| MEMBER | – | – | `start` |
| ANNOUNCING | `start`, another member being alive | leave intent broadcast | it was sent its full number of times, or 5 s |
| DEPARTING | ANNOUNCING over, or `start` | LeaveMembership | the membership protocol has left, or 5 s |
| PROPAGATING | DEPARTING over | – (this agent still answers probes) | leave propagate delay: 3 s; at once if nobody else is alive |
| LEFT | PROPAGATING over | LeftPool | never |

Source: Serf's behavior (PROTOCOL, section 8.8).
"""

from __future__ import annotations

import math
from enum import Enum, auto

from pyconsul.agent.gossip.serf.effects import NOTHING, Effects, LeaveMembership, LeftPool
from pyconsul.agent.gossip.serf.settings import SerfSettings


class LeaveState(Enum):
    """The states of a leave."""

    MEMBER = auto()
    ANNOUNCING = auto()
    DEPARTING = auto()
    PROPAGATING = auto()
    LEFT = auto()


class Leaving:
    """The leave of this agent; the caller broadcasts the intent."""

    def __init__(self, settings: SerfSettings) -> None:
        self._settings = settings
        self._has_peers = False
        self.state = LeaveState.MEMBER
        #: When the present state ends at the latest, in seconds; infinite: never.
        self.deadline = math.inf

    @property
    def is_leaving(self) -> bool:
        """True once a leave was started: leave intents about this agent are its own."""
        return self.state is not LeaveState.MEMBER

    def start(self, now: float, *, has_peers: bool) -> Effects:
        """Begin to leave; a second call changes nothing."""
        if self.is_leaving:
            return NOTHING
        self._has_peers = has_peers
        if not has_peers:
            return self._depart(now)
        self.state, self.deadline = LeaveState.ANNOUNCING, now + self._settings.broadcast_timeout_s
        return NOTHING

    def intent_sent(self, now: float) -> Effects:
        """The intent was sent its full number of times."""
        return self._depart(now) if self.state is LeaveState.ANNOUNCING else NOTHING

    def membership_left(self, now: float) -> Effects:
        """The membership protocol has declared this agent dead, its full number of times."""
        return self._propagate(now) if self.state is LeaveState.DEPARTING else NOTHING

    def tick(self, now: float) -> Effects:
        """Go on if the present state has lasted its longest time."""
        if now < self.deadline:
            return NOTHING
        if self.state is LeaveState.ANNOUNCING:
            return self._depart(now)
        if self.state is LeaveState.DEPARTING:
            return self._propagate(now)
        self.state, self.deadline = LeaveState.LEFT, math.inf
        return (LeftPool(),)

    def _depart(self, now: float) -> Effects:
        self.state, self.deadline = LeaveState.DEPARTING, now + self._settings.broadcast_timeout_s
        return (LeaveMembership(),)

    def _propagate(self, now: float) -> Effects:
        delay_s = self._settings.leave_propagate_delay_s if self._has_peers else 0.0
        self.state, self.deadline = LeaveState.PROPAGATING, now + delay_s
        return self.tick(now)

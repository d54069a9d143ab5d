"""Join and leave intents: the messages by which members, and operators for failed members, declare a status.

What an intent does to a status stands in `members.py`. Here are the clock that orders intents, the intents that this agent sends,
and those that push/pull implies:

| of the peer's state | taken as |
| --- | --- |
| a member on its list of left ones, status time t | leave intent of t + 1: the leave was accepted after t |
| any other member, status time t | join intent of t; if it is this agent and the intent is news, it announces its join again |

Neither is rebroadcast. Source: Serf's behavior (PROTOCOL, sections 8.2, 8.3, 8.8).
"""

from __future__ import annotations

from pyconsul.agent.gossip.serf.effects import NOTHING, Broadcast, Effect, Effects, LogLine, Queue
from pyconsul.agent.gossip.serf.lamport import LamportClock
from pyconsul.agent.gossip.serf.leaving import Leaving
from pyconsul.agent.gossip.serf.members import IntentOutcome, MemberTable
from pyconsul.agent.gossip.serf.settings import SerfSettings
from pyconsul.agent.gossip.wire.serf_messages import Join, Leave, State, encode_serf_message
from pyconsul.agent.model.member import MemberStatus, UnknownMember

#: Token of the broadcast of this agent's own leave intent.
LEAVE_TOKEN = "leave intent"


class Intents:
    """The member clock, and the intents of this agent and of others."""

    def __init__(self, settings: SerfSettings, members: MemberTable, *, seen_time: int = 0) -> None:
        """`seen_time`: the member clock of the snapshot."""
        self._own_name = settings.node_name
        self._members = members
        self.clock = LamportClock()
        self.clock.witness(seen_time)
        self.leaving = Leaving(settings)

    def receive(self, message: Join | Leave, data: bytes, now: float) -> Effects:
        """Take in an intent; `data` is its encoding, to be rebroadcast."""
        if not self.clock.witness(message.time):
            return (LogLine("intent-time", f"ignored intent of {message.node!r}: invalid Lamport time {message.time}"),)
        if isinstance(message, Join):
            outcome = self._members.join_intent(message.node, message.time, now)
        else:
            outcome = self._leave_intent(message.node, message.time, now, prune=message.prune)
        effects = self._caused(outcome, now)
        if outcome.rebroadcast:
            effects.append(Broadcast(Queue.INTENTS, data, replaces=message.node))
        return effects

    def merge(self, state: State, now: float) -> list[Effect]:
        """Take in the clock and the status times of a peer's push/pull."""
        if state.time > 0:
            self.clock.witness(state.time - 1)
        left = dict.fromkeys(state.left_members or ())
        effects: list[Effect] = []
        for name in left:
            time = state.status_times.get(name, 0) + 1
            if self.clock.witness(time):
                effects += self._caused(self._leave_intent(name, time, now, prune=False), now)
        for name, time in state.status_times.items():
            if name in left or not self.clock.witness(time):
                continue
            if self._members.join_intent(name, time, now).rebroadcast and name == self._own_name:
                effects += self._reannounce(now)
        return effects

    def announce_join(self, now: float) -> list[Effect]:
        """Declare that this agent is in the pool: after a join, and to refute a leave that somebody declared for it."""
        message = Join(self.clock.time, self._own_name)
        self.clock.witness(message.time)
        self._members.join_intent(self._own_name, message.time, now)
        return [Broadcast(Queue.INTENTS, encode_serf_message(message), replaces=self._own_name)]

    def _reannounce(self, now: float) -> list[Effect]:
        """Declare again that this agent is in the pool, since a peer has a status of it from an intent that it did not send.

        Own addition: to the peer it may seem to leave, which Serf would not say in a push/pull (see `MemberTable.push_pull_state`).
        """
        return [] if self.leaving.is_leaving else self.announce_join(now)

    def leave(self, now: float) -> Effects:
        """Begin the graceful leave of this agent."""
        if self.leaving.is_leaving:
            return NOTHING
        message = self._draw_leave(self._own_name, prune=False)
        has_peers = self._has_peers()
        effects = list(self.leaving.start(now, has_peers=has_peers))
        self._leave_intent(self._own_name, message.time, now, prune=False)
        if has_peers:
            data = encode_serf_message(message)
            effects.append(Broadcast(Queue.INTENTS, data, replaces=self._own_name, token=LEAVE_TOKEN))
        return effects

    def force_leave(self, name: str, now: float, *, prune: bool) -> Effects:
        """Declare for a failed member that it left; an alive one refutes it. Raises UnknownMember."""
        if name not in self._members:
            raise UnknownMember(name)
        has_peers = self._has_peers()  # before the member counts as leaving: it may be the only one that could refute
        message = self._draw_leave(name, prune=prune)
        outcome = self._leave_intent(name, message.time, now, prune=prune)
        effects = self._caused(outcome, now)
        if has_peers and not outcome.refute:
            effects.append(Broadcast(Queue.INTENTS, encode_serf_message(message), replaces=name))
        return effects

    def broadcast_finished(self, token: str, now: float) -> Effects:
        """A broadcast with this token was sent its full number of times."""
        return self.leaving.intent_sent(now) if token == LEAVE_TOKEN else NOTHING

    def tick(self, now: float) -> list[Effect]:
        """Go on with a leave and with pruning."""
        return [*self.leaving.tick(now), *self._members.prune(now)]

    def deadline(self) -> float:
        """Return when `tick` is due; infinite: never."""
        return min(self.leaving.deadline, self._members.next_prune())

    def _draw_leave(self, name: str, *, prune: bool) -> Leave:
        message = Leave(self.clock.time, name, prune)
        self.clock.increment()
        return message

    def _leave_intent(self, name: str, time: int, now: float, *, prune: bool) -> IntentOutcome:
        return self._members.leave_intent(name, time, now, prune=prune, is_leaving=self.leaving.is_leaving)

    def _caused(self, outcome: IntentOutcome, now: float) -> list[Effect]:
        return [*(self.announce_join(now) if outcome.refute else ()), *outcome.changes]

    def _has_peers(self) -> bool:
        return any(member.name != self._own_name for member in self._members.with_status(MemberStatus.ALIVE))

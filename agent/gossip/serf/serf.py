"""Serf on top of SWIM: one pool, composed of the state machines of this folder.

Everything comes in by a method call with the present time `now` (seconds, of a clock that does not jump), everything goes out as
effects. Nothing here opens a socket or a file; the wall clock is passed in. The driver calls, and carries out the effects:

| input | method |
| --- | --- |
| a user message, by packet or stream | `receive` |
| the membership protocol found, changed or lost a node | `node_up`, `node_updated`, `node_down` |
| push/pull | `local_state`, `merge_state` |
| an acknowledged direct probe with its payload; the payload for this agent's acks | `probe_acknowledged`, `ack_payload` |
| `deadline` has passed | `tick` |
| a join, a leave, a forced leave; a broadcast or a leave was carried out | `intents` |
| a user event | `events.fire` |
| a query, an answer, a key operation, a name conflict; a keyring file was written | `queries` |

The driver reports this agent itself like any other node: up at the start, updated with its tags, down when it leaves.

Timers: members that are gone for too long are erased every 15 s; every 30 s, with the probability failed / alive, a random failed
member is tried again. Source: Serf's behavior (PROTOCOL, section 8.7).
"""

from __future__ import annotations

from collections.abc import Callable

from pyconsul.agent.gossip.serf.coordinates import CoordinateClient, RejectedObservation
from pyconsul.agent.gossip.serf.effects import NOTHING, Effect, Effects, LogLine, MemberChanged, Reconnect
from pyconsul.agent.gossip.serf.events import UserEvents
from pyconsul.agent.gossip.serf.intents import Intents
from pyconsul.agent.gossip.serf.members import MemberTable, Node, member_of
from pyconsul.agent.gossip.serf.queries.keys import Keys
from pyconsul.agent.gossip.serf.queries.pool_queries import PoolQueries
from pyconsul.agent.gossip.serf.recent import RecentMessages
from pyconsul.agent.gossip.serf.rng import Rng
from pyconsul.agent.gossip.serf.settings import SerfSettings
from pyconsul.agent.gossip.serf.snapshot import Contents
from pyconsul.agent.gossip.serf.wall_clocks import WallClocks
from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.serf_messages import (
    Join,
    Leave,
    Query,
    QueryResponse,
    Relay,
    State,
    UserEvent,
    decode_serf_message,
    encode_serf_message,
)
from pyconsul.agent.gossip.wire.serf_payloads import CoordinatePayload, decode_coordinate, encode_coordinate
from pyconsul.agent.model.coordinate import Coordinate
from pyconsul.agent.model.member import MemberEvent, MemberStatus


class Serf:
    """One agent's view of one pool."""

    def __init__(
        self,
        settings: SerfSettings,
        rng: Rng,
        now: float,
        *,
        keyring: Keys = (),
        snapshot: Contents | None = None,
        wall_clock: Callable[[], float] | None = None,
    ) -> None:
        """`keyring`: the keys in use, the primary one first. `snapshot`: the contents of the snapshot file at the start.

        `wall_clock`: Unix seconds, to be compared with those of the members; None: they are not compared.
        """
        seen = snapshot or Contents()
        self._settings = settings
        self._rng = rng
        self._reap_at = now + settings.reap_interval_s
        self._reconnect_at = now + settings.reconnect_interval_s
        self.members = MemberTable(settings)
        self.intents = Intents(settings, self.members, seen_time=seen.clock)
        self.events = UserEvents(size_limit=settings.user_event_size_limit, seen_time=seen.event_clock)
        self.queries = PoolQueries(settings, self.members, rng, keyring=keyring, seen_time=seen.query_clock)
        self.coordinates = CoordinateClient(rng)
        self._handled = RecentMessages()
        self.wall_clocks = WallClocks(wall_clock)
        self._ack_payload = self._encoded(self.coordinates.coordinate)

    def receive(self, data: bytes, now: float) -> Effects:
        """Take in a user message of the membership protocol."""
        if data in self._handled:
            return NOTHING
        try:
            message = decode_serf_message(data)
        except DecodeError as error:
            return (LogLine("serf-message", f"ignored serf message: {error}"),)
        if isinstance(message, UserEvent):
            self._handled.add(data)
            return self.events.receive(message, data)
        if isinstance(message, Join | Leave):
            return self.intents.receive(message, data, now)
        if isinstance(message, Query):
            return self.queries.receive(message, data, now)
        if isinstance(message, QueryResponse):
            return self.queries.receive_response(message, now)
        if isinstance(message, Relay):
            return self.queries.relay(message)
        return (LogLine("serf-message", f"ignored serf message of type {data[0]}: it does not stand by itself"),)

    def node_up(self, node: Node, now: float) -> Effects:
        """The membership protocol found a node alive that was unknown or gone."""
        member, warnings = member_of(node)
        return (*warnings, self.members.node_up(member, now))

    def node_updated(self, node: Node) -> Effects:
        """The address, meta data or versions of a node changed."""
        member, warnings = member_of(node)
        change = self.members.node_updated(member)
        return (*warnings, change) if change else warnings

    def node_down(self, name: str, now: float) -> Effects:
        """The membership protocol declared a node dead, whether it failed or left."""
        change = self.members.node_down(name, now)
        if change is None:
            return NOTHING
        self.coordinates.forget(name)
        self.wall_clocks.forget(name)
        return (change,)

    def local_state(self) -> bytes:
        """Return this agent's part of a push/pull."""
        status_times, left = self.members.push_pull_state()
        state = State(
            time=self.intents.clock.time,
            status_times=status_times,
            left_members=left,
            event_time=self.events.clock.time,
            events=self.events.buffer(),
            query_time=self.queries.clock.time,
        )
        return encode_serf_message(state)

    def merge_state(self, data: bytes, now: float, *, join: bool) -> Effects:
        """Take in a peer's part of a push/pull.

        `join`: this agent called the peer to join its pool (not: it answers a joining peer, or tries a failed member again).
        """
        try:
            state = decode_serf_message(data)
        except DecodeError as error:
            return (LogLine("push-pull", f"ignored serf state: {error}"),)
        if not isinstance(state, State):
            return (LogLine("push-pull", f"ignored serf state: the message has type {data[0]}"),)
        effects = self.intents.merge(state, now)
        for clock, time in ((self.events.clock, state.event_time), (self.queries.clock, state.query_time)):
            if time > 0:
                clock.witness(time - 1)
        if join and self._settings.ignore_old_events_on_join:
            self.events.ignore_before(state.event_time)
        return [*effects, *self.events.merge(state.events)]

    def ack_payload(self) -> bytes:
        """Return the payload of this agent's acks: its coordinate, and its wall clock."""
        return self.wall_clocks.stamp(self._ack_payload)

    def probe_acknowledged(self, name: str, rtt_s: float, payload: bytes) -> Effects:
        """Learn this agent's coordinate from a direct ack; one without a payload teaches nothing."""
        if not payload:
            return NOTHING
        try:
            found = decode_coordinate(payload)
            peer = Coordinate(list(found.vector), found.error, found.adjustment, found.height)
            own = self.coordinates.observe(name, peer, rtt_s)
        except (DecodeError, RejectedObservation) as error:
            return (LogLine("coordinate", f"ignored coordinate: {error}"),)
        self._ack_payload = self._encoded(own)
        return self.wall_clocks.observe(name, found.wall_clock, rtt_s)

    def _encoded(self, coordinate: Coordinate) -> bytes:
        """Return the payload of an ack; the wall clock in it is replaced with each ack."""
        clock = 1.0 if self.wall_clocks.is_used else None
        payload = CoordinatePayload(
            tuple(coordinate.vec), coordinate.error, coordinate.adjustment, coordinate.height, clock
        )
        return encode_coordinate(payload)

    @property
    def deadline(self) -> float:
        """The time at which `tick` is due."""
        return min(self._reap_at, self._reconnect_at, self.intents.deadline(), self.queries.deadline())

    def tick(self, now: float) -> Effects:
        """Do all that is due."""
        effects: list[Effect] = [*self.intents.tick(now), *self.queries.tick(now)]
        if now >= self._reap_at:
            self._reap_at = now + self._settings.reap_interval_s
            effects += self.members.reap(now)
        if now >= self._reconnect_at:
            self._reconnect_at = now + self._settings.reconnect_interval_s
            effects += self._reconnect()
        for effect in effects:
            if isinstance(effect, MemberChanged) and effect.event is MemberEvent.REAP:
                self.coordinates.forget(effect.member.name)
        return effects

    def _reconnect(self) -> Effects:
        failed = self.members.with_status(MemberStatus.FAILED)
        alive = len(self.members.with_status(MemberStatus.ALIVE, MemberStatus.LEAVING))
        if not failed or self.intents.leaving.is_leaving or self._rng.random() > len(failed) / max(alive, 1):
            return NOTHING
        return (Reconnect(self._rng.choice(failed)),)

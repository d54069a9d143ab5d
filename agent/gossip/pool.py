"""One gossip pool without IO: SWIM membership and Serf, brought together.

What one layer decides is given to the other at once; what is left are effects for the driver (`Output`): packets and streams to
send, files to write, and what subscribers are told.

| effect of SWIM | given to Serf as |
| --- | --- |
| MemberJoined, MemberUpdated, MemberLeft | node up, updated, down |
| NameConflict | name conflict |
| ProbeAnswered | round trip and coordinate of a peer |
| UserMessageReceived, UserStateReceived | message, state of a push/pull |
| BroadcastFinished, LeaveFinished | steps of a leave |

| effect of Serf | given to SWIM as |
| --- | --- |
| Broadcast | broadcast of its queue; the queue is cut when it is longer than max(4096, 2 × members) + 25 % |
| SendMessage | user message to one member |
| LeaveMembership | leave |

Every method with `now` (seconds, of a clock that does not jump) returns outputs, to be carried out in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from pyconsul.agent.gossip.explain import explain
from pyconsul.agent.gossip.membership import Explanation
from pyconsul.agent.gossip.serf import effects as serf_effects
from pyconsul.agent.gossip.serf.addresses import ip_text
from pyconsul.agent.gossip.serf.effects import (
    KeyReported,
    LeftPool,
    MemberChanged,
    QueryAcked,
    QueryAnswered,
    QueryClosed,
    QueryHandle,
    QueryReceived,
    ReceivedQuery,
    Reconnect,
    ShutDown,
    StoreKeyring,
    UserEventReceived,
)
from pyconsul.agent.gossip.serf.queries.keys import KeyOperation, Keys
from pyconsul.agent.gossip.serf.rng import Rng
from pyconsul.agent.gossip.serf.serf import Serf
from pyconsul.agent.gossip.serf.settings import SerfSettings, max_queue_depth
from pyconsul.agent.gossip.serf.snapshot import Contents
from pyconsul.agent.gossip.swim import effects as swim_effects
from pyconsul.agent.gossip.swim.effects import ExchangeState, MemberSuspected, SendPacket, SendStreamPing, UdpTested
from pyconsul.agent.gossip.swim.member import Member
from pyconsul.agent.gossip.swim.membership import Admission
from pyconsul.agent.gossip.swim.node import Swim
from pyconsul.agent.gossip.swim.packets import Queue
from pyconsul.agent.gossip.swim.settings import SwimSettings
from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.messages import Address, PacketMessage, PushPull, PushPullNode
from pyconsul.agent.gossip.wire.serf_payloads import decode_tags, encode_tags
from pyconsul.agent.model.member import UnknownMember

Output: TypeAlias = (
    SendPacket
    | SendStreamPing
    | ExchangeState
    | Reconnect
    | MemberChanged
    | MemberSuspected
    | UserEventReceived
    | QueryReceived
    | QueryAcked
    | QueryAnswered
    | QueryClosed
    | KeyReported
    | StoreKeyring
    | UdpTested
    | LeftPool
    | ShutDown
    | swim_effects.LogLine
    | serf_effects.LogLine
)
#: A queue is cut when it is longer than allowed by this factor, so that not every broadcast of a flood has to cut it.
QUEUE_SLACK = 1.25

_Handlers: TypeAlias = dict[type, Callable[[Any, float], Sequence[Any]]]


class GossipPool:
    """One agent in one pool. `swim` and `serf` are to be read only; change them by the methods here."""

    def __init__(
        self,
        swim_settings: SwimSettings,
        serf_settings: SerfSettings,
        local: Member,
        rng: Rng,
        now: float,
        *,
        admission: Admission | None = None,
        packet_overhead: int = 0,
        keyring: Keys = (),
        snapshot: Contents | None = None,
        wall_clock: Callable[[], float] | None = None,
    ) -> None:
        """Parameters as those of `Swim` and `Serf`."""
        serf = self.serf = Serf(serf_settings, rng, now, keyring=keyring, snapshot=snapshot, wall_clock=wall_clock)
        swim = self.swim = Swim(
            swim_settings,
            local,
            rng,
            now,
            admission=admission,
            ack_payload=serf.ack_payload,
            packet_overhead=packet_overhead,
        )
        self._is_joining = False  # during the present merge
        self._handlers: _Handlers = {
            swim_effects.MemberJoined: lambda effect, now: serf.node_up(effect.member, now),
            swim_effects.MemberUpdated: lambda effect, now: serf.node_updated(effect.member),
            swim_effects.MemberLeft: lambda effect, now: serf.node_down(effect.member.name, now),
            swim_effects.NameConflict: self._name_conflict,
            swim_effects.ProbeAnswered: lambda effect, now: serf.probe_acknowledged(
                effect.member.name, effect.rtt_s, effect.payload or b""
            ),
            swim_effects.UserMessageReceived: lambda effect, now: serf.receive(effect.payload, now),
            swim_effects.UserStateReceived: lambda effect, now: serf.merge_state(
                effect.state, now, join=self._is_joining
            ),
            swim_effects.BroadcastFinished: lambda effect, now: serf.intents.broadcast_finished(effect.token, now),
            swim_effects.LeaveFinished: lambda effect, now: serf.intents.leaving.membership_left(now),
            serf_effects.Broadcast: self._broadcast,
            serf_effects.SendMessage: lambda effect, now: swim.send_user_message(
                Address(effect.ip, effect.port), effect.message
            ),
            serf_effects.LeaveMembership: lambda effect, now: swim.leave(now),
        }

    def start(self, now: float) -> list[Output]:
        """Take this agent itself into Serf's members; to be called once, first."""
        return self._settle(self.serf.node_up(self.swim.local, now), now)

    # --- time

    def deadline(self) -> float:
        """Return when `tick` is due; it may change with every other call."""
        return min(self.swim.deadline(), self.serf.deadline)

    def tick(self, now: float) -> list[Output]:
        """Do what is due. Take the packets that have arrived first: they may refute what is about to be declared."""
        outputs = self._settle(self.swim.tick(now), now) if self.swim.deadline() <= now else []
        if self.serf.deadline <= now:
            outputs += self._settle(self.serf.tick(now), now)
        return outputs

    # --- what arrives

    def receive(self, messages: Iterable[PacketMessage], source: Address, now: float) -> list[Output]:
        """Take the messages of a packet, or a user message from a stream."""
        return self._settle(self.swim.receive(messages, source, now), now)

    def push_pull(self, *, join: bool) -> PushPull:
        """Return this agent's half of a push/pull; `join`: it joins by it, tries a failed member, or answers such a request."""
        return self.swim.push_pull(join=join, user_state=self.serf.local_state())

    def merge(self, message: PushPull, now: float, *, is_joining: bool = False) -> list[Output]:
        """Merge a peer's half of a push/pull. Raises swim.push_pull.MergeRefused; then nothing was merged.

        `is_joining`: this agent called the peer to join its pool, so that the pool's old events are not its own.
        """
        self.check_merge(message)
        return self.merge_nodes(message.nodes, now) + self.merge_user_state(message, now, is_joining=is_joining)

    def check_merge(self, message: PushPull) -> None:
        """Begin a merge in parts, for push/pulls of thousands. Raises swim.push_pull.MergeRefused."""
        self.swim.check_merge(message)

    def merge_nodes(self, nodes: Sequence[PushPullNode], now: float) -> list[Output]:
        """Merge some of the members of a push/pull that was checked; packets may be taken in between."""
        return self._settle(self.swim.merge_nodes(nodes, now), now)

    def merge_user_state(self, message: PushPull, now: float, *, is_joining: bool = False) -> list[Output]:
        """Merge Serf's part of a push/pull, after all its members."""
        self._is_joining = is_joining
        return self._settle(self.swim.merge_user_state(message), now)

    # --- what operators do

    def joined(self, now: float) -> list[Output]:
        """Declare that this agent is in the pool, after at least one join has succeeded."""
        return self._settle(self.serf.intents.announce_join(now), now)

    def leave(self, now: float) -> list[Output]:
        """Leave gracefully; LeftPool tells when the sockets may be closed. The agent goes on answering until then."""
        return self._settle(self.serf.intents.leave(now), now)

    def force_leave(self, name: str, now: float, *, prune: bool) -> list[Output]:
        """Declare that a failed member left; with `prune`, erase it. Raises model.member.UnknownMember."""
        return self._settle(self.serf.intents.force_leave(name, now, prune=prune), now)

    def set_tags(self, tags: dict[str, str], now: float) -> list[Output]:
        """Replace the tags of this agent. Raises ValueError if they are too long."""
        return self._settle(self.swim.set_meta(encode_tags(tags), now), now)

    def fire(self, name: str, payload: bytes, now: float, *, coalesce: bool = False) -> tuple[int, list[Output]]:
        """Send a user event to all; returns its Lamport time. Raises serf.events.EventTooLarge."""
        time, effects = self.serf.events.fire(name, payload, coalesce=coalesce)
        return time, self._settle(effects, now)

    def ask(self, name: str, payload: bytes, now: float, **options: Any) -> tuple[QueryHandle, list[Output]]:
        """Ask a query; options and exceptions as those of `PoolQueries.ask`."""
        handle, effects = self.serf.queries.ask(name, payload, now, **options)
        return handle, self._settle(effects, now)

    def respond(self, query: ReceivedQuery, payload: bytes, now: float) -> list[Output]:
        """Answer a query. Raises QueryError if it was answered, is over, or the answer is too large."""
        return self._settle(self.serf.queries.respond(query, payload, now), now)

    def manage_keys(
        self, operation: KeyOperation, key: str, now: float, *, relay_factor: int = 0
    ) -> tuple[QueryHandle, list[Output]]:
        """Start a key operation on all members, which ends with KeyReported. Raises ValueError if the key is not base64."""
        handle, effects = self.serf.queries.manage_keys(operation, key, now, relay_factor=relay_factor)
        return handle, self._settle(effects, now)

    def keyring_stored(self, stored: StoreKeyring, error: str, now: float) -> list[Output]:
        """The keyring file was written, or not (`error`)."""
        return self._settle(self.serf.queries.keyring_stored(stored, error, now), now)

    def test_udp(self, address: Address, now: float) -> list[Output]:
        """Find out whether UDP passes between this agent and an address, both ways, before joining it; `UdpTested` tells."""
        return self._settle(self.swim.test_udp(address, now), now)

    def explain(self, name: str, now: float, *, undecryptable_packets: int = 0) -> Explanation:
        """Return why a member has its status; see `explain.explain`. Raises model.member.UnknownMember."""
        member = self.serf.members.get(name)
        if member is None:
            raise UnknownMember(name)
        if name == self.swim.local.name:
            return Explanation(member, ("it is this agent",))
        return explain(
            member,
            self.swim.explain(name),
            now,
            undecryptable_packets=undecryptable_packets,
            clock_offset_s=self.serf.wall_clocks.offset(name),
        )

    # --- between the layers

    def _settle(self, effects: Iterable[Any], now: float) -> list[Output]:
        """Give each effect to the other layer, and what follows from it, until only outputs are left."""
        outputs: list[Output] = []
        for effect in effects:
            handler = self._handlers.get(type(effect))
            if handler is None:
                outputs.append(effect)
            else:
                outputs += self._settle(handler(effect, now), now)
        return outputs

    def _broadcast(self, effect: serf_effects.Broadcast, now: float) -> Sequence[Any]:
        queue = Queue(effect.queue)
        effects = self.swim.broadcast(queue, effect.message, now, key=effect.replaces, token=effect.token)
        depth = max_queue_depth(len(self.serf.members))
        if self.swim.queue_length(queue) > depth * QUEUE_SLACK:
            effects += self.swim.prune(queue, depth)
        return effects

    def _name_conflict(self, effect: swim_effects.NameConflict, now: float) -> Sequence[Any]:
        known, other = effect.member, effect.other
        is_same = bool(node_id := _node_id(other)) and node_id == _node_id(known)
        return self.serf.queries.name_conflict(other.name, f"{ip_text(other.ip)}:{other.port}", now, is_same=is_same)


def _node_id(member: Member) -> str:
    """Return the node ID of an agent; "" for other members."""
    try:
        return decode_tags(member.meta).get("id", "")
    except DecodeError:
        return ""

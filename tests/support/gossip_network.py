"""Gossip pools on a virtual network: packets take time and may be lost, streams are exact; time is virtual."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import TypeVar

from pyconsul.agent.gossip.pool import GossipPool, Output
from pyconsul.agent.gossip.serf.addresses import ip_bytes
from pyconsul.agent.gossip.serf.effects import LeftPool, Reconnect, StoreKeyring
from pyconsul.agent.gossip.serf.settings import SerfSettings
from pyconsul.agent.gossip.serf.snapshot import Contents
from pyconsul.agent.gossip.swim.effects import ExchangeState, SendPacket, SendStreamPing
from pyconsul.agent.gossip.swim.member import Member, MemberState
from pyconsul.agent.gossip.swim.settings import CONSUL_LAN, SwimSettings
from pyconsul.agent.gossip.wire.messages import Address
from pyconsul.agent.gossip.wire.serf_payloads import encode_tags
from pyconsul.agent.model.member import MemberStatus

VERSIONS = bytes([1, 5, 2, 2, 5, 4])  # Consul's

E = TypeVar("E")


class NetworkAgent:
    """One agent: its pool, and what it has been told."""

    def __init__(self, name: str, address: Address, pool: GossipPool) -> None:
        self.name, self.address, self.pool = name, address, pool
        self.outputs: list[Output] = []
        self.is_up = True
        self.timer = float("inf")

    def statuses(self) -> dict[str, MemberStatus]:
        return {member.name: member.status for member in self.pool.serf.members}

    def all(self, kind: type[E]) -> list[E]:
        return [output for output in self.outputs if isinstance(output, kind)]


class Network:
    """Agents by address. `delay_s` and `loses` say how a packet from one address to another fares."""

    def __init__(self, *, seed: int = 1, settings: SwimSettings = CONSUL_LAN) -> None:
        self.now = 0.0
        self.rng = random.Random(seed)
        self.settings = settings
        self.agents: dict[Address, NetworkAgent] = {}
        self.delay_s: Callable[[NetworkAgent, NetworkAgent], float] = lambda sender, receiver: 0.0005
        self.loses: Callable[[NetworkAgent, NetworkAgent], bool] = lambda sender, receiver: False
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def start(
        self,
        name: str,
        address: str,
        *,
        keyring: tuple[bytes, ...] = (),
        tags: dict[str, str] | None = None,
        snapshot: Contents | None = None,
    ) -> NetworkAgent:
        where = Address(ip_bytes(address), 8301)
        local = Member(name, where, encode_tags(tags or {}), VERSIONS, 1, MemberState.ALIVE, self.now)
        serf_settings = SerfSettings(node_name=name)
        pool = GossipPool(self.settings, serf_settings, local, self.rng, self.now, keyring=keyring, snapshot=snapshot)
        agent = self.agents[where] = NetworkAgent(name, where, pool)
        self.carry_out(agent, pool.start(self.now))
        return agent

    def join(self, agent: NetworkAgent, peer: NetworkAgent) -> None:
        self.exchange(agent, peer.address, join=True, is_joining=True)
        self.carry_out(agent, agent.pool.joined(self.now))

    def exchange(self, agent: NetworkAgent, address: Address, *, join: bool, is_joining: bool = False) -> None:
        peer = self._reachable(agent, address)
        if peer is None:
            return
        halves = agent.pool.push_pull(join=join), peer.pool.push_pull(join=join)
        self.carry_out(peer, peer.pool.merge(halves[0], self.now))
        self.carry_out(agent, agent.pool.merge(halves[1], self.now, is_joining=is_joining))

    def carry_out(self, agent: NetworkAgent, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, SendPacket):
                self._send(agent, output)
            elif isinstance(output, ExchangeState):
                self.exchange(agent, output.member.address, join=output.join)
            elif isinstance(output, Reconnect):
                address = Address(ip_bytes(output.member.address), output.member.port)
                self.exchange(agent, address, join=True)
            elif isinstance(output, SendStreamPing):
                peer = self._reachable(agent, output.address)
                if peer is not None:
                    agent.pool.swim.stream_ack(output.ping.seq_no)
            elif isinstance(output, StoreKeyring):
                self.carry_out(agent, agent.pool.keyring_stored(output, "", self.now))
            else:
                agent.outputs.append(output)
                if isinstance(output, LeftPool):
                    agent.is_up = False
        self._arm(agent)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, action = heapq.heappop(self._queue)
            action()
        self.now = end

    def run_until(self, condition: Callable[[], bool], seconds: float) -> float:
        """Run until a condition holds; returns the seconds that it took, and fails after `seconds`."""
        started = self.now
        while not condition():
            assert self.now - started < seconds, f"not within {seconds} virtual seconds"
            self.run(0.05)
        return self.now - started

    def _reachable(self, agent: NetworkAgent, address: Address) -> NetworkAgent | None:
        peer = self.agents.get(address)
        return peer if peer is not None and peer.is_up and peer is not agent else None

    def _send(self, sender: NetworkAgent, packet: SendPacket) -> None:
        receiver = self.agents.get(packet.address)
        if receiver is None or self.loses(sender, receiver):
            return
        messages = [*packet.messages, *(broadcast.message for broadcast in packet.broadcasts)]
        self._at(
            self.now + self.delay_s(sender, receiver),
            lambda: self._deliver(receiver, messages, sender.address),  # type: ignore[arg-type]
        )

    def _deliver(self, receiver: NetworkAgent, messages: list[object], source: Address) -> None:
        if receiver.is_up and self.agents.get(receiver.address) is receiver:
            self.carry_out(receiver, receiver.pool.receive(messages, source, self.now))  # type: ignore[arg-type]

    def _arm(self, agent: NetworkAgent) -> None:
        due = max(agent.pool.deadline(), self.now)
        if agent.is_up and due < agent.timer:
            agent.timer = due
            self._at(due, lambda: self._tick(agent, due))

    def _tick(self, agent: NetworkAgent, due: float) -> None:
        if agent.timer != due or not agent.is_up:
            return
        agent.timer = float("inf")
        self.carry_out(agent, agent.pool.tick(self.now))

    def _at(self, time: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (time, self._count, action))

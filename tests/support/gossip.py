"""Members of gossip pools, and pools of Serf's state machines in virtual time, for unit tests."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from pyconsul.agent.gossip.serf.addresses import ip_bytes
from pyconsul.agent.gossip.serf.effects import (
    Broadcast,
    Effect,
    Effects,
    LogLine,
    QueryHandle,
    SendMessage,
    StoreKeyring,
)
from pyconsul.agent.gossip.serf.serf import Serf
from pyconsul.agent.gossip.serf.settings import SerfSettings
from pyconsul.agent.gossip.wire.messages import PushPullNode
from pyconsul.agent.gossip.wire.serf_payloads import encode_tags
from pyconsul.agent.model.member import Member, MemberStatus

E = TypeVar("E", bound=Effect)


def member(
    name: str,
    *,
    address: str = "10.0.0.1",
    port: int = 8301,
    tags: dict[str, str] | None = None,
    status: MemberStatus = MemberStatus.ALIVE,
) -> Member:
    return Member(name, address, port, tags or {}, status)


def node(member: Member) -> PushPullNode:
    """Return the member as the membership protocol knows it."""
    versions = (member.protocol_min, member.protocol_max, member.protocol_current)
    delegate = (member.delegate_min, member.delegate_max, member.delegate_current)
    ip = ip_bytes(member.address)
    return PushPullNode(member.name, ip, member.port, encode_tags(member.tags), 1, 0, bytes(versions + delegate))


class VirtualAgent:
    """One agent of a virtual pool: its Serf, and what it has delivered."""

    def __init__(self, pool: VirtualPool, own: Member, serf: Serf) -> None:
        self.pool, self.member, self.serf = pool, own, serf
        self.delivered: list[Effect] = []
        self.keyring_error = ""
        self.is_up = True

    @property
    def name(self) -> str:
        return self.member.name

    def carry_out(self, effects: Effects) -> None:
        """Deliver messages at once; keep all other effects in `delivered`."""
        for effect in effects:
            if isinstance(effect, Broadcast):
                self.pool.broadcast(self, effect)
            elif isinstance(effect, SendMessage):
                self.pool.send(self, effect)
            elif isinstance(effect, StoreKeyring):
                self.delivered.append(effect)
                self.carry_out(self.serf.queries.keyring_stored(effect, self.keyring_error, self.pool.now))
            else:
                self.delivered.append(effect)

    def take(self, kind: type[E]) -> list[E]:
        """Return what was delivered of one kind, and forget everything delivered."""
        found = [effect for effect in self.delivered if isinstance(effect, kind)]
        self.delivered.clear()
        return found

    def status(self, name: str) -> MemberStatus | None:
        found = self.serf.members.get(name)
        return found.status if found else None


class VirtualPool:
    """Agents whose messages arrive at once; `loses(sender, receiver)` says which are lost."""

    def __init__(self, *names: str, now: float = 0.0, seed: int = 1, **settings: object) -> None:
        self.now = now
        self.rng = random.Random(seed)
        self.settings = settings
        self.agents: dict[str, VirtualAgent] = {}
        self.loses: Callable[[str, str], bool] = lambda sender, receiver: False
        for name in names:
            self.add(name)

    def add(self, name: str, *, keyring: tuple[bytes, ...] = (), tags: dict[str, str] | None = None) -> VirtualAgent:
        """Start an agent that knows all others and is known to them, by the membership protocol alone."""
        own = member(name, address=f"10.0.0.{len(self.agents) + 1}", tags=tags)
        settings = SerfSettings(node_name=name, **self.settings)  # type: ignore[arg-type]
        agent = self.agents[name] = VirtualAgent(self, own, Serf(settings, self.rng, self.now, keyring=keyring))
        for other in self.agents.values():
            agent.carry_out(agent.serf.node_up(node(other.member), self.now))
            if other is not agent:
                other.carry_out(other.serf.node_up(node(own), self.now))
        return agent

    def __getitem__(self, name: str) -> VirtualAgent:
        return self.agents[name]

    def broadcast(self, sender: VirtualAgent, effect: Broadcast) -> None:
        for receiver in list(self.agents.values()):
            if receiver is not sender and receiver.is_up and not self.loses(sender.name, receiver.name):
                receiver.carry_out(receiver.serf.receive(effect.message, self.now))
        if effect.token:
            sender.carry_out(sender.serf.intents.broadcast_finished(effect.token, self.now))

    def send(self, sender: VirtualAgent, effect: SendMessage) -> None:
        for receiver in self.agents.values():
            address = (ip_bytes(receiver.member.address), receiver.member.port)
            if receiver.is_up and (effect.ip, effect.port) == address and not self.loses(sender.name, receiver.name):
                receiver.carry_out(receiver.serf.receive(effect.message, self.now))

    def push_pull(self, one: VirtualAgent, other: VirtualAgent, *, join: bool = False) -> None:
        """`one` calls `other`: both send their state before either merges."""
        states = one.serf.local_state(), other.serf.local_state()
        other.carry_out(other.serf.merge_state(states[0], self.now, join=False))
        one.carry_out(one.serf.merge_state(states[1], self.now, join=join))

    def down(self, name: str) -> None:
        """The membership protocol declares a node dead, at all others."""
        self.agents[name].is_up = False
        for agent in self.agents.values():
            if agent.is_up:
                agent.carry_out(agent.serf.node_down(name, self.now))

    def wait(self, seconds: float) -> None:
        """Let time pass, with each timer at its time."""
        end = self.now + seconds
        while True:
            agent = min((it for it in self.agents.values() if it.is_up), key=lambda it: it.serf.deadline)
            if agent.serf.deadline > end:
                break
            self.now = max(self.now, agent.serf.deadline)
            agent.carry_out(agent.serf.tick(self.now))
        self.now = end


def ask(agent: VirtualAgent, name: str = "uptime", payload: bytes = b"?", **options: object) -> QueryHandle:
    """Ask all members of the pool, with a call's options."""
    handle, effects = agent.serf.queries.ask(name, payload, agent.pool.now, **options)  # type: ignore[arg-type]
    agent.carry_out(effects)
    return handle


def categories(effects: Effects) -> list[str]:
    """Return the categories of the log lines among the effects."""
    return [effect.category for effect in effects if isinstance(effect, LogLine)]

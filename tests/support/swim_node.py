"""One node of the membership protocol under the hands of a test."""

from __future__ import annotations

import random
from typing import TypeVar

import msgspec

from pyconsul.agent.gossip.swim.effects import Effect, SendPacket
from pyconsul.agent.gossip.swim.member import Member, MemberState
from pyconsul.agent.gossip.swim.membership import Admission
from pyconsul.agent.gossip.swim.node import Swim
from pyconsul.agent.gossip.swim.packets import Queue
from pyconsul.agent.gossip.swim.settings import LAN, SwimSettings
from pyconsul.agent.gossip.wire.messages import Address, Alive, PacketMessage

VERSIONS = bytes((1, 5, 2, 2, 5, 4))
SOURCE = Address(b"\x0a\0\0\x63", 8301)  # of packets whose sender does not matter

T = TypeVar("T", bound=Effect)


def address_of(name: str) -> Address:
    return Address(bytes((10, 0, 0, sum(name.encode()) % 250)), 8301)


def alive(name: str, incarnation: int = 1, *, meta: bytes = b"", versions: bytes = VERSIONS) -> Alive:
    address = address_of(name)
    return Alive(incarnation, name, address.ip, address.port, meta, versions)


class Harness:
    """A node called `self`, the time, and everything it asked for since the last `take`."""

    def __init__(
        self,
        *members: str,
        settings: SwimSettings = LAN,
        admission: Admission | None = None,
        ack_payload: bytes | None = None,
        seed: int = 1,
    ) -> None:
        local = Member("self", address_of("self"), b"", VERSIONS, 1, MemberState.ALIVE, 0.0)
        self.now = 0.0
        self.swim = Swim(
            settings, local, random.Random(seed), 0.0, admission=admission, ack_payload=lambda: ack_payload
        )
        self.effects: list[Effect] = []
        for name in members:
            self.hear(alive(name))
        self.drain()

    def hear(self, *messages: PacketMessage, source: Address = SOURCE) -> list[Effect]:
        """Receive a packet; return what it caused."""
        effects = self.swim.receive(messages, source, self.now)
        self.effects += effects
        return effects

    def run_for(self, duration_s: float) -> list[Effect]:
        """Let time pass, and everything happen when it is due; return what it caused."""
        end, caused = self.now + duration_s, []
        while self.swim.deadline() <= end:
            self.now = max(self.now, self.swim.deadline())
            caused += self.swim.tick(self.now)
        self.now = end
        self.effects += caused
        return caused

    def drain(self) -> None:
        """Forget all broadcasts and effects."""
        for queue in Queue:
            self.swim.prune(queue, 0)
        self.effects.clear()

    def take(self, kind: type[T]) -> list[T]:
        """Return the effects of one kind, and forget all."""
        found = [effect for effect in self.effects if isinstance(effect, kind)]
        self.effects = []
        return found

    def sent(self) -> list[tuple[Address, PacketMessage]]:
        """Return the messages sent, broadcasts included, and forget all effects."""
        return [
            (packet.address, message)
            for packet in self.take(SendPacket)
            for message in (*packet.messages, *(broadcast.message for broadcast in packet.broadcasts))
        ]

    def broadcasts(self) -> list[PacketMessage]:
        """Return the membership broadcasts that wait."""
        tiers = self.swim._sender._queues[0]._tiers.values()
        return [broadcast.message for tier in tiers for _, broadcast in tier]

    def state_of(self, name: str) -> MemberState | None:
        member = self.swim.members.get(name)
        return member.state if member else None

    def incarnation_of(self, name: str) -> int:
        member = self.swim.members.get(name)
        assert member is not None
        return member.incarnation


def with_settings(settings: SwimSettings = LAN, **changes: object) -> SwimSettings:
    return msgspec.structs.replace(settings, **changes)

"""The contract between a gossip pool and the rest of the agent: who is a member, joining and leaving, events, keys.

Only data of `model` and of Serf's effects crosses it; no packet, socket or timer does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import msgspec

from pyconsul.agent.gossip.serf.effects import KeyReport, MemberChanged, UserEventReceived
from pyconsul.agent.model.coordinate import Coordinate
from pyconsul.agent.model.member import Member

#: What subscribers are told of, in the order in which it happened.
PoolEvent: TypeAlias = MemberChanged | UserEventReceived


class JoinFailure(msgspec.Struct, frozen=True):
    """An address that could not be joined, and why: "dial tcp 10.0.0.3:8301: connect: connection refused"."""

    address: str
    reason: str
    is_unresolved: bool = False  # no address was found for the host name

    @property
    def text(self) -> str:
        """The whole error, as Consul words it."""
        return f"Failed to {'resolve' if self.is_unresolved else 'join'} {self.address}: {self.reason}"


class JoinResult(msgspec.Struct, frozen=True):
    """The result of a join. One contact is enough to be in the pool."""

    contacted: int
    failures: tuple[JoinFailure, ...] = ()
    #: Contacts that answered by TCP, but whose UDP packets do not arrive, or ours not there.
    without_udp: tuple[str, ...] = ()
    #: Contacts that were this agent itself, since its own address was in the list; they are part of `contacted`.
    contacted_self: int = 0


class Explanation(msgspec.Struct, frozen=True):
    """Why a member has its status, as far as this agent saw it itself; None: never. Times are seconds ago, or from now."""

    member: Member
    #: One sentence each, the most important first: "no ack for 12.3 s", "UDP is blocked, TCP works".
    reasons: tuple[str, ...]
    last_ack_s: float | None = None
    last_tcp_ack_s: float | None = None
    missed_probes: int = 0
    accusers: tuple[str, ...] = ()
    fails_in_s: float | None = None
    clock_offset_s: float | None = None  # how far its wall clock is ahead of this agent's


class Keyring(Protocol):
    """The gossip keys of all members; keys are base64. Each operation ends with a report: see its `error`.

    All raise ValueError if a key is not base64 ("illegal base64 data at input byte 4").
    """

    @property
    def is_encrypted(self) -> bool:
        """True if this agent has gossip keys."""

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Return the gossip keys of this agent, the primary one first."""

    async def list(self, *, relay_factor: int = 0) -> KeyReport:
        """Count the members that have each key."""

    async def install(self, key: str, *, relay_factor: int = 0) -> KeyReport:
        """Let all members accept a key."""

    async def use(self, key: str, *, relay_factor: int = 0) -> KeyReport:
        """Let all members encrypt with an installed key."""

    async def remove(self, key: str, *, relay_factor: int = 0) -> KeyReport:
        """Let all members forget a key that is not in use."""


class Membership(Protocol):
    """One pool of this agent (LAN or WAN)."""

    @property
    def local(self) -> Member:
        """This agent."""

    @property
    def coordinate(self) -> Coordinate:
        """The network coordinate of this agent in this pool."""

    @property
    def keyring(self) -> Keyring:
        """The gossip keys of the pool."""

    def members(self) -> Sequence[Member]:
        """Return all members, this agent included, also those that left or failed and are not erased yet."""

    def coordinate_of(self, name: str) -> Coordinate | None:
        """Return the coordinate of a member, as it reported it with its last ack; None if it is not known."""

    def stats(self) -> dict[str, str]:
        """Return the figures that `/v1/agent/self` shows as `serf_lan`: "members", "failed", "health_score", "event_queue" …"""

    def explain(self, name: str) -> Explanation:
        """Return why a member has its status. Raises model.member.UnknownMember."""

    async def join(self, addresses: Sequence[str]) -> JoinResult:
        """Join the pools of these addresses (`[NAME/]HOST[:PORT]`; host names with all their addresses). Never raises."""

    async def leave(self) -> None:
        """Leave gracefully, so that the others see this agent as left and not as failed; ends when they have heard of it."""

    def force_leave(self, name: str, *, prune: bool = False) -> None:
        """Declare that a failed member left; with `prune`, erase it. Raises model.member.UnknownMember."""

    def fire(self, name: str, payload: bytes) -> int:
        """Send a user event to all members, this one included; returns its Lamport time. Raises EventTooLarge."""

    def set_tags(self, tags: dict[str, str]) -> None:
        """Replace the tags of this agent. Raises ValueError if they are too long."""

    def subscribe(self, listener: Callable[[PoolEvent], None]) -> Callable[[], None]:
        """Call a listener at each event from now on; returns a function that ends it. The listener must not block."""


class OpenPool(Membership, Protocol):
    """A pool with open sockets, for its owner."""

    async def close(self) -> None:
        """Close the sockets and write what is left to the files. Without `leave`, the others see this agent fail."""

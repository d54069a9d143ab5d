"""A gossip pool whose members and answers a test sets; nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from pyconsul.agent.gossip.consul.tags import ServerTags, client_tags
from pyconsul.agent.gossip.membership import Explanation, JoinResult, PoolEvent
from pyconsul.agent.gossip.serf.effects import KeyReport, MemberChanged, UserEventReceived
from pyconsul.agent.model.coordinate import ORIGIN, Coordinate
from pyconsul.agent.model.member import Member, MemberEvent, MemberStatus, UnknownMember

ALIVE, LEAVING, LEFT, FAILED = MemberStatus.ALIVE, MemberStatus.LEAVING, MemberStatus.LEFT, MemberStatus.FAILED
BUILD = "1.21.4:pyconsul"


def client(
    name: str, node_id: str = "", *, address: str = "10.0.0.1", status: MemberStatus = ALIVE, datacenter: str = "dc1"
) -> Member:
    """Return a client agent as a member; its node ID is made of its name by default."""
    tags = client_tags(node_id=node_id or f"id-{name}", datacenter=datacenter, build=BUILD)
    return Member(name, address, 8301, tags, status)


def server(name: str, node_id: str = "", *, address: str = "10.0.0.1", status: MemberStatus = ALIVE) -> Member:
    """Return a server as a member."""
    tags = ServerTags(node_id=node_id or f"id-{name}", datacenter="dc1", build=BUILD, port=8300, wan_join_port=8302)
    return Member(name, address, 8301, tags.for_lan(), status)


class ScriptedKeyring:
    """A keyring that records the operations and gives the next report."""

    def __init__(self, *, is_encrypted: bool = True) -> None:
        self.is_encrypted = is_encrypted
        self.keys = (bytes(32),) if is_encrypted else ()
        self.report = KeyReport(members=1, responses=1)
        self.calls: list[tuple[str, str, int]] = []

    async def list(self, *, relay_factor: int = 0) -> KeyReport:
        return self._answer("list", "", relay_factor)

    async def install(self, key: str, *, relay_factor: int = 0) -> KeyReport:
        return self._answer("install", key, relay_factor)

    async def use(self, key: str, *, relay_factor: int = 0) -> KeyReport:
        return self._answer("use", key, relay_factor)

    async def remove(self, key: str, *, relay_factor: int = 0) -> KeyReport:
        return self._answer("remove", key, relay_factor)

    def _answer(self, operation: str, key: str, relay_factor: int) -> KeyReport:
        if key == "***":
            raise ValueError("illegal base64 data at input byte 0")
        self.calls.append((operation, key, relay_factor))
        return self.report


class ScriptedPool:
    """A `Membership`; the first member is this agent."""

    def __init__(self, *members: Member) -> None:
        self.known = {member.name: member for member in members or (server("s1"),)}
        self.name = next(iter(self.known))
        self.keyring = ScriptedKeyring()
        self.coordinates: dict[str, Coordinate] = {}
        self.explanations: dict[str, Explanation] = {}
        self.join_result = JoinResult(1)
        self.joined: list[Sequence[str]] = []
        self.forced: list[tuple[str, bool]] = []
        self.fired: list[tuple[str, bytes]] = []
        self.left = False
        self.figures = {"members": "1"}
        self._listeners: list[Callable[[PoolEvent], None]] = []
        self._time = 1

    @property
    def local(self) -> Member:
        return self.known[self.name]

    @property
    def coordinate(self) -> Coordinate:
        return self.coordinates.get(self.name, ORIGIN)

    def members(self) -> Sequence[Member]:
        return tuple(self.known.values())

    def coordinate_of(self, name: str) -> Coordinate | None:
        return self.coordinates.get(name)

    def stats(self) -> dict[str, str]:
        return self.figures

    def explain(self, name: str) -> Explanation:
        if name not in self.known:
            raise UnknownMember(name)
        return self.explanations.get(name) or Explanation(self.known[name], ("it is alive",))

    async def join(self, addresses: Sequence[str]) -> JoinResult:
        self.joined.append(addresses)
        return self.join_result

    async def leave(self) -> None:
        self.left = True

    def force_leave(self, name: str, *, prune: bool = False) -> None:
        if name not in self.known:
            raise UnknownMember(name)
        self.forced.append((name, prune))

    def fire(self, name: str, payload: bytes) -> int:
        self.fired.append((name, payload))
        self._time += 1
        self.publish(UserEventReceived(self._time, name, payload, False))
        return self._time

    def set_tags(self, tags: dict[str, str]) -> None:
        self.known[self.name] = replace(self.local, tags=tags)

    def subscribe(self, listener: Callable[[PoolEvent], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, event: PoolEvent) -> None:
        """Tell the subscribers of an event."""
        for listener in tuple(self._listeners):
            listener(event)

    def put(self, member: Member, event: MemberEvent = MemberEvent.UPDATE) -> None:
        """Set a member, and tell the subscribers."""
        self.known[member.name] = member
        self.publish(MemberChanged(event, member))

    def erase(self, name: str) -> None:
        """Erase a member, and tell the subscribers."""
        self.publish(MemberChanged(MemberEvent.REAP, self.known.pop(name)))

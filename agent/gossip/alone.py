"""The membership of an agent without gossip (`ports.serf_lan = -1`): it is the only member of its pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from pyconsul.agent.gossip.membership import Explanation, JoinFailure, JoinResult, PoolEvent
from pyconsul.agent.gossip.serf.effects import KeyReport, MemberChanged, UserEventReceived
from pyconsul.agent.gossip.serf.events import UserEvents
from pyconsul.agent.gossip.serf.queries.keys import KeyOperation, KeyringError, changed, request_payload
from pyconsul.agent.gossip.serf.settings import SerfSettings
from pyconsul.agent.model.coordinate import ORIGIN, Coordinate
from pyconsul.agent.model.member import Member, MemberEvent, UnknownMember

REASON = "gossip is off (ports.serf_lan = -1)"


class NoKeyring:
    """The keyring of a pool without encryption: every operation fails, with Serf's text."""

    is_encrypted = False
    keys: tuple[bytes, ...] = ()

    def __init__(self, name: str) -> None:
        """`name`: that of the only member."""
        self._name = name

    async def list(self, *, relay_factor: int = 0) -> KeyReport:
        """Report an empty list of keys."""
        return self._failure("Keyring is empty (encryption not enabled)")

    async def install(self, key: str, *, relay_factor: int = 0) -> KeyReport:
        """Report that this agent has no keyring. Raises ValueError."""
        return self._refuse(KeyOperation.INSTALL, key)

    async def use(self, key: str, *, relay_factor: int = 0) -> KeyReport:
        """Report that this agent has no keyring. Raises ValueError."""
        return self._refuse(KeyOperation.USE, key)

    async def remove(self, key: str, *, relay_factor: int = 0) -> KeyReport:
        """Report that this agent has no keyring. Raises ValueError."""
        return self._refuse(KeyOperation.REMOVE, key)

    def _refuse(self, operation: KeyOperation, key: str) -> KeyReport:
        request_payload(operation, key)
        try:
            changed((), operation, b"")
        except KeyringError as error:
            return self._failure(str(error))
        raise AssertionError("an empty keyring was changed")

    def _failure(self, text: str) -> KeyReport:
        return KeyReport(members=1, responses=1, errors=1, messages={self._name: text})


class Alone:
    """A `Membership` of one member."""

    coordinate: Coordinate = ORIGIN

    def __init__(self, local: Member) -> None:
        """`local`: this agent."""
        self.local = local
        self.keyring = NoKeyring(local.name)
        self._events = UserEvents(size_limit=SerfSettings(node_name=local.name).user_event_size_limit)
        self._listeners: list[Callable[[PoolEvent], None]] = []

    def members(self) -> Sequence[Member]:
        """Return this agent."""
        return (self.local,)

    def coordinate_of(self, name: str) -> Coordinate | None:
        """Return the coordinate of this agent; None for any other name."""
        return self.coordinate if name == self.local.name else None

    def stats(self) -> dict[str, str]:
        """Return the figures that `/v1/agent/self` shows."""
        zeros = ("failed", "left", "health_score", "intent_queue", "event_queue", "query_queue", "coordinate_resets")
        times = {"member_time": "1", "event_time": str(self._events.clock.time), "query_time": "1"}
        return {"members": "1", "encrypted": "false", **dict.fromkeys(zeros, "0"), **times}

    def explain(self, name: str) -> Explanation:
        """Return why this agent is alive. Raises UnknownMember."""
        self._require(name)
        return Explanation(self.local, ("it is this agent", REASON))

    async def join(self, addresses: Sequence[str]) -> JoinResult:
        """Fail for every address."""
        return JoinResult(0, tuple(JoinFailure(address, REASON) for address in addresses))

    async def leave(self) -> None:
        """Do nothing: no other agent would notice."""

    def force_leave(self, name: str, *, prune: bool = False) -> None:
        """Do nothing: this agent is alive. Raises UnknownMember."""
        self._require(name)

    def fire(self, name: str, payload: bytes) -> int:
        """Send a user event to this agent; returns its Lamport time. Raises EventTooLarge."""
        time, effects = self._events.fire(name, payload, coalesce=False)
        for effect in effects:
            if isinstance(effect, UserEventReceived):
                self._publish(effect)
        return time

    def set_tags(self, tags: dict[str, str]) -> None:
        """Replace the tags of this agent."""
        if tags != self.local.tags:
            self.local = replace(self.local, tags=tags)
            self._publish(MemberChanged(MemberEvent.UPDATE, self.local))

    def subscribe(self, listener: Callable[[PoolEvent], None]) -> Callable[[], None]:
        """Call a listener at each event from now on; returns a function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def close(self) -> None:
        """Do nothing: no socket is open."""

    def _publish(self, event: PoolEvent) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    def _require(self, name: str) -> None:
        if name != self.local.name:
            raise UnknownMember(name)

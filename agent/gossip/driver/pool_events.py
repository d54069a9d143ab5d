"""Tells subscribers, the log and the snapshot file what happens in a pool."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pyconsul.agent.gossip.driver.pool_log import PoolLog, plain
from pyconsul.agent.gossip.driver.snapshot_file import SnapshotFile
from pyconsul.agent.gossip.membership import Explanation, PoolEvent
from pyconsul.agent.gossip.serf.addresses import host_port
from pyconsul.agent.gossip.serf.effects import MemberChanged, QueryReceived, UserEventReceived
from pyconsul.agent.gossip.swim.effects import MemberSuspected
from pyconsul.agent.model.member import MemberEvent, UnknownMember

#: Lines about members that pass in one interval of the log.
MEMBER_LINES = 50
_LINES = {
    MemberEvent.JOIN: ("member joined", logging.INFO),
    MemberEvent.LEAVE: ("member left", logging.INFO),
    MemberEvent.FAILED: ("member failed", logging.WARNING),
    MemberEvent.UPDATE: ("member updated", logging.DEBUG),
    MemberEvent.REAP: ("member erased", logging.INFO),
}


class PoolEvents:
    """The listeners of a pool, and what is kept of its events."""

    def __init__(
        self, own_name: str, explain: Callable[[str], Explanation], snapshot: SnapshotFile | None, log: PoolLog
    ) -> None:
        """`explain` returns why a member has its status; it may raise UnknownMember."""
        self._own_name = own_name
        self._explain = explain
        self._snapshot = snapshot
        self._log = log
        self._listeners: list[Callable[[PoolEvent], None]] = []

    def subscribe(self, listener: Callable[[PoolEvent], None]) -> Callable[[], None]:
        """Call a listener at each event from now on; returns a function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def member_changed(self, effect: MemberChanged) -> None:
        """A member joined, left, failed, changed or was erased."""
        if self._snapshot is not None:
            self._snapshot.record(effect)
        name = effect.member.name
        if name != self._own_name:
            event, level = _LINES[effect.event]
            reason = self._reason(name) if effect.event is MemberEvent.FAILED else ""
            text = f"{event}: member={plain(name)} address={host_port(effect.member)}{reason}"
            self._log.line(event, text, level, burst=MEMBER_LINES)
        self._publish(effect)

    def member_suspected(self, effect: MemberSuspected) -> None:
        """A member did not answer; it may still do so."""
        name = effect.member.name
        text = f"member suspected: member={plain(name)}{self._reason(name)}"
        self._log.line("member suspected", text, logging.INFO, burst=MEMBER_LINES)

    def event_received(self, effect: UserEventReceived) -> None:
        """A user event is delivered."""
        if self._snapshot is not None:
            self._snapshot.record(effect)
        self._publish(effect)

    def query_received(self, effect: QueryReceived) -> None:
        """Record a delivered query: this agent answers none of users, but a restart must not deliver it again."""
        if self._snapshot is not None:
            self._snapshot.record(effect)

    def _publish(self, event: PoolEvent) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:
                self._log.failure("a listener of gossip failed", error)

    def _reason(self, name: str) -> str:
        try:
            return f" reason={'; '.join(self._explain(name).reasons)!r}"
        except UnknownMember:
            return ""

"""The timeline: what changed in the catalog lately, kept in memory, and since when each check has been in its state."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import ServiceInstance
from pyconsul.agent.state.contract import R, Schema
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES

MAX_ENTRIES = 10_000
KEPT_S = 3600.0  # older entries are dropped
OUTPUT_CHARACTERS = 300  # of an output that are kept


@dataclass(frozen=True, slots=True)
class Change:
    """A change.  time: Unix seconds.   kind: `check`, `service` or `node`.   name: of the check, the service, or the node.

    before, after: states of a check; `""` where the thing did not exist before, or does not any more; for services and nodes
    `"registered"` and `""`.   service, service_id: of the check, "" for a node's own.
    """

    time: float
    kind: str
    name: str
    node: str
    before: str
    after: str
    service: str = ""
    service_id: str = ""
    check_id: str = ""
    output: str = ""


class Observed(Protocol):
    """The part of the state that reports changes."""

    @property
    def restored(self) -> int:
        """Return the index at which another state last took the place of this one; 0 for never."""

    def observe(self, schema: Schema[R], observer: Callable[[R | None, R | None], None]) -> None:
        """Call an observer with the old and the new row of each change of a table."""


class Timeline:
    """The changes of the last hour.  clock: returns Unix seconds.

    A restore replaces everything at once and is not observed: what was known of the state before it is dropped.
    """

    def __init__(self, state: Observed, clock: Callable[[], float]) -> None:
        self._clock, self._state, self._restored = clock, state, state.restored
        self._changes: deque[Change] = deque(maxlen=MAX_ENTRIES)
        self._since: dict[tuple[str, str], float] = {}
        state.observe(CHECKS, self._check)
        state.observe(SERVICES, self._service)
        state.observe(NODES, self._node)

    def latest(self) -> Iterator[Change]:
        """Yield the changes of the last hour, the latest first."""
        self._drop_replaced()
        oldest = self._clock() - KEPT_S
        while self._changes and self._changes[0].time < oldest:
            self._changes.popleft()
        return reversed(self._changes)

    def since(self, node: str, check_id: str) -> float | None:
        """Return since when a check has been in its state; None for longer than this agent has run."""
        self._drop_replaced()
        return self._since.get((node.lower(), check_id))

    def _drop_replaced(self) -> None:
        if self._state.restored != self._restored:
            self._restored = self._state.restored
            self._changes.clear()
            self._since.clear()

    def _check(self, old: HealthCheck | None, new: HealthCheck | None) -> None:
        row = new or old
        if row is None or (old is not None and new is not None and old.status == new.status):
            return
        self._drop_replaced()
        key, now = (row.node.lower(), row.check_id), self._clock()
        if new is None:
            self._since.pop(key, None)
        else:
            self._since[key] = now
        self._changes.append(
            Change(
                now,
                "check",
                row.name,
                row.node,
                old.status if old else "",
                new.status if new else "",
                row.service_name,
                row.service_id,
                row.check_id,
                row.output[:OUTPUT_CHARACTERS],
            )
        )

    def _service(self, old: ServiceInstance | None, new: ServiceInstance | None) -> None:
        row = new or old
        if row is None or (old is None) == (new is None):
            return
        before, after = ("", "registered") if old is None else ("registered", "")
        name = row.service.service
        self._changes.append(Change(self._clock(), "service", name, row.node, before, after, name, row.service.id))

    def _node(self, old: Node | None, new: Node | None) -> None:
        row = new or old
        if row is None or (old is None) == (new is None):
            return
        before, after = ("", "registered") if old is None else ("registered", "")
        self._changes.append(Change(self._clock(), "node", row.node, row.node, before, after))

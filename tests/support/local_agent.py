"""An agent's own part without processes or disks: a catalog in memory, a scheduler that only remembers, a clock that stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.definition import node_service
from pyconsul.agent.sync.local_agent import AliasView, LocalAgent, Notify
from pyconsul.agent.sync.local_rows import ALL
from pyconsul.agent.sync.local_state import LocalState
from pyconsul.agent.sync.local_store import LocalStore
from pyconsul.agent.sync.node_registration import CONSUL, NodeRegistration
from pyconsul.agent.sync.syncer import Syncer

NODE = "n1"


def check_row(check_id: str, service_id: str = "", status: str = "critical", output: str = "") -> HealthCheck:
    return HealthCheck(NODE, check_id, check_id, status, "", output, service_id, "", [], "", "", "", {}, 0, 0)


def service_row(service_id: str, name: str = "", **fields: Any) -> NodeService:
    return node_service(name or service_id, id=service_id, **fields)


def me(**fields: Any) -> NodeRegistration:
    node = {"id": "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01", "address": "10.0.0.1", "meta": {}, **fields}
    row = Node(node=NODE, datacenter="dc1", tagged_addresses=None, create_index=0, modify_index=0, **node)
    return NodeRegistration(row, service_row(CONSUL), check_row("serfHealth", status="passing"))


class Catalog:
    """A store whose writes are made at once; with `broken` they fail."""

    def __init__(self, schemas: Iterable[Any] | None = None) -> None:
        self.store = Store() if schemas is None else Store(schemas=schemas)
        self.broken = False
        self.commits = 0

    def write(self, operation: Callable[[WriteTxn], Any]) -> None:
        txn = WriteTxn(self.store)
        txn.begin(self.store.index + 1, 0.0)
        operation(txn)
        changeset = txn.finish()
        if changeset:
            self.store.install(changeset)

    async def commit(self, operation: Callable[[WriteTxn], Any]) -> None:
        self.commits += 1
        if self.broken:
            raise OSError("the disk is full")
        self.write(operation)


class Remembered:
    """Takes the place of the scheduler."""

    def __init__(self, notify: Notify, view: AliasView) -> None:
        self.notify, self.view = notify, view
        self.checks: dict[str, CheckDefinition] = {}

    def add(self, key: str, definition: CheckDefinition, status: str = "") -> None:
        self.checks[key] = definition

    def remove(self, key: str) -> None:
        self.checks.pop(key, None)

    def is_ttl(self, key: str) -> bool:
        return key in self.checks and self.checks[key].ttl > 0

    def ttl_update(self, key: str, status: str, output: str) -> str:
        self.notify(key, status, output)
        return output


class World:
    """An agent, its catalog, what it keeps, and the time."""

    def __init__(self, durable: bool = True, patience: float = 0.0) -> None:
        self.now = 1000.0
        self.catalog, self.disk = Catalog(), Catalog(ALL)
        self.local = LocalState(self.catalog.store.watches)
        self.syncer = Syncer(self.local, me(), self.catalog.store, self.catalog.commit, Random(1))
        self.store = LocalStore(self.disk.commit if durable else None)
        self.scheduler: Remembered
        self.agent = LocalAgent(
            NODE,
            self.local,
            self.syncer,
            self.store,
            self.catalog.store,
            self._made,
            lambda: self.now,
            patience=patience,
        )

    def _made(self, notify: Notify, view: AliasView) -> Remembered:
        self.scheduler = Remembered(notify, view)
        return self.scheduler

    def kept(self) -> list[tuple[str, Any]]:
        """The rows a new start would find."""
        return [(schema.name, row) for schema in ALL for row in self.disk.store[schema]]

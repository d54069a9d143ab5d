"""The local half of an agent without processes or disks: a catalog in memory, a scheduler that runs nothing, a fixed clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.watches import Watches
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.anti_entropy.blocked import Permits
from pyconsul.agent.sync.anti_entropy.local_catalog import LocalCatalog
from pyconsul.agent.sync.anti_entropy.syncer import Syncer
from pyconsul.agent.sync.check_results import CheckResults
from pyconsul.agent.sync.definition import node_service
from pyconsul.agent.sync.local_agent import LocalAgent
from pyconsul.agent.sync.local_rows import ALL
from pyconsul.agent.sync.local_state import LocalState
from pyconsul.agent.sync.local_store import LocalStore
from pyconsul.agent.sync.node_registration import CONSUL, NodeRegistration

NODE = "n1"


def check_row(check_id: str, service_id: str = "", status: str = "critical", output: str = "") -> HealthCheck:
    return HealthCheck(NODE, check_id, check_id, status, "", output, service_id, "", [], "", "", "", {}, 0, 0)


def service_row(service_id: str, name: str = "", **fields: Any) -> NodeService:
    return node_service(name or service_id, id=service_id, **fields)


def me(**fields: Any) -> NodeRegistration:
    node = {"id": "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01", "address": "10.0.0.1", "meta": {}, **fields}
    row = Node(node=NODE, datacenter="dc1", tagged_addresses=None, create_index=0, modify_index=0, **node)
    return NodeRegistration(row, service_row(CONSUL), check_row("serfHealth", status="passing"))


class Disk:
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
    """A scheduler that runs nothing."""

    def __init__(self, notify: Callable[[str, str, str], None]) -> None:
        self.notify = notify
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
    """The local half of an agent, its catalog, its disk and the time."""

    def __init__(
        self,
        durable: bool = True,
        output_delay_s: float = 0.0,
        permits: Permits | None = None,
        view: View | None = None,
    ) -> None:
        self.now = 1000.0
        self.catalog, self.disk = Disk(), Disk(ALL)
        self.shown = LocalCatalog(self.catalog.store, self.catalog.commit)
        self.local = LocalState(Watches())
        self.syncer = Syncer(self.local, me(), self.shown, Random(1), permits=permits)
        self.store = LocalStore(self.disk.commit if durable else None)
        self.results = CheckResults(self.local, self.syncer, lambda: self.now, output_delay_s=output_delay_s)
        self.scheduler = Remembered(self.results.notify)
        self.agent = LocalAgent(
            NODE,
            self.local,
            self.syncer,
            self.store,
            self.scheduler,
            self.results,
            lambda: self.now,
            view or self.catalog.store,
        )

    def kept(self) -> list[tuple[str, Any]]:
        """Return the rows a new start would find."""
        return [(schema.name, row) for schema in ALL for row in self.disk.store[schema]]

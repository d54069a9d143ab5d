"""Transactions through the writer: one that fails changes nothing, one that succeeds does what its operations do one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService, Weights
from pyconsul.agent.model.session import Session
from pyconsul.agent.state import kv, sessions, txn_operations
from pyconsul.agent.state.catalog import nodes
from pyconsul.agent.state.schemas import ALL
from pyconsul.agent.state.schemas import INDEXES as NAMED
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.txn_operations import (
    CheckOperation,
    Failed,
    KVOperation,
    NodeOperation,
    Operation,
    ServiceOperation,
)
from pyconsul.agent.state.write_txn import WriteTxn

NOW = 1000.0
KEYS = ["a", "a/b", "a/b/c", "ab", "ü"]
NODES = ["n1", "N2", "n3"]
CATALOG_VERBS = ["get", "set", "cas", "delete", "delete-cas"]
INDEXES = st.one_of(st.integers(0, 12), st.just(10_000))


def node(node_id: str, name: str, address: str, index: int) -> Node:
    return Node(node_id, name, address, "dc1", None, None, 0, index)


def service(service_id: str, name: str, port: int, index: int) -> NodeService:
    return NodeService(
        id=service_id, service=name, tags=[], address="", meta=None, port=port, weights=Weights(),
        enable_tag_override=False, create_index=0, modify_index=index,
    )  # fmt: skip


def check(of_node: str, check_id: str, service_id: str, status: str, index: int) -> HealthCheck:
    return HealthCheck(of_node, check_id, check_id, status, "", "", service_id, "", [], "", "", "", {}, 0, index)


KEY_OPERATIONS = st.builds(
    KVOperation,
    st.sampled_from(sorted(txn_operations.KV_VERBS)),
    st.sampled_from(KEYS),
    st.sampled_from([None, b"", b"1", b"2"]),
    st.integers(0, 1),
    INDEXES,
    st.sampled_from(["s1", "s2", "none", ""]),
)
VERBS = st.sampled_from(CATALOG_VERBS)
NODE_ROWS = st.builds(
    node, st.sampled_from(["", "id1", "id2"]), st.sampled_from(NODES), st.sampled_from(["1.1.1.1", "2.2.2.2"]), INDEXES
)
SERVICE_ROWS = st.builds(
    service, st.sampled_from(["x", "y"]), st.sampled_from(["web", "Db"]), st.integers(1, 2), INDEXES
)
CHECK_ROWS = st.builds(
    check,
    st.sampled_from(NODES),
    st.sampled_from(["c", "d"]),
    st.sampled_from(["", "x", "y"]),
    st.sampled_from(["passing", "critical"]),
    INDEXES,
)
OPERATIONS = st.one_of(
    KEY_OPERATIONS,
    KEY_OPERATIONS,
    st.builds(NodeOperation, VERBS, NODE_ROWS),
    st.builds(ServiceOperation, VERBS, st.sampled_from(NODES), SERVICE_ROWS),
    st.builds(CheckOperation, VERBS, CHECK_ROWS),
)
TRANSACTIONS = st.lists(st.lists(OPERATIONS, min_size=1, max_size=5), max_size=12)


def prepare(txn: WriteTxn) -> None:
    """What a transaction may meet: two nodes, two sessions, one of them holding a key."""
    for name in NODES[:2]:
        nodes.ensure_node(txn, node("", name, "1.1.1.1", 0))
    for session_id, of_node in (("s1", "n1"), ("s2", "N2")):
        sessions.create(txn, Session(session_id, "", of_node, 10**9, "release", "", [], [], 0, 0))
    kv.put(txn, "a", b"1", 0)
    kv.acquire(txn, "a/b", b"1", 0, "s1")


def written() -> Store:
    """Return a store in which all that was done."""
    store = Store()
    txn = WriteTxn(store)
    txn.begin(1, NOW)
    prepare(txn)
    store.install(txn.finish())
    return store


def state(store: Store) -> dict[str, Any]:
    """Return every row of every table, and every index."""
    tables = {schema.name: {schema.key(row): row for row in store[schema]} for schema in ALL}
    return {**tables, "index": store.index, "named": {row.name: row.index for row in store[NAMED]}}


class Wakes:
    """Counts how often a watcher of everything is woken."""

    def __init__(self, store: Store) -> None:
        self.store, self.count = store, 0
        self.store.watches.add(self._woken, (), ("",))

    def _woken(self) -> None:
        self.count += 1
        self.store.watches.add(self._woken, (), ("",))  # who was woken is forgotten

    def taken(self) -> int:
        """How often it was since the last time."""
        count, self.count = self.count, 0
        return count


def copy(store: Store) -> Store:
    """Another store with the same rows."""
    return Store([(schema.name, row) for schema in ALL for row in store[schema]], store.index)


def one_by_one(
    store: Store, operations: Sequence[Operation]
) -> tuple[txn_operations.Rows, tuple[int, str] | None, bool]:
    """Install each operation alone, all at the next index, up to one that fails: what they find, the failure, any change?"""
    index, changed = store.index + 1, False
    rows: txn_operations.Rows = []
    for position, operation in enumerate(operations):
        txn = WriteTxn(store)
        txn.begin(index, NOW)
        try:
            rows += txn_operations.apply(txn, [operation])
        except Failed as error:
            return rows, (position, error.errors[0][1]), changed
        if changeset := txn.finish():
            store.install(changeset)
            changed = True
    return rows, None, changed


@given(TRANSACTIONS)
@settings(max_examples=250, deadline=None)
def test_all_or_nothing(transactions: list[list[Operation]]) -> None:
    asyncio.run(hold(transactions))


async def committed(writer: Writer, operations: list[Operation]) -> txn_operations.Rows | Failed:
    """What a transaction finds, or how it fails."""
    try:
        return await writer.commit(lambda txn: txn_operations.apply(txn, operations))
    except Failed as error:
        return error


async def hold(transactions: list[list[Operation]]) -> None:
    store, model = written(), written()
    writer, wakes = Writer(store, MemoryEngine(), lambda: NOW), Wakes(store)
    for operations in transactions:
        before = state(store)
        alone = one_by_one(copy(store), operations)
        outcome = await committed(writer, operations)
        if isinstance(outcome, Failed):
            event("failed")
            assert outcome.errors[0] == alone[1]
            assert state(store) == before
            assert wakes.taken() == 0
            continue
        event("succeeded")
        assert one_by_one(model, operations) == alone
        rows, failure, changed = alone
        assert failure is None
        assert outcome == rows
        assert state(store) == state(model)
        assert wakes.taken() == changed
        if txn_operations.reads_only(operations):
            assert state(store) == before


@given(TRANSACTIONS)
@settings(max_examples=100, deadline=None)
def test_a_batch_gives_the_results_of_single_operations(transactions: list[list[Operation]]) -> None:
    asyncio.run(hold_together(transactions))


async def hold_together(transactions: list[list[Operation]]) -> None:
    """All that wait share one commit; a failing one among them is taken back alone."""
    together, apart = written(), written()
    one, many = Writer(apart, MemoryEngine(), lambda: NOW), Writer(together, MemoryEngine(), lambda: NOW)

    async def run(writer: Writer, operations: list[Operation]) -> object:
        outcome = await committed(writer, operations)
        return outcome.errors if isinstance(outcome, Failed) else outcome

    answers = [await run(one, operations) for operations in transactions]
    assert await asyncio.gather(*(run(many, operations) for operations in transactions)) == answers
    assert state(together) == state(apart)

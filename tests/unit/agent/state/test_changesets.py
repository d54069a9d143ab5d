"""Changesets are data: a second store that installs them decoded has the same rows and indexes, and wakes the same watchers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.agent.common.steps import finish
from pyconsul.agent.model.acl import Grants, Policy, Role, Token
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.coordinate import Coordinate, NodeCoordinate
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.query import PreparedQuery, ServiceQuery
from pyconsul.agent.model.service import NodeService, Weights
from pyconsul.agent.model.session import Session
from pyconsul.agent.state import codec, kv, queries, sessions, topics
from pyconsul.agent.state.acl import policies, roles, tokens
from pyconsul.agent.state.catalog import checks, coordinates, nodes, services
from pyconsul.agent.state.changeset import Changeset, Purged
from pyconsul.agent.state.codec import DecodeError
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.schemas import ALL, CHECKS, INDEXES, KV
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

Operation = Callable[[WriteTxn], object]
SCHEMAS = {schema.name: schema for schema in (INDEXES, *ALL)}
KEYS, NODES, SERVICES, IDS = ["a", "a/b", "ü"], ["n1", "N2"], ["web", "Db"], ["one", "two"]
TOPICS = [
    *map(topics.of_key, KEYS), *map(topics.of_service, SERVICES), *map(topics.of_session, IDS),
    *map(topics.of_node_sessions, NODES), *(topics.checks_of("node", node) for node in NODES),
    *(topics.checks_of("service", name) for name in SERVICES),
    *(topics.checks_of("state", state) for state in ("passing", "warning", "critical")),
    "kvs", "nodes", "services", "checks", "sessions", "coordinates", "prepared-queries", topics.ACL, topics.EXTINCTION,
]  # fmt: skip


def instance(instance_id: str, name: str, port: int) -> NodeService:
    return NodeService(
        id=instance_id, service=name, tags=["t"], address="", meta=None, port=port, weights=Weights(),
        enable_tag_override=False, create_index=0, modify_index=0,
    )  # fmt: skip


def check(node: str, check_id: str, service_id: str, status: str) -> HealthCheck:
    return HealthCheck(node, check_id, check_id, status, "", "", service_id, "", [], "", "", "", {}, 0, 0)


def session(session_id: str, node: str, behavior: str) -> Session:
    return Session(session_id, "", node, 15 * 10**9, behavior, "", [], [], 0, 0)


def delete_tree(txn: WriteTxn, prefix: str, purge: bool) -> None:
    finish(kv.delete_tree(txn, prefix, purge=purge))


def make(function: Callable[..., object], *values: st.SearchStrategy[Any]) -> st.SearchStrategy[Operation]:
    """Return an operation that calls a function of the state with drawn values."""
    return st.tuples(*values).map(lambda drawn: lambda txn: function(txn, *drawn))


OF = st.sampled_from
OPERATIONS: st.SearchStrategy[Operation] = st.one_of(
    make(kv.put, OF(KEYS), OF([b"1", b"", b"2"]), st.just(0)),
    make(lambda txn, key, purge: kv.delete(txn, key, purge=purge), OF(KEYS), st.booleans()),
    make(kv.acquire, OF(KEYS), st.just(b"l"), st.just(0), OF(IDS)),
    make(kv.release, OF(KEYS), st.just(b"r"), st.just(0), OF(IDS)),
    make(delete_tree, OF(["", "a", "x"]), st.booleans()),
    make(sessions.create, st.builds(session, OF(IDS), OF(NODES), OF(["release", "delete"]))),
    make(sessions.destroy, OF(IDS)),
    make(
        nodes.ensure_node,
        st.builds(lambda name, id_: Node(id_, name, "1.1.1.1", "dc1", None, None, 0, 0), OF(NODES), OF(["", "i"])),
    ),
    make(nodes.delete_node, OF(NODES)),
    make(services.ensure_service, OF(NODES), st.builds(instance, OF(["x", "y"]), OF(SERVICES), st.integers(1, 2))),
    make(services.delete_service, OF(NODES), OF(["x", "y"])),
    make(
        checks.ensure_check,
        st.builds(check, OF(NODES), OF(["c", "d"]), OF(["", "x", "y"]), OF(["passing", "warning", "critical"])),
    ),
    make(checks.delete_check, OF(NODES), OF(["c", "d"])),
    make(
        coordinates.set_coordinate,
        st.builds(
            lambda node, at: NodeCoordinate(node, "", Coordinate([at] * 8, 1.5, 0.0, 0.0)), OF(NODES), OF([0.1, 0.2])
        ),
    ),
    make(
        queries.set_query,
        st.builds(lambda id_: PreparedQuery(id=id_, name=f"q-{id_}", service=ServiceQuery(service="web")), OF(IDS)),
        st.just(lambda query: None),
    ),
    make(queries.delete_query, OF(IDS)),
    make(policies.put, st.builds(lambda id_, rules: Policy(id=id_, name=id_, rules=rules), OF(IDS), OF(["", "x"]))),
    make(policies.delete, OF(IDS)),
    make(roles.put, st.builds(lambda id_: Role(id=id_, name=id_, grants=Grants()), OF(IDS))),
    make(tokens.put, st.builds(lambda id_: Token(accessor_id=id_, secret_id=f"s-{id_}"), OF(IDS))),
    make(tokens.delete, OF(IDS)),
)


def state(store: Store) -> dict[str, Any]:
    """Return every row of every table, and every index."""
    tables = {name: {schema.key(row): row for row in store[schema]} for name, schema in SCHEMAS.items()}
    return {**tables, "index": store.index}


def watch(store: Store, woken: set[str]) -> None:
    """Add to `woken` every topic, and every prefix of keys, whose watcher is woken."""
    for topic in TOPICS:
        store.watches.add(lambda topic=topic: woken.add(topic), (topic,))  # type: ignore[misc]
    for prefix in ("kv/", "kv/a", "kv/x"):
        store.watches.add(lambda prefix=prefix: woken.add(f"{prefix}*"), (), (prefix,))  # type: ignore[misc]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(OPERATIONS, min_size=1, max_size=3), max_size=25), st.booleans())
def test_a_second_store_follows_by_decoded_changesets(transactions: list[list[Operation]], in_steps: bool) -> None:
    first, second = Store(), Store()
    for operations in transactions:
        txn = WriteTxn(first)
        txn.begin(first.index + 1, 1000.0)
        try:
            for operation in operations:
                operation(txn)
        except Refused:
            continue
        changeset = txn.finish()
        if not changeset:
            continue
        data = codec.encode(changeset)
        received = codec.decode(data, SCHEMAS)
        assert (received.history, received.purged) == (changeset.history, changeset.purged)
        assert codec.encode(received) == data
        woken: tuple[set[str], set[str]] = (set(), set())
        watch(first, woken[0])
        watch(second, woken[1])
        first.install(changeset)
        if in_steps:
            finish(second.install_in_steps(received))
        else:
            second.install(received)
        assert state(first) == state(second)
        assert woken[0] == woken[1]
        assert set(changeset.indexes) & set(TOPICS) <= woken[0]
        for topic in TOPICS:
            assert first.last_index(topic) == second.last_index(topic)


def changeset_of(index: int, row: KVEntry) -> Changeset:
    changeset = Changeset(index, 2.5)
    changeset.writes = [(KV, row.key, row), (CHECKS, ("n", "c"), None)]
    changeset.indexes = {"kvs": index, "service.web": None}
    changeset.history = {row.key: KVEntry(0, row.key, 0, b"before", 1, 1), "new": None}
    changeset.purged = [Purged("s/", True)]
    return changeset


def test_everything_of_a_changeset_is_encoded() -> None:
    changeset = changeset_of(7, KVEntry(0, "a\0b", 1 << 63, b"\xff", 7, 7))
    received = codec.decode(codec.encode(changeset), SCHEMAS)
    for name in ("index", "now", "writes", "indexes", "history", "purged"):
        assert getattr(received, name) == getattr(changeset, name), name


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda parts: parts.__setitem__(0, 99), "version 99"),
        (lambda parts: parts.pop(), "cannot decode"),
        (lambda parts: parts[3][0].__setitem__(0, "no such table"), "no such table"),
        (lambda parts: parts[3][0].__setitem__(1, "other"), "not the one of its key"),
        (lambda parts: parts[3][0].__setitem__(2, b"\xc1"), "cannot decode"),
        (lambda parts: parts[3][0].__setitem__(2, row_bytes(modify_index=1 << 60)), "out of range"),
    ],
)
def test_bytes_that_are_not_a_changeset_are_refused(change: Callable[[list[Any]], object], text: str) -> None:
    parts = msgspec.msgpack.decode(codec.encode(changeset_of(7, KVEntry(0, "a", 0, b"v", 7, 7))))
    change(parts)
    with pytest.raises(DecodeError, match=text):
        codec.decode(msgspec.msgpack.encode(parts), SCHEMAS)


def row_bytes(modify_index: int) -> bytes:
    return msgspec.msgpack.encode(KVEntry(0, "a", 0, b"v", 7, modify_index))


def test_operations_of_a_batch_see_the_indexes_of_those_before() -> None:
    store = Store(index=10)
    txn = WriteTxn(store)
    txn.begin(11, 0.0)
    txn.raise_index("nodes", "service.web")
    txn.begin(12, 0.0)
    assert (txn.index_of("nodes"), txn.index_of("kvs"), txn.index_of("kvs", "nodes")) == (11, 10, 11)
    txn.drop_index("service.web")
    assert (txn.index_of("service.web"), txn.last_index("service.web"), txn.last_index("nodes")) == (10, 10, 11)
    txn.roll_back()
    txn.begin(13, 0.0)
    assert txn.last_index("service.web") == 11

"""The catalog is held to a plain model: what a service's answer shows changes only together with its index and its watchers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService, Weights
from pyconsul.agent.state import topics
from pyconsul.agent.state.catalog import checks, nodes, services
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

NAMES = ["n1", "N2", "n3"]
SERVICE_NAMES = ["web", "Db"]

OPERATIONS = st.one_of(
    st.tuples(
        st.just("node"),
        st.sampled_from(NAMES),
        st.sampled_from(["", "id1", "id2"]),
        st.sampled_from(["1.1.1.1", "2.2.2.2"]),
    ),
    st.tuples(
        st.just("service"),
        st.sampled_from(NAMES),
        st.sampled_from(["a", "b"]),
        st.sampled_from(SERVICE_NAMES),
        st.integers(1, 2),
    ),
    st.tuples(
        st.just("check"),
        st.sampled_from(NAMES),
        st.sampled_from(["c", "d"]),
        st.sampled_from(["", "a", "b"]),
        st.sampled_from(["passing", "critical"]),
    ),
    st.tuples(st.just("no service"), st.sampled_from(NAMES), st.sampled_from(["a", "b"])),
    st.tuples(st.just("no check"), st.sampled_from(NAMES), st.sampled_from(["c", "d"])),
    st.tuples(st.just("no node"), st.sampled_from(NAMES)),
)


def service(instance: str, name: str, port: int) -> NodeService:
    return NodeService(
        id=instance, service=name, tags=[], address="", meta=None, port=port, weights=Weights(),
        enable_tag_override=False, create_index=0, modify_index=0,
    )  # fmt: skip


def check(node: str, check_id: str, service_id: str, status: str) -> HealthCheck:
    return HealthCheck(node, check_id, check_id, status, "", "", service_id, "", [], "", "", "", {}, 0, 0)


def run(txn: WriteTxn, operation: tuple[object, ...]) -> None:
    kind, node, *rest = operation
    name = str(node)
    if kind == "node":
        nodes.ensure_node(txn, Node(str(rest[0]), name, str(rest[1]), "dc1", None, None, 0, 0))
    elif kind == "service":
        services.ensure_service(txn, name, service(*rest))  # type: ignore[arg-type]
    elif kind == "check":
        checks.ensure_check(txn, check(name, *rest))  # type: ignore[arg-type]
    elif kind == "no service":
        services.delete_service(txn, name, str(rest[0]))
    elif kind == "no check":
        checks.delete_check(txn, name, str(rest[0]))
    else:
        nodes.delete_node(txn, name)


def shown(store: Store, name: str) -> object:
    return services.with_checks(store, services.instances(store, name))


@given(st.lists(OPERATIONS, max_size=30))
@settings(max_examples=400, deadline=None)
def test_every_change_of_an_answer_moves_its_index_and_wakes(operations: list[tuple[object, ...]]) -> None:
    store = Store()
    woken: set[str] = set()
    for operation in operations:
        before = {
            name: (shown(store, name), services.index_of_service(store, name, bool(services.instances(store, name))))
            for name in SERVICE_NAMES
        }
        listeners = {name: (lambda name=name: woken.add(name)) for name in SERVICE_NAMES}
        for name, listener in listeners.items():
            store.watches.add(listener, (topics.of_service(name),))
        txn = WriteTxn(store)
        txn.begin(store.index + 1, 0.0)
        try:
            run(txn, operation)
        except Refused:
            txn.roll_back()
            assert not txn.finish()
        if changeset := txn.finish():
            store.install(changeset)
        for name, listener in listeners.items():
            answer, index = before[name]
            index_now = services.index_of_service(store, name, bool(services.instances(store, name)))
            assert index_now >= index or index_now == store.last_index(topics.EXTINCTION)
            if shown(store, name) != answer:
                assert name in woken
                assert index_now > index
            elif name in woken:
                assert operation[0] in ("service", "check", "no check", "no service", "node", "no node")
            store.watches.remove(listener, (topics.of_service(name),))
        woken.clear()
        hold_together(store)


def hold_together(store: Store) -> None:
    """No row stands without what it belongs to, and every index finds just what is there."""
    names = [node.node.lower() for node in store[NODES]]
    ids = [node.id for node in store[NODES] if node.id]
    assert len(set(names)) == len(names)
    assert len(set(ids)) == len(ids)
    for row in store[SERVICES]:
        assert row.node.lower() in names
        assert row in store[SERVICES].by("name", row.service.service.lower())
    for found in store[CHECKS]:
        assert found.node.lower() in names
        if found.service_id:
            assert store[SERVICES].get((found.node.lower(), found.service_id)) is not None
        assert found in store[CHECKS].by("status", found.status)
    for name in SERVICE_NAMES:
        assert {(r.node, r.service.id) for r in services.instances(store, name)} == {
            (r.node, r.service.id) for r in store[SERVICES] if r.service.service.lower() == name.lower()
        }

"""Reads: what a caller sees, the index that a response has, and the topics whose change makes it stale."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.dns_catalog import NOW, Catalog

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer, CompiledPolicies, PermissionDenied
from pyconsul.agent.acl.rules import DENY, READ, Rule
from pyconsul.agent.model.check import CRITICAL, PASSING, WARNING
from pyconsul.agent.reads import catalog as catalog_reads
from pyconsul.agent.reads import health, overview, sessions
from pyconsul.agent.reads import kv as kv_reads
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.state import kv
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn


def reader(*names: str, kind: str = "key") -> Authorizer:
    """Return a caller who may read these names only."""
    return Authorizer("test", CompiledPolicies([Rule(kind, name, False, READ) for name in names]), default_allow=False)


def all_but(**hidden: str) -> Authorizer:
    rules = [Rule(kind, name, False, DENY) for kind, name in hidden.items()]
    return Authorizer("test", CompiledPolicies(rules), default_allow=True)


def with_keys(*keys: str) -> Store:
    store = Store()
    for key in keys:
        write(store, lambda txn, key=key: kv.put(txn, key, b"x", 0))
    return store


def write(store: Store, operation: Callable[[WriteTxn], object]) -> None:
    txn = WriteTxn(store)
    txn.begin(store.index + 1, NOW)
    operation(txn)
    store.install(txn.finish())


@pytest.fixture
def catalog() -> Catalog:
    catalog = Catalog()
    catalog.many(3)
    catalog.check("n001", CRITICAL, "web")
    catalog.check("n002", WARNING, "web")
    catalog.check("n003", PASSING, "web")
    return catalog


def nodes_of(result: Result) -> list[str]:
    return [one.node.node for one in result.value]


def test_a_key_is_read_with_its_own_index_and_topic() -> None:
    store = with_keys("a", "b")
    result = kv_reads.entry(store, EVERYTHING, "a")
    assert [one.key for one in result.value] == ["a"]
    assert (result.found, result.index) == (True, 1)
    assert kv_reads.entry(store, EVERYTHING, "a", raw=True).value == b"x"
    missing = kv_reads.entry(store, EVERYTHING, "c")
    assert (missing.found, missing.index, missing.cacheable) == (False, 2, False)


def test_a_key_needs_permission_even_when_it_does_not_exist() -> None:
    for key in ("a", "nothing"):
        with pytest.raises(PermissionDenied):
            kv_reads.entry(with_keys("a"), reader("b"), key)


def test_a_tree_shows_readable_keys_and_states_that_some_are_hidden() -> None:
    store = with_keys("app/a", "app/b", "other")
    result = kv_reads.entries_below(store, reader("app/a"), "app/", needs_list=False)
    assert [one.key for one in result.value] == ["app/a"]
    assert (result.filtered, result.index) == (True, 2)
    with pytest.raises(PermissionDenied):
        kv_reads.entries_below(store, reader("app/a"), "app/", needs_list=True)


def test_an_empty_prefix_differs_from_an_empty_store() -> None:
    store = with_keys("a")
    assert not kv_reads.keys_below(store, EVERYTHING, "b", "", needs_list=False).found
    empty = kv_reads.keys_below(Store(), EVERYTHING, "", "", needs_list=False)
    assert (empty.found, empty.value) == (True, [])


def test_healthy_instances(catalog: Catalog) -> None:
    read = catalog.store
    assert nodes_of(health.instances(read, EVERYTHING, "web")) == ["n001", "n002", "n003"]
    assert nodes_of(health.instances(read, EVERYTHING, "web", passing=True)) == ["n003"]
    assert [one.node.node for one in health.serving_instances(read, EVERYTHING, "web")] == ["n002", "n003"]
    assert [one.node.node for one in health.serving_instances(read, EVERYTHING, "web", True)] == ["n003"]


def test_an_instance_needs_its_node_and_its_service(catalog: Catalog) -> None:
    result = health.instances(catalog.store, all_but(node="n001"), "web")
    assert nodes_of(result) == ["n002", "n003"]
    assert result.filtered
    assert health.instances(catalog.store, all_but(service="web"), "web").value == []
    assert not health.serving_instances(catalog.store, all_but(service="web"), "web")


def test_a_service_that_does_not_exist_is_watched_but_not_kept(catalog: Catalog) -> None:
    result = health.instances(catalog.store, EVERYTHING, "nothing")
    assert (result.value, result.cacheable) == ([], False)
    woken: list[str] = []
    catalog.store.watches.add(lambda: woken.append("woken"), result.topics, result.prefixes)
    catalog.service("n001", "nothing")
    assert woken == ["woken"]


def test_an_order_by_distance_is_not_kept(catalog: Catalog) -> None:
    assert health.instances(catalog.store, EVERYTHING, "web").cacheable
    assert not health.instances(catalog.store, EVERYTHING, "web", near="n001").cacheable
    assert not catalog_reads.nodes(catalog.store, EVERYTHING, near="n001").cacheable


def test_checks_in_a_state(catalog: Catalog) -> None:
    found = health.checks_in_state(catalog.store, EVERYTHING, CRITICAL)
    assert [check.node for check in found.value] == ["n001"]
    assert len(health.checks_in_state(catalog.store, EVERYTHING, "any").value) == 3
    assert health.checks_in_state(catalog.store, EVERYTHING, "").value == []


def test_names_of_services_are_those_of_visible_instances(catalog: Catalog) -> None:
    assert catalog_reads.service_names(catalog.store, EVERYTHING).value == {"web": []}
    hidden = catalog_reads.service_names(catalog.store, all_but(service="web"))
    assert (hidden.value, hidden.filtered) == ({}, True)


def test_a_hidden_node_is_like_one_that_does_not_exist(catalog: Catalog) -> None:
    node, rows = catalog_reads.node_with_services(catalog.store, EVERYTHING, "N001").value
    assert (node.node, [row.service for row in rows]) == ("n001", ["web"])
    hidden = catalog_reads.node_with_services(catalog.store, all_but(node="n001"), "n001")
    assert (hidden.value, hidden.filtered) == (None, True)
    assert not overview.node(catalog.store, all_but(node="n001"), "n001").found
    assert catalog_reads.node_at(catalog.store, all_but(node="n001"), "10.0.0.1") is None


def test_a_summary_counts_visible_instances(catalog: Catalog) -> None:
    (summary,) = overview.service_summaries(catalog.store, all_but(node="n001"), "dc1").value
    assert (summary.name, summary.instance_count) == ("web", 2)


def test_sessions_have_one_index() -> None:
    for result in (sessions.every(Store(), EVERYTHING), sessions.one(Store(), EVERYTHING, "x")):
        assert result.value == []
    assert sessions.every(Store(), EVERYTHING).cacheable
    assert not sessions.of_node(Store(), EVERYTHING, "n001").cacheable

"""Search over names: the order of matches, and that a caller finds only what it may see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dns_catalog import NOW, Catalog

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer, CompiledPolicies
from pyconsul.agent.acl.rules import DENY, READ, Rule
from pyconsul.agent.model.acl import Policy, Token
from pyconsul.agent.reads.search import BEGINNING, EXACT, PART, WORD, KeyText, Search, rank_of
from pyconsul.agent.state import kv
from pyconsul.agent.state.acl import policies, tokens
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn


def store_of(*keys: str) -> Store:
    store = Store()
    txn = WriteTxn(store)
    txn.begin(1, NOW)
    for key in keys:
        kv.put(txn, key, b"x", 0)
    policies.put(txn, Policy(id="p1", name="app-read"))
    tokens.put(txn, Token(accessor_id="a1b2", secret_id="s3cret", description="deploys the app"))
    store.install(txn.finish())
    return store


def caller(*rules: Rule, allow: bool = False) -> Authorizer:
    return Authorizer("test", CompiledPolicies(rules), default_allow=allow)


def names(store: Store, text: str, who: Authorizer = EVERYTHING, limit: int = 20) -> list[str]:
    return [match.name for match in Search().find(store, who, text, limit, NOW).value]


@pytest.mark.parametrize(
    ("name", "rank"),
    [
        ("app", EXACT),
        ("application", BEGINNING),
        ("my-app", WORD),
        ("zapp/app", WORD),
        ("zapp", PART),
        ("other", None),
    ],
)
def test_the_rank_of_a_name(name: str, rank: int | None) -> None:
    assert rank_of("app", name) == rank


def test_the_best_stands_first_and_case_does_not_count() -> None:
    store = store_of("zapp", "my/App", "app/long", "APP", "other")
    assert names(store, "ApP", caller(allow=True)) == ["APP", "app/long", "my/App", "zapp"]
    assert names(store, "app", caller(allow=True), limit=2) == ["APP", "app/long"]
    assert names(store, "  ", caller(allow=True)) == []


def test_a_caller_finds_only_keys_that_it_may_read() -> None:
    store = store_of("app/a", "app/secret/a", "b/app", "c/app")
    who = caller(
        Rule("key", "app/", True, READ), Rule("key", "app/secret/", True, DENY), Rule("key", "b/app", False, READ)
    )
    assert names(store, "a", who) == ["app/a", "b/app"]
    assert names(store, "a", caller()) == []
    hidden = caller(Rule("key", "app/", True, DENY), allow=True)
    assert names(store, "app", hidden) == ["b/app", "c/app"]


def test_tokens_and_policies_are_found_with_permission_only_and_never_by_secret() -> None:
    store = store_of()
    assert names(store, "app", caller(Rule("acl", "", False, READ))) == ["app-read", "deploys the app"]
    assert names(store, "a1b2", caller(Rule("acl", "", False, READ))) == ["deploys the app"]
    assert names(store, "s3cret", EVERYTHING) == []
    assert names(store, "app", caller(allow=True)) == []


def test_services_and_nodes_are_found_where_they_are_visible() -> None:
    catalog = Catalog()
    catalog.many(3)
    found = Search().find(catalog.store, EVERYTHING, "n001", 5, NOW).value
    assert [(match.kind, match.name) for match in found] == [("node", "n001")]
    by_address = Search().find(catalog.store, EVERYTHING, found[0].detail, 5, NOW).value
    assert [match.name for match in by_address] == ["n001"]
    assert [match.kind for match in Search().find(catalog.store, EVERYTHING, "web", 5, NOW).value] == ["service"]
    web = caller(Rule("service", "web", False, READ))
    assert names(catalog.store, "web", web) == []  # nothing without a node that it may see
    assert names(catalog.store, "web", caller(Rule("service", "web", False, READ), Rule("node", "", True, READ))) == [
        "web"
    ]


def test_keys_that_change_are_found_anew() -> None:
    store, search = store_of("one"), Search()
    assert [match.name for match in search.find(store, EVERYTHING, "o", 5, NOW).value if match.kind == "key"] == ["one"]
    txn = WriteTxn(store)
    txn.begin(2, NOW)
    kv.put(txn, "omega", b"", 0)
    store.install(txn.finish())
    assert {match.name for match in search.find(store, EVERYTHING, "o", 5, NOW).value} >= {"one", "omega"}
    other = store_of("orca")
    assert "orca" in {match.name for match in search.find(other, EVERYTHING, "o", 5, NOW).value}


@given(st.lists(st.text(max_size=8), max_size=30, unique=True), st.text(min_size=1, max_size=3))
def test_the_text_of_keys_finds_what_a_search_in_each_key_finds(keys: list[str], wanted: str) -> None:
    wanted = wanted.lower()
    assert set(KeyText(keys).containing(wanted)) == {key for key in keys if wanted in key.lower()}

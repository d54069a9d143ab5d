"""The children of a folder, and the first keys below it, as one caller sees them."""

from __future__ import annotations

import pytest

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer, CompiledPolicies, PermissionDenied
from pyconsul.agent.acl.rules import DENY, READ, Rule
from pyconsul.agent.common.steps import finish
from pyconsul.agent.reads import kv as reads
from pyconsul.agent.reads.kv import Listing
from pyconsul.agent.state import kv
from pyconsul.agent.state.schemas import KV
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

KEYS = ("/lead", "a", "a/", "a/b", "a/c/d", "a/c/e", "a0", "b//c", "z\U0010ffff", "z\U0010ffff/x")


@pytest.fixture
def store() -> Store:
    store = Store()
    for number, key in enumerate(KEYS):
        txn = WriteTxn(store)
        txn.begin(number + 1, 0.0)
        kv.put(txn, key, b"x", 0)
        store.install(txn.finish())
    return store


def reader(*, allowed: str) -> Authorizer:
    rules = (Rule("key", "", True, DENY), Rule("key", allowed, True, READ))
    return Authorizer("reader", CompiledPolicies(rules), False)


def names(store: Store, folder: str, caller: Authorizer = EVERYTHING, most: int = 100) -> tuple[list[str], bool]:
    found = finish(reads.children(store, caller, folder, False, most)).value
    return [f"{one.name} {one.keys}" if one.entry is None else one.name for one in found.rows], found.is_complete


def test_a_folder_holds_keys_and_folders(store: Store) -> None:
    assert names(store, "") == (["/ 1", "a", "a/ 4", "a0", "b/ 1", "z\U0010ffff", "z\U0010ffff/ 1"], True)
    assert names(store, "a/") == (["a/", "a/b", "a/c/ 2"], True)
    assert names(store, "b/") == (["b// 1"], True)
    assert names(store, "none/") == ([], True)


def test_of_a_large_folder_the_first_children_are_read(store: Store) -> None:
    assert names(store, "", most=3) == (["/ 1", "a", "a/ 4"], False)


def test_only_what_the_caller_may_read_is_there(store: Store) -> None:
    assert names(store, "", reader(allowed="a/c/")) == (["a/ 2"], True)
    assert names(store, "a/", reader(allowed="a/c/d")) == (["a/c/ 1"], True)


def test_few_keys_are_looked_at_for_a_caller_who_sees_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "MAX_EXAMINED", 2)
    assert names(store, "", reader(allowed="z")) == ([], False)


def test_a_page_follows_its_folder(store: Store) -> None:
    assert finish(reads.children(store, EVERYTHING, "a/", False, 9)).prefixes == ("kv/a/",)


@pytest.mark.parametrize("most", range(len(KEYS) + 2))
def test_the_first_keys_below_a_prefix(store: Store, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(reads, "STEP", 3)
    found: Listing = finish(reads.some_below(store, EVERYTHING, "", False, most)).value
    assert [one.key for one in found.rows] == sorted(KEYS)[:most]
    assert found.is_complete == (most >= len(KEYS))


def test_reading_a_prefix_may_need_a_permission(store: Store) -> None:
    for steps in (
        reads.children(store, reader(allowed="a/"), "b/", True, 9),
        reads.some_below(store, reader(allowed="a/"), "b/", True, 9),
    ):
        with pytest.raises(PermissionDenied):
            finish(steps)


def test_a_table_counts_and_skips(store: Store) -> None:
    table, pending = store[KV], WriteTxn(store)[KV]
    for rows in (table, pending):
        assert rows.count("a/") == 4
        assert rows.count("") == len(KEYS)
        assert rows.count("z\U0010ffff") == 2
        assert rows.keys_from("a/", "a/b", 2) == ["a/b", "a/c/d"]
        assert rows.keys_from("a/", "", 1) == ["a/"]
        assert rows.keys_from("a/", "b", 1) == []

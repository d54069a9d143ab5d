"""Tombstones keep a prefix's index from falling, for a quarter of an hour."""

from __future__ import annotations

from pyconsul.agent.common.steps import finish
from pyconsul.agent.state import kv
from pyconsul.agent.state.schemas import KV, TOMBSTONES
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn


def store_with_a_deleted_key() -> Store:
    store = Store()
    for now, operation in ((100.0, lambda d: kv.put(d, "a/x", b"1", 0)), (100.0, lambda d: kv.delete(d, "a/x"))):
        txn = WriteTxn(store)
        txn.begin(store.index + 1, now)
        operation(txn)
        store.install(txn.finish())
    return store


def forget(store: Store, now: float) -> None:
    txn = WriteTxn(store)
    txn.begin(store.index + 1, now)
    finish(kv.forget_tombstones(txn))
    if changes := txn.finish():
        store.install(changes)


def test_a_deletion_counts_in_its_prefix() -> None:
    store = store_with_a_deleted_key()
    assert kv.index_of_prefix(store, "a/", ()) == 2
    assert list(store[KV]) == []


def test_young_ones_stay_and_old_ones_go() -> None:
    store = store_with_a_deleted_key()
    assert not kv.has_old_tombstones(store, 100.0 + kv.TOMBSTONE_TTL)
    forget(store, 100.0 + kv.TOMBSTONE_TTL)
    assert len(store[TOMBSTONES]) == 1
    assert kv.has_old_tombstones(store, 101.0 + kv.TOMBSTONE_TTL)
    forget(store, 101.0 + kv.TOMBSTONE_TTL)
    assert len(store[TOMBSTONES]) == 0

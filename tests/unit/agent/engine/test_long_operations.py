"""Long operations: reads go on between their steps and see all of them or nothing; what fails leaves no trace."""

from __future__ import annotations

import asyncio

import pytest
from support.eventually import one_turn

from pyconsul.agent.common.steps import Steps, finish, sort
from pyconsul.agent.engine.follower import LARGE_ROWS
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state import kv, txn_operations
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.schemas import KV, TOMBSTONES
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.txn_operations import KVOperation
from pyconsul.agent.state.watches import Watches
from pyconsul.agent.state.write_txn import WriteTxn

COUNT = 3 * LARGE_ROWS


async def filled() -> tuple[Store, Writer]:
    store = Store(index=10)
    writer = Writer(store, MemoryEngine())

    def put(txn: WriteTxn) -> None:
        for number in range(COUNT):
            kv.put(txn, f"bulk/{number:05}", b"v", 0)
        kv.put(txn, "other", b"v", 0)

    await writer.commit(put)
    return store, writer


async def observe(store: Store, done: asyncio.Future[object]) -> set[tuple[int, int, int, bool]]:
    """What readers see until something is done: keys in the tree, by prefix and one by one, and the index."""
    seen = set()
    while not done.done():
        rows = list(store[KV].prefix("bulk/"))
        single = sum(store[KV].get(f"bulk/{number:05}") is not None for number in range(0, COUNT, 50)) * 50
        seen.add((len(rows), single, len(store[KV]), store[KV].get("other") is not None))
        await one_turn()
    return seen


async def test_readers_see_all_of_a_large_delete_or_nothing() -> None:
    store, writer = await filled()
    index = store.index
    deleting = asyncio.ensure_future(writer.commit_steps(lambda txn: kv.delete_tree(txn, "bulk/")))
    assert await observe(store, deleting) <= {(COUNT, COUNT, COUNT + 1, True), (0, 0, 1, True)}
    assert [entry.key for entry in store[KV]] == ["other"]
    assert store.index == index + 1
    assert kv.index_of_prefix(store, "bulk/", ()) == index + 1


async def test_watchers_are_woken_once_when_all_of_it_is_there() -> None:
    store, writer = await filled()
    found: list[object] = []
    store.watches.add(lambda: found.append(store[KV].get("bulk/00007")), (kv.topic("bulk/00007"),))
    store.watches.add(lambda: found.append(len(list(store[KV].prefix("bulk/")))), (), (kv.topic("bulk/0"),))
    store.watches.add(lambda: found.append("wrong"), (kv.topic("other"),), (kv.topic("bulks"), kv.topic("bulk/00007/")))
    await writer.commit_steps(lambda txn: kv.delete_tree(txn, "bulk/"))
    assert found == [None, 0]


async def test_writes_that_came_meanwhile_follow() -> None:
    store, writer = await filled()
    deleting = asyncio.ensure_future(writer.commit_steps(lambda txn: kv.delete_tree(txn, "bulk/")))
    await one_turn()
    await writer.commit(lambda txn: kv.put(txn, "bulk/00001", b"new", 0))
    assert deleting.done()
    entry = store[KV].get("bulk/00001")
    assert entry is not None
    assert (entry.value, entry.create_index) == (b"new", store.index)


async def test_a_failed_operation_changes_nothing() -> None:
    store, writer = await filled()
    index = store.index

    def fail(txn: WriteTxn) -> Steps[None]:
        yield from kv.delete_tree(txn, "bulk/")
        raise Refused("no")

    with pytest.raises(Refused):
        await writer.commit_steps(fail)
    assert (len(store[KV]), store.index) == (COUNT + 1, index)
    await writer.commit(lambda txn: kv.put(txn, "after", b"", 0))
    assert len(store[KV]) == COUNT + 2


async def test_a_small_one_and_one_without_effect() -> None:
    store, writer = await filled()
    index = store.index
    await writer.commit_steps(lambda txn: kv.delete_tree(txn, "none/"))
    assert store.index == index
    await writer.commit_steps(lambda txn: kv.delete_tree(txn, "other"))
    assert store[KV].get("other") is None


async def test_a_transaction_deletes_a_tree_in_one_step_for_readers() -> None:
    store, writer = await filled()
    operations = [
        KVOperation("set", "bulk/new", b"1"),
        KVOperation("delete-tree", "bulk/"),
        KVOperation("check-not-exists", "bulk/00001"),
        KVOperation("set", "after", b"1"),
    ]
    assert txn_operations.is_long(operations)
    done = asyncio.ensure_future(writer.commit_steps(lambda txn: txn_operations.apply_steps(txn, operations)))
    assert await observe(store, done) <= {(COUNT, COUNT, COUNT + 1, True), (0, 0, 2, True)}
    assert [entry.key for entry in store[KV]] == ["after", "other"]
    failing = [KVOperation("delete-tree", ""), KVOperation("cas", "other", b"", index=1)]
    with pytest.raises(txn_operations.Failed):
        await writer.commit_steps(lambda txn: txn_operations.apply_steps(txn, failing))
    assert len(store[KV]) == 2


async def test_tombstones_are_forgotten_one_in_each_step() -> None:
    store, writer = await filled()
    await writer.commit_steps(lambda txn: kv.delete_tree(txn, "bulk/"))

    steps = 0

    def later(txn: WriteTxn) -> Steps[None]:
        nonlocal steps
        txn.begin(txn.index, txn.now + kv.TOMBSTONE_TTL + 1)
        for _ in kv.forget_tombstones(txn):
            steps += 1
            yield

    await writer.commit_steps(later)
    assert steps == COUNT
    assert not len(store[TOMBSTONES])


def test_replaced_tables_are_freed_row_by_row() -> None:
    store = Store([(KV.name, KVEntry(0, f"{number}", 0, b"", 1, 1)) for number in range(COUNT)], 10)
    store.replace([], 11)
    assert sum(1 for _ in store.release_retired()) >= COUNT
    assert not list(store.release_retired())


def test_sorting_in_steps() -> None:
    texts = [str(number * 7919 % 20_011) for number in range(20_011)]
    assert finish(sort(texts)) == sorted(texts)


@pytest.mark.parametrize("topics", [["a", "ab", "b"], [], ["b"], ["abc"]])
def test_many_topics_wake_whom_few_would(topics: list[str]) -> None:
    def woken(fire: str) -> list[str]:
        watches, found = Watches(), []
        for name in ("a", "b", "c"):
            watches.add(lambda name=name: found.append(name), (name,))  # type: ignore[misc]
        for prefix in ("", "a", "ab", "b", "c"):
            watches.add(lambda prefix=prefix: found.append(f"{prefix}*"), (), (prefix,))  # type: ignore[misc]
        getattr(watches, fire)(sorted(topics))
        getattr(watches, fire)(sorted(topics))
        return sorted(found)

    assert woken("fire_sorted") == woken("fire")

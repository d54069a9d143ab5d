"""The operations of one commit: each alone in its effects, together within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyconsul.agent.engine.batch import MAX_OPERATIONS, MAX_ROWS, Batch, size_of
from pyconsul.agent.engine.contract import NO_LIMITS, Limits
from pyconsul.agent.state import kv
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.schemas import KV
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn


def put(*keys: str) -> Callable[[WriteTxn], int]:
    def run(txn: WriteTxn) -> int:
        for key in keys:
            kv.put(txn, key, b"0123456789", 0)
        return txn.index

    return run


async def test_each_operation_has_its_index_and_sees_those_before_it() -> None:
    batch = Batch(Store(index=10), NO_LIMITS, 1.0)
    done = asyncio.get_running_loop().create_future()

    def count(txn: WriteTxn) -> int:
        return len(list(txn[KV].prefix("")))

    def fail(txn: WriteTxn) -> None:
        kv.put(txn, "half", b"v", 0)
        raise Refused("no")

    for operation in (put("a"), count, fail, count, put("b", "c"), count):
        assert batch.add(operation, done)
    assert [value for _, value, _, _ in batch.results] == [11, 1, None, 1, 12, 3]
    assert [str(failure) for _, _, failure, _ in batch.results if failure] == ["no"]
    assert [changeset.index for changeset in batch.changesets] == [11, 12]


async def test_a_batch_is_full_after_many_operations_or_many_rows() -> None:
    done = asyncio.get_running_loop().create_future()
    few_rows, many_rows = (Batch(Store(), NO_LIMITS, 1.0) for _ in range(2))
    count = 0
    while not few_rows.is_full:
        few_rows.add(put("a"), done)
        count += 1
    assert count == MAX_OPERATIONS
    rows = 0
    while not many_rows.is_full:
        many_rows.add(put(*(f"{rows}/{number}" for number in range(128))), done)
        rows += 128
    assert rows == MAX_ROWS


async def test_an_operation_that_does_not_fit_leaves_no_trace_and_runs_next() -> None:
    done = asyncio.get_running_loop().create_future()
    store = Store(index=10)
    batch = Batch(store, Limits(rows=7), 1.0)
    assert batch.add(put("a", "b"), done)  # two rows, one index, two history rows
    assert not batch.add(put("c"), done)
    assert batch.add(lambda txn: txn[KV].get("c"), done)
    assert [value for _, value, _, _ in batch.results] == [11, None]
    assert batch.add(put(*"defgh"), done), "it fails at once: no commit has room for it"
    assert isinstance(batch.results[-1][2], Refused)
    assert [len(changeset.writes) for changeset in batch.changesets] == [2]
    assert size_of(batch.changesets[0])[0] == 5

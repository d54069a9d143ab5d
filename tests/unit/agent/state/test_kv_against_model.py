"""The key-value store is held to a plain dictionary: random operations, with batches, refusals and watches."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.agent.common.steps import finish
from pyconsul.agent.model.session import Session
from pyconsul.agent.state import kv
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.schemas import KV
from pyconsul.agent.state.schemas import SESSIONS as SESSION_ROWS
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

KEYS = st.sampled_from(["a", "a/b", "a/b/c", "ab", "b", "b/", "ü"])
SESSIONS = st.sampled_from(["s1", "s2", "none"])
VALUES = st.sampled_from([b"", b"1", b"2"])

OPERATIONS = st.one_of(
    st.tuples(st.just("put"), KEYS, VALUES),
    st.tuples(st.just("cas"), KEYS, VALUES, st.integers(0, 6)),
    st.tuples(st.just("acquire"), KEYS, VALUES, SESSIONS),
    st.tuples(st.just("release"), KEYS, VALUES, SESSIONS),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("delete-cas"), KEYS, st.integers(0, 6)),
    st.tuples(st.just("tree"), st.sampled_from(["", "a", "a/", "b", "x"])),
    st.tuples(st.just("fail"), KEYS),
)


class Model:
    """What the store should hold: key -> [value, session, locks, created, modified]."""

    def __init__(self) -> None:
        self.rows: dict[str, list[object]] = {}

    def write(self, key: str, value: bytes, session: str, locks: int, index: int) -> None:
        old = self.rows.get(key)
        if old and old[:3] == [value, session, locks]:
            return
        self.rows[key] = [value, session, locks, old[3] if old else index, index]

    def apply(self, operation: tuple[object, ...], index: int) -> object:
        kind, key = operation[0], str(operation[1])
        old = self.rows.get(key)
        if kind == "put" or (kind == "cas" and operation[3] == (old[4] if old else 0)):
            self.write(key, operation[2], str(old[1]) if old else "", 0, index)  # type: ignore[arg-type]
            return True
        if kind == "acquire":
            session = str(operation[3])
            if session == "none":
                return "refused"
            if old and old[1] not in ("", session):
                return False
            locks = 1 if old is None else int(old[2]) + (old[1] != session)  # type: ignore[call-overload]
            self.write(key, operation[2], session, locks, index)  # type: ignore[arg-type]
            return True
        if kind == "release":
            if old is None or old[1] != operation[3]:
                return False
            self.write(key, operation[2], "", int(old[2]), index)  # type: ignore[arg-type,call-overload]
            return True
        if kind == "delete" or kind == "delete-cas":
            if old is None:
                return True
            if kind == "delete-cas" and operation[2] != old[4]:
                return False
            del self.rows[key]
            return True
        if kind == "tree":
            for found in [name for name in self.rows if name.startswith(key)]:
                del self.rows[found]
            return None
        return "refused" if kind == "fail" else False


def run(txn: WriteTxn, operation: tuple[object, ...]) -> object:
    kind, key, rest = operation[0], str(operation[1]), operation[2:]
    if kind == "put":
        return kv.put(txn, key, rest[0], 0)  # type: ignore[arg-type]
    if kind == "cas":
        return kv.put(txn, key, rest[0], 0, rest[1])  # type: ignore[arg-type]
    if kind == "acquire":
        return kv.acquire(txn, key, rest[0], 0, rest[1])  # type: ignore[arg-type]
    if kind == "release":
        return kv.release(txn, key, rest[0], 0, rest[1])  # type: ignore[arg-type]
    if kind == "delete":
        return kv.delete(txn, key)
    if kind == "delete-cas":
        return kv.delete(txn, key, rest[0])  # type: ignore[arg-type]
    if kind == "tree":
        return finish(kv.delete_tree(txn, key))
    kv.put(txn, key, b"never", 0)
    finish(kv.delete_tree(txn, ""))
    raise Refused("after it wrote")


def store_with_sessions() -> Store:
    store = Store()
    txn = WriteTxn(store)
    txn.begin(1, 0.0)
    for name in ("s1", "s2"):
        txn.put(SESSION_ROWS, Session(name, "", "n", 0, "release", "", None, None, 0, 0))
    store.install(txn.finish())
    return store


def contents(store: Store) -> dict[str, list[object]]:
    return {
        r.key: [r.value or b"", r.session, r.lock_index, r.create_index, r.modify_index] for r in store[KV].prefix("")
    }


@given(st.lists(st.lists(OPERATIONS, min_size=1, max_size=4), max_size=12))
@settings(max_examples=300, deadline=None)
def test_batches_agree_with_single_operations(batches: list[list[tuple[object, ...]]]) -> None:
    store, model = store_with_sessions(), Model()
    index = store.index
    for batch in batches:
        txn = WriteTxn(store)
        before = contents(store)
        changesets = []
        for operation in batch:
            txn.begin(index + 1, 0.0)
            try:
                answer = run(txn, operation)
            except Refused:
                txn.roll_back()
                answer = "refused"
            assert answer == model.apply(operation, index + 1)
            changeset = txn.finish()
            if changeset:
                changesets.append(changeset)
                index += 1
            else:
                # what did not change anything did not use its index up
                assert all(index + 1 != row[4] for row in model.rows.values())
        assert contents(store) == before, "a txn shows before it is installed"
        for changeset in changesets:
            last = store.index
            store.install(changeset)
            assert store.index > last
        assert contents(store) == model.rows


@given(st.lists(OPERATIONS, max_size=20), KEYS, st.sampled_from(["", "a", "a/", "b"]))
@settings(max_examples=300, deadline=None)
def test_watches_wake_exactly_when_their_answer_changes(
    operations: list[tuple[object, ...]], key: str, prefix: str
) -> None:
    store = store_with_sessions()
    woken: list[str] = []

    def wake_key() -> None:
        woken.append("key")

    def wake_prefix() -> None:
        woken.append("prefix")

    for operation in operations:
        store.watches.add(wake_key, (kv.topic(key),))
        store.watches.add(wake_prefix, (), (kv.topic(prefix),))
        before = contents(store)
        below = list(store[KV].prefix(prefix))
        index_before = kv.index_of_prefix(store, prefix, below)
        txn = WriteTxn(store)
        txn.begin(store.index + 1, 0.0)
        try:
            run(txn, operation)
        except Refused:
            txn.roll_back()
        if changeset := txn.finish():
            store.install(changeset)
        after = contents(store)
        assert ("key" in woken) == (before.get(key) != after.get(key))
        assert ("prefix" in woken) == (below != list(store[KV].prefix(prefix)))
        index_after = kv.index_of_prefix(store, prefix, list(store[KV].prefix(prefix)))
        assert index_after >= index_before, "an index fell"
        if "prefix" in woken:
            assert index_after > index_before, "a change did not pass the watcher's index"
        woken.clear()
        store.watches.remove(wake_key, (kv.topic(key),))
        store.watches.remove(wake_prefix, (), (kv.topic(prefix),))
    assert len(store.watches) == 0

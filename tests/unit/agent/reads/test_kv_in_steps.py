"""A long list of keys is read in steps: as it was at one moment, whatever is written meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer, CompiledPolicies, PermissionDenied
from pyconsul.agent.acl.rules import DENY, Rule
from pyconsul.agent.common.steps import Steps, finish
from pyconsul.agent.httpapi.core.response import encode
from pyconsul.agent.reads import kv as reads
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.state import kv
from pyconsul.agent.state.schemas import KV
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

COUNT = 10


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "STEP", 3)
    monkeypatch.setattr(reads, "LARGE", COUNT)


@pytest.fixture
def store() -> Store:
    store = Store()
    for number in range(COUNT):
        write(store, lambda txn, number=number: kv.put(txn, f"a/{number}", b"x", 0))
    write(store, lambda txn: kv.put(txn, "b", b"x", 0))
    return store


def write(store: Store, operation: Callable[[WriteTxn], object]) -> None:
    txn = WriteTxn(store)
    txn.begin(store.index + 1, 0.0)
    operation(txn)
    store.install(txn.finish())


def begin(store: Store, caller: Authorizer = EVERYTHING, needs_list: bool = False) -> Steps[Result]:
    return reads.entries_in_steps(store, caller, "a/", needs_list, encode)


def facts(result: Result) -> tuple[object, ...]:
    value = result.value if isinstance(result.value, bytes) else encode(result.value)
    return value, result.index, result.topics, result.prefixes, result.found, result.filtered


def at_once(store: Store, caller: Authorizer = EVERYTHING) -> tuple[object, ...]:
    return facts(reads.entries_below(store, caller, "a/", False))


def test_many_keys_are_large(store: Store) -> None:
    assert reads.is_large(store, "a/")
    assert reads.is_large(store, "")
    assert not reads.is_large(store, "a/1")


def test_the_result_is_the_one_of_a_read_at_once(store: Store) -> None:
    assert facts(finish(begin(store))) == at_once(store)
    write(store, lambda txn: kv.delete(txn, "a/4"))  # the deletion is the newest change
    assert facts(finish(begin(store))) == at_once(store)


@pytest.mark.parametrize(("prefix", "separator"), [("a/", ""), ("", "/"), ("", ""), ("a", "/"), ("c", "")])
def test_keys_are_those_of_a_read_at_once(store: Store, prefix: str, separator: str) -> None:
    at_once = reads.keys_below(store, EVERYTHING, prefix, separator, False)
    in_steps = finish(reads.keys_in_steps(store, EVERYTHING, prefix, separator, False, encode))
    assert facts(in_steps) == facts(at_once)


def test_hidden_keys_are_left_out(store: Store) -> None:
    caller = Authorizer("test", CompiledPolicies([Rule("key", "a/4", False, DENY)]), default_allow=True)
    assert facts(finish(begin(store, caller))) == at_once(store, caller)
    nobody = Authorizer("test", CompiledPolicies([]), default_allow=False)
    assert facts(finish(begin(store, nobody))) == at_once(store, nobody)
    with pytest.raises(PermissionDenied):
        finish(begin(store, nobody, needs_list=True))


CHANGES = {
    "changed": lambda txn: kv.put(txn, "a/9", b"new", 0),
    "deleted": lambda txn: kv.delete(txn, "a/0"),
    "added": lambda txn: kv.put(txn, "a/00", b"new", 0),
    "elsewhere": lambda txn: kv.put(txn, "b", b"new", 0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
@pytest.mark.parametrize("number", range(14))
def test_a_change_between_two_steps_is_there_in_full_or_not_at_all(
    store: Store, change: Callable[[WriteTxn], object], number: int
) -> None:
    before = at_once(store)
    steps = begin(store)
    for _ in range(number):
        if next(steps, "end") == "end":
            return
    write(store, change)
    assert facts(finish(steps)) in (before, at_once(store))


def test_a_list_that_changes_all_the_time_is_read_at_once(store: Store) -> None:
    steps = begin(store)
    count = 0
    while next(steps, "end") != "end":
        count += 1
        write(store, lambda txn, count=count: kv.put(txn, "a/9", b"%d" % count, 0))
    assert count == 3 * reads.MAX_ATTEMPTS + 4  # each attempt notices it after three steps; the result has four parts


def test_a_restore_between_two_steps_is_noticed(store: Store) -> None:
    rows = [(KV.name, row) for row in store[KV] if row.key != "a/4"]
    steps = begin(store)
    next(steps)
    store.replace(rows, store.index + 1)
    assert facts(finish(steps)) == at_once(store)

"""Locks and semaphores against a KV store in memory: what they write, whom they exclude, when they give up."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, cast

import pytest

from pyconsul.agent.common.semaphore_list import SEMAPHORE_FLAGS
from pyconsul.cli.errors import CliError, Unreachable
from pyconsul.cli.exit_status import Status
from pyconsul.cli.http.client import Client, Response
from pyconsul.cli.lock.protocol import LOCK_FLAGS, Deadline, Holdable, Lock, Semaphore

KEY = "job/.lock"


class Store:
    """The part of Consul's KV store that locks use. `before` runs before each request: the moves of other clients."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        self.index = 1
        self.delayed: set[str] = set()
        self.requests: list[str] = []
        self.before: Callable[[int], None] = lambda number: None

    def client(self) -> Client:
        return cast(Client, self)

    def request(self, method: str, path: str, query: Mapping[str, str], body: bytes = b"") -> Response:
        self.requests.append(method)
        self.before(len(self.requests))
        key = path.removeprefix("/v1/kv/")
        if method == "GET":
            return self._get(key, query)
        return Response(200, {}, b"true" if self._write(method, key, query, body) else b"false")

    def _get(self, key: str, query: Mapping[str, str]) -> Response:
        found = [e for k, e in sorted(self.entries.items()) if (k.startswith(key) if "recurse" in query else k == key)]
        headers = {"x-consul-index": str(self.index)}
        return Response(200 if found else 404, headers, json.dumps(found).encode())

    def _write(self, method: str, key: str, query: Mapping[str, str], body: bytes) -> bool:
        entry = self.entries.get(key)
        if "cas" in query and int(query["cas"]) != (entry["ModifyIndex"] if entry else 0):
            return False
        self.index += 1
        if method == "DELETE":
            self.entries.pop(key, None)
            return True
        holder = entry.get("Session") if entry else None
        if "acquire" in query:
            if holder not in (None, query["acquire"]) or key in self.delayed:
                return False
            holder = query["acquire"]
        elif "release" in query:
            if holder != query["release"]:
                return False
            holder = None
        self.entries[key] = {
            "Key": key,
            "Value": b64encode(body).decode(),
            "Flags": int(query.get("flags", 0)),
            "ModifyIndex": self.index,
            **({"Session": holder} if holder else {}),
        }
        return True

    def end_session(self, session: str) -> None:
        self.index += 1
        for key, entry in list(self.entries.items()):
            if entry.get("Session") == session:
                self.entries[key] = {name: value for name, value in entry.items() if name != "Session"}

    def holders(self) -> set[str]:
        """The sessions that hold the lock, or a slot of the semaphore."""
        entry = self.entries.get(KEY)
        if entry is None:
            return set()
        if entry["Flags"] == LOCK_FLAGS:
            return {entry["Session"]} if "Session" in entry else set()
        names = set(json.loads(b64decode(entry["Value"]))["Holders"])
        return {name for name in names if self.entries.get(f"job/{name}", {}).get("Session") == name}


class Clock:
    """Seconds that pass when somebody sleeps or waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ticking() -> Callable[[], float]:
    """A clock that goes on by a second whenever it is read."""
    ticks = count()
    return lambda: float(next(ticks))


Maker = Callable[[Store, str], Holdable]


def lock(store: Store, session: str) -> Holdable:
    return Lock(store.client(), KEY, session, sleep=lambda seconds: None)


def semaphore(store: Store, session: str) -> Holdable:
    return Semaphore(store.client(), "job", session, 2, sleep=lambda seconds: None)


BOTH = pytest.mark.parametrize("make", [lock, semaphore])


@BOTH
def test_acquire_release_clean(store: Store, make: Maker) -> None:
    held = make(store, "s1")
    assert held.acquire(Deadline(0))
    assert store.holders() == {"s1"}
    assert held.holds(store.entries[KEY])
    assert not held.clean()
    held.release()
    assert store.holders() == set()
    assert held.clean()
    assert store.entries == {}


def test_the_flags_are_those_of_consul_s_clients(store: Store) -> None:
    lock(store, "s1").acquire(Deadline(0))
    assert store.entries[KEY]["Flags"] == LOCK_FLAGS
    store.entries.clear()
    semaphore(store, "s1").acquire(Deadline(0))
    assert {entry["Flags"] for entry in store.entries.values()} == {SEMAPHORE_FLAGS}


def test_a_lock_waits_for_its_holder(store: Store) -> None:
    lock(store, "other").acquire(Deadline(0))
    start = len(store.requests)

    def leave(number: int) -> None:
        if number == start + 2:  # within our blocking query
            store.end_session("other")

    store.before = leave
    assert lock(store, "s1").acquire(Deadline(0))
    assert store.holders() == {"s1"}


def test_a_semaphore_has_as_many_slots_as_its_limit(store: Store) -> None:
    for session in ("a", "b"):
        assert semaphore(store, session).acquire(Deadline(0))
    assert store.holders() == {"a", "b"}
    start = len(store.requests)

    def leave(number: int) -> None:
        if number == start + 3:
            semaphore_of_a.release()

    semaphore_of_a = semaphore(store, "a")
    store.before = leave
    assert semaphore(store, "c").acquire(Deadline(0))
    assert store.holders() == {"b", "c"}


def test_a_dead_holder_frees_its_slot(store: Store) -> None:
    for session in ("a", "b"):
        semaphore(store, session).acquire(Deadline(0))
    store.end_session("a")
    assert semaphore(store, "c").acquire(Deadline(0))
    assert store.holders() == {"b", "c"}


@BOTH
def test_the_deadline(store: Store, clock: Clock, make: Maker) -> None:
    for session in ("a", "b")[: 1 if make is lock else 2]:
        make(store, session).acquire(Deadline(0))

    def pass_time(number: int) -> None:
        clock.now += 1.0  # each request takes a second

    store.before = pass_time
    before = store.holders()
    assert not make(store, "late").acquire(Deadline(10, clock))
    assert clock.now >= 10
    assert store.holders() == before
    assert "job/late" not in store.entries, "a contender that gave up leaves no key"


def test_a_lock_delay_is_waited_out(store: Store, clock: Clock) -> None:
    store.delayed.add(KEY)

    def end_of_delay(seconds: float) -> None:
        clock.sleep(seconds)
        if len(clock.slept) == 3:
            store.delayed.clear()

    assert Lock(store.client(), KEY, "s1", sleep=end_of_delay).acquire(Deadline(60, clock))
    assert clock.slept == [5.0, 5.0, 5.0]


@BOTH
@pytest.mark.parametrize("step", range(1, 9))
def test_another_client_comes_between_any_two_requests(store: Store, make: Maker, step: int) -> None:
    """At most as many hold it as may, and nobody's own state is lost."""
    limit = 1 if make is lock else 2
    rivals = [make(store, f"rival{number}") for number in range(limit)]

    def interfere(number: int) -> None:
        if number == step:
            store.before = lambda number: None
            for rival in rivals:
                rival.acquire(Deadline(5, ticking()))

    store.before = interfere
    held = make(store, "s1")
    acquired = held.acquire(Deadline(20, ticking()))
    assert acquired == ("s1" in store.holders())
    assert len(store.holders()) <= limit
    assert store.holders()


@pytest.mark.parametrize("step", range(1, 5))
def test_a_release_survives_other_writers(store: Store, step: int) -> None:
    held = semaphore(store, "s1")
    held.acquire(Deadline(0))
    start = len(store.requests)

    def interfere(number: int) -> None:
        if number == start + step:
            store.before = lambda number: None
            semaphore(store, "s2").acquire(Deadline(0))

    store.before = interfere
    held.release()
    assert store.holders() <= {"s2"}
    assert "job/s1" not in store.entries


@pytest.mark.parametrize(
    ("flags", "value", "make", "message"),
    [
        (0, b"", lock, "exists and is not a lock"),
        (0, b"", semaphore, "exists and is not a semaphore"),
        (SEMAPHORE_FLAGS, b"x", semaphore, "does not hold a semaphore"),
        (SEMAPHORE_FLAGS, b'{"Limit": 9}', semaphore, r"limit conflict \(lock: 9, here: 2\)"),
    ],
)
def test_a_key_of_another_purpose_is_left_alone(
    store: Store, flags: int, value: bytes, make: Maker, message: str
) -> None:
    store._write("PUT", KEY, {"flags": str(flags)}, value)
    before = dict(store.entries)
    with pytest.raises(CliError, match=message) as caught:
        make(store, "s1").acquire(Deadline(0))
    assert caught.value.status is Status.CONFLICT
    assert store.entries == before


class Flaky:
    """A client whose agent fails while `failing` says so."""

    def __init__(self, store: Store, failing: list[bool]) -> None:
        self._store = store
        self._failing = failing

    def request(self, *arguments: Any) -> Response:
        if self._failing and self._failing.pop(0):
            raise Unreachable("no answer")
        return self._store.request(*arguments)


def test_errors_within_the_limit_do_not_cost_the_lock(store: Store, clock: Clock) -> None:
    held = Lock(store.client(), KEY, "s1", sleep=clock.sleep)
    held.acquire(Deadline(0))
    failing = [True, True, False, True, True, False]
    client = Flaky(store, failing)

    def end(number: int) -> None:
        if not failing:
            store.end_session("s1")

    store.before = end
    held.wait_until_lost(cast(Client, client), retries=2)
    assert clock.slept == [1.0] * 4
    assert failing == []


def test_errors_beyond_the_limit_release_the_lock(store: Store, clock: Clock) -> None:
    held = Lock(store.client(), KEY, "s1", sleep=clock.sleep)
    held.acquire(Deadline(0))
    held.wait_until_lost(cast(Client, Flaky(store, [True] * 9)), retries=2)
    assert clock.slept == [1.0, 1.0]
    assert store.holders() == {"s1"}

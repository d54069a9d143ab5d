"""Locks and semaphores on keys, as Consul's own clients make them: both kinds of clients exclude each other.

The algorithms: https://developer.hashicorp.com/consul/docs/dynamic-app-config/sessions and
https://developer.hashicorp.com/consul/tutorials/developer-configuration/distributed-semaphore
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.semaphore_list import (
    SEMAPHORE_FLAGS,
    SemaphoreList,
    format_semaphore_list,
    parse_semaphore_list,
)
from pyconsul.cli.errors import CliError
from pyconsul.cli.exit_status import Status
from pyconsul.cli.http.client import Client

#: The flags of the key of a lock.
LOCK_FLAGS = 0x2DDCCBC058A50C18
#: Maximum duration of one blocking query.
_WAIT_S = 15.0
#: Interval of attempts while a lock-delay keeps a free lock closed.
_LOCK_DELAY_POLL_S = 5.0
#: Pause after a failure of the agent while the lock is held.
_RETRY_S = 1.0
Entry = dict[str, Any]


class Deadline:
    """A point in time to give up at. `timeout_s` 0 means never; `clock` gives seconds."""

    def __init__(self, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + timeout_s if timeout_s > 0 else None

    def left(self, limit_s: float) -> float:
        """Return the seconds left, at most `limit_s`; 0 when the deadline has passed."""
        return limit_s if self._end is None else max(0.0, min(limit_s, self._end - self._clock()))


class Holdable(ABC):
    """A lock or a slot of a semaphore, which `pyconsul lock` holds while its child runs.

    `sleep` pauses for a number of seconds.
    """

    def __init__(self, client: Client, key: str, session: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._session = session
        self._sleep = sleep
        #: The key that is locked, or that lists a semaphore's holders.
        self.key = key

    @abstractmethod
    def acquire(self, deadline: Deadline) -> bool:
        """Wait until it is held; return False when the deadline passed first. Raises CliError."""

    @abstractmethod
    def holds(self, entry: Entry | None) -> bool:
        """Return whether the key's entry names the session as a holder."""

    @abstractmethod
    def release(self) -> None:
        """Release it. Raises CliError."""

    @abstractmethod
    def clean(self) -> bool:
        """Delete the keys; return False when they are in use. Raises CliError."""

    def wait_until_lost(self, client: Client, retries: int) -> None:
        """Return when the lock is lost, or after more than `retries` consecutive errors of the agent, 1 s apart."""
        index, failures = 0, 0
        while True:
            try:
                entry, index = self._read(client, index, _WAIT_S, consistent=True)
                failures = 0
            except CliError:
                failures += 1
                if failures > retries:
                    return
                self._sleep(_RETRY_S)
                continue
            if not self.holds(entry):
                return

    def _read(
        self, client: Client, index: int = 0, wait: float = 0, *, consistent: bool = False
    ) -> tuple[Entry | None, int]:
        query = {"index": str(index), "wait": f"{int(wait * 1000)}ms"} if index else {}
        if consistent:
            query["consistent"] = ""
        response = client.request("GET", "/v1/kv/" + quote(self.key), query)
        if response.status == 404:
            return None, response.index
        return response.checked().json()[0], response.index

    def _put(self, key: str, query: dict[str, str], value: bytes = b"") -> bool:
        response = self._client.request("PUT", "/v1/kv/" + quote(key), query, value).checked()
        return response.body.strip() == b"true"

    def _delete(self, key: str, query: dict[str, str]) -> bool:
        return self._client.request("DELETE", "/v1/kv/" + quote(key), query).checked().body.strip() == b"true"


class Lock(Holdable):
    """A lock with one holder: the session that acquired the key `<prefix>/.lock`."""

    def acquire(self, deadline: Deadline) -> bool:
        """Acquire the key; while another session holds it, wait for a change."""
        entry, index = self._read(self._client)
        while True:
            self._check(entry)
            if self.holds(entry):
                return True
            if entry is None or not entry.get("Session"):
                if self._put(self.key, {"acquire": self._session, "flags": str(LOCK_FLAGS)}):
                    return True
                entry, index = self._read(self._client)
                if entry is None or not entry.get("Session"):
                    self._sleep(deadline.left(_LOCK_DELAY_POLL_S))  # no session holds it: a lock-delay is in force
            if not (wait := deadline.left(_WAIT_S)):
                return False
            if entry is not None and entry.get("Session"):
                entry, index = self._read(self._client, index, wait)

    def _check(self, entry: Entry | None) -> None:
        if entry is not None and entry["Flags"] != LOCK_FLAGS:
            raise CliError(f"The key {self.key} exists and is not a lock", Status.CONFLICT)

    def holds(self, entry: Entry | None) -> bool:
        """Return the key belongs to the session."""
        return entry is not None and entry.get("Session") == self._session

    def release(self) -> None:
        """Release the key. A lock that was lost already is not an error."""
        self._put(self.key, {"release": self._session, "flags": str(LOCK_FLAGS)})

    def clean(self) -> bool:
        """Delete the key unless a session holds it."""
        entry, _ = self._read(self._client)
        if entry is None:
            return True
        self._check(entry)
        return not entry.get("Session") and self._delete(self.key, {"cas": str(entry["ModifyIndex"])})


class Semaphore(Holdable):
    """A semaphore: the key `<prefix>/.lock` lists up to `limit` holders; each contender has a key beside it."""

    def __init__(
        self,
        client: Client,
        prefix: str,
        session: str,
        limit: int,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(client, f"{prefix}/.lock", session, sleep=sleep)
        self._prefix = prefix + "/"
        self._limit = limit

    def acquire(self, deadline: Deadline) -> bool:
        """Register as a contender, then enter the list of holders as soon as it has a free slot."""
        if not self._put(self._prefix + self._session, {"acquire": self._session, "flags": str(SEMAPHORE_FLAGS)}):
            raise CliError(f"Failed to make a contender entry below {self._prefix}", Status.CONFLICT)
        entered = False
        try:
            entered = self._enter(deadline)
        finally:
            if not entered:
                self._delete(self._prefix + self._session, {})
        return entered

    def _enter(self, deadline: Deadline) -> bool:
        index = 0
        while True:
            entries, index = self._list(index, deadline.left(_WAIT_S))
            lock, holders = self._state(entries)
            if len(holders) < self._limit and self._write(lock, [*holders, self._session]):
                return True
            if len(holders) < self._limit:
                index = 0  # another client wrote the list first
            if not deadline.left(_WAIT_S):
                return False

    def holds(self, entry: Entry | None) -> bool:
        """Return the list has the session."""
        return entry is not None and self._session in _parsed(entry).holders

    def release(self) -> None:
        """Leave the list of holders, and try again when another client writes it at the same time."""
        while True:
            lock, _ = self._read(self._client)
            if lock is None or self._session not in (holders := _parsed(lock).holders):
                break
            if self._write(lock, [holder for holder in holders if holder != self._session]):
                break
        self._delete(self._prefix + self._session, {})

    def clean(self) -> bool:
        """Delete the list when it is empty."""
        entries, _ = self._list(0, 0)
        lock, holders = self._state(entries)
        return lock is None or (not holders and self._delete(self.key, {"cas": str(lock["ModifyIndex"])}))

    def _list(self, index: int, wait: float) -> tuple[list[Entry], int]:
        query = {"recurse": ""}
        if index:
            query |= {"index": str(index), "wait": f"{int(wait * 1000)}ms"}
        response = self._client.request("GET", "/v1/kv/" + quote(self._prefix), query)
        return ([] if response.status == 404 else response.checked().json()), response.index

    def _state(self, entries: list[Entry]) -> tuple[Entry | None, list[str]]:
        """Return the list's entry and the holders whose sessions are alive."""
        alive = {entry.get("Session") for entry in entries}
        lock = next((entry for entry in entries if entry["Key"] == self.key), None)
        if lock is None:
            return None, []
        if lock["Flags"] != SEMAPHORE_FLAGS:
            raise CliError(f"The key {self.key} exists and is not a semaphore", Status.CONFLICT)
        found = _parsed(lock)
        if found.limit != self._limit:
            raise CliError(f"Semaphore limit conflict (lock: {found.limit}, here: {self._limit})", Status.CONFLICT)
        return lock, [holder for holder in found.holders if holder in alive]

    def _write(self, lock: Entry | None, holders: list[str]) -> bool:
        index = lock["ModifyIndex"] if lock else 0
        value = format_semaphore_list(self._limit, holders)
        return self._put(self.key, {"cas": str(index), "flags": str(SEMAPHORE_FLAGS)}, value)


def _parsed(entry: Entry) -> SemaphoreList:
    try:
        return parse_semaphore_list(entry.get("Value"))
    except ValueError:
        raise CliError(f"The key {entry['Key']} does not hold a semaphore", Status.CONFLICT) from None

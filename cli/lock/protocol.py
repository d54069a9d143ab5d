"""Locks and semaphores on keys, as Consul's own clients make them: both kinds of clients exclude each other.

The algorithms: https://developer.hashicorp.com/consul/docs/dynamic-app-config/sessions and
https://developer.hashicorp.com/consul/tutorials/developer-configuration/distributed-semaphore
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any

from pyconsul.agent.common.http_answer import quote
from pyconsul.cli.errors import CliError
from pyconsul.cli.exit_status import Status
from pyconsul.cli.http.client import Client, to_json

#: The flags that mark a key as a lock, or as part of a semaphore.
LOCK_FLAGS = 0x2DDCCBC058A50C18
SEMAPHORE_FLAGS = 0xE0F69A2BAA414DE0
#: Seconds that one blocking query waits, and that are waited while a lock-delay keeps a free lock closed.
_WAIT, _DELAYED = 15.0, 5.0
Entry = dict[str, Any]


class Deadline:
    """When to give up; `seconds` of 0 means never."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds if seconds > 0 else None

    def left(self, most: float) -> float:
        """Seconds left, at most `most`; 0 when it is over."""
        return most if self._end is None else max(0.0, min(most, self._end - time.monotonic()))


class Holdable(ABC):
    """What `pyconsul lock` holds while its child runs: a lock or a place in a semaphore."""

    def __init__(self, client: Client, key: str, session: str) -> None:
        self._client = client
        self._session = session
        #: The key that is locked, or that lists a semaphore's holders.
        self.key = key

    @abstractmethod
    def acquire(self, deadline: Deadline) -> bool:
        """Wait for it; False when the deadline came first. Raises CliError."""

    @abstractmethod
    def holds(self, entry: Entry | None) -> bool:
        """Whether the key's entry says that the session holds it."""

    @abstractmethod
    def release(self) -> None:
        """Give it back. Raises CliError."""

    @abstractmethod
    def clean(self) -> bool:
        """Delete the keys; False when somebody else uses them. Raises CliError."""

    def wait_until_lost(self, client: Client, retries: int) -> None:
        """Return when it is held no longer; `retries` failures of the agent in a row, a second apart, are endured."""
        index, failures = 0, 0
        while True:
            try:
                entry, index = self._read(client, index, _WAIT, consistent=True)
                failures = 0
            except CliError:
                failures += 1
                if failures > retries:
                    return
                time.sleep(1)
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
    """One holder: whoever acquired the key `<prefix>/.lock`."""

    def acquire(self, deadline: Deadline) -> bool:
        """Take the key; while someone holds it, wait for it to change."""
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
                    time.sleep(deadline.left(_DELAYED))  # nobody holds it: a lock-delay does
            if not (wait := deadline.left(_WAIT)):
                return False
            if entry is not None and entry.get("Session"):
                entry, index = self._read(self._client, index, wait)

    def _check(self, entry: Entry | None) -> None:
        if entry is not None and entry["Flags"] != LOCK_FLAGS:
            raise CliError(f"The key {self.key} exists and is not a lock", Status.CONFLICT)

    def holds(self, entry: Entry | None) -> bool:
        """The key belongs to the session."""
        return entry is not None and entry.get("Session") == self._session

    def release(self) -> None:
        """Release the key; that it was lost already is no error."""
        self._put(self.key, {"release": self._session, "flags": str(LOCK_FLAGS)})

    def clean(self) -> bool:
        """Delete the key if nobody holds it."""
        entry, _ = self._read(self._client)
        if entry is None:
            return True
        self._check(entry)
        return not entry.get("Session") and self._delete(self.key, {"cas": str(entry["ModifyIndex"])})


class Semaphore(Holdable):
    """Up to `limit` holders, listed in the key `<prefix>/.lock`; each contends with a key of its own beside it."""

    def __init__(self, client: Client, prefix: str, session: str, limit: int) -> None:
        super().__init__(client, f"{prefix}/.lock", session)
        self._prefix = prefix + "/"
        self._limit = limit

    def acquire(self, deadline: Deadline) -> bool:
        """Contend, then enter the list as soon as it has a place."""
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
            entries, index = self._list(index, deadline.left(_WAIT))
            lock, holders = self._state(entries)
            if len(holders) < self._limit and self._write(lock, [*holders, self._session]):
                return True
            if len(holders) < self._limit:
                index = 0  # somebody else wrote the list first
            if not deadline.left(_WAIT):
                return False

    def holds(self, entry: Entry | None) -> bool:
        """The list has the session."""
        return entry is not None and self._session in _holders(entry)

    def release(self) -> None:
        """Leave the list, however often others write it meanwhile."""
        while True:
            lock, _ = self._read(self._client)
            if lock is None or self._session not in (holders := _holders(lock)):
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
        """The list's entry and those of its holders whose sessions are alive."""
        alive = {entry.get("Session") for entry in entries}
        lock = next((entry for entry in entries if entry["Key"] == self.key), None)
        if lock is None:
            return None, []
        if lock["Flags"] != SEMAPHORE_FLAGS:
            raise CliError(f"The key {self.key} exists and is not a semaphore", Status.CONFLICT)
        if (limit := _decoded(lock).get("Limit")) != self._limit:
            raise CliError(f"Semaphore limit conflict (lock: {limit}, here: {self._limit})", Status.CONFLICT)
        return lock, [holder for holder in _holders(lock) if holder in alive]

    def _write(self, lock: Entry | None, holders: list[str]) -> bool:
        document = {"Limit": self._limit, "Holders": dict.fromkeys(holders, True)}
        index = lock["ModifyIndex"] if lock else 0
        return self._put(self.key, {"cas": str(index), "flags": str(SEMAPHORE_FLAGS)}, to_json(document))


def _decoded(entry: Entry) -> dict[str, Any]:
    import json
    from binascii import a2b_base64

    try:
        document = json.loads(a2b_base64(entry.get("Value") or ""))
    except ValueError:
        raise CliError(f"The key {entry['Key']} does not hold a semaphore", Status.CONFLICT) from None
    return document if isinstance(document, dict) else {}


def _holders(entry: Entry) -> list[str]:
    return list(_decoded(entry).get("Holders") or ())

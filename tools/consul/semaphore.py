"""One of N slots that a fleet shares: a semaphore on a key prefix, the same as that of `consul lock -n` and `pyconsul lock -n`.

It runs as tasks, so that a wait can be cancelled. It never lists all contenders: a thousand waiting machines read the list of
holders and the keys of its few holders only.
https://developer.hashicorp.com/consul/tutorials/developer-configuration/distributed-semaphore
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.semaphore_list import SEMAPHORE_FLAGS, format_semaphore_list, parse_semaphore_list
from pyconsul.tools.consul.connection import ConsulError
from pyconsul.tools.consul.session import LiveSession

if TYPE_CHECKING:
    from pyconsul.tools.consul.client import ConsulClient

#: Seconds after which Consul ends a session that is not renewed, so that a machine that died frees its slot.
TTL = 15.0
#: Maximum time that one query of the semaphore waits for a change.
_WAIT_S = 30.0
#: Maximum number of holders that are watched; the end of others is noticed after the wait.
_MAX_WATCHED = 4
#: Maximum time to free a slot; if Consul does not respond, the TTL frees it.
_MAX_LEAVE_S = 2.0
Entry = dict[str, Any]


class ConflictError(Exception):
    """The key holds no semaphore, or one with another number of slots; the text says which."""


class SessionLostError(Exception):
    """The session has ended, and with it the request for a slot."""


class Contender:
    """A contender for a slot: `open`, `enter`, then `leave`, which may be called at any time.

    `prefix`: without slashes at its ends. `slots`: their number. `name`: of the session, for people.
    """

    def __init__(self, client: ConsulClient, prefix: str, slots: int, name: str) -> None:
        self._client = client
        self._lock = f"/v1/kv/{prefix}/.lock"
        self._prefix = f"/v1/kv/{prefix}/"
        self._slots = slots
        self._live = LiveSession(client, name, ttl=TTL)

    @property
    def session(self) -> str:
        """The session's id; "" while there is none."""
        return self._live.id

    async def open(self) -> None:
        """Create a session that is kept alive, and request a slot with it. Raises ConsulError and SessionLostError."""
        await self._end_session()
        await self._live.open()
        mark = {"acquire": self.session, "flags": str(SEMAPHORE_FLAGS)}
        if not await self._client.send("PUT", self._prefix + self.session, mark):
            self._live.forget()
            raise SessionLostError("the session has ended at once")

    async def enter(self) -> None:
        """Wait for a slot and take it. Raises ConsulError, ConflictError and SessionLostError; then try again."""
        while True:
            lock, index = await self._read(self._lock)
            holders = self._holders(lock)
            if self.session in holders:
                return
            marks = {self._lock: index} | await self._alive([self.session, *holders])
            if self._prefix + self.session not in marks:
                self._live.forget()
                raise SessionLostError("the session has ended")
            alive = [holder for holder in holders if self._prefix + holder in marks]
            if len(alive) < self._slots:
                if await self._write(lock, [*alive, self.session]):
                    return
                continue  # another contender wrote the list first
            await self._until_change(dict(list(marks.items())[: 2 + _MAX_WATCHED]))

    async def leave(self) -> bool:
        """Free the slot, withdraw the request and end the session; returns whether the slot was held until now.

        When Consul does not respond in time, the session's TTL frees the slot; then it counts as held.
        """
        held = True
        with contextlib.suppress(ConsulError, ConflictError, TimeoutError):
            async with asyncio.timeout(_MAX_LEAVE_S):
                try:
                    held = await self._leave_list()
                finally:
                    await self._end_session()
        return held

    async def _leave_list(self) -> bool:
        held = bool(self.session and await self._alive([self.session]))
        while self.session:
            lock, _ = await self._read(self._lock)
            holders = self._holders(lock)
            if self.session not in holders:
                return False
            if await self._write(lock, [holder for holder in holders if holder != self.session]):
                break
        return held

    async def _end_session(self) -> None:
        if session := self._live.forget():
            await self._client.send("DELETE", self._prefix + session, {})
            await self._client.send("PUT", f"/v1/session/destroy/{session}", {})

    async def _read(self, path: str, index: int = 0) -> tuple[Entry | None, int]:
        params = {"index": str(index), "wait": f"{_WAIT_S:g}s"} if index else {}
        found, headers = await self._client.request(path, params, _WAIT_S if index else 0.0)
        return (found[0] if found else None), int(headers.get("x-consul-index", "0"))

    async def _alive(self, sessions: Sequence[str]) -> dict[str, int]:
        """Return the contender keys, with their indexes, of those of the sessions that have not ended."""
        paths = [self._prefix + session for session in sessions]
        entries = await asyncio.gather(*map(self._read, paths))
        return {
            path: index
            for path, session, (entry, index) in zip(paths, sessions, entries, strict=True)
            if entry is not None and entry.get("Session") == session
        }

    async def _until_change(self, marks: Mapping[str, int]) -> None:
        """Return when one of these keys may have changed since its index."""
        reads = [asyncio.ensure_future(self._read(path, index)) for path, index in marks.items()]
        try:
            done, _ = await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
            for read in done:
                read.result()
        finally:
            for read in reads:
                read.cancel()
            await asyncio.gather(*reads, return_exceptions=True)

    def _holders(self, lock: Entry | None) -> list[str]:
        """Return the sessions in the list, alive or not. Raises ConflictError."""
        if lock is None:
            return []
        key = lock["Key"]
        try:
            found = parse_semaphore_list(lock["Value"])
        except ValueError:
            found = None
        if lock["Flags"] != SEMAPHORE_FLAGS or found is None:
            raise ConflictError(f"the key {key} exists and is not a semaphore")
        if found.limit != self._slots:
            raise ConflictError(
                f"the fleet disagrees: the key {key} has a limit of {found.limit}, this machine {self._slots}; "
                f"give all machines the same one, or delete the key"
            )
        return found.holders

    async def _write(self, lock: Entry | None, holders: Sequence[str]) -> bool:
        """Replace the list that was read; False when it has changed since. An empty one is deleted, so that the next
        to enter may set another limit."""
        index = {"cas": str(lock["ModifyIndex"] if lock else 0)}
        if not holders:
            return bool(await self._client.send("DELETE", self._lock, index))
        marked = index | {"flags": str(SEMAPHORE_FLAGS)}
        value = format_semaphore_list(self._slots, holders)
        return bool(await self._client.send("PUT", self._lock, marked, value))

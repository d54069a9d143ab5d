"""Becoming the one that asks Consul and tells the others: by locking the key that holds the answers.

Only the holder can write: each document is written with `?acquire`, which Consul refuses to everybody else. The
key goes away with its holder's session, so nothing stays behind when nobody renders the template any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random

from pyconsul.tools.consul.client import ConsulClient, ConsulError, RetryPolicy
from pyconsul.tools.consul.session import LiveSession

log = logging.getLogger("template")

#: The flags of the keys, which tell people and programs what they are: "pyct".
FLAGS = int.from_bytes(b"pyct")
#: Seconds within which all who notice that a leader has gone try to take its place, so that most find that one has.
_SPREAD = 0.5
#: Seconds within which a key that was won is seen to be ours; after them it is tried again.
_CONFIRM = 10.0
#: Seconds that ending the session may take; if Consul is away, the session's TTL does it.
_FAREWELL = 2.0
#: A token may lack permissions, or Consul be away; when it is back, nobody should stay alone for long.
_RETRY = RetryPolicy(attempts=0, backoff=1.0, max_backoff=15.0)


class Election:
    """For any number of keys. `ttl`: of the session, in seconds."""

    def __init__(self, client: ConsulClient, *, ttl: float, name: str, rng: random.Random) -> None:
        self._client = client
        self._rng = rng
        # Every write is refused to whoever has lost the lock, so there is nothing that a lock-delay could protect.
        self._live = LiveSession(client, name, ttl=ttl, behavior="delete", lock_delay=0.0)
        self._opening = asyncio.Lock()
        self._contests: dict[str, asyncio.Task[None]] = {}
        self._told = ""

    @property
    def session(self) -> str:
        """The session that holds the keys; "" while there is none."""
        return self._live.id

    def contend(self, key: str) -> None:
        """Try to get a key that nobody holds, until `settle` says that it is decided."""
        if key not in self._contests:
            self._contests[key] = asyncio.create_task(self._contest(key))

    def settle(self, key: str) -> None:
        """Somebody holds the key, or it is not wanted any more."""
        if (contest := self._contests.pop(key, None)) is not None:
            contest.cancel()

    @property
    def idle(self) -> bool:
        """Whether there is a session that nothing is tried with."""
        return bool(self._live.id) and not self._contests

    async def rest(self) -> None:
        """End the session, and with it all that it holds: who only follows needs none."""
        with contextlib.suppress(ConsulError, TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await self._live.end()

    async def _contest(self, key: str) -> None:
        await asyncio.sleep(self._rng.uniform(0, _SPREAD))
        failures = 0
        while True:
            delay = _CONFIRM
            try:
                won = await self.write(key, b"")
            except ConsulError as error:
                won = False
                self._tell(key, error)
            if not won:
                failures += 1
                delay = _RETRY.delay(failures, self._rng) or 0.0
            await asyncio.sleep(delay)

    async def write(self, key: str, value: bytes) -> bool:
        """Lock the key and write its value; False when somebody else holds it. Raises ConsulError."""
        session = await self._session()
        try:
            return await self._write(key, value, session)
        except ConsulError as error:
            if "invalid session" not in str(error):
                raise
        if session == self._live.id:
            self._live.lose()  # It has ended; what it held is gone with it.
        return await self._write(key, value, await self._session())

    async def write_as(self, session: str, key: str, value: bytes) -> None:
        """Write a key that this session is to hold; nothing when it is not ours any more. Raises ConsulError."""
        if session == self._live.id:
            await self._write(key, value, session)

    async def is_unchanged(self, key: str, index: int) -> bool:
        """Return whether the key exists and was last written at `index`. Raises ConsulError."""
        found, _ = await self._client.request(f"/v1/kv/{key}", {"consistent": ""})
        return bool(found) and found[0].get("ModifyIndex") == index

    async def end_session(self, session: str) -> None:
        """End the session of another instance. Raises ConsulError."""
        await self._client.send("PUT", f"/v1/session/destroy/{session}", {})

    async def _session(self) -> str:
        async with self._opening:
            if not self._live.id:
                await self._live.open()
            return self._live.id

    async def _write(self, key: str, value: bytes, session: str) -> bool:
        marks = {"acquire": session, "flags": str(FLAGS)}
        return bool(await self._client.send("PUT", f"/v1/kv/{key}", marks, value))

    def _tell(self, key: str, error: ConsulError) -> None:
        if str(error) != self._told:
            log.warning("cannot share answers under %s: %s; trying again", key, error)
        self._told = str(error)

    async def close(self) -> None:
        """Give everything back, at once if Consul answers."""
        contests = list(self._contests.values())
        for key in list(self._contests):
            self.settle(key)
        await asyncio.gather(*contests, return_exceptions=True)
        await self.rest()

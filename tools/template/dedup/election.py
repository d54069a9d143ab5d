"""Elect the instance that queries Consul and shares the answers: it locks the key that holds them.

Only the holder of the lock can write: each document is written with `?acquire`, which Consul refuses to all others.
Consul deletes the key with its holder's session, so nothing is left when no instance renders the template any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random

from pyconsul.tools.consul.client import ConsulClient, ConsulError, RetryPolicy
from pyconsul.tools.consul.session import LiveSession

log = logging.getLogger("template")

#: The flags that mark the keys for people and programs: "pyct".
FLAGS = int.from_bytes(b"pyct")
#: Period over which instances spread their attempts to replace a leader, so that most find a new one.
_SPREAD_S = 0.5
#: Time for a won key to show up as ours; after it the attempt is repeated.
_CONFIRM_S = 10.0
#: Maximum time to end the session; if Consul does not respond, the session's TTL ends it.
_MAX_END_S = 2.0
#: Backoff after a failed attempt. The token may lack permissions, or Consul may be down for a short time.
_RETRY = RetryPolicy(attempts=0, backoff=1.0, max_backoff=15.0)


class Election:
    """Campaigns for any number of keys with one session. `ttl`: of the session, in seconds."""

    def __init__(self, client: ConsulClient, *, ttl: float, name: str, rng: random.Random) -> None:
        self._client = client
        self._rng = rng
        # Consul refuses every write without the lock, so a lock-delay would protect nothing.
        self._live = LiveSession(client, name, ttl=ttl, behavior="delete", lock_delay=0.0)
        self._opening = asyncio.Lock()
        self._campaigns: dict[str, asyncio.Task[None]] = {}
        self._logged = ""

    @property
    def session(self) -> str:
        """The session that holds the keys; "" while there is none."""
        return self._live.id

    def campaign(self, key: str) -> None:
        """Try to get a key that is not held, until `withdraw`."""
        if key not in self._campaigns:
            self._campaigns[key] = asyncio.create_task(self._campaign_for(key))

    def withdraw(self, key: str) -> None:
        """Stop trying to get a key: it is held, or not used any more."""
        if (campaign := self._campaigns.pop(key, None)) is not None:
            campaign.cancel()

    @property
    def idle(self) -> bool:
        """Return whether there is a session without a campaign."""
        return bool(self._live.id) and not self._campaigns

    async def release_session(self) -> None:
        """End the session and with it all that it holds: a follower needs none."""
        with contextlib.suppress(ConsulError, TimeoutError):
            async with asyncio.timeout(_MAX_END_S):
                await self._live.end()

    async def _campaign_for(self, key: str) -> None:
        await asyncio.sleep(self._rng.uniform(0, _SPREAD_S))
        failures = 0
        while True:
            delay = _CONFIRM_S
            try:
                won = await self.write(key, b"")
            except ConsulError as error:
                won = False
                self._log_failure(key, error)
            if not won:
                failures += 1
                delay = _RETRY.delay(failures, self._rng) or 0.0
            await asyncio.sleep(delay)

    async def write(self, key: str, value: bytes) -> bool:
        """Lock the key and write its value; False when another session holds it. Raises ConsulError."""
        session = await self._session()
        try:
            return await self._write(key, value, session)
        except ConsulError as error:
            if "invalid session" not in str(error):
                raise
        if session == self._live.id:
            self._live.forget()  # it has ended, and its keys with it
        return await self._write(key, value, await self._session())

    async def write_as(self, session: str, key: str, value: bytes) -> None:
        """Lock and write a key with this session; does nothing when it is not our session any more. Raises ConsulError."""
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

    def _log_failure(self, key: str, error: ConsulError) -> None:
        if str(error) != self._logged:
            log.warning("cannot share answers under %s: %s; trying again", key, error)
        self._logged = str(error)

    async def close(self) -> None:
        """Stop all campaigns and end the session."""
        campaigns = list(self._campaigns.values())
        for key in list(self._campaigns):
            self.withdraw(key)
        await asyncio.gather(*campaigns, return_exceptions=True)
        await self.release_session()

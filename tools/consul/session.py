"""A session of Consul's that is kept alive, for what is held with it: locks, places of a semaphore.

https://developer.hashicorp.com/consul/api-docs/session
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec

from pyconsul.tools.consul.connection import ConsulError

if TYPE_CHECKING:
    from pyconsul.tools.consul.client import ConsulClient


class LiveSession:
    """One at a time: `open`, then `end`.

    `name`: for people. `ttl`: seconds, 10 … 86400, after which Consul ends it when it is not renewed, so that a machine
    that died gives back what it held. `behavior`: whether Consul then releases the keys that it holds, or deletes them.
    `lock_delay`: seconds for which nobody else may lock these keys then; None: Consul's 15.
    """

    def __init__(
        self,
        client: ConsulClient,
        name: str,
        *,
        ttl: float,
        behavior: str = "release",
        lock_delay: float | None = None,
    ) -> None:
        self._client = client
        self._asked = {"Name": name, "TTL": f"{ttl:g}s", "Behavior": behavior}
        if lock_delay is not None:
            self._asked["LockDelay"] = f"{lock_delay:g}s"
        self._ttl = ttl
        self._renewer: asyncio.Task[None] | None = None
        #: The session's id; "" while there is none.
        self.id = ""

    async def open(self) -> None:
        """Make a new one. Raises ConsulError."""
        self.lose()
        created = await self._client.send("PUT", "/v1/session/create", {}, msgspec.json.encode(self._asked))
        self.id = created["ID"]
        self._renewer = asyncio.create_task(self._renew(self.id))

    async def _renew(self, session: str) -> None:
        while True:
            await asyncio.sleep(self._ttl / 3)
            # A renewal that failed is made up for by the next one; whether the session is lost shows at its keys.
            with contextlib.suppress(ConsulError):
                await self._client.send("PUT", f"/v1/session/renew/{session}", {})

    def lose(self) -> str:
        """Forget it, since it has ended or is to; returns its id."""
        session, self.id = self.id, ""
        if self._renewer is not None:
            self._renewer.cancel()
            self._renewer = None
        return session

    async def end(self) -> None:
        """End it, and with it what it holds. Raises ConsulError."""
        if session := self.lose():
            await self._client.send("PUT", f"/v1/session/destroy/{session}", {})

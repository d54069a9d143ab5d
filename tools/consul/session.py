"""A session of Consul that is kept alive, for the locks and semaphore slots that are held with it.

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
    that died frees what it held. `behavior`: whether Consul then releases the keys that it holds, or deletes them.
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
        self._body = {"Name": name, "TTL": f"{ttl:g}s", "Behavior": behavior}
        if lock_delay is not None:
            self._body["LockDelay"] = f"{lock_delay:g}s"
        self._ttl = ttl
        self._renewer: asyncio.Task[None] | None = None
        #: The session's id; "" while there is none.
        self.id = ""

    async def open(self) -> None:
        """Create a new session. Raises ConsulError."""
        self.forget()
        created = await self._client.send("PUT", "/v1/session/create", {}, msgspec.json.encode(self._body))
        self.id = created["ID"]
        self._renewer = asyncio.create_task(self._renew(self.id))

    async def _renew(self, session: str) -> None:
        while True:
            await asyncio.sleep(self._ttl / 3)
            # The next renewal makes up for a failed one; a lost session shows at its keys.
            with contextlib.suppress(ConsulError):
                await self._client.send("PUT", f"/v1/session/renew/{session}", {})

    def forget(self) -> str:
        """Forget the session, which has ended or will be ended; returns its ID."""
        session, self.id = self.id, ""
        if self._renewer is not None:
            self._renewer.cancel()
            self._renewer = None
        return session

    async def end(self) -> None:
        """End the session and with it all that it holds. Raises ConsulError."""
        if session := self.forget():
            await self._client.send("PUT", f"/v1/session/destroy/{session}", {})

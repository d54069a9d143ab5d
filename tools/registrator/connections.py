"""The connections that a run waits on: the engine's events, and the agent, whose end and return are noticed.

Both are tried again for ever. Neither says what has changed: they say when to look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any

from pyconsul.agent.common.reasons import reason
from pyconsul.tools.consul.connection import Connection, ConsulError
from pyconsul.tools.registrator.engine import Engine, EngineError

log = logging.getLogger("registrator")

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
_CONNECT_S = 10.0


class Backoff:
    """Delays that double up to a limit."""

    def __init__(self, first_s: float = FIRST_BACKOFF_S, max_s: float = MAX_BACKOFF_S) -> None:
        self._first = first_s
        self._max = max_s
        self._next = first_s

    def reset(self) -> None:
        self._next = self._first

    def delay(self) -> float:
        """Return the next delay in seconds."""
        delay, self._next = self._next, min(2 * self._next, self._max)
        return delay


class Link:
    """A connection that is kept up: `hold` returns or raises when it ends, after it has called its argument once up.

    The backoff starts again after a connection that has lasted: one that ends at once each time must not cost more.
    """

    def __init__(
        self, name: str, hold: Callable[[Callable[[], None]], Awaitable[None]], on_up: Callable[[], None]
    ) -> None:
        self.name = name
        self.up = False
        self.outages = 0
        self.trouble = ""
        self._hold = hold
        self._on_up = on_up
        self._backoff = Backoff()
        self._since = 0.0

    async def run(self) -> None:
        """Connect, and again whenever the connection ends."""
        while True:
            try:
                await self._hold(self._is_up)
                self._is_down("the connection has ended")
            except (EngineError, ConsulError, OSError, TimeoutError) as error:
                self._is_down(reason(error) if isinstance(error, OSError) else str(error))
            await asyncio.sleep(self._backoff.delay())

    def _is_up(self) -> None:
        if self.trouble:
            log.info("%s is back", self.name)
        self.up, self.trouble = True, ""
        self._since = asyncio.get_running_loop().time()
        self._on_up()

    def _is_down(self, trouble: str) -> None:
        if self.up and asyncio.get_running_loop().time() - self._since > MAX_BACKOFF_S:
            self._backoff.reset()
        if self.up or not self.trouble:
            self.outages += self.up
            log.warning("%s is away, waiting for it: %s", self.name, trouble)
        self.up, self.trouble = False, trouble


def events_of(
    engine: Engine, on_event: Callable[[Mapping[str, Any]], None]
) -> Callable[[Callable[[], None]], Awaitable[None]]:
    """Return the function that holds the stream of events."""

    async def hold(is_up: Callable[[], None]) -> None:
        async with aclosing(engine.events(is_up)) as events:
            async for event in events:
                on_event(event)

    return hold


def agent_connection(connection: Connection) -> Callable[[Callable[[], None]], Awaitable[None]]:
    """Return the function that holds an idle connection to the agent: its end says that the agent has ended.

    A request comes first: servers close connections that send nothing.
    """
    address = connection.agent_address()
    tls = connection.tls_context()
    server_name = (connection.tls.server_name or address.host) if tls is not None else None
    request = f"GET {address.prefix}/v1/status/leader HTTP/1.1\r\nHost: {address.authority}\r\n\r\n".encode()

    async def hold(is_up: Callable[[], None]) -> None:
        async with asyncio.timeout(_CONNECT_S):
            if address.unix:
                reader, writer = await asyncio.open_unix_connection(address.unix)
            else:
                reader, writer = await asyncio.open_connection(
                    address.host, address.port, ssl=tls, server_hostname=server_name
                )
        try:
            writer.write(request)
            async with asyncio.timeout(_CONNECT_S):
                if not await reader.read(65536):
                    return
            is_up()
            while await reader.read(65536):
                pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    return hold

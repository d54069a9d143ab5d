"""The tools' long-running connection to Consul's HTTP API: blocking queries that ride out an outage.

    client = ConsulClient(Connection("127.0.0.1:8500"), rng=random.Random())
    data, index = await client.blocking("/v1/kv/app", {"recurse": ""}, 0)         # at once
    data, index = await client.blocking("/v1/kv/app", {"recurse": ""}, index)     # when it may have changed
    async for data in client.watch("/v1/kv/app", {"recurse": ""}): ...            # at once, then at each change
    await client.close()

Blocking queries: https://developer.hashicorp.com/consul/api-docs/features/blocking
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from pyconsul.tools.consul.connection import Connection, ConsulError, Tls
from pyconsul.tools.consul.plain_reads import PlainReads
from pyconsul.tools.consul.retry import RetryPolicy

if TYPE_CHECKING:
    from pyconsul.tools.consul.http_transport import Transport

__all__ = ["Connection", "ConsulClient", "ConsulError", "RetryPolicy", "Tls"]

log = logging.getLogger("consul")

#: How long, in seconds, one blocking query asks Consul to wait.
WAIT = 60.0
#: Time for a response beyond the requested wait.
PATIENCE = 10.0
#: Minimum interval of responses to one watch: a value that changes all the time must not use the CPU up.
PACE = 0.1
#: Statuses of a GET to an endpoint that exists: method not allowed, timeout, too many requests.
_ENDPOINT_EXISTS = (405, 408, 429)


class ConsulClient:
    """Asks Consul's HTTP API; may be used by any number of tasks of one event loop.

    `plain_reads`: GETs that do not wait for a change use their own connections, without httpx, so that a program has its
    first answers before httpx is loaded. `retry` is for all queries. `max_stale`: any server may answer that had contact
    with the leader within so many seconds; 0 asks the leader. `rng` draws the jitter. Raises ConsulError for a connection
    that makes no sense.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        rng: random.Random,
        retry: RetryPolicy | None = None,
        max_stale: float = 0.0,
        plain_reads: bool = False,
    ) -> None:
        self.connection = connection
        self.retry = retry or RetryPolicy()
        self.max_stale = max_stale
        self._rng = rng
        self._tls = connection.tls_context()
        self._transport: Transport | None = None
        self._loading = asyncio.Lock()
        self._plain = PlainReads(connection, self._tls) if plain_reads else None

    async def close(self) -> None:
        """Close all connections; a later question opens new ones."""
        if self._plain is not None:
            await self._plain.close()
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    async def _open(self) -> Transport:
        async with self._loading:
            if self._transport is None:
                # httpx takes longer to load than all the rest: programs that ask nothing (-h, fixtures) do without, and
                # those that ask go on meanwhile.
                module = await asyncio.to_thread(import_module, "pyconsul.tools.consul.http_transport")
                self._transport = module.Transport(self.connection, self._tls)
            return self._transport

    async def lacks(self, path: str) -> bool:
        """Return whether Consul certainly has no such endpoint, found out by a plain GET; False when that is not known."""
        if self._plain is None:
            return False
        try:
            status = await self._plain.status(path, PATIENCE)
        except ConsulError:
            return False
        return 400 <= status < 500 and status not in _ENDPOINT_EXISTS

    async def request(self, path: str, params: Mapping[str, str], wait: float = 0.0) -> tuple[Any, Mapping[str, str]]:
        """Return one GET, without retry: the decoded JSON and the headers (names in lower case). 404 gives None.

        `path` starts with /v1/ and is not yet escaped; `wait`: seconds that Consul may take in addition.
        Raises ConsulError.
        """
        # Consul adds up to a sixteenth of the wait as jitter.
        return await self._exchange("GET", path, params, b"", wait * 17 / 16)

    async def send(self, method: str, path: str, params: Mapping[str, str], body: bytes = b"") -> Any:
        """Return one PUT or DELETE, without retry: the decoded JSON. 404 and an empty answer give None. Raises ConsulError."""
        return (await self._exchange(method, path, params, body, 0.0))[0]

    async def _exchange(
        self, method: str, path: str, params: Mapping[str, str], body: bytes, wait: float
    ) -> tuple[Any, Mapping[str, str]]:
        if self._plain is not None and method == "GET" and "index" not in params:
            data, headers = await self._plain.ask(path, params, wait + PATIENCE)
        else:
            data, headers = await (await self._open()).ask(method, path, params, body, wait + PATIENCE)
        if data is None or (not data and method != "GET"):
            return None, headers
        try:
            return msgspec.json.decode(data), headers
        except (msgspec.DecodeError, RecursionError) as error:
            raise ConsulError(f"{method} {path}: the answer is no JSON: {error}", 200) from error

    async def lines(self, path: str, body: bytes, patience: float) -> AsyncGenerator[list[bytes], None]:
        """Yield the lines of the answer to one POST as they come.

        Raises ConsulError, also at the end of the answer, and when nothing comes for `patience` seconds.
        """
        async with aclosing((await self._open()).lines(path, body, patience)) as parts:
            async for lines in parts:
                yield lines

    async def blocking(
        self,
        path: str,
        params: Mapping[str, str],
        index: int,
        wait: float = WAIT,
        on_filtered: Callable[[], None] | None = None,
    ) -> tuple[Any, int]:
        """Return the data at `path` and its index, once it is (or may be) another than `index`; 0 answers at once.

        Errors are retried as `retry` says, then raised as ConsulError. A missing resource (404) is None.
        `on_filtered` is called when the token hides a part of the data. The new index is at least 1; it may be lower than
        `index`, when Consul's state is another one (a restored or a new server).
        """
        failures = 0
        while True:
            try:
                # After an outage Consul may have been replaced, and `index` may be far ahead: ask without it.
                data, headers = await self._query(path, params, 0 if failures else index, wait)
            except ConsulError as error:
                failures += 1
                delay = self.retry.delay(failures, self._rng, answered=index > 0)
                if delay is None:
                    raise
                log.warning("%s (try %d, again in %.3gs)", error, failures, delay)
                await asyncio.sleep(delay)
                continue
            if on_filtered is not None and headers.get("x-consul-results-filtered-by-acls") == "true":
                on_filtered()
            new = max(_number(headers.get("x-consul-index")), 1)
            if failures == 0 or new != index:
                return data, new
            failures = 0

    async def _query(
        self, path: str, params: Mapping[str, str], index: int, wait: float
    ) -> tuple[Any, Mapping[str, str]]:
        asked = dict(params)
        if index:
            asked |= {"index": str(index), "wait": f"{wait * 1000:.0f}ms"}
        if self.max_stale <= 0:
            return await self.request(path, asked, wait)
        data, headers = await self.request(path, asked | {"stale": ""}, wait)
        # X-Consul-LastContact: milliseconds since the answering server heard from the leader.
        if _number(headers.get("x-consul-lastcontact")) > self.max_stale * 1000:
            return await self.request(path, dict(params))
        return data, headers

    async def watch(
        self, path: str, params: Mapping[str, str], index: int = 0, wait: float = WAIT
    ) -> AsyncIterator[Any]:
        """Yield the data at `path` whenever its index has moved; first at once, unless `index` is what the caller has.

        Raises ConsulError as `blocking` does.
        """
        while True:
            data, new = await self.blocking(path, params, index, wait)
            if new != index:
                yield data
                await asyncio.sleep(PACE)
            index = new


def _number(header: str | None) -> int:
    return int(header) if header and header.isdecimal() and len(header) <= 20 else 0

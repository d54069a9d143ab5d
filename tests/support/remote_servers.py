"""The servers of a datacenter as a client agent sees them: the HTTP API of one server without sockets, with access control."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from pyconsul.agent.acl import builtin
from pyconsul.agent.acl.resolver import Resolver, Settings
from pyconsul.agent.httpapi.core.forwarding.standing import NO_SERVERS, Scope
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.model.acl import Grants, Policy, Token
from pyconsul.agent.rpc.contract import Lost, NotSent
from pyconsul.agent.state.acl import policies, tokens
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn
from support.http_api import Api


class Access:
    """Access control of a server: tokens by their secrets, at a time that the test sets."""

    def __init__(self) -> None:
        self.store, self.now = Store(), 1000.0
        settings = Settings(datacenter="dc1", node_name="s1", default_allow=False)
        self.resolver = Resolver(self.store, self.store.watches, settings, lambda name: "", lambda: self.now)
        self.write(builtin.ensure)

    def write(self, operation: Callable[[WriteTxn], Any]) -> None:
        txn = WriteTxn(self.store)
        txn.begin(self.store.index + 1, self.now)
        operation(txn)
        self.store.install(txn.finish())

    def token(self, secret: str, rules: str, expires: float | None = None) -> None:
        """Add a token with the given rules."""
        name = f"policy of {secret}"
        self.write(lambda txn: policies.put(txn, Policy(id=name, name=name, rules=rules)))
        grants = Grants(policies=(name,))
        made = Token(accessor_id="id-" + secret, secret_id=secret, grants=grants, expires=expires)
        self.write(lambda txn: tokens.put(txn, made))

    def remove(self, secret: str) -> None:
        self.write(lambda txn: tokens.delete(txn, "id-" + secret))


class Stream(AsyncIterator[bytes]):
    """A stream of a response that can be lost."""

    def __init__(self, parts: AsyncIterator[bytes], running: set[Stream]) -> None:
        self._parts: Any = parts
        self._running = running
        self._lost: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        running.add(self)

    def lose(self) -> None:
        if not self._lost.done():
            self._lost.set_exception(Lost("the connection has ended"))

    async def __anext__(self) -> bytes:
        part = asyncio.ensure_future(anext(self._parts))
        try:
            done, _ = await asyncio.wait((part, self._lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            part.cancel()
            await asyncio.wait((part,))
        if self._lost in done:
            raise self._lost.exception() or AssertionError
        return part.result()

    async def aclose(self) -> None:
        self._running.discard(self)
        await self._parts.aclose()


class Servers:
    """Sends requests to the API of one server.  away: none can be reached.  asked: method and target of each request."""

    def __init__(self, access: Access | None = None, agent: str = "c1", **settings: Any) -> None:
        self.access, self._agent = access, agent
        self.api = Api(acl=access.resolver if access else None, **settings)
        self.away = False
        self.asked: list[str] = []
        self.streams: set[Stream] = set()

    async def __call__(self, scope: Scope, request: HTTPRequest) -> Response:
        if self.away:
            raise NotSent(NO_SERVERS)
        self.asked.append(f"{scope} {request.method} {request.target.decode()}")
        response = await self.begin(request)
        if response.stream is not None:
            stream = Stream(response.stream, self.streams)
            return Response(response.status, response.body, response.headers, stream)
        return response

    def cut(self) -> None:
        """End all streams as a broken connection does, and let no server be reached."""
        self.away = True
        for stream in list(self.streams):
            stream.lose()

    async def begin(self, request: HTTPRequest) -> Response:
        arrived = Request(request.method, request.target, request.headers, request.body)
        arrived.origin = self._agent
        begun = self.api.app.begin(arrived)
        response: Any = await begun if isinstance(begun, Awaitable) else begun
        assert isinstance(response, Response)
        return response

"""Serves the status pages: uvicorn's protocol on a socket of ours, inside the running event loop.

uvicorn's own server would catch signals and wake up ten times a second; only its protocol is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from pyconsul.tools.hclfile import ConfigError
from pyconsul.tools.template.report import RunReport
from pyconsul.tools.template.status.options import Address, parse_address
from pyconsul.tools.template.status.pages import Call, Page, Pages, Release, query_of
from pyconsul.tools.template.tally import Tally

if TYPE_CHECKING:
    from uvicorn.server import ServerState

log = logging.getLogger("template")

#: Requests at the same time; more are refused.
_AT_ONCE = 64
#: Seconds after which a connection is closed: who sends nothing must not take the place of others.
_LIFE = 30.0
#: Seconds that requests get when the server stops.
_GRACE = 1.0

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class StatusServer:
    """`address`: see `options.parse_address`. `release`: see `pages`."""

    def __init__(self, address: str, report: Callable[[], RunReport], tally: Tally, release: Release) -> None:
        self._text = address
        self._pages = Pages(report, tally, release)
        self._path = ""
        self._server: asyncio.Server | None = None
        self._state: ServerState | None = None

    async def start(self) -> None:
        """Accept connections from now on. Raises ConfigError, naming the flag, when it cannot listen."""
        from uvicorn.config import Config
        from uvicorn.server import ServerState

        config = Config(
            self._app,
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            limit_concurrency=_AT_ONCE,
        )
        config.load()
        state = self._state = ServerState()
        loop = asyncio.get_running_loop()

        def connection() -> asyncio.Protocol:
            protocol: Any = config.http_protocol_class
            made: Any = protocol(config=config, server_state=state, app_state={})
            loop.call_later(_LIFE, made.shutdown)
            return cast(asyncio.Protocol, made)

        try:
            self._server = await self._listen(parse_address(self._text), connection)
        except ValueError as error:
            raise ConfigError(f"-http-addr-status: {error}") from error
        except OSError as error:
            raise ConfigError(f"-http-addr-status: cannot listen at {self._text}: {_reason(error)}") from error

    async def _listen(self, address: Address, protocol: Callable[[], asyncio.Protocol]) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        if not address.path:
            return await loop.create_server(protocol, address.host or None, address.port)
        _clear(address.path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(address.path)
            self._path = address.path
            return await loop.create_unix_server(protocol, sock=sock)
        except OSError:
            sock.close()
            raise

    @property
    def ports(self) -> list[int]:
        """The TCP ports it listens at."""
        sockets = self._server.sockets if self._server else ()
        return [sock.getsockname()[1] for sock in sockets if sock.family != socket.AF_UNIX]

    async def stop(self) -> None:
        """Accept no more; requests that are under way may finish."""
        server, self._server = self._server, None
        if server is None or self._state is None:
            return
        server.close()
        if self._path:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            _, late = await asyncio.wait(list(self._state.tasks), timeout=_GRACE)
            for task in late:
                task.cancel()

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = query_of(scope["query_string"].decode("latin-1"))
        page = self._answer(Call(scope["method"], scope["path"], query, headers))
        fields = [
            (b"content-type", page.content_type.encode()),
            (b"content-length", str(len(page.body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if page.allow:
            fields.append((b"allow", page.allow.encode()))
        await send({"type": "http.response.start", "status": page.status, "headers": fields})
        await send({"type": "http.response.body", "body": page.body})

    def _answer(self, call: Call) -> Page:
        try:
            return self._pages.answer(call)
        except Exception:  # A page must not end the run.
            log.exception("the status page %s failed", call.path)
            return Page(500, b"this page failed; the log says why\n")


def _reason(error: OSError) -> str:
    """Without the library's words around it; errors of name resolution have numbers of their own."""
    if isinstance(error, socket.gaierror) or not error.errno:
        return str(error.strerror or error)
    return os.strerror(error.errno).lower()


def _clear(path: str) -> None:
    """Remove a socket that nobody listens at any more. Raises OSError when somebody does, or when it is no socket."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise FileExistsError(17, "File exists", path)
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise OSError(98, "Address already in use", path)

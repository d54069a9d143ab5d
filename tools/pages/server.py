"""Serves the status pages inside the running event loop, on the HTTP connections of the agent's API."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from collections.abc import Callable
from urllib.parse import unquote

from pyconsul.agent.httpapi.server.contract import BodyRule, Headers, HTTPRequest, Response, Wire
from pyconsul.agent.httpapi.server.limits import Limits
from pyconsul.agent.httpapi.server.server import HTTPServer
from pyconsul.agent.httpapi.server.wire import text_response
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.pages.address import Address, parse_address
from pyconsul.tools.pages.contract import Call, Page, PageSource, query_of

log = logging.getLogger("status")

#: Connections at the same time; more are refused.
_AT_ONCE = 64
#: Maximum size of a request's body, which no page reads.
_BODY = 4096
#: Time after which an idle connection is closed, to free its slot.
_LIFE = 30.0
#: Seconds that requests get when the server stops.
_GRACE = 1.0

_FIXED: Headers = ((b"Cache-Control", b"no-store"), (b"X-Content-Type-Options", b"nosniff"))


class StatusServer:
    """`address`: see `parse_address`. `flag`: the one that gave it, for errors."""

    def __init__(self, flag: str, address: str, pages: PageSource) -> None:
        self._flag = flag
        self._text = address
        self._http = HTTPServer(
            PageApplication(pages),
            (),
            Limits(connections=_AT_ONCE, lifetime_s=_LIFE, stop_s=_GRACE),
        )
        self._path = ""
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Accept connections from now on. Raises ConfigError, naming the flag, when it cannot listen."""
        try:
            self._server = await self._listen(parse_address(self._text))
        except ValueError as error:
            raise ConfigError(f"{self._flag}: {error}") from error
        except OSError as error:
            raise ConfigError(f"{self._flag}: cannot listen at {self._text}: {_reason(error)}") from error
        await self._http.start()

    async def _listen(self, address: Address) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        if not address.path:
            return await loop.create_server(self._http.connect, address.host or None, address.port)
        _clear(address.path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(address.path)
            self._path = address.path
            return await loop.create_unix_server(self._http.connect, sock=sock)
        except OSError:
            sock.close()
            raise

    @property
    def ports(self) -> list[int]:
        """The TCP ports it listens at."""
        sockets = self._server.sockets if self._server else ()
        return [sock.getsockname()[1] for sock in sockets if sock.family != socket.AF_UNIX]

    async def stop(self) -> None:
        """Stop accepting; requests that are under way may finish."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        if self._path:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
        await self._http.stop()


class PageApplication:
    """The pages as an application of the HTTP server."""

    def __init__(self, pages: PageSource) -> None:
        self._pages = pages

    new_request = HTTPRequest

    def body_rule(self, request: HTTPRequest) -> BodyRule:
        return BodyRule(_BODY)

    def too_large(self, request: HTTPRequest, rule: BodyRule, size: int) -> Response:
        return text_response(413, rule.refusal(size))

    def cached(self, target: bytes, token: bytes) -> Wire | None:
        """Pages show the present state."""
        return None

    def current(self, target: bytes, token: bytes, respond: Callable[[Wire | None], None]) -> None:
        return None

    def begin(self, request: HTTPRequest) -> Response:
        path, _, query = request.target.decode("latin-1").partition("?")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.items()}
        page = self._page(Call(request.method, unquote(path), query_of(query), headers))
        length = (b"Content-Length", b"%d" % len(page.body))
        fields: Headers = ((b"Content-Type", page.content_type.encode()), length, *_FIXED)
        if page.allow:
            fields = (*fields, (b"Allow", page.allow.encode()))
        return Response(page.status, page.body, fields)

    def _page(self, call: Call) -> Page:
        try:
            return self._pages.answer(call)
        except Exception:  # A page must not end the run.
            log.exception("the status page %s failed", call.path)
            return Page(500, b"this page failed; the log says why\n")

    def close(self) -> None:
        """No page waits for anything."""


def _reason(error: OSError) -> str:
    """Return the system's text without that of the library; name resolution has its own error numbers."""
    if isinstance(error, socket.gaierror) or not error.errno:
        return str(error.strerror or error)
    return os.strerror(error.errno).lower()


def _clear(path: str) -> None:
    """Remove a socket that no process listens on. Raises OSError when one does, or when it is not a socket."""
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

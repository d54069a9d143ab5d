"""Send requests to Consul: through one httpx client, each on its own connection while it is open.

An error tells the path and what the server says of a refusal; of all else that was sent and received it tells nothing,
since that may be a token or a value.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from pyconsul.agent.common.http_answer import MAX_BODY_BYTES, MAX_ERROR_BYTES
from pyconsul.agent.common.reasons import reason
from pyconsul.tools.consul.connection import Connection, ConsulError
from pyconsul.tools.consul.long_poll_transport import LongPollTransport

#: Seconds after which an idle connection is not used again. Agents close none; what stands before them may, but later.
_IDLE = 5.0
#: Bytes of an error's text that are read from a stream.
_TEXT = 4096
_REDIRECTS = (301, 302, 303, 307, 308)
#: Characters of a header.
_HEADER = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Transport:
    """Connections to Consul until `close`. `tls`: for https. Raises ConsulError for an address that makes no sense."""

    def __init__(self, connection: Connection, tls: ssl.SSLContext | None) -> None:
        self._connection = connection
        address = connection.agent_address()
        self._root = address.prefix
        self._headers = [
            _header("Host", address.authority),
            _header("User-Agent", "pyconsul"),
            _header("Accept", "application/json"),
        ]
        if connection.auth:
            user, _, password = connection.auth.partition(":")
            word = base64.b64encode(f"{user}:{password}".encode()).decode()
            self._headers.append(_header("Authorization", f"Basic {word}"))
        try:
            scheme = "https" if address.secure else "http"
            self._url = httpx.URL(scheme=scheme, host=address.host or "localhost", port=address.port or 80)
        except httpx.InvalidURL as error:
            raise ConsulError(f"invalid address {connection.address!r}: {error}") from error
        kept = connection.max_idle_connections if connection.keep_alives else 0
        lane = functools.partial(
            httpx.AsyncHTTPTransport,
            verify=tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # without TLS, no certificates need to be read
            trust_env=False,
            limits=httpx.Limits(max_connections=1, keepalive_expiry=_IDLE),
            uds=address.unix or None,
        )
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        transport = LongPollTransport(lane, kept=kept, expiry=_IDLE)
        self._client = httpx.AsyncClient(transport=transport, trust_env=False, cookies=no_cookies)

    async def close(self) -> None:
        await self._client.aclose()

    async def ask(
        self, method: str, path: str, params: Mapping[str, str], body: bytes, patience: float
    ) -> tuple[bytes | None, Mapping[str, str]]:
        """Return the body of the answer, None for "not found", and its headers.

        `patience`: seconds of silence that are an error; all together may take that and the time to connect.
        Raises ConsulError.
        """
        request = self._request(method, path, params, body, patience)
        with self._errors(method, path, patience):
            async with asyncio.timeout(self._connection.dial_timeout + patience):
                # A request with an index is not repeated: the server may be a new one with lower indexes.
                response = await self._answer(request, again=method == "GET" and "index" not in params)
                async with aclosing(response):
                    data = await _body(response)
                if method == "GET" and response.status_code in _REDIRECTS:
                    # A path with "//" or ".." goes by its clean form, as Go's clients follow it.
                    request = self._redirected(request, response)
                    response = await self._answer(request, again="index" not in params)
                    async with aclosing(response):
                        data = await _body(response)
        if response.status_code == 404:
            return None, response.headers
        if response.status_code != 200:
            raise _refusal(method, path, response.status_code, data)
        return data, response.headers

    async def lines(self, path: str, body: bytes, patience: float) -> AsyncGenerator[list[bytes], None]:
        """Yield lines as `ConsulClient.lines` does."""
        request = self._request("POST", path, {}, body, patience)
        with self._errors("POST", path, patience):
            response = await self._client.send(request, stream=True)
            async with aclosing(response):
                pieces = response.aiter_raw()
                if response.status_code != 200:
                    raise _refusal("POST", path, response.status_code, await _beginning(pieces))
                rest: list[bytes] = []  # of an incomplete line
                rest_bytes = 0
                async for piece in pieces:
                    first, *others = piece.split(b"\n")
                    rest.append(first)
                    rest_bytes += len(first)
                    if rest_bytes > MAX_BODY_BYTES:
                        raise ConsulError(f"POST {path}: a line is longer than {MAX_BODY_BYTES >> 20} MB")
                    if others:
                        lines, rest = [b"".join(rest), *others[:-1]], others[-1:]
                        rest_bytes = len(rest[0])
                        yield lines
        raise ConsulError(f"POST {path} from {self._connection.address}: the stream has ended")

    def _request(
        self, method: str, path: str, params: Mapping[str, str], body: bytes, patience: float
    ) -> httpx.Request:
        query = "?" + urlencode(params) if params else ""
        headers = self._headers.copy()
        if token := self._connection.read_token():
            headers.append(_header("X-Consul-Token", token))
        if method != "GET":
            headers.append(_header("Content-Length", str(len(body))))
        timeout = httpx.Timeout(patience, connect=self._connection.dial_timeout, pool=None)
        # As part of the URL the path would be normalized: a key may hold "..", "//" and what looks escaped.
        extensions: dict[str, Any] = {
            "target": f"{self._root}{quote(path)}{query}".encode(),
            "timeout": timeout.as_dict(),
        }
        if self._connection.tls.server_name:
            extensions["sni_hostname"] = self._connection.tls.server_name
        # A stream gets no headers but ours.
        return httpx.Request(method, self._url, headers=headers, stream=httpx.ByteStream(body), extensions=extensions)

    def _redirected(self, request: httpx.Request, response: httpx.Response) -> httpx.Request:
        """Return the request for another path of the same agent. Raises ConsulError for another host: it must not see the token."""
        location, status = response.headers.get("Location", ""), response.status_code
        if not location.startswith("/") or location.startswith("//"):
            raise ConsulError(
                f"{self._connection.address} redirects to another host ({status}); use that host's address", status
            )
        extensions = {**request.extensions, "target": location.encode()}
        stream = httpx.ByteStream(b"")
        return httpx.Request("GET", self._url, headers=request.headers.raw, stream=stream, extensions=extensions)

    async def _answer(self, request: httpx.Request, *, again: bool) -> httpx.Response:
        """Return the head of an answer. `again`: whether to repeat a request without an answer. Raises the errors of httpx."""
        try:
            return await self._client.send(request, stream=True)
        except (httpx.ReadError, httpx.RemoteProtocolError):
            # A kept connection may have been closed by the server just now.
            if not again:
                raise
        return await self._client.send(request, stream=True)

    @contextmanager
    def _errors(self, method: str, path: str, patience: float) -> Iterator[None]:
        """Convert exceptions of httpx to ConsulError."""
        where, dial = f"{method} {path} from {self._connection.address}", self._connection.dial_timeout
        try:
            yield
        except httpx.ConnectTimeout:
            raise ConsulError(f"{where}: no connection within {dial:g}s", silent=dial) from None
        except (TimeoutError, httpx.TimeoutException):
            raise ConsulError(f"{where}: no answer within {patience:g}s", silent=patience) from None
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise ConsulError(f"{where}: {_words_of(error)}") from error


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    """Raises ConsulError for what is no header; it does not show the value, which may be a secret."""
    if not _HEADER.fullmatch(value):
        raise ConsulError(f"the header {name} would hold a line break, or another character that is not allowed there")
    return name.encode(), value.strip(" \t").encode("latin-1")


def _refusal(method: str, path: str, status: int, body: bytes) -> ConsulError:
    text = " ".join(body.decode(errors="replace").split())[:200]
    return ConsulError(f"{method} {path}: {status}: {text}", status)


async def _body(response: httpx.Response) -> bytes:
    """Return the body as it was sent. Raises ConsulError when it is too long."""
    most = MAX_BODY_BYTES if response.status_code < 300 else MAX_ERROR_BYTES
    pieces, size_bytes = [], 0
    async for piece in response.aiter_raw():
        size_bytes += len(piece)
        if size_bytes > most:
            raise ConsulError(f"no whole answer: its body is longer than {most >> 20} MB", response.status_code)
        pieces.append(piece)
    return b"".join(pieces)


async def _beginning(pieces: AsyncIterator[bytes]) -> bytes:
    """Return the first bytes of a body, or as many of them as come."""
    text = b""
    with suppress(httpx.HTTPError):
        async for piece in pieces:
            text += piece
            if len(text) >= _TEXT:
                break
    return text[:_TEXT]


def _words_of(error: Exception) -> str:
    """Return why a request failed, in the system's words where there are any: those of the layers above say less."""
    if isinstance(error, httpx.LocalProtocolError):
        return "the request has invalid characters"
    if isinstance(error, httpx.RemoteProtocolError):
        return f"no whole answer: {str(error).partition(': ')[0]}"  # behind the colon is what came, a secret perhaps
    link: BaseException | None = error  # no further than another ConsulError, which is being dealt with meanwhile
    deepest: BaseException = error
    while link is not None and not isinstance(link, ConsulError):
        deepest = link if isinstance(link, OSError) else deepest
        link = link.__cause__ or link.__context__
    return reason(deepest)

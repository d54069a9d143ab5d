"""HTTP checks: 2xx is passing, 429 a warning, anything else critical.

Every run makes a new connection: a check is to notice that a service takes no new ones.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from pyconsul.agent.common.go.network_errors import NOT_TLS, join_address
from pyconsul.agent.common.go.quoting import go_quote
from pyconsul.agent.health.definition import DEFAULT_OUTPUT_SIZE, CheckDefinition, output_limit, seconds_allowed
from pyconsul.agent.health.runners.bounds import MAX_RUN_BYTES, excerpt
from pyconsul.agent.health.runners.dial import DialError, dial
from pyconsul.agent.health.runners.exchange import Exchange, ExchangeError
from pyconsul.agent.health.runners.result import Result, Tail
from pyconsul.agent.health.runners.tls import TLSContexts
from pyconsul.agent.model.check import CRITICAL, PASSING, WARNING

MAX_REDIRECTS = 10
HEADERS = {"User-Agent": "Consul Health Check", "Accept": "text/plain, text/*, */*"}
TIMED_OUT = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
PORTS = {"http": "80", "https": "443"}
KEEP_METHOD = (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT)
REDIRECTS = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER, *KEEP_METHOD)
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
# Headers of a definition that a redirect to another host takes along.  Go's client withholds only those it knows as
# secret, and so gives keys such as X-Api-Key to whatever host a service names.
SHARED_HEADERS = frozenset(
    ("accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "content-type", "user-agent")
)
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
MAX_HOST = 253  # characters of a host name (RFC 1035)
UNSAFE = re.compile(r"[\x00-\x1f\x7f]")


class _Ask(NamedTuple):
    """One request: where to, and with what."""

    method: str
    url: str
    body: bytes


class _Unaskable(Exception):
    """A request that cannot be made."""


async def run_http(
    definition: CheckDefinition, contexts: TLSContexts, agent_limit: int = DEFAULT_OUTPUT_SIZE
) -> Result:
    """Ask once, following redirects unless the definition forbids it."""
    ask = _Ask(definition.method or "GET", definition.http, definition.body.encode())
    operation = f'{ask.method.capitalize()} "{definition.http}"'
    tail = Tail(output_limit(definition, agent_limit))
    exchanges: list[Exchange] = []
    try:
        async with asyncio.timeout(seconds_allowed(definition)):
            await _follow(definition, ask, contexts, tail, exchanges)
    except _Unaskable as error:
        return Result(CRITICAL, str(error))
    except (DialError, ExchangeError) as error:
        fault = "http: server gave HTTP response to HTTPS client" if str(error) == NOT_TLS else str(error)
        return Result(CRITICAL, f"{operation}: {fault}")
    except TimeoutError:
        # With the header at hand, a body that does not end in time changes nothing.
        if not exchanges or not exchanges[-1].status:
            return Result(CRITICAL, f"{operation}: {TIMED_OUT}")
    return _result(definition, ask.method, exchanges[-1], tail)


def _result(definition: CheckDefinition, method: str, answer: Exchange, tail: Tail) -> Result:
    code = answer.status
    status = PASSING if 200 <= code < 300 else WARNING if code == HTTPStatus.TOO_MANY_REQUESTS else CRITICAL
    words = f"{code} {answer.reason}".rstrip()
    note = f"\n(only the first {MAX_RUN_BYTES} bytes were read)" if answer.cut else ""
    return Result(status, f"HTTP {method} {definition.http}: {words} Output: {tail.text()}{note}")


async def _follow(
    definition: CheckDefinition, ask: _Ask, contexts: TLSContexts, tail: Tail, exchanges: list[Exchange]
) -> None:
    while True:
        tail.clear()
        await _hop(definition, ask, contexts, tail, exchanges)
        answer = exchanges[-1]
        if definition.disable_redirects or answer.status not in REDIRECTS or not answer.location:
            return
        if len(exchanges) >= MAX_REDIRECTS:
            raise ExchangeError(f"stopped after {MAX_REDIRECTS} redirects")
        ask = _redirected(ask, answer)


def _redirected(ask: _Ask, answer: Exchange) -> _Ask:
    """Return the request that follows a redirect. Raises ExchangeError when it must not be made.

    A method that may change something is repeated only where the definition sent it. Otherwise a service could have the
    agent write into other programs, such as the agent itself.
    """
    try:
        target = urljoin(ask.url, answer.location)
        kept = ask.method in SAFE_METHODS or _origin(target) in (_origin(ask.url), _secure_origin(ask.url))
    except ValueError as error:
        raise ExchangeError(f"failed to parse Location header {go_quote(excerpt(answer.location))}: {error}") from None
    if answer.status not in KEEP_METHOD:
        return _Ask("HEAD" if ask.method == "HEAD" else "GET", target, b"")
    if not kept:
        raise ExchangeError(
            f"{answer.status} redirect to {go_quote(excerpt(target))} not followed: "
            f"{ask.method} is only repeated on the check's own host and port"
        )
    return ask._replace(url=target)


def _origin(text: str) -> tuple[str, str, str]:
    url = urlsplit(text)
    return url.scheme, url.hostname or "", str(url.port or PORTS.get(url.scheme, ""))


def _secure_origin(text: str) -> tuple[str, str, str] | None:
    """Return the HTTPS address that HTTP on the usual port is redirected to."""
    scheme, host, port = _origin(text)
    return ("https", host, PORTS["https"]) if (scheme, port) == ("http", PORTS["http"]) else None


async def _hop(
    definition: CheckDefinition, ask: _Ask, contexts: TLSContexts, tail: Tail, exchanges: list[Exchange]
) -> None:
    url, host, port = _target(ask.url)
    same_host = host == urlsplit(definition.http).hostname
    request = _request(definition, ask, url, with_header=same_host)
    tls = await contexts.load(definition.tls_skip_verify) if url.scheme == "https" else None
    left = exchanges[-1].left if exchanges else MAX_RUN_BYTES
    transport, exchange = await dial(
        lambda: Exchange(request, tail.write, bodiless=ask.method == "HEAD", max_bytes=left),
        host,
        port,
        tls=tls,
        server_name=definition.tls_server_name,
    )
    exchanges.append(exchange)
    try:
        await exchange.done
    finally:
        transport.abort()


def _target(text: str) -> tuple[SplitResult, str, str]:
    """Return a URL taken apart, its host and port; raises _Unaskable or ExchangeError."""
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", str(url.port or PORTS.get(url.scheme, ""))
    except ValueError as error:
        raise _Unaskable(f"parse {go_quote(excerpt(text))}: {error}") from None
    if " " in url.netloc or UNSAFE.search(text):
        raise _Unaskable(f"parse {go_quote(excerpt(text))}: invalid character in URL")
    if url.scheme not in PORTS:
        raise ExchangeError(f'unsupported protocol scheme "{excerpt(url.scheme)}"')
    if not host:
        raise ExchangeError("http: no Host in request URL")
    if len(host) > MAX_HOST:
        raise ExchangeError(f"lookup {go_quote(excerpt(host))}: no such host")
    return url, host, port


def _request(definition: CheckDefinition, ask: _Ask, url: SplitResult, *, with_header: bool) -> bytes:
    """Return the request as bytes.  Headers of the definition that may be secret go to its own host only."""
    lines: dict[str, list[str]] = {}
    for name, values in definition.header.items():
        if with_header or name.lower() in SHARED_HEADERS:
            lines.setdefault("-".join(part.capitalize() for part in name.split("-")), []).extend(values)
    lines.setdefault("Host", [_host(url)])
    for name, value in HEADERS.items():
        lines.setdefault(name, [value])
    if url.username is not None and "Authorization" not in lines:
        secret = f"{unquote(url.username)}:{unquote(url.password or '')}"
        lines["Authorization"] = ["Basic " + b64encode(secret.encode()).decode()]
    if ask.body or ask.method in ("POST", "PUT", "PATCH"):
        lines["Content-Length"] = [str(len(ask.body))]
    lines["Connection"] = ["close"]
    if not TOKEN.fullmatch(ask.method):
        raise _Unaskable(f"net/http: invalid method {go_quote(ask.method)}")
    head = [f"{ask.method} {_path(url)} HTTP/1.1", *_header_lines(lines)]
    return ("\r\n".join(head) + "\r\n\r\n").encode(errors="replace") + ask.body


def _header_lines(header: dict[str, list[str]]) -> list[str]:
    lines = []
    for name, values in header.items():
        if not TOKEN.fullmatch(name):
            raise ExchangeError(f"net/http: invalid header field name {go_quote(name)}")
        for value in values:
            if UNSAFE.sub("", value.replace("\t", " ")) != value.replace("\t", " "):
                raise ExchangeError(f"net/http: invalid header field value for {go_quote(name)}")
            lines.append(f"{name}: {value}")
    return lines


def _path(url: SplitResult) -> str:
    path = (url.path or "/").replace(" ", "%20")
    return f"{path}?{url.query.replace(' ', '%20')}" if url.query else path


def _host(url: SplitResult) -> str:
    host = url.hostname or ""
    return join_address(host, url.port) if url.port else f"[{host}]" if ":" in host else host

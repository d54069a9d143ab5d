"""Keys of those who sign tokens for logins: kept for a while, fetched by one request at a time, within bounds of bytes and time.

Anybody may log in without a token, so nothing that a login asks for reaches the key server more often than `MIN_INTERVAL_S`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import ssl
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from pyconsul.agent.acl.methods.jwtkeys import KeySetError, VerifyingKey, keys_of_config, keys_of_jwks, keys_of_pem
from pyconsul.agent.acl.methods.methodconfig import JWTConfig
from pyconsul.agent.health.runners.dial import DialError, dial
from pyconsul.agent.health.runners.exchange import Exchange, ExchangeError

TIMEOUT_S = 10.0  # for one fetch, discovery document included
MAX_BYTES = 1 << 20  # of one response, its head included
FRESH_S = 600.0  # keys are fetched again after so long
MAX_AGE_S = 3600.0  # keys are used no longer than this when the server does not answer
MIN_INTERVAL_S = 10.0  # between two fetches from one server, successful or not
MAX_SOURCES = 100  # that are remembered
_PRINTABLE = re.compile(r"[!-~]+")
DISCOVERY = "/.well-known/openid-configuration"

Fetch = Callable[[JWTConfig], Awaitable[list[VerifyingKey]]]
log = logging.getLogger("agent.acl")


class _Source:
    """The keys of one server, and when they were fetched.  Times are monotonic seconds."""

    def __init__(self) -> None:
        self.keys: list[VerifyingKey] = []
        self.fetched_at = self.tried_at = float("-inf")
        self.error: KeySetError | None = None
        self.fetching: asyncio.Task[None] | None = None


class LoginKeys:
    """The keys that auth methods believe.  `fetch` and `clock` (monotonic seconds) can be replaced by tests."""

    def __init__(self, fetch: Fetch | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._clock = fetch or fetch_keys, clock
        self._sources: OrderedDict[tuple[str, ...], _Source] = OrderedDict()

    async def get(self, config: JWTConfig) -> list[VerifyingKey]:
        """Return the keys of a method.  Raises KeySetError when there are none."""
        if config.public_keys:
            return keys_of_pem(config)
        if config.jwks:
            return keys_of_config(config)
        source = self._source(config)
        if self._clock() - source.fetched_at > FRESH_S:
            await self._refresh(source, config)
        return self._usable(source)

    async def refreshed(self, config: JWTConfig, known: list[VerifyingKey]) -> list[VerifyingKey]:
        """Return the keys as the server has them now; `known` itself when they are kept, or were fetched a moment ago."""
        if config.public_keys or config.jwks:
            return known
        source = self._source(config)
        if source.keys is known:
            await self._refresh(source, config)
        return self._usable(source)

    def _source(self, config: JWTConfig) -> _Source:
        name = (config.jwks_url, config.jwks_ca_cert, config.oidc_discovery_url, config.oidc_discovery_ca_cert)
        source = self._sources.setdefault(name, _Source())
        self._sources.move_to_end(name)
        if len(self._sources) > MAX_SOURCES:
            self._sources.popitem(last=False)
        return source

    def _usable(self, source: _Source) -> list[VerifyingKey]:
        if source.keys and self._clock() - source.fetched_at <= MAX_AGE_S:
            return source.keys
        raise source.error or KeySetError("the keys cannot be fetched yet")

    async def _refresh(self, source: _Source, config: JWTConfig) -> None:
        """Fetch the keys, unless that was tried a moment ago; requests that come meanwhile wait for the same fetch."""
        if source.fetching is None:
            if self._clock() - source.tried_at < MIN_INTERVAL_S:
                return
            source.tried_at = self._clock()
            source.fetching = asyncio.get_running_loop().create_task(self._fetched(source, config))
        await asyncio.shield(source.fetching)

    async def _fetched(self, source: _Source, config: JWTConfig) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                source.keys = await self._fetch(config)
            source.fetched_at, source.error = self._clock(), None
        except TimeoutError:
            source.error = KeySetError(f"the keys cannot be fetched: no complete answer within {TIMEOUT_S:g} s")
        except KeySetError as error:
            source.error = error
        except Exception as error:  # whatever the server made happen, the next login asks again
            source.error = KeySetError(f"the keys cannot be fetched: {type(error).__name__}: {str(error)[:200]}")
        finally:
            source.fetching = None
        if source.error is not None:
            log.warning("fetching keys for logins failed: url=%s error=%s", _address(config), source.error)


def _address(config: JWTConfig) -> str:
    """Return the configured address without user information, for logs."""
    scheme, _, rest = (config.jwks_url or config.oidc_discovery_url).partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"[:200]


async def fetch_keys(config: JWTConfig) -> list[VerifyingKey]:
    """Return the keys at the address of a method.  Raises KeySetError."""
    url, pem = config.jwks_url, config.jwks_ca_cert
    if config.oidc_discovery_url:
        pem = config.oidc_discovery_ca_cert
        document = await _read(config.oidc_discovery_url.rstrip("/") + DISCOVERY, pem)
        try:
            url = json.loads(document)["jwks_uri"]
        except (ValueError, TypeError, LookupError, RecursionError):
            raise KeySetError(f"the discovery document at {_address(config)} has no jwks_uri") from None
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise KeySetError(f"the discovery document at {_address(config)} has a jwks_uri that is not an address")
    return keys_of_jwks(await _read(url, pem))


async def _read(url: str, pem: str) -> bytes:
    """Return the document at an address.  Raises KeySetError."""
    if url.startswith("file://"):
        return await asyncio.to_thread(_file, url.removeprefix("file://"))
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        raise KeySetError(f"the keys cannot be fetched: {url[:200]!r} is not an address") from None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    name = parts.netloc.rpartition("@")[2]
    if not _PRINTABLE.fullmatch(name + path):
        raise KeySetError(f"the keys cannot be fetched: {url[:200]!r} is not an address")
    head = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    tls = await asyncio.to_thread(_trust, pem) if parts.scheme == "https" else None
    return await _exchange(head.encode(), host, port, tls)


async def _exchange(request: bytes, host: str, port: int, tls: ssl.SSLContext | None) -> bytes:
    body = bytearray()
    try:
        transport, exchange = await dial(
            lambda: Exchange(request, body.extend, max_bytes=MAX_BYTES), host, str(port), tls=tls
        )
        try:
            await exchange.done
        finally:
            transport.abort()
    except (DialError, ExchangeError) as error:
        raise KeySetError(f"the keys cannot be fetched: {error}") from None
    if exchange.cut:
        raise KeySetError(f"the keys cannot be fetched: the response is longer than {MAX_BYTES} bytes")
    if exchange.status != 200:
        raise KeySetError(f"the keys cannot be fetched: status {exchange.status}")
    return bytes(body)


def _file(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise KeySetError(f"the keys cannot be read: {error}") from None
    if len(data) > MAX_BYTES:
        raise KeySetError(f"the keys cannot be read: the file is longer than {MAX_BYTES} bytes")
    return data


def _trust(pem: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=pem or None)
    except ssl.SSLError as error:
        raise KeySetError(f"the CA certificate cannot be read: {error}") from None

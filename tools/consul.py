"""The tools' long-running connection to Consul's HTTP API: blocking queries that ride out an outage.

    client = ConsulClient(Connection.from_environ(os.environ), rng=random.Random())
    data, index = await client.blocking("/v1/kv/app", {"recurse": ""}, 0)         # at once
    data, index = await client.blocking("/v1/kv/app", {"recurse": ""}, index)     # when it may have changed
    async for data in client.watch("/v1/kv/app", {"recurse": ""}): ...            # at once, then at each change
    await client.close()

Blocking queries: https://developer.hashicorp.com/consul/api-docs/features/blocking
"""

from __future__ import annotations

import asyncio
import base64
import logging
import random
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import msgspec

from pyconsul.tools.httpstream import LineStream
from pyconsul.tools.httpwire import HttpWire, Target, WireError, connect, request_of

log = logging.getLogger("consul")

#: How long, in seconds, one blocking query asks Consul to wait.
WAIT = 60.0
#: Seconds between two answers of one watch at least: a value that changes all the time must not keep us busy.
PACE = 0.1
_PORT = 8500


class ConsulError(Exception):
    """Consul did not answer, or answered with an error. `status` is the HTTP status, 0 without an answer; then
    nothing had been heard for `silent` seconds."""

    def __init__(self, text: str, status: int = 0, silent: float = 0.0) -> None:
        super().__init__(text)
        self.status = status
        self.silent = silent


@dataclass(frozen=True)
class RetryPolicy:
    """When a failed query is tried again.

    `attempts`: tries again before giving up; 0: for ever; None: 12 until there was a first answer, then for ever, so
    that an outage does not end what runs already. `backoff`, `max_backoff`: seconds before the first and at most
    before any further try; it doubles each time, and up to half of it is jitter.
    """

    enabled: bool = True
    attempts: int | None = None
    backoff: float = 0.25
    max_backoff: float = 60.0

    def delay(self, failures: int, rng: random.Random, *, answered: bool = False) -> float | None:
        """Seconds to wait after that many failures in a row (1 …); None: give up."""
        limit = (0 if answered else 12) if self.attempts is None else self.attempts
        if not self.enabled or (limit and failures > limit):
            return None
        longest = min(self.backoff * 2.0 ** min(failures - 1, 32), self.max_backoff)
        return longest * rng.uniform(0.5, 1)


@dataclass(frozen=True)
class Tls:
    """How HTTPS is spoken; empty paths mean the system's certificates and no client certificate."""

    enabled: bool = False
    verify: bool = True
    ca_cert: str = ""
    ca_path: str = ""
    cert: str = ""
    key: str = ""
    server_name: str = ""

    def context(self) -> ssl.SSLContext:
        """Raises ConsulError when a file cannot be read."""
        try:
            context = ssl.create_default_context(cafile=self.ca_cert or None, capath=self.ca_path or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None)
        except OSError as error:
            raise ConsulError(f"cannot read the TLS certificates: {error}") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True)
class Connection:
    """Where Consul is and who we are.

    `address`: "host:port", "http://…", "https://…" or "unix:///path". `token` wins over `token_file`, which is read
    again for each query, so that a token can be exchanged. `auth`: "user" or "user:password".
    Durations are seconds.
    """

    address: str = f"127.0.0.1:{_PORT}"
    token: str = field(default="", repr=False)
    token_file: str = ""
    auth: str = field(default="", repr=False)
    tls: Tls = Tls()
    dial_timeout: float = 30.0
    max_idle_connections: int | None = None
    keep_alives: bool = True

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Connection:
        """The connection that the variables of Consul's own command line describe."""
        secure = environ.get("CONSUL_HTTP_SSL", "").lower() in ("1", "t", "true")
        verify = environ.get("CONSUL_HTTP_SSL_VERIFY", "").lower() not in ("0", "f", "false")
        tls = Tls(
            enabled=secure,
            verify=verify,
            ca_cert=environ.get("CONSUL_CACERT", ""),
            ca_path=environ.get("CONSUL_CAPATH", ""),
            cert=environ.get("CONSUL_CLIENT_CERT", ""),
            key=environ.get("CONSUL_CLIENT_KEY", ""),
            server_name=environ.get("CONSUL_TLS_SERVER_NAME", ""),
        )
        return cls(
            address=environ.get("CONSUL_HTTP_ADDR") or cls.address,
            token=environ.get("CONSUL_HTTP_TOKEN") or environ.get("CONSUL_TOKEN", ""),
            token_file=environ.get("CONSUL_HTTP_TOKEN_FILE", ""),
            auth=environ.get("CONSUL_HTTP_AUTH", ""),
            tls=tls,
        )

    def with_tls(self, **changes: Any) -> Connection:
        return replace(self, tls=replace(self.tls, **changes))

    def base_url(self) -> tuple[str, str]:
        """The URL that paths are appended to, and the path of a unix socket ("" for TCP)."""
        scheme, colons, rest = self.address.partition("://")
        if not colons:
            scheme, rest = "https" if self.tls.enabled else "http", self.address
        if scheme == "unix":
            return "http://localhost", rest
        if scheme not in ("http", "https"):
            raise ConsulError(f"invalid address {self.address!r}: use host:port, http://, https:// or unix:///path")
        host = rest.rstrip("/")
        if ":" not in host.rpartition("]")[2]:
            host += f":{_PORT}" if not colons else ""
        return f"{scheme}://{host}", ""

    def read_token(self) -> str:
        """Raises ConsulError when the token file cannot be read."""
        if self.token or not self.token_file:
            return self.token
        try:
            return Path(self.token_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConsulError(f"cannot read the token file {self.token_file}: {error}") from error


class ConsulClient:
    """Asks Consul's HTTP API until `close`; may be used by any number of tasks of one event loop.

    `retry` is for all queries. `max_stale`: any server may answer as long as it had contact with the leader within so
    many seconds; 0 asks the leader. `rng` draws the jitter. Raises ConsulError for a connection that makes no sense.
    """

    def __init__(
        self, connection: Connection, *, rng: random.Random, retry: RetryPolicy | None = None, max_stale: float = 0.0
    ) -> None:
        self.connection = connection
        self.retry = retry or RetryPolicy()
        self.max_stale = max_stale
        self._rng = rng
        url = urlsplit(connection.base_url()[0])
        secure = url.scheme == "https"
        self._target = Target(
            host=url.hostname or "",
            port=_port_of(url),
            uds=connection.base_url()[1],
            tls=connection.tls.context() if secure else None,
            name=connection.tls.server_name,
        )
        self._root = url.path.rstrip("/")
        self._headers = {"Host": url.netloc, "User-Agent": "pyconsul", "Accept": "application/json"}
        if connection.auth:
            user, _, password = connection.auth.partition(":")
            word = base64.b64encode(f"{user}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {word}"
        idle = connection.max_idle_connections if connection.keep_alives else 0
        self._wire = HttpWire(self._target, dial_timeout=connection.dial_timeout, keep=idle)

    async def close(self) -> None:
        await self._wire.close()

    async def request(self, path: str, params: Mapping[str, str], wait: float = 0.0) -> tuple[Any, Mapping[str, str]]:
        """One GET, without retry: the decoded JSON and the headers (names in lower case). 404 gives None.

        `path` starts with /v1/ and is not yet escaped; `wait`: seconds that Consul may take in addition.
        Raises ConsulError.
        """
        # Consul adds up to a sixteenth of the wait as jitter.
        return await self._exchange("GET", path, params, b"", wait * 17 / 16)

    async def send(self, method: str, path: str, params: Mapping[str, str], body: bytes = b"") -> Any:
        """One PUT or DELETE, without retry: the decoded JSON. 404 gives None. Raises ConsulError."""
        return (await self._exchange(method, path, params, body, 0.0))[0]

    async def _exchange(
        self, method: str, path: str, params: Mapping[str, str], body: bytes, wait: float
    ) -> tuple[Any, Mapping[str, str]]:
        query = "?" + urlencode(params) if params else ""
        headers = self._who()
        try:
            answer = await self._wire.send(method, self._root + quote(path) + query, headers, wait + 10, body)
        except WireError as error:
            raise self._lost(method, path, error) from error
        if answer.status == 404:
            return None, answer.headers
        if answer.status != 200:
            text = " ".join(answer.body.decode(errors="replace").split())[:200]
            raise ConsulError(f"{method} {path}: {answer.status}: {text}", answer.status)
        try:
            return msgspec.json.decode(answer.body), answer.headers
        except msgspec.DecodeError as error:
            raise ConsulError(f"{method} {path}: the answer is no JSON: {error}", answer.status) from error

    def _who(self) -> dict[str, str]:
        """The headers of a request. Raises ConsulError."""
        token = self.connection.read_token()
        return self._headers | {"X-Consul-Token": token} if token else self._headers

    def _lost(self, method: str, path: str, error: WireError) -> ConsulError:
        return ConsulError(f"{method} {path} from {self.connection.address}: {error}", silent=error.silent)

    async def lines(self, path: str, body: bytes, patience: float) -> AsyncGenerator[list[bytes], None]:
        """The lines of the answer to one POST as they come, on a connection of their own.

        Raises ConsulError, also at the end of the answer, and when nothing comes for `patience` seconds.
        """
        stream: LineStream | None = None
        try:
            request = request_of("POST", self._root + quote(path), self._who(), body)
            stream = await connect(self._target, self.connection.dial_timeout, LineStream)
            await stream.ask(request, patience)
            if stream.status != 200:
                text = " ".join((await stream.text(patience)).split())[:200]
                raise ConsulError(f"POST {path}: {stream.status}: {text}", stream.status)
            while True:
                yield await stream.take(patience)
        except WireError as error:
            raise self._lost("POST", path, error) from error
        finally:
            if stream is not None:
                stream.close()

    async def blocking(self, path: str, params: Mapping[str, str], index: int, wait: float = WAIT) -> tuple[Any, int]:
        """The data at `path` and its index, once it is (or may be) another than `index`; 0 answers at once.

        Errors are retried as `retry` says, then raised as ConsulError. A missing resource (404) is None. The new index
        is at least 1; it may be lower than `index`, when Consul's state is another one (a restored or a new server).
        """
        failures = 0
        while True:
            try:
                # After an outage Consul may have begun anew, where `index` lies far ahead: ask without waiting for it.
                data, headers = await self._query(path, params, 0 if failures else index, wait)
            except ConsulError as error:
                failures += 1
                delay = self.retry.delay(failures, self._rng, answered=index > 0)
                if delay is None:
                    raise
                log.warning("%s (try %d, again in %.3gs)", error, failures, delay)
                await asyncio.sleep(delay)
                continue
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
        """The data at `path` whenever its index has moved; first at once, unless `index` is what the caller has.

        Raises ConsulError as `blocking` does.
        """
        while True:
            data, new = await self.blocking(path, params, index, wait)
            if new != index:
                yield data
                await asyncio.sleep(PACE)
            index = new


def _number(header: str | None) -> int:
    return int(header) if header and header.isdigit() else 0


def _port_of(url: SplitResult) -> int:
    try:
        return url.port or (443 if url.scheme == "https" else 80)
    except ValueError as error:
        raise ConsulError(f"invalid address {url.netloc!r}: {error}") from error

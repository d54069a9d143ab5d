"""A synchronous client of Consul's HTTP API for one-shot runs: one connection, one request after the other.

Its errors, retries and redirects are those of `client` and `http_transport`, which load asyncio and httpx.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.http_answer import MAX_BODY_BYTES, Answer, AnswerError, encrypt, open_socket
from pyconsul.agent.common.lazy_log import LazyLog
from pyconsul.agent.common.reasons import reason
from pyconsul.tools.consul.connection import Connection, ConsulError
from pyconsul.tools.consul.plain_requests import REDIRECTS, PlainRequests
from pyconsul.tools.consul.retry import LazyRandom, RetryPolicy

if TYPE_CHECKING:
    import ssl
    from _socket import socket

log = LazyLog("consul")

#: Seconds that an answer may take: as a blocking query of `consul.ConsulClient` that waits for its default time.
PATIENCE_S = 60.0 * 17 / 16 + 10.0
_CHUNK_BYTES = 65536


class _Gone(Exception):
    """The connection ended before the answer did."""


class OneShotClient:
    """Reads once, without waiting for changes. Raises ConsulError for a connection that makes no sense.

    `retry`, `max_stale`: as for `consul.ConsulClient`. `patience_s`: how long an answer may take.
    """

    def __init__(
        self, connection: Connection, *, retry: RetryPolicy, max_stale: float, patience_s: float = PATIENCE_S
    ) -> None:
        self._connection = connection
        self._retry = retry
        self._max_stale = max_stale
        self._patience_s = patience_s
        self._requests = PlainRequests(connection)
        self._address = self._requests.address
        self._tls: ssl.SSLContext | None = connection.tls_context()
        self._socket: socket | None = None
        self._rng = LazyRandom()

    def close(self) -> None:
        """Close the connection; a later question opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def read(self, path: str, params: Mapping[str, str], on_filtered: Callable[[], None] | None = None) -> Any:
        """Return the decoded JSON at `path`, None for "not found". Errors are retried as `retry` says, then raised: ConsulError.

        `on_filtered` is called when the token hides a part of the data.
        """
        failures = 0
        while True:
            try:
                data, headers = self._query(path, params)
            except ConsulError as error:
                self.close()
                failures += 1
                delay = self._retry.delay(failures, self._rng)
                if delay is None:
                    raise
                log.warning("%s (try %d, again in %.3gs)", error, failures, delay)
                time.sleep(delay)
                continue
            if on_filtered is not None and headers.get("x-consul-results-filtered-by-acls") == "true":
                on_filtered()
            return data

    def _query(self, path: str, params: Mapping[str, str]) -> tuple[Any, Mapping[str, str]]:
        if self._max_stale <= 0:
            return self._get(path, params)
        data, headers = self._get(path, {**params, "stale": ""})
        # X-Consul-LastContact: milliseconds since the answering server heard from the leader.
        contact = headers.get("x-consul-lastcontact", "")
        if contact.isdecimal() and (len(contact) > 18 or int(contact) > self._max_stale * 1000):
            return self._get(path, params)
        return data, headers

    def _get(self, path: str, params: Mapping[str, str]) -> tuple[Any, Mapping[str, str]]:
        where = f"GET {path} from {self._connection.address}"
        status, headers, body = self._ask(self._requests.target(path, params), where)
        if status in REDIRECTS:
            # A path with "//" or ".." goes by its clean form, as Go's clients follow it.
            status, headers, body = self._ask(self._requests.redirected(status, headers.get("location", "")), where)
        if status == 404:
            return None, headers
        if status != 200:
            raise self._requests.refusal(path, status, body)
        try:
            return json.loads(body), headers
        except (ValueError, RecursionError) as error:
            raise ConsulError(f"GET {path}: the answer is no JSON: {error}", 200) from None

    def _ask(self, target: str, where: str) -> tuple[int, Mapping[str, str], bytes]:
        request = self._requests.request(target)
        if self._socket is not None:
            try:
                return self._exchange(self._socket, request, where)
            except _Gone:
                self.close()  # the server may have closed a kept connection just now
        self._socket = self._connect(where)
        try:
            return self._exchange(self._socket, request, where)
        except _Gone as error:
            raise ConsulError(f"{where}: {reason(error)}") from None

    def _connect(self, where: str) -> socket:
        limit = self._connection.dial_timeout
        try:
            sock = open_socket(self._address.host, self._address.port, self._address.unix, limit)
            if self._tls is not None:
                name = self._connection.tls.server_name or self._address.host
                sock = encrypt(sock, self._tls, name)
        except TimeoutError:
            raise ConsulError(f"{where}: no connection within {limit:g}s", silent=limit) from None
        except (OSError, ValueError) as error:
            raise ConsulError(f"{where}: {reason(error)}") from None
        return sock

    def _exchange(self, sock: socket, request: bytes, where: str) -> tuple[int, Mapping[str, str], bytes]:
        """Return one answer. Raises ConsulError, and _Gone when the connection ends before it."""
        answer = Answer(MAX_BODY_BYTES)
        latest = time.monotonic() + self._connection.dial_timeout + self._patience_s
        try:
            sock.settimeout(self._patience_s)
            sock.sendall(request)
            while not answer.complete:
                if time.monotonic() > latest:
                    raise TimeoutError
                data = sock.recv(_CHUNK_BYTES)
                if data:
                    self._feed(answer, data, where)
                elif answer.started and answer.closing and "content-length" not in answer.headers:
                    break  # a body without a length ends with the connection
                else:
                    raise _Gone("no whole answer: the server closed the connection")
        except TimeoutError:
            self.close()
            raise ConsulError(f"{where}: no answer within {self._patience_s:g}s", silent=self._patience_s) from None
        except OSError as error:
            raise _Gone(reason(error)) from None
        if answer.closing or not self._connection.keep_alives:
            self.close()
        return answer.status, answer.headers, b"".join(answer.chunks)

    def _feed(self, answer: Answer, data: bytes, where: str) -> None:
        try:
            answer.feed(data)
        except AnswerError as error:
            self.close()
            raise ConsulError(f"{where}: no whole answer: {error}") from None

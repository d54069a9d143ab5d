"""Requests to etcd: one or several endpoints, TLS, a password, and a deadline for each request.

The generated messages and stubs are those of `aetcd`; channels, retries and watches are our own, since its client has no TLS, no
deadlines, and drops the progress notifications of watches.

A request goes to one endpoint at a time.  One that only reads is sent to the next endpoint when one does not answer; one that
writes is sent once: without a response its outcome is unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
from aetcd import rpc
from grpc.aio import EOF

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.etcd.errors import Rejected, RevisionCompacted, Unreachable
from pyconsul.agent.engine.etcd.settings import NO_CREDENTIALS, Credentials

LEADER_CHANGED = "etcdserver: leader changed"  # error of reads that wait while another member is elected
ELECTION_S = 0.02  # before such a read is sent again
TIMEOUT_S = 5.0  # of a request, over all endpoints that are tried
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 0),  # etcd closes connections with pings and without calls
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
)
_LOST = (rpc.StatusCode.UNAVAILABLE, rpc.StatusCode.DEADLINE_EXCEEDED, rpc.StatusCode.CANCELLED, rpc.StatusCode.UNKNOWN)
#: Errors of etcd for an authentication token that is not valid any more, by version.
_BAD_TOKENS = ("invalid auth token", "user name is empty", "revision of auth store is old")
#: Texts of gRPC that say little, and what they mean.
_TEXTS = {"Internal error from Core": "no response"}

Call = Callable[..., Awaitable[Any]]


class Client:
    """Connections to the members of one etcd cluster."""

    def __init__(
        self, endpoints: Sequence[str], credentials: Credentials = NO_CREDENTIALS, timeout_s: float = TIMEOUT_S
    ) -> None:
        """endpoints: `HOST:PORT`, a URL with http or https, or `unix:PATH`."""
        self.endpoints, self._credentials, self._timeout_s = tuple(endpoints), credentials, timeout_s
        self._channels: dict[str, Any] = {}
        self._stubs: dict[Any, Any] = {}  # of the key-value store, by channel: making one takes 20 µs
        self._is_closed = False
        self._current = 0  # the endpoint in use
        self._token = ""
        self._raft_term = 0  # the highest seen: a member that reports a lower one is behind
        self._cluster_id = 0

    @property
    def raft_term(self) -> int:
        """The highest term of Raft that was seen."""
        return self._raft_term

    async def close(self) -> None:
        """Close all connections; requests under way and later ones fail with Unreachable."""
        self._is_closed = True
        channels, self._channels = list(self._channels.values()), {}
        self._stubs.clear()
        for channel in channels:
            await channel.close()

    # --- requests

    async def range(self, request: Any) -> Any:
        """Read a range.  Raises RevisionCompacted, Rejected, Unreachable."""
        return await self._retried(lambda channel: self._store(channel).Range, request)

    async def read(self, request: Any) -> Any:
        """Run a transaction that only reads.  Raises Rejected, Unreachable."""
        return await self._retried(lambda channel: self._store(channel).Txn, request)

    async def write(self, request: Any, timeout_s: float | None = None) -> Any:
        """Run a transaction, once.  Raises Rejected when it was certainly not carried out, else Unreachable."""
        return await self._once(lambda channel: self._store(channel).Txn, request, timeout_s or self._timeout_s)

    async def delete(self, key: bytes, end: bytes) -> None:
        """Delete a range.  Raises Rejected, Unreachable."""
        request = rpc.DeleteRangeRequest(key=key, range_end=end)
        await self._once(lambda channel: self._store(channel).DeleteRange, request, self._timeout_s)

    async def call(self, method: Callable[[Any], Call], request: Any, timeout_s: float | None = None) -> Any:
        """Send any other request once; `method` returns it from a channel.  Raises Rejected, Unreachable."""
        return await self._once(method, request, timeout_s or self._timeout_s)

    async def keep_alive(self, lease: int, timeout_s: float) -> bool:
        """Renew a lease; False when it is over.  Raises Rejected, Unreachable."""
        endpoint = self.endpoints[self._current]
        requests = [rpc.LeaseKeepAliveRequest(ID=lease)]
        keep_alive = rpc.LeaseStub(self._channel(endpoint)).LeaseKeepAlive
        try:
            async for response in keep_alive(requests, timeout=timeout_s, metadata=await self._metadata()):
                return bool(response.TTL > 0)
        except rpc.AioRpcError as error:
            self.rotate()
            raise self._failure(error, endpoint) from error
        _pass_cancellation_on()
        return False

    async def watch(self, requests: AsyncIterator[Any], silence_s: float) -> AsyncGenerator[Any, None]:
        """Open a watch stream with requests, and return its responses.

        Raises Rejected, Unreachable at the end of the stream, and when nothing arrives for `silence_s`.
        """
        endpoint = self.endpoints[self._current]
        # With this metadata a member that has lost its leader ends the stream instead of going silent.
        try:
            metadata = (*await self._metadata(), ("hasleader", "true"))
        except rpc.AioRpcError as error:
            self.rotate()
            raise self._failure(error, endpoint) from error
        call = rpc.WatchStub(self._channel(endpoint)).Watch(requests, metadata=metadata)
        try:
            while (response := await _read(call, silence_s)) is not EOF:
                self._check(response.header, endpoint)
                yield response
            failure: EngineError = Unreachable(f"{_named(endpoint)} has closed the watch")
        except TimeoutError:
            failure = Unreachable(f"{_named(endpoint)} has been silent for {silence_s:g} s")
        except rpc.AioRpcError as error:
            failure = self._failure(error, endpoint)
        finally:
            call.cancel()
        self.rotate()
        raise failure

    def rotate(self) -> None:
        """Use the next endpoint from now on."""
        self._current = (self._current + 1) % len(self.endpoints)

    # --- one request

    async def _retried(self, method: Callable[[Any], Call], request: Any) -> Any:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        left = len(self.endpoints)  # each gets its share of the time
        while True:
            try:
                return await self._once(method, request, max(0.05, (deadline - loop.time()) / left))
            except Unreachable as error:
                if LEADER_CHANGED in str(error) and loop.time() < deadline:
                    await asyncio.sleep(ELECTION_S)  # the endpoint answers, and will have the new leader soon
                elif left == 1 or self._is_closed:
                    raise
                else:
                    left -= 1

    async def _once(self, method: Callable[[Any], Call], request: Any, timeout_s: float) -> Any:
        endpoint = self.endpoints[self._current]
        if self._is_closed:
            raise _closed(endpoint)
        call = method(self._channel(endpoint))
        try:
            try:
                response = await call(request, timeout=timeout_s, metadata=await self._metadata())
            except rpc.AioRpcError as error:
                if not self._credentials.username or not any(text in (error.details() or "") for text in _BAD_TOKENS):
                    raise
                self._token = ""
                response = await call(request, timeout=timeout_s, metadata=await self._metadata())
            self._check(response.header, endpoint)
        except rpc.AioRpcError as error:
            failure = self._failure(error, endpoint)
        except Unreachable as error:
            failure = error
        except asyncio.CancelledError:
            _pass_cancellation_on()
            failure = _closed(endpoint)  # by `close`
        else:
            return response
        if isinstance(failure, Unreachable):
            self.rotate()
        raise failure

    def _check(self, header: Any, endpoint: str) -> None:
        """Raises Unreachable for a member that is behind the others, or belongs to another cluster."""
        if not header.cluster_id:
            return  # some responses have none
        if header.raft_term < self._raft_term:
            raise Unreachable(f"{_named(endpoint)} is behind: it has term {header.raft_term}, others {self._raft_term}")
        self._raft_term = header.raft_term
        if self._cluster_id and header.cluster_id != self._cluster_id:
            raise Unreachable(f"{_named(endpoint)} belongs to another cluster than the other endpoints")
        self._cluster_id = header.cluster_id

    def _failure(self, error: Any, endpoint: str) -> Rejected | Unreachable | RevisionCompacted:
        """Return an error as ours.  Raises CancelledError when the caller is canceled: gRPC may have taken that for its own."""
        _pass_cancellation_on()
        code, details = error.code(), error.details() or ""
        text = f"{_named(endpoint)}: {_TEXTS.get(details, details) or code.name.lower()}"
        if any(bad in details for bad in _BAD_TOKENS):
            self._token = ""
        if code is rpc.StatusCode.OUT_OF_RANGE:
            return RevisionCompacted(text)
        return Unreachable(text) if code in _LOST else Rejected(text)

    async def _metadata(self) -> tuple[tuple[str, str], ...]:
        credentials = self._credentials
        if not credentials.username:
            return ()
        if not self._token:
            request = rpc.AuthenticateRequest(name=credentials.username, password=credentials.password)
            channel = self._channel(self.endpoints[self._current])
            response = await rpc.AuthStub(channel).Authenticate(request, timeout=self._timeout_s)
            self._token = response.token
        return (("token", self._token),)

    def _store(self, channel: Any) -> Any:
        stub = self._stubs.get(channel)
        if stub is None:
            stub = self._stubs[channel] = rpc.KVStub(channel)
        return stub

    def _channel(self, endpoint: str) -> Any:
        channel = self._channels.get(endpoint)
        if channel is None:
            channel = self._channels[endpoint] = _open(endpoint, self._credentials)
        return channel


def _named(endpoint: str) -> str:
    """Return the name of an endpoint for messages."""
    return "etcd on this machine" if endpoint.startswith("unix:") else f"etcd at {endpoint}"


def _closed(endpoint: str) -> Unreachable:
    return Unreachable(f"{_named(endpoint)}: the connection is closed")


async def _read(call: Any, timeout_s: float) -> Any:
    """Return the next message of a stream.  Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        response = await call.read()
    _pass_cancellation_on()
    return response


def _pass_cancellation_on() -> None:
    """Raise CancelledError when the caller is canceled: gRPC swallows it while it prepares a call."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _open(endpoint: str, credentials: Credentials) -> Any:
    scheme, separator, rest = endpoint.partition("://")
    target = rest.rstrip("/") if separator else endpoint
    if credentials.uses_tls or (separator and scheme == "https"):
        read = [_read_file(name) for name in (credentials.ca_file, credentials.key_file, credentials.cert_file)]
        return rpc.secure_channel(target, grpc.ssl_channel_credentials(*read), options=_OPTIONS)
    return rpc.insecure_channel(target, options=_OPTIONS)


def _read_file(name: str) -> bytes | None:
    try:
        return Path(name).read_bytes() if name else None
    except OSError as error:
        raise Unreachable(f"cannot read {name}: {error.strerror}") from error

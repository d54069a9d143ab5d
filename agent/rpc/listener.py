"""Listens on the RPC port: the first byte of a connection tells whether it is for the relay of etcd, or from another agent."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

from pyconsul.agent.common.go.network_errors import join_address, phrase
from pyconsul.agent.rpc.contract import Peer
from pyconsul.agent.rpc.notices import Notices
from pyconsul.agent.rpc.settings import RPCSettings
from pyconsul.agent.rpc.transport import handshake, proof
from pyconsul.agent.rpc.transport.connection import Connection
from pyconsul.agent.rpc.transport.handshake import HandshakeError, Identity
from pyconsul.agent.rpc.transport.introduction import Introduction

RELAY_BYTE = b"\x01"  # of `cluster/relay`
TLS_BYTE = b"\x16"
MAX_PENDING = 1000  # connections whose handshake is not over
FULL_PAUSE_S = 1.0  # when the system has no file descriptor left

log = logging.getLogger("agent.rpc")


class Listener:
    """Accepts connections on listening sockets.

    made: makes the connection to an agent that has proved itself.  refuses: returns why such an agent is not
    wanted, or "".  hand_over: takes the socket of a relay, and its address.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        identity: Callable[[], Identity],
        settings: Callable[[], RPCSettings],
        made: Callable[[asyncio.Transport, Peer], Connection],
        refuses: Callable[[Peer], str],
        hand_over: Callable[[socket.socket, str], None] | None = None,
    ) -> None:
        self._sockets = list(sockets)
        self._identity, self._settings, self._made, self._hand_over = identity, settings, made, hand_over
        self._refuses = refuses
        self._loop = asyncio.get_running_loop()
        self._notices = Notices(self._loop.time)
        self._counts: Counter[str] = Counter()
        self._pending: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def start(self) -> None:
        """Accept connections from now on."""
        for listening in self._sockets:
            listening.setblocking(False)
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    def close(self) -> None:
        """Accept no more, and close the sockets."""
        self._is_closed = True
        for listening in self._sockets:
            self._loop.remove_reader(listening.fileno())
            listening.close()
        for task in self._pending:
            task.cancel()

    def _accept(self, listening: socket.socket) -> None:
        try:
            sock, address = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            self._notices.warn(f"cannot accept connections of other agents: {phrase(error)}")
            self._loop.remove_reader(listening.fileno())
            self._loop.call_later(FULL_PAUSE_S, self._resume, listening)
            return
        host = str(address[0])
        if reason := self._refusal(host):
            sock.close()
            self._notices.warn(f"refused a connection from {host}: {reason}")
            return
        sock.setblocking(False)
        self._counts[host] += 1
        task = self._loop.create_task(self._admit(sock, host, join_address(host, address[1])))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    def _resume(self, listening: socket.socket) -> None:
        if not self._is_closed:
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    def _refusal(self, host: str) -> str:
        most = self._settings().max_connections_per_client
        if 0 < most <= self._counts[host]:
            return f"it has {most} connections already (limits.rpc_max_conns_per_client)"
        return f"{MAX_PENDING} others have not introduced themselves yet" if len(self._pending) >= MAX_PENDING else ""

    async def _admit(self, sock: socket.socket, host: str, address: str) -> None:
        """Find out what a connection is for; it counts until it ends."""
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self._settings().handshake_timeout_s):
                first = await self._first_byte(sock)
                if first == RELAY_BYTE and self._hand_over is not None:
                    self._hand_over(sock, address)
                elif first == handshake.FIRST_BYTE:
                    connection = await self._introduce(sock)
                else:
                    self._refuse(sock, host, first)
        except (OSError, TimeoutError, HandshakeError) as error:
            sock.close()
            reason = "no handshake in time" if isinstance(error, TimeoutError) else str(error)
            self._notices.warn(f"refused a connection from {address}: {reason}", f"{host} {reason}")
        except BaseException:
            sock.close()
            raise
        finally:
            if connection is None:
                self._forget(host)
            else:
                connection.ended.add_done_callback(lambda _: self._forget(host))

    async def _first_byte(self, sock: socket.socket) -> bytes:
        """Return the first byte without taking it from the socket; b"" if there is none."""
        while True:
            with suppress(BlockingIOError, InterruptedError):
                return sock.recv(1, socket.MSG_PEEK)
            readable = self._loop.create_future()
            self._loop.add_reader(sock.fileno(), _wake, readable)
            try:
                await readable
            finally:
                self._loop.remove_reader(sock.fileno())

    async def _introduce(self, sock: socket.socket) -> Connection:
        """Run the handshake.  (TLS: give the context to `connect_accepted_socket`.)"""
        steps = handshake.accepting(self._identity(), secrets.token_bytes(proof.NONCE_BYTES), self._refuses)
        transport, introduction = await self._loop.connect_accepted_socket(
            lambda: Introduction(steps, self._made, skip=len(handshake.FIRST_BYTE)), sock
        )
        try:
            return await introduction.connection
        except BaseException:
            transport.close()
            raise

    def _refuse(self, sock: socket.socket, host: str, first: bytes) -> None:
        sock.close()
        if not first:  # a probe of the port
            return
        if first == RELAY_BYTE:
            what = "the relay of an etcd member, and this agent has none"
        elif first == TLS_BYTE:
            what = "TLS, which is not configured for agents here"
        else:
            what = f"no agent of pyconsul (first byte 0x{first.hex()}); Consul's own servers cannot be in one cluster with it"
        self._notices.warn(f"closed a connection from {host}: {what}", what)

    def _forget(self, host: str) -> None:
        self._counts[host] -= 1
        if self._counts[host] <= 0:
            del self._counts[host]


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

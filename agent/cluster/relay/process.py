"""The relay: a separate process beside an etcd member, so that a busy agent never delays Raft; it ends with the agent.

    python -m pyconsul.agent.cluster.relay.process FD

Its working directory is the folder of the etcd member.  There it listens on the socket `NODE-ID:1` of every other member, and
dials `OWN-NODE-ID:1` for connections from outside.  FD is a socket pair (SOCK_SEQPACKET) to the agent, which sends MessagePack:
`Table`, with the identity of this relay and the addresses of the others; and `Accepted`, together with a file descriptor: a
connection to the RPC port that began with the first byte of a relay.  Log messages go to standard error, one a line.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec
import uvloop

from pyconsul.agent.cluster.relay import handshake
from pyconsul.agent.cluster.relay.handshake import FIRST_BYTE, HandshakeError, Identity
from pyconsul.agent.cluster.relay.pipe import End, join
from pyconsul.agent.common.reasons import reason
from pyconsul.agent.rpc.transport.proof import NONCE_BYTES

CONNECT_S = 1.5  # the system sends a lost request for a connection again after 1 s, and then too seldom
TIMEOUT_S = 5.0  # for connecting and the handshake
SILENCE_S = 3  # without a sign of life of the other machine, until a connection ends and etcd makes a new one
MAX_HANDSHAKES = 64  # at a time, of connections from outside
LASTING_S = 3.0  # of failures, before they are written
REPEAT_S = 60.0  # before the same message is written again
MESSAGE_BYTES = 1 << 20  # of a message from the agent, at most


class Table(msgspec.Struct, frozen=True, tag="table"):
    """Identity of this relay, and of each other member by node ID its address (host, port), and its name if it is alive.

    names: those of all members, for messages.
    """

    identity: Identity
    members: dict[str, tuple[str, int]]
    owners: dict[str, str]
    names: dict[str, str] = {}


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """A connection; its file descriptor comes with this message.  peer: its address, for messages."""

    peer: str


FromAgent = Table | Accepted


class Relay:
    """The listeners and connections of the process."""

    def __init__(self) -> None:
        self._identity: Identity | None = None
        self._members: dict[str, tuple[str, int]] = {}
        self._owners: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._listeners: dict[str, asyncio.Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._handshakes = 0
        self._written: dict[str, float] = {}
        self._failing: dict[str, float] = {}  # node ID of a member that is not reached -> time of the first failure

    async def use(self, table: Table) -> None:
        """Use other addresses, members or keys from now on."""
        self._identity, self._members = table.identity, table.members
        self._owners, self._names = table.owners, table.names
        for node_id in self._listeners.keys() - table.members.keys():
            self._listeners.pop(node_id).close()
        for node_id in table.members.keys() - self._listeners.keys():
            await self._listen(node_id)

    async def _listen(self, node_id: str) -> None:
        name = f"{node_id}:1"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)  # of an earlier relay

        def dialed() -> End:
            return _Announced(lambda end: self._spawn(self._dial(node_id, end)))

        self._listeners[node_id] = await asyncio.get_running_loop().create_unix_server(dialed, name)

    def accept(self, sock: socket.socket, peer: str) -> None:
        """Take a connection from outside, unless too many have not proved yet where they come from."""
        if self._identity is None or self._handshakes >= MAX_HANDSHAKES:
            self._log(f"refused connections: more than {MAX_HANDSHAKES} are being checked")
            sock.close()
            return
        self._spawn(self._accept(sock, peer))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- one connection

    async def _dial(self, node_id: str, near: End) -> None:
        """Carry a connection of the own etcd member to the relay of another server."""
        assert self._identity is not None
        host, port = self._members.get(node_id, ("", 0))
        try:
            async with asyncio.timeout(TIMEOUT_S):
                sock = await _connect(host, port)
                try:
                    await _introduce(sock, self._identity, node_id)
                    far = await _end_of(sock)
                except BaseException:
                    sock.close()
                    raise
        except (OSError, TimeoutError, EOFError, HandshakeError, msgspec.MsgspecError) as error:
            near.transport.abort()
            is_lasting = isinstance(error, HandshakeError)
            self._note_failure(node_id, f"at {host}:{port}: {_reason(error)}", is_lasting=is_lasting)
            return
        self._failing.pop(node_id, None)
        join(near, far)

    async def _accept(self, sock: socket.socket, peer: str) -> None:
        """Carry a connection from outside to the own etcd member."""
        assert self._identity is not None
        self._handshakes += 1
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await _check(sock, self._identity, self._owners)
                far = await _end_of(sock)
        except (OSError, TimeoutError, EOFError, HandshakeError, msgspec.MsgspecError) as error:
            sock.close()
            self._log(f"refused a connection from {peer.rpartition(':')[0] or peer}: {_reason(error)}")
            return
        finally:
            self._handshakes -= 1
        try:
            _, near = await asyncio.get_running_loop().create_unix_connection(End, f"{self._identity.node_id}:1")
        except OSError as error:
            far.transport.abort()
            self._note_failure("", _reason(error))
            return
        self._failing.pop("", None)
        join(near, far)

    def _note_failure(self, node_id: str, text: str, *, is_lasting: bool = False) -> None:
        """Write that a member is not reached ("": the own one), unless that has just begun: it may be starting."""
        now = time.monotonic()
        if now - self._failing.setdefault(node_id, now) < LASTING_S and not is_lasting:
            return
        named = (
            f"cannot reach server {self._names.get(node_id, node_id)}"
            if node_id
            else "the etcd of this server does not answer:"
        )
        self._log(f"{named} {text}")

    def _log(self, text: str) -> None:
        """Write a message for the log of the agent, the same one only now and then."""
        now = time.monotonic()
        if now - self._written.get(text, -REPEAT_S) < REPEAT_S:
            return
        if len(self._written) > 100:
            self._written.clear()
        self._written[text] = now
        print(text, file=sys.stderr, flush=True)


class _Announced(End):
    """An end that announces its connection."""

    def __init__(self, announce: Callable[[End], None]) -> None:
        super().__init__()
        self._announce = announce

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._announce(self)


# --- the handshake over a socket


def _reason(error: Exception) -> str:
    return "no answer" if isinstance(error, TimeoutError) else reason(error)


async def _connect(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        async with asyncio.timeout(CONNECT_S):
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def _introduce(sock: socket.socket, identity: Identity, acceptor: str) -> None:
    """Prove to the relay of another server that this one belongs to its cluster, and the reverse."""
    send = asyncio.get_running_loop().sock_sendall
    said = handshake.hello(identity, acceptor, secrets.token_bytes(NONCE_BYTES))
    await send(sock, FIRST_BYTE + handshake.encode(said))
    answered = await _receive(sock, handshake.Challenge)
    await send(sock, handshake.encode(handshake.prove(said, answered, identity)))
    verdict = await _receive(sock, handshake.Verdict)
    if verdict.refusal:
        raise HandshakeError(verdict.refusal)


async def _check(sock: socket.socket, identity: Identity, owners: Mapping[str, str]) -> None:
    """Let the relay of another server prove that it belongs to this cluster.  owners: names of live servers by node ID."""
    send = asyncio.get_running_loop().sock_sendall
    await _read(sock, len(FIRST_BYTE))
    said = await _receive(sock, handshake.Hello)
    try:
        handshake.check_hello(said, identity)
        handshake.check_owner(said, owners.get(said.dialer, ""))
    except HandshakeError as error:
        await send(sock, handshake.encode(handshake.Challenge(b"", b"", str(error))))
        raise
    answered = handshake.challenge(said, identity, secrets.token_bytes(NONCE_BYTES))
    await send(sock, handshake.encode(answered))
    try:
        handshake.check_proof(await _receive(sock, handshake.Proof), said, answered, identity)
    except HandshakeError as error:
        await send(sock, handshake.encode(handshake.Verdict(str(error))))
        raise
    await send(sock, handshake.encode(handshake.Verdict("")))


async def _receive(sock: socket.socket, message_type: Any) -> Any:
    data = await _read(sock, handshake.length(await _read(sock, 2)))
    return msgspec.msgpack.decode(data, type=message_type)


async def _read(sock: socket.socket, count: int) -> bytes:
    loop, found = asyncio.get_running_loop(), b""
    while len(found) < count:
        data = await loop.sock_recv(sock, count - len(found))
        if not data:
            raise EOFError("the connection was closed")
        found += data
    return found


async def _end_of(sock: socket.socket) -> End:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, 1),
        (socket.TCP_KEEPINTVL, 1),
        (socket.TCP_KEEPCNT, SILENCE_S),
        (socket.TCP_USER_TIMEOUT, SILENCE_S * 1000),
    ):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    _, end = await asyncio.get_running_loop().connect_accepted_socket(End, sock)
    return end


# --- the agent


async def _serve(channel: socket.socket) -> None:
    """Do what the agent says, until it is gone."""
    relay, gone, loop = Relay(), asyncio.Event(), asyncio.get_running_loop()
    tables: asyncio.Queue[Table] = asyncio.Queue()

    def receive() -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(channel, MESSAGE_BYTES, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            loop.remove_reader(channel)
            gone.set()
            return
        message = msgspec.msgpack.decode(data, type=FromAgent)
        if isinstance(message, Table):
            tables.put_nowait(message)
        for descriptor in descriptors:
            sock = socket.socket(fileno=descriptor)
            sock.setblocking(False)
            relay.accept(sock, message.peer if isinstance(message, Accepted) else "")

    loop.add_reader(channel, receive)
    following = loop.create_task(_follow(relay, tables))
    await gone.wait()
    following.cancel()


async def _follow(relay: Relay, tables: asyncio.Queue[Table]) -> None:
    while True:
        await relay.use(await tables.get())


def main() -> None:
    """Run until the other end of the channel is closed."""
    with contextlib.suppress(KeyboardInterrupt), socket.socket(fileno=int(sys.argv[1])) as channel:
        channel.setblocking(False)
        os.set_inheritable(channel.fileno(), False)
        uvloop.run(_serve(channel))


if __name__ == "__main__":
    main()

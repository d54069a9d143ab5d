"""The agent's side of the relay: starts and restarts it, sends it the addresses of the other servers, hands connections over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from pathlib import Path

import msgspec

from pyconsul.agent.cluster.relay.handshake import Identity
from pyconsul.agent.cluster.relay.process import Accepted, Table

RESTART_S = 0.2  # before a relay that has ended is started again
STOP_S = 2.0  # that it gets to end

log = logging.getLogger("agent.relay")


class RelayLink:
    """The relay process of this agent."""

    def __init__(self, folder: Path) -> None:
        """folder: of the etcd member; it exists."""
        self._folder = folder
        self._table: Table | None = None
        self._channel: socket.socket | None = None
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process, and keep it running.  Raises OSError."""
        process = await self._spawn()
        self._running = asyncio.get_running_loop().create_task(self._keep_running(process))

    async def stop(self) -> None:
        """End the process, and wait for it."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def use(
        self, identity: Identity, members: dict[str, tuple[str, int]], owners: dict[str, str], names: dict[str, str]
    ) -> None:
        """Send the identity of this server, and the others by node ID: see `Table`."""
        self._table = Table(identity, members, owners, names)
        self._send(self._table)

    def hand_over(self, sock: socket.socket, peer: str) -> None:
        """Give a connection to the relay, which began with `handshake.FIRST_BYTE`; the socket is closed here."""
        with sock:
            self._send(Accepted(peer), [sock.fileno()])

    def _send(self, message: Table | Accepted, descriptors: list[int] | None = None) -> None:
        if self._channel is None:
            return
        try:
            socket.send_fds(self._channel, [msgspec.msgpack.encode(message)], descriptors or [])
        except OSError as error:  # it has just ended, or is far behind: etcd dials again
            log.debug("the relay takes no message: %s", error)

    async def _spawn(self) -> asyncio.subprocess.Process:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "pyconsul.agent.cluster.relay.process", str(theirs.fileno()),
                cwd=self._folder, pass_fds=[theirs.fileno()], stdin=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        self._channel = ours
        if self._table is not None:
            self._send(self._table)
        return process

    async def _keep_running(self, process: asyncio.subprocess.Process) -> None:
        try:
            while True:
                await self._log_of(process)
                log.warning("the relay has ended with status %s, starting it again", await process.wait())
                self._close_channel()
                await asyncio.sleep(RESTART_S)
                with contextlib.suppress(OSError):
                    process = await self._spawn()
        finally:
            self._close_channel()  # it ends then
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), STOP_S)
            if process.returncode is None:
                process.kill()

    async def _log_of(self, process: asyncio.subprocess.Process) -> None:
        """Write what the relay says into the log, until it ends."""
        assert process.stderr is not None
        async for line in process.stderr:
            log.info("%s", line.decode(errors="replace").rstrip())

    def _close_channel(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

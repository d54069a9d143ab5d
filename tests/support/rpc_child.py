"""A server of RPC in a process: started by `RPCChild`, or as a program that ends in order on SIGTERM.

It answers `/echo` at once, `/wait` never, `/slow` after a moment, `/stream` without an end, and `/ask/NAME` with what the connected
agent NAME responds.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Self

from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import Peer

TESTS = Path(__file__).resolve().parents[1]
SLOW_S = 0.3


class RPCChild:
    """A process with the server NAME.  port: 0 for any free one."""

    def __init__(self, name: str, port: int = 0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, name, str(port)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(TESTS)},
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        with self._process:  # closes the pipe, and waits
            self._process.kill()


async def main(name: str, port: str) -> None:
    from support.rpc_agents import network
    from support.rpc_pair import endless

    async with network() as net:

        async def ask(target: str) -> Response:
            peer = server.peers.find(target)
            assert peer is not None
            return await server.peers.ask(peer.node_id, HTTPRequest("GET", b"/from-server", {}))

        async def slow() -> Response:
            await asyncio.sleep(SLOW_S)
            return Response(200, b"slow")

        def serve(request: HTTPRequest, peer: Peer) -> Response | Awaitable[Response]:
            first, _, rest = request.target.decode()[1:].partition("/")
            if first == "wait":
                return asyncio.get_running_loop().create_future()
            if first == "slow":
                return slow()
            if first == "ask":
                return ask(rest)
            return Response(200, stream=endless()) if first == "stream" else Response(200, request.body or b"echo")

        server = await net.server(name, serve, port=int(port))
        print(server.port, flush=True)
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        await stopped.wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(*sys.argv[1:]))

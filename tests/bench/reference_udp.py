"""The reference for DNS: a bare uvloop UDP echo that answers fixed bytes under the question's ID.

Usage: reference_udp.py PORT FILE
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

REST = Path(sys.argv[2]).read_bytes()[2:]


class Echo(asyncio.DatagramProtocol):
    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data[:2] + REST, addr)


async def main() -> None:
    await asyncio.get_running_loop().create_datagram_endpoint(Echo, local_addr=("127.0.0.1", int(sys.argv[1])))
    await asyncio.Event().wait()


uvloop.run(main())

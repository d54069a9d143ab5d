"""A gossip pool in a process: started by `GossipChild`, or as a program that obeys lines on its standard input."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]


class GossipChild:
    """A process with a pool on 127.0.0.NUMBER that has joined an address."""

    def __init__(self, name: str, number: int, port: int, join: str, *, keys: tuple[bytes, ...] = ()) -> None:
        arguments = [name, str(number), str(port), join, *(key.hex() for key in keys)]
        self._process = subprocess.Popen(
            [sys.executable, __file__, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(TESTS)},
        )
        assert self._answer() == "joined"

    async def statuses(self) -> dict[str, str]:
        """Names and statuses of its members."""
        return dict(await asyncio.to_thread(self._ask, "statuses"))

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        with self._process:  # closes the pipes, and waits
            self._process.kill()

    def _ask(self, command: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


async def main(name: str, number: str, port: str, join: str, *keys: str) -> None:
    from support.gossip_pools import Pools

    pools = Pools(int(port))
    agent = await pools.open(name, int(number), keys=tuple(bytes.fromhex(key) for key in keys))
    result = await agent.pool.join([join])
    assert result.contacted == 1, result
    print(json.dumps("joined"), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps({name: status.name for name, status in agent.statuses().items()}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

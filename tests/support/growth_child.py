"""A server that moves its state into etcd and kills itself with -9 after a step of the move.

    python -m support.growth_child FOLDER STEP

It writes the keys `key-0`, `key-1` … meanwhile, and the name of each one that was acknowledged to standard output.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from pyconsul.agent.cluster.etcd_phase import EtcdPhase
from pyconsul.agent.cluster.growth import Growth
from pyconsul.agent.engine.contract import Engine
from support.server_clusters import Town


async def run(folder: Path, fatal: str) -> None:
    steps, take_over = Growth.steps, EtcdPhase.take_over

    async def until_killed(self: Growth) -> AsyncIterator[str]:
        async for step in steps(self):
            if step == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            yield step

    def killed_before(self: EtcdPhase, engine: Engine) -> None:
        if fatal == "moved":
            os.kill(os.getpid(), signal.SIGKILL)
        take_over(self, engine)

    Growth.steps = until_killed  # type: ignore[method-assign]
    EtcdPhase.take_over = killed_before  # type: ignore[method-assign]
    machine = await Town(folder).machine(is_bootstrapped=True).start()
    await machine.put("before")
    moving = asyncio.ensure_future(machine.cluster.grow("s2"))
    number = 0
    while True:
        await machine.put(f"key-{number}")
        print(f"key-{number}", flush=True)
        number += 1
        if moving.done():
            moving.result()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))

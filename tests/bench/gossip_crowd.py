"""A program: pools that join an agent and stay until it is killed. Arguments: first and last number, port, address to join."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyconsul.agent.gossip.consul.tags import client_tags
from pyconsul.agent.gossip.driver.opening import open_pool
from pyconsul.agent.gossip.serf.settings import SerfSettings
from pyconsul.agent.gossip.settings import PoolSettings


async def main(first: int, last: int, port: int, peer: str) -> None:
    pools = []
    for number in range(first, last + 1):
        address = f"127.0.1.{number}"
        settings = PoolSettings(
            serf=SerfSettings(node_name=f"crowd-{number}"),
            bind=address,
            port=port,
            advertise=address,
            tags=client_tags(node_id=f"00000000-0000-0000-0000-{number:012d}", datacenter="dc1", build="1.21.4:bench"),
        )
        pools.append(await open_pool(settings))
    results = await asyncio.gather(*(pool.join([peer]) for pool in pools))
    assert all(result.contacted for result in results), results
    await asyncio.Event().wait()


uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))

"""Real gossip pools on loopback addresses: 127.0.0.1, 127.0.0.2 … with one port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from pyconsul.agent.gossip.driver.opening import open_pool
from pyconsul.agent.gossip.driver.pool import Pool
from pyconsul.agent.gossip.membership import PoolEvent
from pyconsul.agent.gossip.serf.settings import SerfSettings
from pyconsul.agent.gossip.settings import PoolAdmission, PoolSettings
from pyconsul.agent.gossip.swim.settings import CONSUL_DEV_LAN, SwimSettings
from pyconsul.agent.model.member import MemberStatus
from support.eventually import eventually_async
from support.ports import free_port

#: Fails members within a second or two.
FAST = replace(CONSUL_DEV_LAN, tcp_timeout_s=3.0)


class PoolAgent:
    """A pool, its settings, and the events that it has published."""

    def __init__(self, settings: PoolSettings, pool: Pool) -> None:
        self.settings = settings
        self.pool = pool
        self.events: list[PoolEvent] = []
        pool.subscribe(self.events.append)

    @property
    def address(self) -> str:
        return f"{self.settings.bind}:{self.settings.port}"

    def statuses(self) -> dict[str, MemberStatus]:
        return {member.name: member.status for member in self.pool.members()}

    def alive(self) -> set[str]:
        return {name for name, status in self.statuses().items() if status is MemberStatus.ALIVE}

    async def sees(self, **statuses: MemberStatus) -> None:
        """Wait until the members named have these statuses."""
        await eventually_async(lambda: statuses.items() <= self.statuses().items())

    async def knows(self, *names: str) -> None:
        """Wait until exactly these members are alive."""
        await eventually_async(lambda: self.alive() == set(names))


class Pools:
    """Opens pools, and closes those that are left."""

    def __init__(self, port: int = 0) -> None:
        """`port` of all pools; 0: a free one."""
        self.port = port or free_port()
        self._open: list[PoolAgent] = []

    async def open(
        self,
        name: str,
        number: int,
        *,
        swim: SwimSettings = FAST,
        serf: SerfSettings | None = None,
        keys: tuple[bytes, ...] = (),
        folder: Path | None = None,
        admission: PoolAdmission | None = None,
        join: PoolAgent | None = None,
        rejoin_after_leave: bool = False,
        advertise: str = "",
        bind: str = "",
        port: int = 0,
    ) -> PoolAgent:
        """Open a pool on 127.0.0.NUMBER, or `bind`; `folder` holds its files."""
        address = bind or f"127.0.0.{number}"
        settings = PoolSettings(
            serf=serf or SerfSettings(node_name=name, leave_propagate_delay_s=0.2),
            bind=address,
            port=port or self.port,
            advertise=advertise or address,
            tags={"role": "node", "dc": "dc1"},
            swim=swim,
            keys=keys,
            keyring_file=folder / "local.keyring" if folder else None,
            snapshot_file=folder / "local.snapshot" if folder else None,
            admission=admission,
            rejoin_after_leave=rejoin_after_leave,
        )
        agent = PoolAgent(settings, await open_pool(settings))
        self._open.append(agent)
        if join is not None:
            result = await agent.pool.join([join.address])
            assert (result.contacted, result.failures) == (1, ()), result
        return agent

    async def close(self, agent: PoolAgent) -> None:
        """Close a pool without leaving, as if it were killed."""
        self._open.remove(agent)
        await agent.pool.close()

    async def leave(self, agent: PoolAgent) -> None:
        """Leave and close a pool."""
        await agent.pool.leave()
        await self.close(agent)

    async def close_all(self) -> None:
        while self._open:
            await self._open.pop().pool.close()


@asynccontextmanager
async def opened_pools() -> AsyncIterator[Pools]:
    pools = Pools()
    try:
        yield pools
    finally:
        await pools.close_all()

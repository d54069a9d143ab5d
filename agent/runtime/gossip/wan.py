"""Opens the WAN pool of a server, and lets all servers of the datacenter be members of it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path

from pyconsul.agent.common.go.network_errors import join_address
from pyconsul.agent.config.config import Config
from pyconsul.agent.gossip.consul.admission import WanAdmission
from pyconsul.agent.gossip.consul.tags import server_of
from pyconsul.agent.gossip.membership import Membership, PoolEvent
from pyconsul.agent.gossip.serf.effects import MemberChanged
from pyconsul.agent.gossip.serf.settings import SerfSettings
from pyconsul.agent.gossip.settings import PoolSettings
from pyconsul.agent.gossip.swim.settings import CONSUL_WAN
from pyconsul.agent.model.member import MemberStatus
from pyconsul.agent.runtime.gossip.lan import gossip_keys, kept_in, opened, server_tags, timing

KEYRING_FILE, SNAPSHOT_FILE = Path("serf", "remote.keyring"), Path("serf", "remote.snapshot")
RETRY_S = 5.0  # after a server could not be joined
_OTHER_PORT = "set -serf-wan-port to another port, or to -1 for a server without a WAN pool"

log = logging.getLogger("agent")


def wan_settings(config: Config) -> PoolSettings:
    """Return the settings of the WAN pool. Raises GossipError."""
    name = f"{config.node_name}.{config.datacenter}"
    folder = kept_in(config)
    serf = SerfSettings(node_name=name)
    if config.reconnect_timeout_wan:
        serf = SerfSettings(node_name=name, reconnect_timeout_s=config.reconnect_timeout_wan)
    return PoolSettings(
        serf=serf,
        swim=timing(CONSUL_WAN, config.gossip_wan),
        pool="wan",
        bind=config.serf_wan.strip("[]"),
        port=config.ports.serf_wan,
        advertise=config.advertise_addr_wan,
        tags=server_tags(config).for_wan(),
        admission=WanAdmission(config.datacenter),
        keys=gossip_keys(config),
        keyring_file=None if folder is None or config.disable_keyring_file else folder / KEYRING_FILE,
        verify_incoming=config.encrypt_verify_incoming,
        verify_outgoing=config.encrypt_verify_outgoing,
        snapshot_file=None if folder is None else folder / SNAPSHOT_FILE,
        rejoin_after_leave=config.rejoin_after_leave,
    )


async def open_wan(config: Config, lan: Membership, stack: AsyncExitStack) -> Membership | None:
    """Open the WAN pool of a server; None for a client agent, and where a pool is off. Raises GossipError."""
    if not config.server or config.ports.serf_lan <= 0 or config.ports.serf_wan <= 0:
        return None
    wan = await opened(wan_settings(config), "WAN", _OTHER_PORT, stack)
    flood = Flood(lan, wan)
    stack.push_async_callback(flood.stop)
    flood.start()
    return wan


def missing(lan: Membership, wan: Membership) -> list[str]:
    """Return the addresses of the servers of the LAN pool that are not in the WAN pool."""
    known = {member.name for member in wan.members() if member.status is MemberStatus.ALIVE}
    found = []
    for member in lan.members():
        server = server_of(member)
        if server is None or member.status is not MemberStatus.ALIVE or not server.wan_join_port:
            continue
        name = f"{server.name}.{server.datacenter}"
        if name not in known:
            found.append(f"{name}/{join_address(server.address, server.wan_join_port)}")
    return found


class Flood:
    """Joins the servers that appear in the LAN pool over the WAN, so that the WAN pool needs no settings."""

    def __init__(self, lan: Membership, wan: Membership) -> None:
        self._lan, self._wan = lan, wan
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe = lan.subscribe(self._receive)

    def start(self) -> None:
        """Join in the background."""
        self._changed.set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop joining."""
        self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _receive(self, event: PoolEvent) -> None:
        if isinstance(event, MemberChanged):
            self._changed.set()

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            addresses = missing(self._lan, self._wan)
            if not addresses:
                continue
            result = await self._wan.join(addresses)
            for failure in result.failures:
                log.debug(
                    "a server cannot be joined over the WAN: address=%s error=%s", failure.address, failure.reason
                )
            if result.failures:
                await asyncio.sleep(RETRY_S)
                self._changed.set()

"""The WAN pool of two servers that know each other over the LAN."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from support.eventually import eventually_async
from support.ports import free_ports

from pyconsul.agent.config.host import with_node_id
from pyconsul.agent.config.load import load
from pyconsul.agent.gossip.membership import Membership
from pyconsul.agent.runtime.gossip.lan import open_lan
from pyconsul.agent.runtime.gossip.wan import open_wan

KEYS = ("pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s=", "6f5eQYoYw2pSI5gEwDAPZz6kAnDAnkP8wIsVqGhKSQA=")


async def open_pools(name: str, folder: Path, stack: AsyncExitStack) -> tuple[str, Membership, Membership]:
    """Return the LAN address of a server and its pools."""
    lan_port, wan_port = free_ports(2)
    argv = ["-dev", "-bind=127.0.0.1", f"-node={name}", f"-encrypt={KEYS[0]}", f"-data-dir={folder / name}"]
    config = with_node_id(load([*argv, f"-serf-lan-port={lan_port}", f"-serf-wan-port={wan_port}"]))
    lan = await open_lan(config, stack)
    wan = await open_wan(config, lan, stack)
    assert wan is not None
    return f"127.0.0.1:{lan_port}", lan, wan


async def test_servers_of_one_datacenter_meet_in_the_wan_pool(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        address, _, wan = await open_pools("s1", tmp_path, stack)
        _, other_lan, other = await open_pools("s2", tmp_path, stack)
        await other_lan.join([address])
        for pool in (wan, other):
            await eventually_async(lambda pool=pool: {one.name for one in pool.members()} == {"s1.dc1", "s2.dc1"})
        assert (await wan.keyring.install(KEYS[1])).error == ""
        report = await other.keyring.list()
        assert (report.keys, report.members) == (dict.fromkeys(KEYS, 2), 2)

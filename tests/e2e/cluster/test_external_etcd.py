"""Two agents that use an existing etcd, over TCP with TLS and a password."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aetcd import rpc
from support.agent_process import AgentProcess
from support.certificate import write_certificate
from support.etcd import EtcdProcess, needs_etcd
from support.eventually import eventually
from support.ports import free_ports

from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.settings import Credentials

pytestmark = [needs_etcd, pytest.mark.single_server("its servers form a cluster themselves")]
PASSWORD = "of-the-test"


@pytest.fixture
async def etcd_settings(tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    """The settings for an etcd with a certificate, whose user pyconsul has a password."""
    certificate = str(write_certificate(tmp_path / "etcd.pem", ["etcd.test"], ["127.0.0.1"]))
    endpoint = f"https://127.0.0.1:{free_ports(1)[0]}"
    etcd = EtcdProcess(
        "--listen-client-urls", endpoint, "--advertise-client-urls", endpoint,
        "--cert-file", certificate, "--key-file", certificate,
    )  # fmt: skip
    try:
        etcd.start()
        client = Client([endpoint], Credentials(ca_file=certificate))
        await enable_passwords(client)
        await client.close()
        yield {
            "endpoints": [endpoint],
            "ca_file": certificate,
            "username": "pyconsul",
            "password": PASSWORD,
            "prefix": "dc1",
        }
    finally:
        etcd.remove()


async def enable_passwords(client: Client) -> None:
    def auth(method: str) -> Any:
        return lambda channel: getattr(rpc.AuthStub(channel), method)

    for user in ("root", "pyconsul"):
        await client.call(auth("UserAdd"), rpc.AuthUserAddRequest(name=user, password=PASSWORD))
    await client.call(auth("RoleAdd"), rpc.AuthRoleAddRequest(name="dc1"))
    permission = rpc.Permission(permType="READWRITE", key=b"dc1/", range_end=b"dc10")
    await client.call(auth("RoleGrantPermission"), rpc.AuthRoleGrantPermissionRequest(name="dc1", perm=permission))
    await client.call(auth("UserGrantRole"), rpc.AuthUserGrantRoleRequest(user="pyconsul", role="dc1"))
    await client.call(auth("UserGrantRole"), rpc.AuthUserGrantRoleRequest(user="root", role="root"))
    await client.call(auth("AuthEnable"), rpc.AuthEnableRequest())


@pytest.fixture
def agents(tmp_path: Path, etcd_settings: dict[str, Any]) -> Iterator[list[AgentProcess]]:
    found: list[AgentProcess] = []
    for number in (1, 2):
        folder = tmp_path / f"s{number}"
        folder.mkdir()
        join = [f"127.0.0.1:{found[0].lan_port}"] if found else []
        agent = AgentProcess(
            folder, folder / "data", node_name=f"s{number}", bootstrap_expect=None, retry_join=join, etcd=etcd_settings
        )
        found.append(agent.start())
    try:
        yield found
    finally:
        for agent in found:
            agent.stop()


async def test_servers_share_the_state_in_an_existing_etcd(agents: list[AgentProcess]) -> None:
    first, second = agents
    eventually(lambda: len(first.get("/v1/status/peers")) == 2)
    assert second.put("/v1/kv/a", b"v") is True
    assert first.request("GET", "/v1/kv/a?raw")[2] == b"v"
    leader = next(agent for agent in agents if first.get("/v1/status/leader").endswith(f":{agent.rpc_port}"))
    follower = second if leader is first else first
    assert PASSWORD not in first.log() + second.log()
    leader.stop()
    eventually(lambda: follower.request("PUT", "/v1/kv/b", b"w")[0] == 200)
    assert follower.request("GET", "/v1/kv/a?raw")[2] == b"v"
    assert not (follower.folder / "data" / "raft" / "cluster" / "etcd").exists()
    leader.start()
    eventually(lambda: leader.request("GET", "/v1/kv/b?raw")[2] == b"w")


def test_a_wrong_password_is_named_in_the_log(tmp_path: Path, etcd_settings: dict[str, Any]) -> None:
    settings = {**etcd_settings, "password": "wrong"}
    agent = AgentProcess(tmp_path, tmp_path / "data", bootstrap_expect=None, etcd=settings)
    agent.launch()
    try:
        agent.wait_for_log("authentication failed, invalid user ID or password")
    finally:
        agent.kill()

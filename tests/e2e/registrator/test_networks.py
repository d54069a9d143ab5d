"""Containers in networks of a real engine: IPv6, Compose's, an overlay of a swarm; renamed and restarted ones."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.agent_process import AgentProcess
from support.container_engine import ContainerEngine
from support.eventually import eventually
from support.ports import free_ports
from support.registrator import Registrator, create, registered, start

Start = Callable[..., Registrator]
#: A bridge of the host that a swarm needs; its name is fixed.
GATEWAY = "docker_gwbridge"
COMPOSE = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}


@contextmanager
def network(engine: ContainerEngine, name: str, *subnets: str, **fields: Any) -> Iterator[None]:
    """A network while the block runs; with its containers it ends."""
    pool = {"Config": [{"Subnet": one} for one in subnets]}
    engine.done("POST", "/networks/create", {"Name": name, "Driver": "bridge", "IPAM": pool, **fields})
    try:
        yield
    finally:
        engine.clear()
        engine.done("DELETE", f"/networks/{name}")


@contextmanager
def swarm(engine: ContainerEngine) -> Iterator[None]:
    """A swarm of one machine, on its loopback, while the block runs."""
    if Path("/sys/class/net", GATEWAY).exists():
        pytest.skip(f"a swarm uses the bridge {GATEWAY} of this machine")
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    status, data = engine.request("POST", "/swarm/init", {"ListenAddr": address, "AdvertiseAddr": address})
    if status >= 300:
        pytest.skip(f"the engine starts no swarm here: {data[:200]!r}")
    try:
        yield
    finally:
        engine.clear()
        engine.done("POST", "/swarm/leave?force=1")
        subprocess.run(["ip", "link", "delete", GATEWAY], capture_output=True, check=False)


def test_an_ipv6_network(engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str) -> None:
    with network(engine, "six", "172.27.8.0/24", "fd00:77::/64", EnableIPv6=True):
        inside = registrator("-network", "six", "-ipv6")
        create(
            engine,
            "web",
            ports=["127.0.0.1::80"],
            env=["SERVICE_CHECK_TCP=1", "SERVICE_CHECK_INTERVAL=1s"],
            NetworkMode="six",
        )
        create(engine, "side", ports=["127.0.0.1::80"])
        start(engine, "web")
        start(engine, "side")
        service = f"{host}:web:80"
        eventually(lambda: service in registered(agent), inside.log)
        address, port = registered(agent)[service]
        described = json.loads(engine.done("GET", "/containers/web/json"))
        assert address == described["NetworkSettings"]["Networks"]["six"]["GlobalIPv6Address"]
        assert (address.startswith("fd00:77::"), port) == (True, 80)
        # The check has brackets around the address: the container is reached, and refuses the connection.
        eventually(lambda: f"[{address}]:80" in agent.get("/v1/agent/checks")[f"service:{service}"]["Output"])
        inside.end()
        registrator()
        eventually(lambda: f"{host}:side:80" in registered(agent))
        assert registered(agent)[service][0] == "127.0.0.1"


def test_a_port_of_ipv6_loopback(engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str) -> None:
    registrator()
    bindings = [{"HostIp": "127.0.0.1", "HostPort": ""}, {"HostIp": "::1", "HostPort": ""}]
    with network(engine, "six", "172.27.8.0/24", "fd00:77::/64", EnableIPv6=True):
        create(engine, "web", ports=["80"], NetworkMode="six", PortBindings={"80/tcp": bindings})
        start(engine, "web")
        eventually(lambda: {address for address, _ in registered(agent).values()} == {"127.0.0.1", "::1"})


def test_renamed_and_restarted_containers_of_compose(
    engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str
) -> None:
    with network(engine, "shop_back", "172.27.8.0/24"):
        tool = registrator("-network", "back", "-compose-tags", "-name-template", "{{ project }}-{{ compose_service }}")
        create(engine, "shop-web-1", ports=["127.0.0.1::80"], labels=COMPOSE, NetworkMode="shop_back", restart="always")
        start(engine, "shop-web-1")
        eventually(lambda: list(registered(agent)) == [f"{host}:shop-web-1:80"], tool.log)
        service = agent.get(f"/v1/agent/service/{host}:shop-web-1:80")
        assert (service["Service"], service["Tags"]) == ("shop-web", ["project-shop", "service-web"])
        engine.done("POST", "/containers/shop-web-1/rename?name=shop-web-2")
        eventually(lambda: list(registered(agent)) == [f"{host}:shop-web-2:80"], tool.log)
        engine.done("POST", "/containers/shop-web-2/update", {"Memory": 64 << 20, "MemorySwap": -1})
        engine.done("POST", "/containers/shop-web-2/restart?t=0")
        eventually(lambda: not agent.get("/v1/agent/checks") and len(registered(agent)) == 1, tool.log)
        assert registered(agent)[f"{host}:shop-web-2:80"][0].startswith("172.27.8.")


def test_an_overlay_network(engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str) -> None:
    with swarm(engine), network(engine, "over", "10.77.0.0/24", Driver="overlay", Attachable=True):
        tool = registrator("-network", "over")
        create(engine, "web", ports=["127.0.0.1::80"], NetworkMode="over")
        start(engine, "web")
        eventually(lambda: f"{host}:web:80" in registered(agent), tool.log)
        address, port = registered(agent)[f"{host}:web:80"]
        assert (address.startswith("10.77.0."), port) == (True, 80)
        engine.remove("web")
        eventually(lambda: registered(agent) == {}, tool.log)


def test_hostile_settings_of_one_container_harm_no_other(
    engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str
) -> None:
    tool = registrator()
    env = ["SERVICE_NAME=x\nserver evil 1.2.3.4", "SERVICE_TAGS=a\r,b", "SERVICE_ID=../../../kv/x"]
    create(engine, "nasty", ports=["127.0.0.1::80"], env=env)
    start(engine, "nasty")
    create(engine, "odd", ports=["127.0.0.1::80"], env=["SERVICE_ID=x?y#%2f z/..a"])
    start(engine, "odd")
    create(engine, "web", ports=["127.0.0.1::80"])
    start(engine, "web")
    services = {f"{host}:nasty:80", "x?y#%2f z/..a", f"{host}:web:80"}
    eventually(lambda: registered(agent).keys() == services, tool.log)
    nasty = agent.get(f"/v1/agent/service/{host}:nasty:80")
    assert (nasty["Service"], nasty["Tags"]) == ("xserver evil 1.2.3.4", ["b", "a"])
    assert "\nserver evil" not in tool.log()
    engine.clear()
    eventually(lambda: registered(agent) == {}, tool.log)

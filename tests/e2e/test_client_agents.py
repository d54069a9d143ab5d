"""A server and two client agents with access control: registrations, tokens, requests for one agent, DNS, an outage."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import pytest

from tests.support.acl_agent import ROOT, Caller, Manager
from tests.support.agent_process import PROGRAM, AgentProcess
from tests.support.eventually import eventually

AGENT, WEB, READER = (f"{number}f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01" for number in (6, 7, 8))
RECOVERY = "9f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
RULES = {
    AGENT: 'node_prefix "" { policy = "write" } service_prefix "" { policy = "read" } agent_prefix "" { policy = "write" }',
    WEB: 'service "web" { policy = "write" } node_prefix "" { policy = "read" }',
    READER: 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }',
}


class World:
    """The agents.  The tokens above exist before the clients start."""

    def __init__(self, folder: Path) -> None:
        acl = {"enabled": True, "default_policy": "deny"}
        (folder / "s1").mkdir()
        self.server = AgentProcess(
            folder / "s1",
            folder / "s1" / "data",
            node_name="s1",
            acl={**acl, "tokens": {"initial_management": ROOT, "agent": ROOT}},
        )
        self.clients = [self._client(folder / name, acl) for name in ("c1", "c2")]
        self.manager = Manager(self.server, ROOT)

    def _client(self, folder: Path, acl: dict[str, Any]) -> AgentProcess:
        folder.mkdir()
        tokens = {"agent": AGENT, "dns": READER, "agent_recovery": RECOVERY}
        services = [{"name": "web", "id": f"web-{folder.name}", "port": 80, "token": WEB}]
        if folder.name == "c1":
            services.append({"name": "secret", "id": "secret", "port": 81, "token": WEB})
        return AgentProcess(
            folder,
            folder / "data",
            node_name=folder.name,
            server=False,
            bootstrap_expect=None,
            retry_join=[f"127.0.0.1:{self.server.lan_port}"],
            acl={**acl, "tokens": tokens},
            services=services,
            performance={"leave_drain_time": "0s"},
        )

    def start(self) -> World:
        self.server.start()
        for secret, rules in RULES.items():
            name = f"policy-{secret[:2]}"
            self.manager.write("/v1/acl/policy", {"Name": name, "Rules": rules})
            self.manager.write("/v1/acl/token", {"SecretID": secret, "Policies": [{"Name": name}]})
        for client in self.clients:
            client.launch()
        eventually(lambda: len(self.instances()) == 2)
        return self

    def instances(self) -> list[str]:
        """Return the IDs of the registered instances of web."""
        return sorted(row["ServiceID"] for row in self.manager.read("/v1/catalog/service/web"))

    def healthy(self) -> list[str]:
        """Return the nodes with a healthy instance of web."""
        return [row["Node"]["Node"] for row in self.manager.read("/v1/health/service/web?passing")]

    def stop(self) -> None:
        for agent in (*self.clients, self.server):
            agent.stop()

    def ask(self, name: str, client: int = 0) -> Any:
        """Return the addresses that a client agent's DNS gives, or the name of an error."""
        query = dns.message.make_query(name, "A")
        answer = dns.query.udp(query, "127.0.0.1", port=self.clients[client].dns_port, timeout=5)
        if answer.rcode() != dns.rcode.NOERROR:
            return dns.rcode.to_text(answer.rcode())
        return sorted(str(item) for rrset in answer.answer for item in rrset)

    def cli(self, agent: AgentProcess, *words: str, token: str = "") -> subprocess.CompletedProcess[str]:
        environment = {"CONSUL_HTTP_ADDR": agent.address, "CONSUL_HTTP_TOKEN": token, "PATH": "/usr/bin:/bin"}
        return subprocess.run([*PROGRAM, *words], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("clients"))
    try:
        yield made.start()
    finally:
        made.stop()


def test_each_registration_is_made_with_its_own_token(world: World) -> None:
    assert world.instances() == ["web-c1", "web-c2"]
    assert world.manager.read("/v1/catalog/service/secret") == []
    world.clients[0].wait_for_log("Service registration blocked by ACLs: service=secret accessorID=")

    def checks() -> list[str]:
        return [check["CheckID"] for check in world.manager.read("/v1/health/node/c1")]

    eventually(lambda: checks() == ["serfHealth"], lambda: str(checks()))


def test_local_requests_are_authorized_by_the_servers_tokens(world: World) -> None:
    client = world.clients[0]
    assert Caller(client, AGENT).ask("GET", "/v1/agent/self")[0] == 200
    status, text = Caller(client, WEB).ask("GET", "/v1/agent/self")
    assert status == 403
    assert "lacks permission 'agent:read' on \"c1\"" in text
    assert Caller(client, "0f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01").ask("GET", "/v1/agent/self") == (403, "ACL not found")
    assert Caller(client, RECOVERY).ask("GET", "/v1/agent/self")[0] == 200
    assert set(Caller(client, WEB).read("/v1/agent/services")) == {"web-c1"}


def test_a_request_without_a_token_stays_one_on_its_way(world: World) -> None:
    for agent in (world.server, world.clients[0]):
        status, _, body = agent.request("GET", "/v1/acl/token/self")
        assert (status, body) == (403, b"token does not exist: ACL not found")
        status, _, body = agent.request("POST", "/v1/acl/logout")
        assert (status, body) == (401, b"Supplied token does not exist")


def test_an_agent_is_asked_by_way_of_the_server(world: World) -> None:
    one, other = world.clients
    for asked in (world.server, one):
        caller = Caller(asked, AGENT)
        eventually(lambda caller=caller: caller.ask("GET", "/v1/agent/self?node=c2")[0] == 200)
        assert caller.read("/v1/agent/self?node=c2")["Config"]["NodeName"] == "c2"
    assert Caller(one, ROOT).read("/v1/agent/self?node=s1")["Config"]["NodeName"] == "s1"
    assert Caller(one, WEB).ask("GET", "/v1/agent/self?node=c2")[0] == 403
    assert Caller(one, AGENT).ask("GET", "/v1/agent/self?node=c9")[0] == 404
    assert Caller(one, AGENT).ask("PUT", "/v1/agent/reload?node=c2")[0] == 200
    other.wait_for_log("configuration reloaded")
    done = world.cli(one, "maint", "-enable", "-node", "c2", "-reason", "a new disk", token=AGENT)
    assert done.returncode == 0, done.stderr
    assert world.cli(world.server, "maint", "-node", "c2", token=ROOT).stdout.split()[-3:] == ["a", "new", "disk"]
    eventually(lambda: world.healthy() == ["c1"], lambda: str(world.healthy()))
    assert world.cli(world.server, "maint", "-disable", "-node", "c2", token=ROOT).returncode == 0
    Caller(other, WEB).write("/v1/agent/service/register", {"Name": "web", "ID": "web-2"})
    done = world.cli(world.server, "services", "deregister", "-node", "c2", "-id", "web-2", token=WEB)
    assert done.returncode == 0, done.stderr
    eventually(lambda: world.instances() == ["web-c1", "web-c2"], lambda: str(world.instances()))


def test_dns_follows_the_catalog_and_goes_on_without_the_server(world: World) -> None:
    assert world.ask("web.service.consul") == ["127.0.0.1"]
    assert world.ask("c2.node.consul") == ["127.0.0.1"]
    assert world.ask("other.service.consul") == "NXDOMAIN"
    node = {"Node": "x", "Address": "10.1.1.1", "Service": {"Service": "other"}}
    world.manager.write("/v1/catalog/register", node)
    eventually(lambda: world.ask("other.service.consul") == ["10.1.1.1"])
    assert _age(world) == 0
    world.server.kill()
    eventually(lambda: _age(world) > 0)
    stats = Caller(world.clients[0], AGENT).read("/v1/agent/self")["Stats"]["dns"]
    assert int(stats["held_parts"]) >= 3
    assert float(stats["oldest_age_seconds"]) >= 0
    for _ in range(3):
        assert world.ask("other.service.consul") == ["10.1.1.1"]
        assert world.ask("c2.node.consul") == ["127.0.0.1"]
    assert world.ask("never-asked.service.consul") == "SERVFAIL"
    assert Caller(world.clients[0], AGENT).ask("GET", "/v1/agent/self")[0] == 200, "the token is kept"
    assert Caller(world.clients[0], RECOVERY).ask("GET", "/v1/agent/self")[0] == 200
    world.server.start()
    world.manager.write("/v1/catalog/deregister", {"Node": "x"})
    eventually(lambda: world.ask("other.service.consul") == "NXDOMAIN", patience=30)
    eventually(lambda: _age(world) == 0)


def _age(world: World) -> float:
    gauges = json.loads(Caller(world.clients[0], AGENT).ask("GET", "/v1/agent/metrics")[1])["Gauges"]
    return float(next(one["Value"] for one in gauges if one["Name"].endswith("dns.held.oldest_age_seconds")))


def test_a_client_that_leaves_stays_away(world: World) -> None:
    eventually(lambda: world.instances() == ["web-c1", "web-c2"], patience=30)
    eventually(lambda: Caller(world.server, ROOT).ask("GET", "/v1/agent/self?node=c2")[0] == 200)
    assert Caller(world.server, ROOT).ask("PUT", "/v1/agent/leave?node=c2")[0] == 200
    eventually(lambda: world.instances() == ["web-c1"])
    assert world.clients[1].process is not None
    assert world.clients[1].process.wait(30) == 0
    assert world.manager.read("/v1/catalog/node/c2") is None

"""Anti-entropy of an agent without a state: rows reach the catalog with their own tokens, and refusals are counted by row."""

from __future__ import annotations

import asyncio
import logging
from random import Random
from typing import Any

import msgspec
import pytest
from support.local_agent import NODE, check_row, me, service_row
from support.remote_servers import Access, Servers

from pyconsul.agent.httpapi.core.forwarding.standing import Scope, SingleServer
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.model.check import serf_check
from pyconsul.agent.remote.catalog import RemoteCatalog
from pyconsul.agent.remote.requests import Rejected
from pyconsul.agent.remote.server_catalog import ServerCatalog
from pyconsul.agent.state.catalog import checks, nodes, services
from pyconsul.agent.state.contract import Unavailable
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.state.watches import Watches
from pyconsul.agent.sync.anti_entropy.syncer import Syncer
from pyconsul.agent.sync.local_rows import CheckRow, ServiceRow
from pyconsul.agent.sync.local_state import LocalState, Pending
from pyconsul.agent.sync.node_registration import NodeRegistration

ME = NodeRegistration(me().node, None, None)
AGENT = f'node "{NODE}" {{ policy = "write" }} service_prefix "" {{ policy = "read" }}'


class World:
    """A client agent with tokens, and the servers that it registers with."""

    def __init__(self, **own: str) -> None:
        self.access = Access()
        self.servers = Servers(self.access)
        self.own = own
        self.catalog = RemoteCatalog(self.servers, lambda name: self.own.get(name, ""))
        self.local = LocalState(Watches())
        self.syncer = Syncer(self.local, ME, self.catalog, Random(1))
        self.store = self.servers.api.store

    async def write(self, operation: Any) -> None:
        await self.servers.api.writer.commit(operation)

    def service(self, service_id: str) -> Any:
        row = self.store[SERVICES].get((NODE, service_id))
        return row and row.service


def words(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


async def test_every_row_is_written_with_its_own_token(caplog: pytest.LogCaptureFixture) -> None:
    world = World(agent="agent", default="default", config_file_service_registration="files")
    world.access.token("agent", AGENT)
    world.access.token("web", 'service "web" { policy = "write" }')
    world.access.token("files", 'service "db" { policy = "write" }')
    world.access.token("default", 'service "cache" { policy = "write" }')
    world.local.put_service(ServiceRow(service_row("web-1", "web"), token="web"))
    world.local.put_service(ServiceRow(service_row("db-1", "db"), from_file=True))
    world.local.put_service(ServiceRow(service_row("cache-1", "cache")))
    world.local.put_service(ServiceRow(service_row("other-1", "other"), token="web"))
    world.local.put_check(CheckRow(check_row("beat", "web-1"), token="web"), 0.0)
    world.local.put_check(CheckRow(check_row("disk"), token="web"), 0.0)
    with caplog.at_level(logging.INFO, "agent.sync"):
        assert await world.syncer.full_sync()
    assert world.store[NODES].get(NODE).id == ME.node.id  # type: ignore[union-attr]
    assert {row.service.id for row in world.store[SERVICES]} == {"web-1", "db-1", "cache-1"}
    assert world.store[CHECKS].get((NODE, "beat")).service_name == "web"  # type: ignore[union-attr]
    assert words(caplog) == [
        "Service registration blocked by ACLs: service=other-1 accessorID=id-web attempts=1 "
        'missing=service "other" { policy = "write" } (set the token of the registration, or acl.tokens.default)',
        "Check registration blocked by ACLs: check=disk accessorID=id-web attempts=1 "
        f'missing=node "{NODE}" {{ policy = "write" }} (set the token of the registration, or acl.tokens.default)',
    ]
    assert not world.local, "refused rows wait for the next full sync"
    world.access.token("web", 'service_prefix "" { policy = "write" } node_prefix "" { policy = "write" }')
    caplog.clear()
    with caplog.at_level(logging.INFO, "agent.sync"):
        assert await world.syncer.full_sync()
    assert world.service("other-1")
    assert words(caplog) == [
        "Service registration no longer blocked by ACLs: service=other-1 attempts=1",
        "Check registration no longer blocked by ACLs: check=disk attempts=1",
    ]


async def test_tokens_do_not_wait_for_each_other() -> None:
    world = World(agent="agent")
    world.access.token("agent", AGENT)
    for name in ("web", "db"):
        world.access.token(name, f'service "{name}" {{ policy = "write" }}')
    assert await world.syncer.full_sync()
    asked: list[bytes] = []
    both = asyncio.Event()

    async def servers(scope: Scope, request: HTTPRequest) -> Response:
        asked.append(request.target)
        if len(asked) == 2:
            both.set()
        await both.wait()
        return await world.servers(scope, request)

    catalog = RemoteCatalog(servers, lambda name: world.own.get(name, ""))
    rows = [ServiceRow(service_row(name), token=name) for name in ("web", "db")]
    await catalog.apply(ME, Pending(services=rows))
    assert world.service("web")
    assert world.service("db")


async def test_a_row_of_another_service_is_not_replaced(caplog: pytest.LogCaptureFixture) -> None:
    world = World(agent="agent")
    world.access.token("agent", AGENT)
    world.access.token("web", 'service "web" { policy = "write" }')
    assert await world.syncer.full_sync()
    await world.write(lambda txn: services.ensure_service(txn, NODE, service_row("x", "bank")))
    await world.write(lambda txn: checks.ensure_check(txn, check_row("audit", "x")))
    world.local.put_service(ServiceRow(service_row("x", "web"), token="web"))
    world.local.put_check(CheckRow(check_row("audit", "x"), token="web"), 0.0)
    assert await world.syncer.flush()
    assert world.service("x").service == "bank"
    assert "Service registration blocked by ACLs: service=x" in caplog.text
    assert "Check registration blocked by ACLs: check=audit" in caplog.text


async def test_an_unknown_token_refuses_its_rows_and_no_others(caplog: pytest.LogCaptureFixture) -> None:
    world = World(agent="agent")
    world.access.token("agent", AGENT + ' service "db" { policy = "write" }')
    world.local.put_service(ServiceRow(service_row("web-1", "web"), token="deleted"))
    world.local.put_service(ServiceRow(service_row("db-1", "db"), token="agent"))
    assert await world.syncer.full_sync()
    assert world.service("db-1")
    assert not world.service("web-1")
    assert "service=web-1 accessorID=unknown" in caplog.text
    assert "deleted" not in caplog.text, "secrets are not logged"


async def test_without_a_registered_node_a_service_waits(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.access.token("web", 'service "web" { policy = "write" }')
    pending = Pending(services=[ServiceRow(service_row("web-1", "web"), token="web")])
    with pytest.raises(Unavailable, match="is not in the catalog yet"):
        await world.catalog.apply(ME, pending)
    await world.write(lambda txn: nodes.ensure_node(txn, ME.node))
    await world.catalog.apply(ME, pending)
    assert world.service("web-1")
    await world.catalog.apply(ME, Pending(node=True))
    assert "blocked" not in caplog.text, "the node is as it should be: nothing has to be written"


async def test_a_node_that_the_agent_s_token_may_not_change_is_named(caplog: pytest.LogCaptureFixture) -> None:
    world = World(agent="agent")
    world.access.token("agent", 'node_prefix "" { policy = "read" }')
    await world.write(lambda txn: nodes.ensure_node(txn, msgspec.structs.replace(ME.node, meta={"rack": "a"})))
    assert await world.syncer.full_sync()
    assert "Node info update blocked by ACLs: node=n1 accessorID=id-agent attempts=1" in caplog.text
    assert world.store[NODES].get(NODE).meta == {"rack": "a"}  # type: ignore[union-attr]


async def test_rows_of_nobody_are_removed_with_the_agent_s_token(caplog: pytest.LogCaptureFixture) -> None:
    world = World(agent="agent")
    world.access.token("agent", 'node_prefix "" { policy = "read" } service_prefix "" { policy = "read" }')
    await world.write(lambda txn: nodes.ensure_node(txn, ME.node))
    await world.write(lambda txn: services.ensure_service(txn, NODE, service_row("stray")))
    await world.write(lambda txn: checks.ensure_check(txn, check_row("stray-check")))
    assert await world.syncer.full_sync()
    assert world.service("stray")
    assert "Service deregistration blocked by ACLs: service=stray accessorID=id-agent" in caplog.text
    assert "Check deregistration blocked by ACLs: check=stray-check accessorID=id-agent" in caplog.text
    world.access.token("agent", AGENT)
    assert await world.syncer.full_sync()
    assert not world.service("stray")
    assert world.store[CHECKS].get((NODE, "stray-check")) is None


async def test_what_the_leader_registers_stays() -> None:
    world = World()
    servers = Servers()
    world.catalog = RemoteCatalog(servers, lambda name: "")
    syncer = Syncer(world.local, ME, world.catalog, Random(1))
    await servers.api.writer.commit(lambda txn: nodes.ensure_node(txn, ME.node))
    await servers.api.writer.commit(lambda txn: checks.ensure_check(txn, serf_check(NODE, is_alive=False)))
    assert await syncer.full_sync()
    assert servers.api.store[CHECKS].get((NODE, "serfHealth")).status == "critical"  # type: ignore[union-attr]


async def test_an_outage_is_logged_when_it_begins_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    world = World(agent="agent")
    world.access.token("agent", AGENT + ' service_prefix "" { policy = "write" }')
    world.local.put_service(ServiceRow(service_row("web-1", "web"), token="agent"))
    world.servers.away = True
    with caplog.at_level(logging.INFO, "agent.sync"):
        for _ in range(3):
            assert not await world.syncer.full_sync()
            assert not await world.syncer.flush()
        assert len(words(caplog)) == 1
        assert "No known Consul servers" in words(caplog)[0]
        world.servers.away = False
        assert await world.syncer.full_sync()
        assert words(caplog)[1:] == ["the catalog can be reached again, anti-entropy goes on"]
    await world.syncer.stop()
    assert world.service("web-1")


async def test_nothing_is_written_after_the_end() -> None:
    world = World(agent="agent")
    world.access.token("agent", AGENT)
    await world.syncer.stop()
    world.syncer.schedule_full_sync()
    assert not await world.syncer.full_sync()
    assert not await world.syncer.flush()
    assert world.servers.asked == []


async def test_a_mistake_in_one_row_holds_up_no_other() -> None:
    world = World(default="agent")
    world.access.token("agent", AGENT + ' service_prefix "" { policy = "write" }')
    world.local.put_service(ServiceRow(msgspec.structs.replace(service_row("bad"), service="")))
    world.local.put_service(ServiceRow(service_row("good")))
    assert not await world.syncer.full_sync()
    assert world.service("good")
    with pytest.raises(Rejected, match="needs an ID and a name"):
        await world.catalog.apply(ME, Pending(services=[ServiceRow(msgspec.structs.replace(service_row("b"), id=""))]))
    await world.syncer.stop()


async def test_a_server_writes_through_the_leader() -> None:
    written: list[str] = []

    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

        async def node_rows(self, name: str) -> Any:
            return self.name

        async def apply(self, registration: NodeRegistration, pending: Pending) -> None:
            written.append(self.name)

    leads = False
    catalog = ServerCatalog(Named("local"), Named("remote"), SingleServer(), lambda: leads)
    await catalog.apply(ME, Pending())
    leads = True
    await catalog.apply(ME, Pending())
    assert written == ["remote", "local"]
    assert await catalog.node_rows("n1") == "local"

"""Reads at a server that has no quorum: another server answers them, unless an old state will do."""

from __future__ import annotations

import asyncio

import pytest
from support.joined_agents import JoinedAgents
from support.scripted_reads import turns

from pyconsul.agent.config.sections.performance import Performance
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.httpapi.core import app as app_module
from pyconsul.agent.model.autopilot import ClusterServer

SHORT = Performance(rpc_hold_timeout=0.05)


async def agents_with_a_key(**settings: object) -> JoinedAgents:
    agents = JoinedAgents(**settings)
    assert await agents["s1"].text("PUT", "/v1/kv/a", b"1") == (200, "true")
    agents.served.clear()
    return agents


async def test_another_server_answers_a_read() -> None:
    agents = await agents_with_a_key()
    agents.deaf = {"s2"}
    for query in ("", "&consistent", "&max_stale=0s"):
        assert await agents["s2"].text("GET", f"/v1/kv/a?raw{query}") == (200, "1")
    assert len(agents.served) == 3
    assert not any(">s2" in served for served in agents.served)


async def test_what_needs_no_quorum_is_answered_by_the_server_itself() -> None:
    agents = await agents_with_a_key()
    agents.deaf = {"s2"}
    assert await agents["s2"].text("GET", "/v1/kv/a?raw&stale") == (200, "1")
    assert await agents["s2"].text("GET", "/v1/status/peers") != (500, "No cluster leader")
    assert await agents["s2"].text("GET", "/v1/snapshot") == (500, "No cluster leader")
    assert await agents["s2"].json("/v1/agent/services") == {}
    assert not agents.served


async def test_a_server_without_a_state_leaves_stale_reads_to_others() -> None:
    agents = await agents_with_a_key()
    agents.deaf, agents["s2"].standing.has_state = {"s2"}, False
    assert await agents["s2"].text("GET", "/v1/kv/a?raw&stale") == (200, "1")
    assert len(agents.served) == 1


async def test_without_any_quorum_reads_end_with_consuls_text() -> None:
    agents = await agents_with_a_key(performance=SHORT)
    agents.deaf = {"s1", "s2", "s3"}
    assert await agents["s2"].text("GET", "/v1/kv/a") == (500, "No cluster leader")
    agents.gone = {"s1", "s3"}
    assert await agents["s2"].text("GET", "/v1/kv/a") == (500, "No cluster leader")


async def test_a_client_agent_asks_another_server() -> None:
    agents = await agents_with_a_key()
    agents.deaf = {"s1", "s2"}
    assert await agents["c1"].text("GET", "/v1/kv/a?raw") == (200, "1")
    assert agents.served[-1].startswith("c1>s3")
    first = agents["c1"].requests.choice.next()
    agents.deaf = {first}
    assert await agents["c1"].text("GET", "/v1/kv/a?raw&stale") == (200, "1")
    assert agents.served[-1].startswith(f"c1>{first}")


async def test_the_server_answers_itself_as_soon_as_it_has_a_quorum_again() -> None:
    agents = await agents_with_a_key()
    agents.deaf = {"s1", "s2", "s3"}
    reading = asyncio.ensure_future(agents["s2"].text("GET", "/v1/kv/a?raw"))
    await turns()
    assert not reading.done()
    agents.deaf = {"s1", "s3"}
    assert await reading == (200, "1")


async def test_a_read_that_waits_while_the_quorum_is_lost_goes_to_another_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app_module, "RELAY_S", 0.0)
    agents = await agents_with_a_key()
    agents["s2"].standing.held = True
    reading = asyncio.ensure_future(agents["s2"].text("GET", "/v1/kv/a?raw"))
    await turns()
    agents.deaf = {"s2"}
    assert await reading == (200, "1")
    assert len(agents.served) == 1


async def test_the_time_that_a_read_has_waited_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "RELAY_S", 0.0)
    agents = await agents_with_a_key(performance=Performance(rpc_hold_timeout=0.3))
    loop = asyncio.get_running_loop()
    began, agents["s2"].standing.held = loop.time(), True
    reading = asyncio.ensure_future(agents["s2"].text("GET", "/v1/kv/a?raw"))
    await turns()
    agents.deaf = {"s1", "s2", "s3"}
    assert await reading == (500, "No cluster leader")
    assert loop.time() - began >= 0.3


class Servers:
    """The servers of a cluster, which fail to be listed a few times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    async def servers(self) -> list[ClusterServer]:
        self.failures -= 1
        if self.failures >= 0:
            raise EngineError("etcd at unix:client:1: etcdserver: no leader")
        return []


async def test_a_read_that_loses_the_leader_after_its_barrier_is_repeated() -> None:
    agents = await agents_with_a_key()
    context = agents["s1"].app._context
    object.__setattr__(context, "cluster", Servers(2))
    assert await agents["s1"].json("/v1/operator/raft/configuration") == {"Servers": [], "Index": 1}


async def test_a_read_is_not_repeated_for_ever() -> None:
    agents = await agents_with_a_key(performance=SHORT)
    context = agents["s1"].app._context
    object.__setattr__(context, "cluster", Servers(1_000))
    assert await agents["s1"].text("GET", "/v1/operator/raft/configuration") == (
        500, "etcd at unix:client:1: etcdserver: no leader",
    )  # fmt: skip

"""Client agents that die or are cut off: their services show it, their locks are released, and they come back."""

from __future__ import annotations

import contextlib
import http.client
from functools import partial

import pytest
from cluster.machine_agent import MachineAgent
from cluster.server_cluster import ServerCluster
from cluster.verification import verify
from cluster.workload import load_on
from support.eventually import eventually

LOCK = "locks/one"


def statuses(agent: MachineAgent, service: str) -> dict[str, set[str]]:
    """Return the statuses of a service's checks on each node, as an agent is told them."""
    found: dict[str, set[str]] = {}
    with contextlib.suppress(OSError, RuntimeError, http.client.HTTPException):
        for row in agent.get(f"/v1/health/service/{service}"):
            found[row["Node"]["Node"]] = {check["Status"] for check in row["Checks"]}
    return found


def shows(agent: MachineAgent, service: str, expected: dict[str, set[str]]) -> bool:
    return statuses(agent, service) == expected


def test_a_client_machine_dies_and_comes_back(servers: ServerCluster) -> None:
    one, other = servers.clients
    for client in servers.clients:
        client.put("/v1/agent/service/register", {"Name": "web", "Port": 80})
    fine = {client.name: {"passing"} for client in servers.clients}
    eventually(partial(shows, other, "web", fine), servers.logs)
    with load_on([*servers.servers, other], seed=31) as load:
        one.power_off()
        eventually(partial(shows, other, "web", {**fine, one.name: {"critical"}}), servers.logs)
        load.wait_for_progress(50)
        one.launch()
        eventually(partial(shows, other, "web", fine), servers.logs, patience=60)
    servers.mend()
    verify(servers, load)
    eventually(partial(shows, one, "web", fine), servers.logs)
    for client in servers.clients:
        client.put("/v1/agent/service/deregister/web")
    eventually(partial(shows, other, "web", {}), servers.logs)


def acquire(agent: MachineAgent, session: str) -> bool:
    with contextlib.suppress(OSError, RuntimeError, http.client.HTTPException):
        return bool(agent.put(f"/v1/kv/{LOCK}?acquire={session}", agent.name.encode()))
    return False


@pytest.mark.parametrize("how", ["dies", "is cut off"])
def test_the_holder_of_a_lock(servers: ServerCluster, how: str) -> None:
    """Another one gets it, and the first does not have it any more when it is back."""
    holder, contender = servers.clients
    sessions = {agent.name: agent.put("/v1/session/create", {"LockDelay": "500ms"})["ID"] for agent in servers.clients}
    assert acquire(holder, sessions[holder.name])
    assert not acquire(contender, sessions[contender.name])
    if how == "dies":
        holder.power_off()
    else:
        servers.network.cut([holder.machine])
    eventually(partial(acquire, contender, sessions[contender.name]), servers.logs, patience=60)
    if how == "is cut off":
        with contextlib.suppress(OSError, http.client.HTTPException):
            assert holder.request("PUT", f"/v1/kv/{LOCK}", b"mine")[0] != 200
    servers.mend()
    assert holder.get(f"/v1/kv/{LOCK}")[0]["Session"] == sessions[contender.name]
    assert not acquire(holder, sessions[holder.name])
    contender.put(f"/v1/kv/{LOCK}?release={sessions[contender.name]}")


def test_agents_answer_locally_without_any_server(servers: ServerCluster) -> None:
    client = servers.clients[0]
    client.put("/v1/agent/service/register", {"Name": "local", "Port": 80})
    for server in servers.servers:
        server.power_off()
    assert "local" in client.get("/v1/agent/services")
    assert client.put("/v1/agent/service/deregister/local") is None
    status, _, body = client.request("GET", "/v1/kv/x")
    assert status == 500, body
    servers.mend()
    eventually(partial(shows, servers.clients[1], "local", {}), servers.logs)

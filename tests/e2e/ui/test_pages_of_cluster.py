"""Members and servers without scripts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.agent_process import AgentProcess, running_agent
from support.eventually import eventually
from support.local_cluster import LocalCluster
from support.page_client import PageClient


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent() as running:
        yield running


@pytest.fixture
def client(agent: AgentProcess) -> PageClient:
    return PageClient(agent)


def test_the_only_server_is_said_to_be_the_only_one(client: PageClient) -> None:
    page = client.show("servers")
    assert page.status == 200
    assert "There is one server: it must not fail." in page
    assert "Everything stops until it is back" in page
    assert "leader" in page
    assert "Never remove servers below this number 0" in page
    assert "this is the only server" in page
    assert client.show("servers", do="remove", on="no-id").status == 404


@pytest.mark.single_server("removes the only server")
def test_a_removal_that_the_agent_refuses_says_why(agent: AgentProcess, client: PageClient) -> None:
    own = agent.get("/v1/agent/self")["Config"]["NodeID"]
    page = client.ask_and_act("servers", do="remove", on=own)
    assert page.status == 500
    assert "this is the only server: it cannot be removed" in page


def test_a_failed_member_stands_first_and_is_forced_to_leave(agent: AgentProcess, client: PageClient) -> None:
    with tempfile.TemporaryDirectory(prefix="pyconsul-") as folder:
        joins = [f"127.0.0.1:{agent.lan_port}"]
        settings = {"server": False, "bootstrap_expect": None, "retry_join": joins, "disable_host_node_id": True}
        other = AgentProcess(Path(folder), Path(folder) / "data", node_name="a-client", **settings)
        other.launch()
        eventually(lambda: "a-client" in client.show("members"), other.log)
        assert "client" in client.show("members", filter="a-client")
        other.kill()
        eventually(lambda: "failed" in client.show("members", status="failed").html.partition("data-row")[2], agent.log)
    page = client.show("members")
    assert page.html.index('data-row="a-client"') < page.html.index('data-row="n1"')
    question = client.show("members", do="force-leave", on="a-client")
    assert "pyconsul force-leave a-client" in question
    page = client.act(question, "force-leave", prune="true")
    assert "a-client is forgotten." in page
    eventually(lambda: 'data-row="a-client"' not in client.show("members").html, agent.log)


def test_an_unknown_member_is_an_error(client: PageClient) -> None:
    page = client.ask_and_act("members", do="force-leave", on="<b>nobody")
    assert page.status == 500
    assert "No node found with name '<b>nobody'" in page


@pytest.mark.single_server("the agents of such a run have no WAN pool")
def test_the_servers_of_all_datacenters_are_listed(client: PageClient) -> None:
    assert "n1.dc1" in client.show("members", pool="wan")
    assert "No member matches." in client.show("members", filter="nowhere")


@pytest.mark.slow
def test_the_lead_is_given_to_another_server() -> None:
    with tempfile.TemporaryDirectory(prefix="pyconsul-") as folder:
        cluster = LocalCluster(Path(folder), ui_config={"enabled": True})
        try:
            cluster.start()
            client = PageClient(cluster.servers[0])
            page = client.show("servers")
            assert "The quorum is safe: 1 of 3 servers may fail." in page
            state = cluster.servers[0].get("/v1/operator/autopilot/state")
            other = next(one for one in state["Servers"].values() if one["Status"] == "voter")

            def leads() -> bool:
                page = client.ask_and_act("servers", do="transfer", on=other["ID"])
                assert f"{other['Name']} leads." in page
                leader: str = cluster.servers[0].get("/v1/operator/autopilot/state")["Leader"]
                return leader == other["ID"]

            eventually(leads, cluster.logs)
        finally:
            for one in cluster.agents:
                one.kill()

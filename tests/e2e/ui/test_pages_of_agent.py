"""The pages about an agent itself, without scripts: on a server and on a client agent without any state."""

from __future__ import annotations

import http.client
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.acl_agent import ROOT, Manager, acl_agent
from support.agent_process import AgentProcess, running_agent
from support.eventually import eventually
from support.page_client import PageClient

WEB = {"Name": "web<b>", "ID": "<script>w", "Port": 80, "Check": {"TTL": "600s", "Notes": "n"}}


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent(encrypt_verify_incoming=True, node_meta={"rack": "r1"}) as running:
        running.put("/v1/agent/service/register", WEB)
        yield running


def is_up(agent: AgentProcess) -> bool:
    try:
        return agent.request("GET", "/v1/agent/self")[0] == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def alone() -> Iterator[AgentProcess]:
    """A client agent that knows no server."""
    with tempfile.TemporaryDirectory(prefix="pyconsul-") as folder:
        settings = {"server": False, "bootstrap_expect": None, "retry_join": ["127.0.0.1:1"], "node_name": "c1"}
        running = AgentProcess(Path(folder), Path(folder) / "data", ui_config={"enabled": True}, **settings)
        running.launch()
        eventually(lambda: is_up(running), running.log)
        yield running
        running.stop()


@pytest.fixture
def client(agent: AgentProcess) -> PageClient:
    return PageClient(agent)


def log_something(agent: AgentProcess, check: str) -> None:
    """Let the agent log that a check is warning."""
    agent.put("/v1/agent/check/register", {"Name": check, "TTL": "1h"})
    agent.put(f"/v1/agent/check/warn/{check}")
    agent.put(f"/v1/agent/check/deregister/{check}")


@pytest.mark.single_server("shows the leader")
def test_the_agent_tells_its_versions_and_figures(client: PageClient) -> None:
    page = client.show("agent")
    assert page.status == 200
    for text in ("Agent n1", "server, leader", "Memory", "MB", "Behaves like Consul 1.21.4", "Running for", "Python"):
        assert text in page


def test_settings_name_their_source_and_hide_secrets(agent: AgentProcess, client: PageClient) -> None:
    page = client.show("agent", "settings")
    assert f"ports.http {agent.http_port} {agent.config_file}" in page
    assert "node_meta rack=r1" in page
    assert "dns_config" not in page
    every = client.show("agent", "settings", show="all")
    assert "dns_config.only_passing false default" in every
    assert "node_meta" in client.show("agent", "settings", filter="rack=r1")
    assert "No setting matches." in client.show("agent", "settings", filter="nothing-like-it")


def test_services_of_the_agent_are_listed(client: PageClient) -> None:
    page = client.show("agent", "services")
    for text in ("<script>w of web<b>", "port 80", "from the API"):
        assert text in page
    assert "TTL of 10m0s" in page
    assert page.elements.count("script") == 1


def test_the_log_shows_its_last_lines(agent: AgentProcess, client: PageClient) -> None:
    log_something(agent, "first")
    page = client.show("agent", "log", level="info")
    assert "check=first" in page
    assert "[INFO]" not in client.show("agent", "log", level="error")
    assert client.show("agent", "log", level="loud").status == 400


def read_event(response: http.client.HTTPResponse) -> tuple[str, list[str]]:
    """Return the name and the lines of the next event."""
    name = response.readline().decode().removeprefix("event: ").strip()
    lines = json.loads(response.readline().decode().removeprefix("data: "))["lines"]
    assert response.readline() == b"\n"
    return name, lines


@pytest.mark.parametrize("of", ["agent", "alone"])
def test_the_log_is_followed(of: str, request: pytest.FixtureRequest) -> None:
    agent: AgentProcess = request.getfixturevalue(of)
    connection = http.client.HTTPConnection("127.0.0.1", agent.http_port, timeout=10)
    connection.request("GET", "/ui/dc1/agent/log/stream?level=info")
    response = connection.getresponse()
    assert response.getheader("Content-Type") == "text/event-stream"
    name, recent = read_event(response)
    assert name == "recent"
    assert recent
    log_something(agent, "second")
    while not any("check=second" in line for line in read_event(response)[1]):
        pass
    connection.close()


def test_settings_are_reloaded(agent: AgentProcess, client: PageClient) -> None:
    text = agent.config_file.read_text()
    agent.config_file.write_text(json.dumps({**json.loads(text), "services": [{"name": "from-file"}]}))
    assert "The settings are reloaded." in client.ask_and_act("agent", do="reload")
    assert "from-file port" not in client.show("agent", "services")
    assert "from a configuration file" in client.show("agent", "services")
    agent.config_file.write_text("{")
    page = client.ask_and_act("agent", do="reload")
    assert page.status == 500
    assert "The settings were not reloaded" in page
    agent.config_file.write_text(text)


def test_an_agent_that_cannot_be_joined_is_named(client: PageClient) -> None:
    page = client.ask_and_act("agent", do="join", address="127.0.0.1:1")
    assert page.status == 500
    assert "127.0.0.1:1 was not joined" in page
    assert client.ask_and_act("agent", do="join", address=" ").status == 400


def test_a_client_agent_without_servers_shows_its_own_pages(alone: AgentProcess) -> None:
    client = PageClient(alone)
    page = client.show("agent")
    assert "Agent c1" in page
    assert "client agent" in page
    assert "retry_join" in client.show("agent", "settings")
    assert client.show("agent", "log").status == 200
    assert client.show("agent", "services").status == 200
    assert client.show("nodes").status == 500


def test_an_agent_leaves(alone: AgentProcess) -> None:
    page = PageClient(alone)
    question = page.show("agent", do="leave")
    assert "pyconsul leave" in question
    assert page.send(question, "leave")[0] == 303
    assert alone.process is not None
    alone.process.wait(20)


@pytest.fixture(scope="module")
def manager() -> Iterator[Manager]:
    with acl_agent(ui_config={"enabled": True}) as running:
        yield running


def test_what_a_token_may_not_see_or_do_is_said(manager: Manager) -> None:
    nobody = PageClient(manager.agent)
    for page in (["agent"], ["agent", "settings"], ["agent", "log"], ["agent", "log", "stream"], ["servers"]):
        shown = nobody.show(*page)
        assert shown.status == 403, page
        assert "read" in shown
    reader = PageClient(manager.agent, manager.caller('agent_prefix "" { policy = "read" }').secret)
    shown = reader.show("agent")
    assert shown.status == 200
    assert 'agent "n1" { policy = "write" }' in shown.html.replace("&#34;", '"')
    assert ROOT not in reader.show("agent", "settings", show="all").html
    refused = reader.act(reader.show("agent", do="reload"), "reload")
    assert refused.status == 403
    assert "Permission denied" in refused


def test_catalog_actions_need_their_rules(manager: Manager) -> None:
    reader = PageClient(manager.agent, manager.caller('node_prefix "" { policy = "read" }').secret)
    page = reader.show("nodes", "n1")
    assert page.status == 200
    assert "(needs the rule node" in page
    question = reader.show("nodes", "n1", do="deregister")
    assert "Permission denied" in reader.act(question, "deregister")
    assert "No sessions" in reader.show("sessions")
    assert "No prepared queries" in reader.show("queries")

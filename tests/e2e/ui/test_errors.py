"""Error pages without scripts: they say what to do next."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.agent_process import AgentProcess, running_agent
from support.eventually import eventually
from support.page_client import PageClient

ROOT = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
ACL = {"enabled": True, "default_policy": "allow", "tokens": {"initial_management": ROOT}}


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent(ui_config={"enabled": True}, acl=ACL, limits={"kv_max_value_size": 4096}) as running:
        yield running


@pytest.fixture
def alone() -> Iterator[AgentProcess]:
    """A client agent that knows no server, with access control."""
    with tempfile.TemporaryDirectory(prefix="pyconsul-") as folder:
        settings = {"server": False, "bootstrap_expect": None, "retry_join": ["127.0.0.1:1"], "node_name": "c1"}
        acl = {"enabled": True}
        running = AgentProcess(Path(folder), Path(folder) / "data", ui_config={"enabled": True}, acl=acl, **settings)
        running.launch()
        eventually(lambda: answers(running), running.log)
        yield running
        running.stop()


def answers(agent: AgentProcess) -> bool:
    try:
        return agent.request("GET", "/ui/robots.txt")[0] == 200
    except OSError:
        return False


def test_without_servers_nobody_seems_to_be_logged_out(alone: AgentProcess) -> None:
    with_token = PageClient(alone, ROOT).show("services")
    assert with_token.status == 500
    assert "The servers are electing a leader, or too many of them are away." in with_token
    assert "knew last" not in with_token  # this agent has no state
    assert "Log in" not in with_token
    assert ROOT not in with_token.html
    assert "Log in" in PageClient(alone).show("services")


def test_a_form_that_is_too_large_gets_advice(agent: AgentProcess) -> None:
    client = PageClient(agent, ROOT)
    page = client.act(client.show("kv", "create"), "create", name="large", value="x" * 3_000_000)
    assert page.status == 413
    assert "This form is too large" in page
    assert "Go back and make it smaller" in page


def test_an_unknown_page_offers_another_token_to_those_who_are_logged_in(agent: AgentProcess) -> None:
    assert "Log in with another token" in PageClient(agent, ROOT).show("nothing")
    anonymous = PageClient(agent).show("nothing")
    assert "Log in" in anonymous
    assert "another token" not in anonymous


def test_a_state_has_one_word_in_all_lists(agent: AgentProcess) -> None:
    client = PageClient(agent, ROOT)
    for page in (client.show("services"), client.show("services", "consul", "instances"), client.show("nodes")):
        assert "passing no checks" in page


def test_a_page_of_what_a_server_knew_last_says_so(agent: AgentProcess) -> None:
    client = PageClient(agent, ROOT)
    page = client.open("/ui/dc1/services?sort=Name:asc&stale")
    assert "One server knew this last; it may be out of date. Show the current state" in page
    assert "/ui/dc1/services?sort=Name:asc" in page.links
    assert "out of date" not in client.show("services")


@pytest.mark.single_server("commands name the port of the server that shows the page")
def test_commands_name_the_port_of_the_agent(agent: AgentProcess) -> None:
    client = PageClient(agent, ROOT)
    assert f"curl -X POST -d @query.json localhost:{agent.http_port}/v1/query" in client.show("queries")
    assert f"curl localhost:{agent.http_port}/v1/agent/metrics" in client.show("agent")
    assert f"curl -s 'http://localhost:{agent.http_port}/v1/health" in client.show("services", "consul")

"""Services that another agent holds: their pages on any agent, actions that their agent carries out, and agents that are silent."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.agent_process import AgentProcess
from support.eventually import eventually
from support.page_client import PageClient

CHECKS = [{"id": "beat", "ttl": "10m", "status": "passing"}]


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AgentProcess, AgentProcess]]:
    """A server, and a client agent with a service."""
    folders = [tmp_path_factory.mktemp(name) for name in ("s1", "c1")]
    ui = {"enabled": True}
    server = AgentProcess(folders[0], folders[0] / "data", node_name="s1", ui_config=ui, against="")
    started = [server.start()]
    try:
        client = _client(folders[1], server, ui)
        started.append(client.start())
        client.put("/v1/agent/check/pass/beat?note=fine", b"")
        eventually(lambda: server.get("/v1/health/service/web?passing"))
        yield server, client
    finally:
        for agent in reversed(started):
            agent.stop()


def _client(folder: Path, server: AgentProcess, ui: dict[str, bool]) -> AgentProcess:
    return AgentProcess(
        folder,
        folder / "data",
        against="",
        node_name="c1",
        server=False,
        bootstrap_expect=None,
        retry_join=[f"127.0.0.1:{server.lan_port}"],
        services=[{"name": "web", "port": 80, "checks": CHECKS}],
        performance={"leave_drain_time": "0s"},
        ui_config=ui,
    )


@pytest.mark.parametrize("asked", [0, 1], ids=["server", "client"])
def test_any_agent_shows_the_bars_of_another_and_lets_it_act(
    agents: tuple[AgentProcess, AgentProcess], asked: int
) -> None:
    pages = PageClient(agents[asked])
    page = pages.show("services", "web", "instances", "c1", "web")
    assert "passing: fine</title>" in page.html
    page = pages.ask_and_act("services", "web", "instances", do="maintenance", on="c1/web", reason="new disk")
    assert "web on c1 is in maintenance." in page
    assert "_service_maintenance:web" in agents[1].get("/v1/agent/checks")
    page = pages.ask_and_act("services", "web", "instances", do="maintenance-end", on="c1/web")
    assert "web on c1 is back." in page
    assert list(agents[1].get("/v1/agent/checks")) == ["beat"]


def test_an_agent_that_does_not_answer_is_named(agents: tuple[AgentProcess, AgentProcess]) -> None:
    server, client = agents
    assert client.process is not None
    pages = PageClient(server)
    client.process.send_signal(signal.SIGSTOP)
    try:
        page = pages.show("services", "web", "instances")
        assert "No bars of c1: its agent" in page
        assert "<rect" not in page.html.partition('id="instances"')[2]
        question = pages.show("services", "web", "instances", do="deregister", on="c1/web")
        assert "Not reachable: web on c1" in question
        assert "It returns as soon as that agent is back." in question
        page = pages.act(question, "deregister")
        assert page.status == 503
        assert "Tick the box to remove it from the catalog, too." in page
    finally:
        client.process.send_signal(signal.SIGCONT)
    eventually(lambda: "passing: fine</title>" in pages.show("services", "web", "instances").html)

"""A development agent in this process, without sockets: what a reload applies, and that every part stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from support.eventually import one_turn

from pyconsul.agent.config.host import with_node_id
from pyconsul.agent.config.load import load
from pyconsul.agent.config.problems import ReloadError
from pyconsul.agent.runtime import reload_watch
from pyconsul.agent.runtime.modes import development
from pyconsul.agent.runtime.reload import AgentControl


class Agent:
    """An agent whose settings file the test may change."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.stack = AsyncExitStack()
        self.stopped = asyncio.Event()

    async def start(self, **settings: Any) -> AgentControl:
        self.configure(**settings)
        config = with_node_id(load(["-dev", f"-config-file={self.file}"]))
        return await development.start(config, self.stack, lambda status: self.stopped.set())

    def configure(self, **settings: Any) -> None:
        base = {"node_name": "n1", "ports": {"http": -1, "dns": -1, "serf_lan": -1, "server": -1}}
        self.file.write_text(json.dumps({**base, **settings}))


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Agent]:
    made = Agent(tmp_path / "agent.json")
    yield made
    await made.stack.aclose()


async def test_a_reload_applies_what_needs_no_restart(agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    control = await agent.start(node_meta={"rack": "r1"})
    applied: list[str] = []
    control.on_reload(lambda config: applied.append(config.node_meta["rack"]))
    agent.configure(node_meta={"rack": "r2"}, datacenter="dc2", services=[{"name": "web"}])
    await control.reload()
    assert applied == ["r2"]
    assert (control.config.node_meta["rack"], control.config.datacenter) == ("r2", "dc1")
    assert [service.body["name"] for service in control.config.services] == ["web"]
    assert "changed settings that need a restart: datacenter" in caplog.text


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"log_level": "loud"}, "log_level"),
        ({"services": [{"name": "web", "weights": {"passing": 0, "warning": 1}}]}, "Invalid Weights"),
        ({"watches": [{"type": "nothing"}]}, "Failed reloading watches"),
        ({"auto_encrypt": {"tls": True}}, "auto_encrypt"),
    ],
)
async def test_a_reload_that_fails_changes_nothing(agent: Agent, settings: dict[str, Any], text: str) -> None:
    control = await agent.start(node_meta={"rack": "r1"})
    applied: list[object] = []
    control.on_reload(applied.append)
    before = control.config
    agent.configure(node_meta={"rack": "r2"}, **settings)
    with pytest.raises(ReloadError, match=text):
        await control.reload()
    assert control.config is before
    assert not applied


async def test_a_file_that_changes_is_noticed(agent: Agent, tmp_path: Path) -> None:
    control = await agent.start()
    stamps = reload_watch.stamps(reload_watch.watched(control.config))
    assert stamps[str(agent.file)] is not None
    agent.configure(node_meta={"rack": "r2"})
    assert reload_watch.stamps(reload_watch.watched(control.config)) != stamps
    assert reload_watch.stamps([str(tmp_path / "none")]) == {str(tmp_path / "none"): None}


async def test_leave_ends_the_agent(agent: Agent) -> None:
    control = await agent.start()
    await control.leave()
    assert agent.stopped.is_set()


async def test_no_task_outlives_the_agent(agent: Agent) -> None:
    before = asyncio.all_tasks()
    acl = {"enabled": True, "tokens": {"initial_management": "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"}}
    await agent.start(
        acl=acl,
        services=[{"name": "web", "check": {"ttl": "1m"}}],
        watches=[{"type": "nodes", "args": ["true"]}],
    )
    assert asyncio.all_tasks() > before
    await agent.stack.aclose()
    await one_turn()
    assert asyncio.all_tasks() <= before

"""The WAN pool of a server, and who is joined over it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from support.eventually import eventually_async
from support.scripted_pool import FAILED, ScriptedPool, client, server

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.host import with_node_id
from pyconsul.agent.config.load import load
from pyconsul.agent.gossip.membership import JoinFailure, JoinResult
from pyconsul.agent.gossip.swim.settings import CONSUL_DEV_WAN, CONSUL_WAN
from pyconsul.agent.model.member import MemberEvent
from pyconsul.agent.runtime.gossip import wan as wan_module
from pyconsul.agent.runtime.gossip.wan import Flood, missing, open_wan, wan_settings


def config(folder: Path, *argv: str) -> Config:
    return with_node_id(load([f"-data-dir={folder}", "-node=n1", "-bind=127.0.0.1", *argv]))


def test_defaults_are_consuls(tmp_path: Path) -> None:
    made = wan_settings(config(tmp_path))
    assert made.swim == CONSUL_WAN
    assert (made.name, made.pool, made.bind, made.port) == ("n1.dc1", "wan", "127.0.0.1", 8302)
    assert made.keyring_file == tmp_path / "serf/remote.keyring"
    assert made.snapshot_file == tmp_path / "serf/remote.snapshot"
    assert "wan_join_port" not in made.tags
    assert wan_settings(with_node_id(load(["-dev"]))).swim == CONSUL_DEV_WAN


def test_settings_of_the_pool_are_taken_over(tmp_path: Path) -> None:
    made = wan_settings(
        config(
            tmp_path, "-serf-wan-bind=127.0.0.9", "-serf-wan-port=7302", "-advertise-wan=10.1.1.1", "-disable-keyring-file",
            "-hcl", 'reconnect_timeout_wan = "9h" gossip_wan { probe_interval = "2s" }',
        )
    )  # fmt: skip
    assert (made.bind, made.port, made.advertise, made.keyring_file) == ("127.0.0.9", 7302, "10.1.1.1", None)
    assert (made.serf.reconnect_timeout_s, made.swim.probe_interval_s) == (9 * 3600, 2.0)


@pytest.mark.parametrize("argv", [["-serf-wan-port=-1"], ["-serf-lan-port=-1"], ["-server=false"]])
async def test_an_agent_without_a_wan_pool(tmp_path: Path, argv: list[str]) -> None:
    async with AsyncExitStack() as stack:
        assert await open_wan(config(tmp_path, *argv), ScriptedPool(), stack) is None


def test_only_servers_that_are_alive_are_missing() -> None:
    lan = ScriptedPool(
        server("s1"),
        server("s2", address="10.0.0.2"),
        server("s3", address="fd00::3"),
        server("s4", status=FAILED),
        client("c1"),
    )
    assert missing(lan, ScriptedPool(server("s1.dc1"))) == ["s2.dc1/10.0.0.2:8302", "s3.dc1/[fd00::3]:8302"]
    assert missing(lan, ScriptedPool(server("s1.dc1"), server("s2.dc1", status=FAILED), server("s3.dc1"))) == [
        "s2.dc1/10.0.0.2:8302"
    ]


async def test_servers_that_appear_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wan_module, "RETRY_S", 0.0)
    lan, wan = ScriptedPool(server("s1")), ScriptedPool(server("s1.dc1"))
    flood = Flood(lan, wan)
    flood.start()
    wan.join_result = JoinResult(0, (JoinFailure("10.0.0.2:8302", "connection refused"),))
    lan.put(server("s2", address="10.0.0.2"), MemberEvent.JOIN)
    await eventually_async(lambda: len(wan.joined) > 1)
    assert wan.joined[0] == ["s2.dc1/10.0.0.2:8302"]
    wan.join_result = JoinResult(1)
    wan.put(server("s2.dc1"), MemberEvent.JOIN)
    await flood.stop()

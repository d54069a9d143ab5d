"""The fields of the line that says the agent has started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.sections.network import Addresses, Ports
from pyconsul.agent.runtime.summary import summary


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        ({"dev_mode": True, "server": True}, {"mode": "development", "data": "memory"}),
        ({"data_dir": "/var/lib/x", "server": True}, {"mode": "single-server", "data": "/var/lib/x"}),
        ({"data_dir": "/var/lib/x", "server": True, "bootstrap_expect": 3}, {"mode": "server"}),
        ({"data_dir": "/var/lib/x"}, {"mode": "client"}),
        ({"client_addr": "127.0.0.1 ::1"}, {"http": "127.0.0.1:8500,[::1]:8500", "dns": "127.0.0.1:8600,[::1]:8600"}),
        ({"addresses": Addresses(http="unix:///run/c.sock", dns="[::]")}, {"http": "unix:///run/c.sock", "dns": "[::]:8600"}),
        ({"ports": Ports(http=-1, dns=-1, serf_lan=-1)}, {"http": "off", "dns": "off", "gossip": "off"}),
        ({"serf_lan": "10.0.0.1"}, {"gossip": "10.0.0.1:8301"}),
    ],
)  # fmt: skip
def test_fields(settings: dict[str, Any], fields: dict[str, str]) -> None:
    found = summary(replace(Config(), node_name="n1", **settings))
    assert list(found) == ["mode", "node", "dc", "http", "dns", "gossip", "data"]
    assert fields.items() <= found.items()


def test_a_single_server_that_has_grown_is_a_server_of_a_cluster(tmp_path: Path) -> None:
    config = replace(Config(), data_dir=str(tmp_path), server=True)
    assert summary(config)["mode"] == "single-server"
    (tmp_path / "raft" / "cluster" / "etcd").mkdir(parents=True)
    assert summary(config)["mode"] == "server"

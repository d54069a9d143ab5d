"""The settings of the agent as the LAN pool takes them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from pyconsul.agent.config.host import with_node_id
from pyconsul.agent.config.load import load
from pyconsul.agent.gossip.consul.tags import is_client, server_of
from pyconsul.agent.gossip.settings import PoolSettings
from pyconsul.agent.gossip.swim.settings import CONSUL_DEV_LAN, CONSUL_LAN
from pyconsul.agent.model.member import Member, MemberStatus
from pyconsul.agent.runtime.gossip.lan import GossipError, lan_settings, open_lan

KEY = "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s="


def settings(folder: Path, *argv: str) -> PoolSettings:
    return lan_settings(with_node_id(load([f"-data-dir={folder}", "-node=n1", "-bind=127.0.0.1", *argv])))


def member(made: PoolSettings) -> Member:
    return Member(made.name, made.advertise, made.port, made.tags, MemberStatus.ALIVE)


def test_a_single_server_has_the_tags_of_a_bootstrapped_server(tmp_path: Path) -> None:
    made = settings(tmp_path, "-server-port=7300", "-serf-wan-port=7302")
    server = server_of(member(made))
    assert server is not None
    assert (server.name, server.port, server.wan_join_port, server.is_bootstrapped) == ("n1", 7300, 7302, True)
    assert made.tags["id"] == (tmp_path / "node-id").read_text()


def test_servers_that_found_a_cluster_together_say_how_many_they_expect(tmp_path: Path) -> None:
    made = settings(tmp_path, "-server", "-bootstrap-expect=3")
    assert (made.tags["expect"], "bootstrap" in made.tags) == ("3", False)
    assert settings(tmp_path, "-server", "-bootstrap-expect=1").tags["bootstrap"] == "1"


def test_a_server_that_joins_a_cluster_expects_nobody(tmp_path: Path) -> None:
    made = settings(tmp_path, "-server", "-retry-join=127.0.0.2")
    assert not {"expect", "bootstrap"} & made.tags.keys()


def test_a_client_says_so_and_when_it_wants_to_be_forgotten(tmp_path: Path) -> None:
    made = settings(tmp_path, "-server=false", "-hcl", 'advertise_reconnect_timeout = "10h"')
    assert is_client(member(made))
    assert made.tags["rc_tm"] == "10h0m0s"


def test_defaults_are_consuls(tmp_path: Path) -> None:
    made = settings(tmp_path)
    assert made.swim == CONSUL_LAN
    assert (made.bind, made.port, made.advertise) == ("127.0.0.1", 8301, "127.0.0.1")
    assert (made.verify_incoming, made.verify_outgoing, made.keys) == (True, True, ())
    assert made.keyring_file == tmp_path / "serf/local.keyring"
    assert made.snapshot_file == tmp_path / "serf/local.snapshot"
    assert made.serf.reconnect_timeout_s == 72 * 3600
    assert not made.rejoin_after_leave


def test_a_development_agent_is_quick_and_writes_no_files() -> None:
    made = lan_settings(with_node_id(load(["-dev", f"-encrypt={KEY}"])))
    assert made.swim == CONSUL_DEV_LAN
    assert (made.keyring_file, made.snapshot_file) == (None, None)
    assert "bootstrap" not in made.tags


def test_settings_of_the_pool_are_taken_over(tmp_path: Path) -> None:
    made = settings(
        tmp_path, "-serf-lan-bind=127.0.0.9", "-advertise=10.1.1.1", "-serf-lan-port=7301", "-rejoin", f"-encrypt={KEY}",
        "-disable-keyring-file", "-serf-lan-allowed-cidrs=10.0.0.0/8",
        "-hcl", 'encrypt_verify_incoming = false encrypt_verify_outgoing = false reconnect_timeout = "9h"',
        "-hcl", 'gossip_lan { gossip_nodes = 5 probe_timeout = "2s" }',
    )  # fmt: skip
    assert (made.bind, made.port, made.advertise) == ("127.0.0.9", 7301, "10.1.1.1")
    assert (len(made.keys[0]), made.keyring_file) == (32, None)
    assert (made.verify_incoming, made.verify_outgoing, made.rejoin_after_leave) == (False, False, True)
    assert (made.swim.gossip_nodes, made.swim.probe_timeout_s, made.serf.reconnect_timeout_s) == (5, 2.0, 9 * 3600)
    assert made.admission is not None
    assert made.admission.admits_address(bytes([10, 9, 9, 9]))
    assert not made.admission.admits_address(bytes([192, 168, 0, 1]))


def test_a_key_of_a_wrong_length_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(GossipError, match="key size must be 16, 24 or 32 bytes"):
        settings(tmp_path, "-encrypt=dG9vIHNob3J0")


async def test_without_a_port_the_agent_is_alone(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        config = with_node_id(load([f"-data-dir={tmp_path}", "-node=n1", "-bind=127.0.0.1", "-serf-lan-port=-1"]))
        lan = await open_lan(config, stack)
        assert [known.name for known in lan.members()] == ["n1"]
        assert not (tmp_path / "serf").exists()

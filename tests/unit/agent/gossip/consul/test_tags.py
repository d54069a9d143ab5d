"""Consul's tags: those of recorded agents are written alike and read back."""

from __future__ import annotations

from typing import Any

import pytest
from support.gossip import member

from pyconsul.agent.gossip.consul.tags import ServerTags, build_version, client_tags, is_client, server_of

# From ../shared/gossip/vectors/consul-tags.yaml.
EXPECTING: dict[str, str] = {
    "ft_fs": "1", "ft_si": "1", "segment": "", "vsn_min": "2", "expect": "3", "vsn": "2", "build": "1.21.4:", "use_tls": "1",
    "role": "consul", "id": "000002bc-0000-4000-8000-000000000001", "port": "8300", "grpc_port": "8502", "grpc_tls_port": "8503",
    "acls": "1", "wan_join_port": "9302", "dc": "dc1", "vsn_max": "3", "raft_vsn": "3",
}  # fmt: skip
DEV = {
    "segment": "", "id": "0000013f-0000-4000-8000-000000000001", "vsn": "2", "grpc_tls_port": "8503", "role": "consul",
    "vsn_min": "2", "raft_vsn": "3", "build": "1.21.4:", "ft_fs": "1", "dc": "dc1", "port": "8300", "acls": "0", "ft_si": "1",
    "wan_join_port": "8302", "vsn_max": "3", "grpc_port": "8502",
}  # fmt: skip
CLIENT = {
    "vsn_max": "3", "role": "node", "id": "000003c1-0000-4000-8000-000000000001", "vsn": "2", "build": "1.21.4:",
    "rc_tm": "24h0m0s", "dc": "dc1", "segment": "", "vsn_min": "2",
}  # fmt: skip


def server_tags(**changes: Any) -> ServerTags:
    fields = {"node_id": DEV["id"], "datacenter": "dc1", "build": "1.21.4:", "port": 8300, "wan_join_port": 8302}
    return ServerTags(**(fields | {"grpc_port": 8502, "grpc_tls_port": 8503} | changes))


def test_recorded_servers() -> None:
    assert server_tags().for_lan() == DEV
    expecting = server_tags(node_id=EXPECTING["id"], acls_enabled=True, wan_join_port=9302, bootstrap=3, uses_tls=True)
    assert expecting.for_lan() == EXPECTING
    assert expecting.for_wan() == {name: value for name, value in EXPECTING.items() if name != "wan_join_port"}


@pytest.mark.parametrize("bootstrap", ["alone", 1])
def test_a_server_that_bootstraps_alone(bootstrap: Any) -> None:
    tags = server_tags(bootstrap=bootstrap, wan_join_port=0, grpc_port=-1, grpc_tls_port=0).for_lan()
    assert tags["bootstrap"] == "1"
    assert not {"expect", "wan_join_port", "grpc_port", "grpc_tls_port"} & set(tags)


def test_a_recorded_client() -> None:
    fields = {"node_id": CLIENT["id"], "datacenter": "dc1", "build": "1.21.4:"}
    assert client_tags(**fields, reconnect_timeout="24h0m0s") == CLIENT
    assert "rc_tm" not in client_tags(**fields)
    assert is_client(member("c1", tags=CLIENT))
    assert not is_client(member("s1", tags=DEV))
    assert server_of(member("c1", tags=CLIENT)) is None


def test_a_server_is_read_from_its_tags() -> None:
    found = server_of(member("s1", address="10.0.0.7", tags=EXPECTING))
    assert found
    assert (found.name, found.address, found.port, found.wan_join_port) == ("s1", "10.0.0.7", 8300, 9302)
    assert (found.node_id, found.datacenter, found.build) == (EXPECTING["id"], "dc1", "1.21.4:")
    assert (found.is_bootstrapped, found.expect, found.uses_tls) == (False, 3, True)
    alone = server_of(member("s1", tags=DEV | {"bootstrap": "1"}))
    assert alone
    assert (alone.is_bootstrapped, alone.expect, alone.uses_tls) == (True, 0, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"role": "node"},
        {"port": "rpc"},
        {"port": ""},
        {"port": "٣"},
        {"vsn": "two"},
        {"expect": "many"},
        {"raft_vsn": ""},
        {"wan_join_port": "x"},
        {"ft_si": "yes"},
        {"grpc_port": "0", "grpc_tls_port": "-1"},
        {"build": "latest"},
    ],
)
def test_faulty_tags_make_no_server(changes: dict[str, str]) -> None:
    assert server_of(member("s1", tags=DEV | changes)) is None
    for name in ("port", "vsn", "build", "role"):
        assert server_of(member("s1", tags={key: value for key, value in DEV.items() if key != name})) is None


def test_one_grpc_port_is_enough() -> None:
    assert server_of(member("s1", tags=DEV | {"grpc_port": "-1"}))
    assert server_of(member("s1", tags={key: value for key, value in DEV.items() if "grpc" not in key}))


@pytest.mark.parametrize(
    ("build", "version"),
    [
        ("1.21.4:59b8b905", (1, 21, 4)),
        ("0.8.5:", (0, 8, 5)),
        ("v1.2", None),
        ("", None),
        ("9" * 5000 + ".1.2", (999999999, 1, 2)),
    ],
)
def test_versions_of_builds(build: str, version: tuple[int, int, int] | None) -> None:
    assert build_version(build) == version

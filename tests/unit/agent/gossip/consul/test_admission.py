"""Consul's merge checks, with the texts of scenarios/members/names-that-clash."""

from __future__ import annotations

import ipaddress

import pytest

from pyconsul.agent.gossip.consul.admission import LanAdmission, WanAdmission
from pyconsul.agent.gossip.consul.tags import ServerTags, client_tags
from pyconsul.agent.gossip.wire.messages import STATE_ALIVE, STATE_LEFT, PushPullNode
from pyconsul.agent.gossip.wire.serf_payloads import encode_tags

LAN = LanAdmission(datacenter="dc1", node_name="c1", node_id="id-1")


def node(
    name: str, tags: dict[str, str], *, state: int = STATE_ALIVE, ip: bytes = bytes([10, 0, 0, 1])
) -> PushPullNode:
    return PushPullNode(name, ip, 8301, encode_tags(tags), 1, state, bytes([1, 5, 2, 2, 5, 4]))


def client(
    name: str, node_id: str = "", *, dc: str = "dc1", build: str = "1.21.4:", state: int = STATE_ALIVE
) -> PushPullNode:
    tags = client_tags(node_id=node_id or f"id-of-{name}", datacenter=dc, build=build)
    return node(name, tags, state=state)


def server(name: str, dc: str = "dc1") -> PushPullNode:
    return node(name, ServerTags(node_id=f"id-of-{name}", datacenter=dc, build="1.21.4:", port=8300).for_lan())


def test_a_healthy_pool_is_merged() -> None:
    assert LAN.refuse_merge((server("s1"), client("c1", "id-1"), client("c2"), node("plain-serf", {}))) == ""
    assert LAN.refuse(client("c1", "id-1")) == ""


def test_the_wrong_datacenter() -> None:
    for other in (client("c2", dc="dc2"), server("c2", dc="dc2")):
        assert LAN.refuse(other) == "Member 'c2' part of wrong datacenter 'dc2'"
        assert LAN.refuse_merge((server("s1"), other)) == "Member 'c2' part of wrong datacenter 'dc2'"
    assert LAN.refuse(node("plain-serf", {"dc": "dc2"})) == ""


def test_the_node_id_of_this_agent() -> None:
    assert LAN.refuse(client("copy", "id-1")) == "Member 'copy' has conflicting node ID 'id-1' with this agent's ID"
    assert LAN.refuse(client("copy", "id-1", build="0.8.4:")) == ""
    assert LAN.refuse(client("copy", "id-1", state=STATE_LEFT)) == ""


def test_two_nodes_with_one_id() -> None:
    twins = (client("a", "x"), client("b", "x"))
    assert LAN.refuse_merge(twins) == "Member 'b' has conflicting node ID 'x' with member 'a'"
    assert LAN.refuse_merge((client("a", "x", state=STATE_LEFT), client("b", "x"))) == ""
    assert LAN.refuse_merge((client("a", "x"), client("b", "x", build="0.8.4:"))) == ""


def test_the_wan_takes_servers_of_the_datacenter_only() -> None:
    admission = WanAdmission("dc1")
    assert admission.refuse_merge((server("s1.dc1"), server("s2.dc1"))) == ""
    wrong = "Member 's1.dc2' part of wrong datacenter 'dc2'"
    assert admission.refuse_merge((server("s1.dc1"), server("s1.dc2", dc="dc2"))) == wrong
    assert admission.refuse_merge((server("s1.dc1"), client("c1"))) == "Member 'c1' is not a server"


@pytest.mark.parametrize(
    ("ip", "is_allowed"),
    [
        (bytes([10, 0, 0, 7]), True),
        (bytes([10, 0, 1, 7]), False),
        (b"\0" * 10 + b"\xff\xff\x0a\0\0\x07", True),
        (b"\xfd" + bytes(15), True),
        (b"\xfe" + bytes(15), False),
        (b"\x0a", False),
    ],
)
def test_allowed_networks(ip: bytes, is_allowed: bool) -> None:
    networks = [ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("fd00::/8")]
    admission = LanAdmission(datacenter="dc1", node_name="c1", node_id="id-1", allowed=networks)
    assert admission.admits_address(ip) is is_allowed
    assert (admission.refuse(node("x", {}, ip=ip)) == "") is is_allowed
    assert WanAdmission("dc1").admits_address(ip)
    assert not WanAdmission("dc1", allowed=[]).admits_address(ip)


def test_a_node_with_another_address_is_the_same_by_its_id_only() -> None:
    known = client("n1", "id-7")
    assert LAN.is_same(known, client("n1", "id-7"))
    assert not LAN.is_same(known, client("n1", "id-8"))
    assert not LAN.is_same(node("n1", {"role": "web"}), node("n1", {"role": "web"})), "members without an ID"

"""The addresses at which ports are reached."""

from __future__ import annotations

import pytest
from support.containers import container
from support.containers import container_id as id_of

from pyconsul.tools.registrator.desired.containers import Container
from pyconsul.tools.registrator.desired.ports import AddressRules, Unreachable, endpoints

HOST = {"host_ipv4": "10.0.0.9", "host_ipv6": "fd00::9"}
TWO = {"bridge": ("172.17.0.2", ""), "shop_net1": ("172.29.5.9", "fd00:5::9")}


def reached(one: Container, rules: AddressRules, *others: Container) -> list[tuple[str, int]]:
    by_name = {key: other for other in others for key in (other.id, other.name)}
    return [(endpoint.address, endpoint.port) for endpoint in endpoints(one, rules, by_name)]


@pytest.mark.parametrize(
    ("rules", "binding", "address"),
    [
        ({}, "127.0.0.1", "127.0.0.1"),
        ({"ip": "10.1.2.3"}, "127.0.0.1", "10.1.2.3"),
        ({}, "0.0.0.0", "10.0.0.9"),
        ({"prefer_ipv6": True}, "0.0.0.0", "fd00::9"),
        ({}, "[::1]", "::1"),
    ],
)
def test_published(rules: dict[str, str], binding: str, address: str) -> None:
    assert reached(container(ports=[f"{binding}:8080:80"]), AddressRules(**HOST, **rules)) == [(address, 8080)]  # type: ignore[arg-type]


def test_published_in_a_network_of_the_user_is_reached_on_the_host() -> None:
    one = container(ports=["0.0.0.0:8080:80"], network="net1", networks={"net1": ("172.29.5.9", "")})
    assert reached(one, AddressRules(**HOST)) == [("10.0.0.9", 8080)]


def test_the_label_has_the_address() -> None:
    one = container(ports=["0.0.0.0:8080:80"], labels={"lan": "10.9.8.7/24"})
    assert reached(one, AddressRules(ip="10.1.2.3", ip_label="lan")) == [("10.9.8.7", 8080)]
    assert reached(one, AddressRules(internal=True, ip_label="lan")) == [("10.9.8.7", 80)]
    assert reached(one, AddressRules(ip="10.1.2.3", ip_label="other")) == [("10.1.2.3", 8080)]


def test_inside() -> None:
    one = container(expose=["80"], ports=["0.0.0.0:8443:443"], networks=TWO)
    assert reached(one, AddressRules(internal=True, ip="10.1.2.3")) == [("172.17.0.2", 80), ("172.17.0.2", 443)]
    own = container(expose=["80"], network="b", networks={"a": ("10.1.0.1", ""), "b": ("10.2.0.1", "")})
    assert reached(own, AddressRules(internal=True)) == [("10.2.0.1", 80)]
    only6 = container(expose=["80"], networks={"a": ("", "fd00:1::2")})
    assert reached(only6, AddressRules(internal=True)) == [("fd00:1::2", 80)]


def test_in_a_network() -> None:
    labels = {"com.docker.compose.project": "shop"}
    one = container(expose=["80"], networks=TWO, labels=labels)
    for name in ("shop_net1", "net1"):
        assert reached(one, AddressRules(network=name)) == [("172.29.5.9", 80)]
    assert reached(one, AddressRules(network="net1", prefer_ipv6=True)) == [("fd00:5::9", 80)]
    with pytest.raises(
        Unreachable, match=r"no address in the network other of -network \(its networks: bridge, shop_net1\)"
    ):
        reached(one, AddressRules(network="other"))


def test_on_the_host_s_network() -> None:
    one = container(expose=["80"], ports=["0.0.0.0:8080:443"], network="host", networks={"host": ("", "")})
    assert reached(one, AddressRules(**HOST)) == [("10.0.0.9", 80), ("10.0.0.9", 443)]
    assert reached(one, AddressRules(internal=True, **HOST)) == [("10.0.0.9", 80), ("10.0.0.9", 443)]
    with pytest.raises(Unreachable, match="set -ip"):
        reached(one, AddressRules())


def test_in_the_network_of_another_container() -> None:
    side = container("side", expose=["9000"], network=f"container:{id_of('web')}", networks={})
    assert reached(side, AddressRules(ip="10.1.2.3"), container("web")) == [("172.17.0.2", 9000)]
    with pytest.raises(Unreachable, match="which does not run"):
        reached(side, AddressRules(ip="10.1.2.3"))
    loop = container("web", network=f"container:{id_of('side')}", networks={})
    with pytest.raises(Unreachable):
        reached(side, AddressRules(), loop, side)


@pytest.mark.parametrize(
    ("fields", "rules", "reason"),
    [
        ({}, {}, "it exposes no port"),
        ({"expose": ["80"]}, {}, "none of its ports is published"),
        ({"ports": ["0.0.0.0:8080:80"]}, {}, "set -ip"),
        (
            {"expose": ["80"], "network": "none", "networks": {"none": ("", "")}},
            {"internal": True},
            "no address in any",
        ),
    ],
)
def test_why_a_container_is_not_reached(fields: dict[str, object], rules: dict[str, bool], reason: str) -> None:
    with pytest.raises(Unreachable, match=reason):
        reached(container(**fields), AddressRules(**rules))  # type: ignore[arg-type]

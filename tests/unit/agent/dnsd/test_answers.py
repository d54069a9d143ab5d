"""Answers about services, nodes, addresses and the zone."""

from __future__ import annotations

import dns.flags
import dns.rcode
import pytest
from support.dns_catalog import NOW, Catalog, ask, lines

from pyconsul.agent.acl.authorizer import Authorizer, CompiledPolicies
from pyconsul.agent.acl.rules import DENY, Rule
from pyconsul.agent.dnsd.settings import SOA, Settings, zone
from pyconsul.agent.model.service import ServiceAddress, Weights

SOA_LINE = f"consul. 0 SOA ns.consul. hostmaster.consul. {int(NOW)} 3600 600 86400 0"


def test_a_service_without_instances_is_not_there(catalog: Catalog) -> None:
    answer = ask(catalog.responder(), "web.service.consul")
    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert dns.flags.to_text(answer.flags) == "QR AA RD"
    assert lines(answer.authority) == [SOA_LINE]


def test_each_address_is_listed_once_and_other_families_are_nodata(catalog: Catalog) -> None:
    catalog.node("a", "10.0.0.1")
    catalog.service("a", "web", 80, id="1")
    catalog.service("a", "web", 81, id="2")
    responder = catalog.responder()
    assert lines(ask(responder, "web.service.consul").answer) == ["web.service.consul. 0 A 10.0.0.1"]
    other = ask(responder, "web.service.consul", "AAAA")
    assert other.rcode() == dns.rcode.NOERROR
    assert lines(other.authority) == [SOA_LINE]
    assert lines(ask(responder, "web.service.consul", "MX").authority) == [SOA_LINE]


def test_srv_has_weights_by_health_and_the_case_of_the_question(catalog: Catalog) -> None:
    catalog.node("a", "10.0.0.1", {"k": "v"})
    catalog.node("b", "10.0.0.2")
    for node in "ab":
        catalog.service(node, "Web", tags=("Blue",), weights=Weights(10, 3))
    catalog.check("b", "warning", "Web")
    answer = ask(catalog.responder(), "BLUE.web.Service.Consul", "SRV")
    assert lines(answer.answer) == [
        "BLUE.web.Service.Consul. 0 SRV 1 10 80 a.node.dc1.Consul.",
        "BLUE.web.Service.Consul. 0 SRV 1 3 80 b.node.dc1.Consul.",
    ]
    assert lines(answer.additional) == [
        "a.node.dc1.Consul. 0 A 10.0.0.1",
        'a.node.dc1.Consul. 0 TXT "k=v"',
        "b.node.dc1.Consul. 0 A 10.0.0.2",
    ]


@pytest.mark.parametrize(("only_passing", "left"), [(False, ["10.0.0.1", "10.0.0.2"]), (True, ["10.0.0.1"])])
def test_health_decides(catalog: Catalog, only_passing: bool, left: list[str]) -> None:
    catalog.many(3)
    catalog.check("n001", "passing", "web")
    catalog.check("n002", "warning", "web")
    catalog.check("n003", "critical")  # of the node, and so of all on it
    answer = ask(catalog.responder(Settings(only_passing=only_passing)), "web.service.consul")
    assert [line.split()[-1] for line in lines(answer.answer)] == left


def test_a_critical_check_of_another_service_does_not_count(catalog: Catalog) -> None:
    catalog.node("a", "10.0.0.1")
    catalog.service("a", "web")
    catalog.service("a", "db")
    catalog.check("a", "critical", "db")
    assert ask(catalog.responder(), "web.service.consul").answer
    assert not ask(catalog.responder(), "db.service.consul").answer


def test_addresses_of_an_instance_s_own(catalog: Catalog) -> None:
    catalog.node("a", "10.0.0.1")
    catalog.service("a", "six", 81, address="2001:db8:0:1::10")
    catalog.service("a", "named", 82, address="www.example.com")
    responder = catalog.responder()
    srv = ask(responder, "six.service.consul", "SRV")
    target = "20010db8000000010000000000000010.addr.dc1.consul."
    assert lines(srv.answer) == [f"six.service.consul. 0 SRV 1 1 81 {target}"]
    assert lines(srv.additional) == [f"{target} 0 AAAA 2001:db8:0:1::10"]
    assert lines(ask(responder, target, "AAAA").answer) == [f"{target} 0 AAAA 2001:db8:0:1::10"]
    assert lines(ask(responder, "named.service.consul").answer) == ["named.service.consul. 0 CNAME www.example.com."]
    assert lines(ask(responder, "named.service.consul", "SRV").answer) == [
        "named.service.consul. 0 SRV 1 1 82 www.example.com."
    ]


def test_host_names_give_way_to_addresses(catalog: Catalog) -> None:
    catalog.node("a", "10.0.0.1")
    catalog.service("a", "web", id="1", address="www.example.com")
    catalog.service("a", "web", id="2", address="10.9.9.9")
    assert lines(ask(catalog.responder(), "web.service.consul").answer) == ["web.service.consul. 0 A 10.9.9.9"]


def test_names_within_the_zone_are_followed_but_not_for_ever(catalog: Catalog) -> None:
    catalog.node("a", "10.0.0.1")
    catalog.service("a", "end", address="10.0.0.9")
    catalog.service("a", "one", address="end.service.consul")
    catalog.service("a", "loop", address="pool.service.consul")
    catalog.service("a", "pool", address="loop.service.consul")
    catalog.service("a", "self", address="self.service.consul")
    responder = catalog.responder()
    assert lines(ask(responder, "one.service.consul").answer) == [
        "end.service.consul. 0 A 10.0.0.9",
        "one.service.consul. 0 CNAME end.service.consul.",
    ]
    srv = ask(responder, "one.service.consul", "SRV")
    assert lines(srv.additional) == ["end.service.consul. 0 A 10.0.0.9"]
    assert {line.split()[2] for line in lines(ask(responder, "loop.service.consul").answer)} == {"CNAME"}
    assert lines(ask(responder, "self.service.consul").answer) == ["self.service.consul. 0 A 10.0.0.1"]
    assert lines(ask(responder, "self.service.consul", "SRV").answer) == [
        "self.service.consul. 0 SRV 1 1 80 a.node.dc1.consul."
    ]


def test_tagged_addresses(catalog: Catalog) -> None:
    catalog.node("a", "10.0.0.1", tagged={"lan_ipv6": "2001:db8::1", "wan": "198.18.0.1"})
    catalog.service("a", "plain")
    tagged = {"lan_ipv4": ServiceAddress("10.1.1.1", 0), "lan_ipv6": ServiceAddress("2001:db8::2", 0)}
    catalog.service("a", "both", address="10.2.2.2", tagged=tagged)
    responder = catalog.responder()
    assert lines(ask(responder, "a.node.consul").answer) == ["a.node.consul. 0 A 10.0.0.1"]
    assert lines(ask(responder, "a.node.consul", "AAAA").answer) == ["a.node.consul. 0 AAAA 2001:db8::1"]
    assert lines(ask(responder, "plain.service.consul", "AAAA").answer) == ["plain.service.consul. 0 AAAA 2001:db8::1"]
    assert lines(ask(responder, "both.service.consul").answer) == ["both.service.consul. 0 A 10.1.1.1"]
    assert lines(ask(responder, "both.service.consul", "SRV").additional) == [
        "20010db8000000000000000000000002.addr.dc1.consul. 0 AAAA 2001:db8::2"
    ]


def test_nodes_have_texts(catalog: Catalog) -> None:
    catalog.node("Four", "10.0.0.4", {"rack": "a b", "rfc1035-x": "plain", " k=`": "`"})
    responder = catalog.responder()
    texts = [
        'four.node.consul. 0 TXT "` k`=``=``"',
        'four.node.consul. 0 TXT "plain"',
        'four.node.consul. 0 TXT "rack=a b"',
    ]
    address = "four.node.consul. 0 A 10.0.0.4"
    assert lines(ask(responder, "four.node.consul").additional) == texts
    assert lines(ask(responder, "four.node.consul", "TXT").answer) == texts
    assert lines(ask(responder, "four.node.consul", "ANY", udp=False).answer) == [address, *texts]
    assert lines(ask(responder, "four.node.consul", "AAAA").additional) == texts
    quiet = catalog.responder(Settings(node_meta_txt=False))
    assert lines(ask(quiet, "four.node.consul").additional) == []
    assert lines(ask(quiet, "four.node.consul", "TXT").answer) == texts
    for rdtype in ("SRV", "MX", "CNAME"):
        answer = ask(responder, "four.node.consul", rdtype)
        assert (answer.rcode(), answer.answer, answer.authority) == (dns.rcode.NOERROR, [], [])


def test_host_names_of_nodes(catalog: Catalog) -> None:
    catalog.node("named", "host.example.com")
    catalog.service("named", "web")
    assert lines(ask(catalog.responder(), "named.node.consul").answer) == [
        "named.node.consul. 0 CNAME host.example.com."
    ]
    assert lines(ask(catalog.responder(), "web.service.consul", "SRV").answer) == [
        "web.service.consul. 0 SRV 1 1 80 host.example.com."
    ]


@pytest.mark.parametrize(
    "name", ["web.service.dc9.consul", "n001.node.dc9.consul", "web.service.x.peer.consul", "q.query.consul"]
)
def test_names_of_other_datacenters_do_not_exist(catalog: Catalog, name: str) -> None:
    catalog.many(1)
    assert ask(catalog.responder(), name).rcode() == dns.rcode.NXDOMAIN


def test_other_names_are_refused(catalog: Catalog) -> None:
    answer = ask(catalog.responder(), "www.example.com")
    assert answer.rcode() == dns.rcode.REFUSED
    assert dns.flags.to_text(answer.flags) == "QR RD"
    assert ask(catalog.responder(), "consul", "AXFR", udp=False).rcode() == dns.rcode.NOTIMP
    assert ask(catalog.responder(), "web.virtual.consul").rcode() == dns.rcode.NOERROR


def test_the_zone_s_servers(catalog: Catalog) -> None:
    for number in range(5):
        catalog.node(f"S{number}", f"10.0.0.{number}")
        catalog.service(f"S{number}", "consul", 8300)
    catalog.node("bad_name", "10.0.1.1")
    catalog.service("bad_name", "consul", 8300)
    answer = ask(catalog.responder(Settings(node_ttl=9)), "anything.Consul", "NS")
    found = lines(answer.answer)
    assert len(found) == len(lines(answer.additional)) == 3
    assert all(line.startswith("Consul. 9 NS s") and line.endswith(".node.dc1.consul.") for line in found)
    soa = ask(catalog.responder(Settings(soa=SOA(1, 2, 3, 4))), "consul", "SOA")
    assert lines(soa.answer) == [f"consul. 4 SOA ns.consul. hostmaster.consul. {int(NOW)} 1 2 3 4"]
    assert len(lines(soa.authority)) == 3


def test_the_other_domain(catalog: Catalog) -> None:
    catalog.many(1)
    settings = Settings(domain=zone("corp.test."), alt_domain=zone("corp.test.example"))
    responder = catalog.responder(settings)
    assert lines(ask(responder, "web.service.corp.test.example", "SRV").answer) == [
        "web.service.corp.test.example. 0 SRV 1 1 80 n001.node.dc1.corp.test.example."
    ]
    assert lines(ask(responder, "web.service.corp.test").answer) == ["web.service.corp.test. 0 A 10.0.0.1"]
    assert lines(ask(responder, "no.service.corp.test.example").authority)[0].startswith("corp.test.example. ")
    assert lines(ask(responder, "no.service.corp.test").authority)[0].startswith("corp.test. ")
    assert ask(responder, "web.service.consul").rcode() == dns.rcode.REFUSED


def test_reverse_names(catalog: Catalog) -> None:
    catalog.node("a", "10.20.30.40")
    catalog.node("six", "2001:DB8:0::1:2")
    catalog.service("a", "web", address="10.20.30.50")
    responder = catalog.responder()
    assert lines(ask(responder, "40.30.20.10.IN-addr.arpa", "PTR").answer) == [
        "40.30.20.10.IN-addr.arpa. 0 PTR a.node.dc1.consul."
    ]
    assert lines(ask(responder, "50.30.20.10.in-addr.arpa", "PTR").answer)[0].endswith(" web.service.dc1.consul.")
    name = "2.0.0.0.1.0.0.0." + "0." * 16 + "8.b.d.0.1.0.0.2.ip6.arpa"
    assert lines(ask(responder, name, "PTR").answer)[0].endswith(" six.node.dc1.consul.")
    missing = ask(responder, "9.9.9.9.in-addr.arpa", "PTR")
    assert missing.rcode() == dns.rcode.NXDOMAIN
    assert lines(missing.authority) == [SOA_LINE]


def test_a_zone_below_arpa_is_a_zone(catalog: Catalog) -> None:
    catalog.many(1)
    responder = catalog.responder(Settings(domain=zone("home.arpa")))
    assert lines(ask(responder, "web.service.home.arpa").answer) == ["web.service.home.arpa. 0 A 10.0.0.1"]
    assert lines(ask(responder, "1.0.0.10.in-addr.arpa", "PTR").answer)[0].endswith(" n001.node.dc1.home.arpa.")


def test_ttls(catalog: Catalog) -> None:
    settings = Settings(node_ttl=10, service_ttl={"web": 5, "web-*": 7, "*": 3})
    assert [settings.ttl_of(name) for name in ("web", "web-admin", "webby", "x")] == [5, 7, 3, 3]
    assert Settings().ttl_of("web") == 0
    catalog.many(1)
    srv = ask(catalog.responder(settings), "web.service.consul", "SRV")
    assert {line.split()[1] for line in lines(srv.answer) + lines(srv.additional)} == {"5"}
    assert lines(ask(catalog.responder(settings), "n001.node.consul").answer) == ["n001.node.consul. 10 A 10.0.0.1"]


def caller_without(**hidden: str) -> Authorizer:
    """Return a caller who may read everything but one name of a kind."""
    rules = [Rule(kind, name, False, DENY) for kind, name in hidden.items()]
    return Authorizer("test", CompiledPolicies(rules), default_allow=True)


def test_hidden_names_do_not_exist(catalog: Catalog) -> None:
    catalog.many(2)
    catalog.node("x", "10.0.0.9")
    no_node = catalog.responder(caller=lambda: caller_without(node="n001"))
    assert lines(ask(no_node, "web.service.consul").answer) == ["web.service.consul. 0 A 10.0.0.2"]
    assert ask(no_node, "n001.node.consul").rcode() == dns.rcode.NXDOMAIN
    assert ask(no_node, "1.0.0.10.in-addr.arpa", "PTR").rcode() == dns.rcode.NXDOMAIN
    no_service = catalog.responder(caller=lambda: caller_without(service="web"))
    assert ask(no_service, "web.service.consul").rcode() == dns.rcode.NXDOMAIN


def test_names_that_dns_cannot_have(catalog: Catalog) -> None:
    catalog.node("n" * 70, "10.0.0.1")
    catalog.service("n" * 70, "web")
    catalog.node("odd", "not a host" + "x" * 70)
    catalog.service("odd", "odd")
    responder = catalog.responder()
    assert lines(ask(responder, "web.service.consul", "SRV").answer) == [
        "web.service.consul. 0 SRV 1 1 80 0a000001.addr.dc1.consul."
    ]
    assert ask(responder, "odd.service.consul").answer == []
    assert ask(responder, "odd.node.consul").answer == []

"""Names: what they ask for."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.dnsd.names import AddressName, MeshName, NodeName, QueryName, ServiceName, parse, reverse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web.service", ServiceName("web")),
        ("web.service.dc2", ServiceName("web", datacenter="dc2")),
        ("web.service.dc2.dc", ServiceName("web", datacenter="dc2")),
        ("web.service.east.peer", ServiceName("web", peer="east")),
        ("web.service.a.dc.b.dc", ServiceName("web", datacenter="b")),
        ("web.service.a.dc.b.peer", None),
        ("web.service.a.sg", None),
        ("web.service.a.b.c", None),
        ("v1.web.service", ServiceName("web", "v1")),
        ("x.y.web.service", ServiceName("web", "x.y")),
        ("_web._tcp.service", ServiceName("web")),
        ("_web._v1.service.dc1", ServiceName("web", "v1", "dc1")),
        ("_web._udp.service", ServiceName("web", "udp")),
        ("_web.service", ServiceName("_web")),
        ("_web.v1.service", ServiceName("v1", "_web")),
        ("service", None),
        ("service.service", ServiceName("service")),
        ("a.node", NodeName("a")),
        ("a.b.node.dc1", NodeName("a.b", "dc1")),
        ("node", None),
        ("q.query", QueryName("q")),
        ("with.dots.query.dc1", QueryName("with.dots", "dc1")),
        ("_q._tcp.query", QueryName("q")),
        ("_a.b._tcp.query", QueryName("a.b")),
        ("q.query.dc1.dc", None),
        ("query", None),
        ("c000020a.addr", AddressName(bytes((192, 0, 2, 10)))),
        ("c000020a.addr.dc1", AddressName(bytes((192, 0, 2, 10)))),
        ("20010db8000000010000000000000010.addr", AddressName(ipaddress.ip_address("2001:db8:0:1::10").packed)),
        ("zz.addr", None),
        ("zzzzzzzz.addr", None),
        ("c000020a0.addr", None),
        ("a.c000020a.addr", None),
        ("web.virtual", MeshName()),
        ("web.connect", None),
        ("web.ingress", None),
        ("web.services", None),
        ("", None),
    ],
)
def test_forms(text: str, expected: object) -> None:
    assert parse(text.split(".") if text else []) == expected


def test_srv_questions_may_leave_out_the_kind() -> None:
    assert parse(["_db", "_tcp"], srv=True) == ServiceName("db")
    assert parse(["_db", "_tcp"]) is None
    assert parse(["_db", "_primary", "dc1"], srv=True) == ServiceName("db", "primary", "dc1")


@given(st.lists(st.text(min_size=1, max_size=12), max_size=8), st.booleans())
def test_any_labels_are_read_or_refused(labels: list[str], srv: bool) -> None:
    parse(labels, srv)
    reverse(labels)


@given(st.ip_addresses())
def test_reverse_names_lead_back(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert reverse(address.reverse_pointer.split(".")) == str(address)


@pytest.mark.parametrize(
    "name",
    ["30.20.10.in-addr.arpa", "x.30.20.10.in-addr.arpa", "1.2.3.4.ip6.arpa", "_." + "0." * 31 + "ip6.arpa", "arpa"],
)
def test_incomplete_reverse_names(name: str) -> None:
    assert reverse(name.split(".")) is None

"""What filters match."""

from __future__ import annotations

from typing import Any

import pytest

from pyconsul.agent.filter.compile import FilterError, compile_filter
from pyconsul.agent.model.catalog import CheckServiceNode, flatten
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService, ServiceAddress, Weights


def check(status: str, service_id: str = "", notes: str = "") -> HealthCheck:
    return HealthCheck("a", "c", "name", status, notes, "", service_id, "", None, "", "", "", {}, 1, 1)


NODE = Node("id", "a", "10.0.0.1", "dc1", None, {"env": "prod", "a b": "c", "empty": ""}, 1, 1)
SERVICE = NodeService(
    id="web-1",
    service="web",
    tags=["v1", "blue"],
    address="",
    meta=None,
    weights=Weights(7, 1),
    enable_tag_override=True,
    create_index=1,
    modify_index=1,
    tagged_addresses={"wan": ServiceAddress("1.1.1.1", 8080)},
    port=80,
)
ROW = CheckServiceNode(NODE, SERVICE, [check("passing"), check("warning", "web-1", "see wiki")])
FLAT = flatten(NODE, SERVICE)

MATCHES = """
Node.Node == a
Node.Node==a
Node.Node != b
Node.Meta.env == prod
Node.Meta["env"] == "prod"
Node.Meta["a b"] == `c`
Node.Meta.env contains ro
Node.Meta.env not contains x
Node.Meta.none != prod
Node.Meta.none not contains x
Node.Meta.none matches "^p"
Node.Meta.none not matches "^p"
Node.Meta.empty == ""
env in Node.Meta
"a b" in Node.Meta
none not in Node.Meta
Node.Meta is not empty
Node.TaggedAddresses is empty
Node.TaggedAddresses.wan != "1.1.1.1"
Service.Meta is empty
v1 in Service.Tags
Service.Tags contains blue
Service.Tags not contains red
Service.Tags is not empty
Service.Port == 80
Service.Port == "0x50"
Service.Port != "8_0_1"
Service.Weights.Passing == 7
Service.EnableTagOverride == true
Service.EnableTagOverride != F
Service.TaggedAddresses.wan.Port == 8080
Service.TaggedAddresses["wan"].Address matches "^1[.]"
Service.TaggedAddresses.lan.Port != 8080
Service.SocketPath == ""
Service.Kind == ""
Service.Kind != "connect-proxy"
Service.Proxy.DestinationServiceName == ""
Service.Proxy.Upstreams is empty
Service.Connect.Native == false
Checks.Status == warning
Checks.Status != warning
Checks.Notes contains wiki
Checks is not empty
Checks.ServiceTags is empty
not Node.Node == b
not not Node.Node == a
not (Node.Node == b or Node.Node == c)
Node.Node == a or Node.Node == b and Service.Port == 99
(Node.Node == a)
( Node.Node == a ) and ( ( Service.Port == 80 ) )
Node.Node matches "A|a"
Node.Address == "\\x31\\u0030.0.0.1"
"""

MISSES = """
Node.Node == b
Node.Meta.none == prod
Node.Meta.none contains x
Node.Meta.env != prod
none in Node.Meta
Node.TaggedAddresses.wan == "1.1.1.1"
Service.Meta.x == ""
red in Service.Tags
Service.Port != 80
Checks.Status == critical
Checks is empty
not Node.Node == a
(Node.Node == a or Node.Node == b) and Service.Port == 99
Node.Node matches "b$"
Service.Kind == "connect-proxy"
"""


@pytest.mark.parametrize("text", MATCHES.strip().splitlines())
def test_matching(text: str) -> None:
    assert compile_filter(text, CheckServiceNode)(ROW)


@pytest.mark.parametrize("text", MISSES.strip().splitlines())
def test_not_matching(text: str) -> None:
    assert not compile_filter(text, CheckServiceNode)(ROW)


def test_flat_rows_have_selectors_of_their_own() -> None:
    matches = compile_filter('ServicePort == 80 and "blue" in ServiceTags and NodeMeta.env == prod', type(FLAT))
    assert matches(FLAT)


PLAIN: dict[str, Any] = {
    "Name": "x",
    "Port": 80,
    "Up": True,
    "Tags": ["a"],
    "Items": [{"K": 1}, {"K": 2}],
    "None": None,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name == x", True),
        ("Port == 80", True),
        ("Port == x", False),
        ("Port != x", True),
        ("Up == true", True),
        ("a in Tags", True),
        ("b not in Tags", True),
        ("Items.K == 2", True),
        ("Items.K == 3", False),
        ("Tags is empty", False),
        ("None is empty", True),
        ("Missing == x", False),
        ("Missing != x", True),
        ("Missing.deeper is empty", True),
        ('Name matches "^x$"', True),
        ('Port matches "8"', False),
        ("Name == x and not Port == 81", True),
    ],
)
def test_plain_objects(text: str, expected: bool) -> None:
    assert compile_filter(text, dict)(PLAIN) is expected


def test_a_pattern_that_would_backtrack_for_ever_does_not() -> None:
    matches = compile_filter('Node matches "(a+)+$"', Node)
    row = Node("", "a" * 5000 + "b", "", "", None, None, 1, 1)
    assert not matches(row)


def test_a_bad_pattern_is_refused_when_the_filter_is_made() -> None:
    with pytest.raises(FilterError, match="error parsing regexp"):
        compile_filter('Node matches "(?=a)"', Node)


def test_the_same_text_is_compiled_once() -> None:
    assert compile_filter("Node == a", Node) is compile_filter("Node == a", Node)

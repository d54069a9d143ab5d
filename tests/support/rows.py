"""One row of every table of the state, and what a hostile caller puts into its fields."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec.structs import replace

from pyconsul.agent.model.acl import (
    AuthMethod,
    BindingRule,
    Bootstrapped,
    Grants,
    NodeIdentity,
    Policy,
    Role,
    ServiceIdentity,
    TemplatedPolicy,
    Token,
)
from pyconsul.agent.model.autopilot import AutopilotSettings
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.coordinate import Coordinate, NodeCoordinate
from pyconsul.agent.model.kv import KVEntry, LockDelay, Tombstone
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.query import PreparedQuery, ServiceQuery
from pyconsul.agent.model.service import NodeService, ServiceAddress, ServiceInstance, Weights
from pyconsul.agent.model.session import ServiceCheck, Session

SERVICE = NodeService(
    id="w1", service="web", tags=["a"], address="10.0.0.1", meta={"k": "v"}, weights=Weights(), port=80,
    enable_tag_override=False, create_index=1, modify_index=1, tagged_addresses={"lan": ServiceAddress("10.0.0.1", 80)},
)  # fmt: skip
GRANTS = Grants(
    policies=("p",),
    roles=("r",),
    service_identities=(ServiceIdentity("web", ("dc1",)),),
    node_identities=(NodeIdentity("n", "dc1"),),
    templated_policies=(TemplatedPolicy("t", "builtin/service", "web"),),
)
SAMPLES: dict[str, Any] = {
    "kvs": KVEntry(0, "k", 0, b"v", 1, 1, "s"),
    "tombstones": Tombstone("k", 1, 1.0),
    "lock_delays": LockDelay("k", 1.0, 15.0),
    "nodes": Node("id", "n", "10.0.0.1", "dc1", {"lan": "10.0.0.1"}, {"k": "v"}, 1, 1),
    "services": ServiceInstance("n", SERVICE),
    "checks": HealthCheck("n", "c", "c", "passing", "", "", "w1", "web", ["a"], "", "", "", {"HTTP": "x"}, 1, 1),
    "sessions": Session("s", "", "n", 15, "release", "10s", ["c"], [ServiceCheck("c")], 1, 1),
    "prepared-queries": PreparedQuery(id="q", name="q", service=ServiceQuery(service="web", tags=["a"])),
    "coordinates": NodeCoordinate("n", "", Coordinate([0.0] * 8, 1.5, 0.0, 0.1)),
    "autopilot": AutopilotSettings(),
    "acl_tokens": Token(accessor_id="a", secret_id="s", grants=GRANTS, expires=9.0, hash=b"h"),
    "acl_policies": Policy(id="p", name="p", rules="", datacenters=("dc1",)),
    "acl_roles": Role(id="r", name="r", grants=GRANTS),
    "acl_auth_methods": AuthMethod(name="m", type="jwt", config={"JWTSupportedAlgs": ["RS256"]}),
    "acl_binding_rules": BindingRule(id="b", auth_method="m", bind_type="service", bind_name="x", bind_vars={"a": "b"}),
    "acl_bootstrapped": Bootstrapped("bootstrap", 1),
}

_SCALARS: list[Any] = [
    1 << 70, -(1 << 70), (1 << 64) - 1, -1, 1e300, float("inf"), float("nan"), "\ud800", "a\0b", "\x01", "", "x" * 5000,
    b"\xff", None, True, object(), {1, 2}, (), [], {}, 1j, ["\ud800"], {"k": 1 << 70}, {"\ud800": 1}, {1: 2}, [[[object()]]],
]  # fmt: skip
#: Values that do not belong into some field: too large, no valid text, of a wrong type, of no type that can be stored.
POISON = st.sampled_from(_SCALARS)


@st.composite
def poisoned(draw: st.DrawFn) -> tuple[str, Any]:
    """Return a table and a row of it with poison in one field, at any depth."""
    table = draw(st.sampled_from(sorted(SAMPLES)))
    return table, _poisoned(draw, SAMPLES[table])


def _poisoned(draw: st.DrawFn, value: Any) -> Any:
    """Return the value with poison in one of its parts, or poison instead of it."""
    if isinstance(value, msgspec.Struct) and value.__struct_fields__:
        name = draw(st.sampled_from(value.__struct_fields__))
        return replace(value, **{name: _part(draw, getattr(value, name))})
    if isinstance(value, dict) and value:
        return {key: _part(draw, item) for key, item in value.items()}
    if isinstance(value, list | tuple) and value:
        return type(value)(_part(draw, item) for item in value)
    return draw(POISON)


def _part(draw: st.DrawFn, value: Any) -> Any:
    deeper = isinstance(value, msgspec.Struct | dict | list | tuple) and draw(st.booleans())
    return _poisoned(draw, value) if deeper else draw(POISON)

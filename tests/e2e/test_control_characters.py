"""A line break in any name that a request brings is refused; fields of free text may hold one."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import quote

import msgspec
import pytest
from support.acl_agent import Manager, acl_agent

from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.httpapi.handlers import autopilot, coordinate, session
from pyconsul.agent.httpapi.handlers.acl import bodies as acl_bodies
from pyconsul.agent.httpapi.handlers.agent import bodies as agent_bodies
from pyconsul.agent.httpapi.handlers.catalog import registration
from pyconsul.agent.httpapi.handlers.mesh import refusals
from pyconsul.agent.httpapi.handlers.txn import operations
from pyconsul.agent.httpapi.routes import ROUTES
from pyconsul.agent.model.control_characters import FREE_TEXT
from pyconsul.agent.model.query import PreparedQuery
from pyconsul.agent.sync.anti_entropy.batch import Batch

BAD = "a\nb"
NODE = {"Node": "known", "Address": "10.0.0.1"}
CHECK = {"Name": "c", "TTL": "10s"}
INDEXES = {"CreateIndex": 0, "ModifyIndex": 0}
MEMBER = {"ID": "", "Datacenter": "dc1", "TaggedAddresses": None, "Meta": None, **NODE, **INDEXES}
KEYS = {"JWTValidationPubKeys": ["-----BEGIN PUBLIC KEY-----"]}

# Method, path, the body's type, and a body that is otherwise good.
BODIES: list[tuple[str, str, type[msgspec.Struct], dict[str, Any]]] = [
    ("PUT", "/v1/catalog/register", registration.Registration, NODE),
    ("PUT", "/v1/agent/service/register", agent_bodies.ServiceBody, {"Name": "web"}),
    ("PUT", "/v1/agent/check/register", CheckDefinition, CHECK),
    ("PUT", "/v1/pyconsul/registrations", Batch, {"node": MEMBER}),
    ("PUT", "/v1/session/create", session.SessionInput, {}),
    ("POST", "/v1/query", PreparedQuery, {"Name": "q", "Service": {"Service": "web"}}),
    ("PUT", "/v1/query/ID", PreparedQuery, {"Name": "q", "Service": {"Service": "web"}}),
    ("PUT", "/v1/coordinate/update", coordinate.UpdateInput, {"Node": "known", "Coord": {"Vec": [0] * 8}}),
    ("PUT", "/v1/operator/autopilot/configuration", autopilot.SettingsInput, {}),
    ("PUT", "/v1/acl/policy", acl_bodies.PolicyBody, {"Name": "p"}),
    ("PUT", "/v1/acl/policy/ID", acl_bodies.PolicyBody, {"Name": "p"}),
    ("PUT", "/v1/acl/role", acl_bodies.RoleBody, {"Name": "r"}),
    ("PUT", "/v1/acl/role/ID", acl_bodies.RoleBody, {"Name": "r"}),
    ("PUT", "/v1/acl/token", acl_bodies.TokenBody, {}),
    ("PUT", "/v1/acl/token/ID", acl_bodies.TokenBody, {}),
    ("PUT", "/v1/acl/auth-method", acl_bodies.AuthMethodBody, {"Name": "m", "Type": "jwt", "Config": KEYS}),
    ("PUT", "/v1/acl/auth-method/m", acl_bodies.AuthMethodBody, {"Name": "m", "Type": "jwt", "Config": KEYS}),
    ("PUT", "/v1/acl/binding-rule", acl_bodies.BindingRuleBody, {"AuthMethod": "m", "BindType": "role"}),
    ("PUT", "/v1/acl/binding-rule/ID", acl_bodies.BindingRuleBody, {"AuthMethod": "m", "BindType": "role"}),
]  # fmt: skip

# Routes that write and are not above, and why.
OTHERS = {
    "/v1/acl/token/*/clone": "its body is that of /v1/acl/token",
    "/v1/txn": "its operations are tested by themselves",
    "/v1/kv/": "unprintable paths are refused; values may have any bytes",
    "/v1/event/fire/": "its names are in the path, and tested by themselves",
    "/v1/catalog/deregister": "what has such a name must be removable",
    "/v1/session/destroy/": "names what is there",
    "/v1/session/renew/": "names what is there",
    "/v1/agent/service/deregister/": "names what is there",
    "/v1/agent/service/maintenance/": "names what is there; a reason is free text",
    "/v1/agent/maintenance": "a reason is free text",
    "/v1/agent/check/deregister/": "names what is there",
    "/v1/agent/check/pass/": "a note is free text",
    "/v1/agent/check/warn/": "a note is free text",
    "/v1/agent/check/fail/": "a note is free text",
    "/v1/agent/check/update/": "an output is free text",
    "/v1/agent/reload": "no names",
    "/v1/agent/leave": "no names",
    "/v1/agent/join/": "stores nothing",
    "/v1/agent/force-leave/": "names what is there",
    "/v1/agent/token/": "a secret",
    "/v1/acl/bootstrap": "a secret",
    "/v1/acl/login": "checked by the auth method; Meta is written as JSON into a description",
    "/v1/acl/logout": "no names",
    "/v1/internal/acl/authorize": "stores nothing",
    "/v1/acl/templated-policy/preview/": "stores nothing",
    "/v1/snapshot": "rows are held to the same rules, see the tests of restored records",
    "/v1/operator/raft/peer": "stores nothing",
    "/v1/operator/raft/transfer-leader": "no names",
    "/v1/operator/keyring": "stores nothing",
    "/v1/pyconsul/watch": "stores nothing",
    "/v1/pyconsul/recovery": "names what is there",
}


@pytest.fixture(scope="module")
def root() -> Iterator[Manager]:
    with acl_agent() as manager:
        manager.write("/v1/catalog/register", NODE)
        yield manager


def spoilt(kind: Any, name: str) -> Iterator[Any]:
    """Values of a type that hold a line break, each in another place."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    for option in options:
        origin, inner = get_origin(option), get_args(option)
        if option is str:
            yield BAD
        elif origin is list:
            yield from ([value] for value in spoilt(inner[0], name))
        elif origin is dict:
            yield from ({"key": value} for value in spoilt(inner[1], name))
            yield {BAD: next(iter(spoilt(inner[1], name)), 1)}
        elif isinstance(option, type) and issubclass(option, msgspec.Struct):
            yield from bodies(option)
        elif option is Any and name in ("Proxy", "Connect"):
            yield from ("a\nb", {"DestinationName": BAD}, [{"DestinationName": BAD}])
        elif option is Any and name in ("Check", "Checks"):
            found = [one for one in bodies(CheckDefinition, CHECK) if "ServiceID" not in one]  # it is the service's
            yield from ([one] if name == "Checks" else one for one in found)


def bodies(kind: type[msgspec.Struct], good: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Bodies of a type with a line break in one field that is no free text."""
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in FREE_TEXT:
            for value in spoilt(hints[field.name], field.encode_name):
                old = (good or {}).get(field.encode_name)
                merged = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
                yield {**(good or {}), field.encode_name: merged}


@pytest.mark.parametrize(("method", "path", "kind", "good"), BODIES, ids=[f"{m} {path}" for m, path, *_ in BODIES])
def test_every_name_of_every_body(
    root: Manager, method: str, path: str, kind: type[msgspec.Struct], good: dict[str, Any]
) -> None:
    found = list(bodies(kind, good))
    assert found
    for body in found:
        status, text = root.ask(method, path, body)
        assert status == 400, f"{body}: {status} {text}"


@pytest.mark.parametrize("verb", ["set", "cas"])
@pytest.mark.parametrize(("kind", "good"), [("Node", NODE), ("Service", {}), ("Check", {})])
def test_every_name_of_transactions(root: Manager, verb: str, kind: str, good: dict[str, Any]) -> None:
    types_of = {"Node": operations.NodeTxn, "Service": operations.ServiceTxn, "Check": operations.CheckTxn}
    found = [body for body in bodies(types_of[kind]) if "Verb" not in body]
    assert found
    for body in found:
        status, text = root.put("/v1/txn", [{kind: {"Verb": verb, **body}}])
        assert status == 400, f"{body}: {status} {text}"
        assert f"operation 0: {kind}" in text


def test_names_of_events(root: Manager) -> None:
    filters = [f"e?node={quote(BAD)}", f"e?service={quote(BAD)}", f"e?service=x&tag={quote(BAD)}"]
    for target in (quote(BAD), *filters):
        assert root.put(f"/v1/event/fire/{target}")[0] == 400, target
    assert root.put("/v1/event/fire/e", b"a\nb")[0] == 200, "a payload is free text"


def test_free_text_may_have_lines(root: Manager) -> None:
    for path, body in (
        ("/v1/agent/check/register", {"Name": "c", "TTL": "10s", "Notes": BAD, "Body": BAD}),
        ("/v1/catalog/register", {**NODE, "Check": {"Name": "c", "Output": BAD, "Definition": {"Body": BAD}}}),
        ("/v1/acl/policy", {"Name": "lines", "Description": BAD, "Rules": 'key_prefix "" {\n policy = "read" }'}),
        ("/v1/acl/token", {"Description": BAD}),
        ("/v1/kv/lines", BAD.encode()),
    ):
        status, text = root.put(path, body)
        assert status == 200, f"{path}: {text}"


def test_every_route_that_writes_is_looked_at() -> None:
    named = {path for _, path, *_ in BODIES}
    writing = {
        route.pattern
        for route in ROUTES
        if route not in refusals.ROUTES and {"PUT", "POST"}.intersection(route.methods)
    }
    assert "/v1/catalog/register" in writing
    for path in writing:
        assert path in OTHERS or any(one == path or (path.endswith("/") and one.startswith(path)) for one in named), (
            path
        )

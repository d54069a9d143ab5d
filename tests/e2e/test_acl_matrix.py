"""Every route with every kind of caller: nobody, a reader, somebody with rights elsewhere, and a manager.

A route that declares no permission fails here, and so does one that does something else than it declares.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from pyconsul.agent.acl.rules import WRITE, parse_permission
from pyconsul.agent.httpapi.core.router import Route
from pyconsul.agent.httpapi.routes import ROUTES
from pyconsul.agent.model.acl import ANONYMOUS_ID
from tests.support.agent_process import AgentProcess, running_agent

ROOT = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
SESSION = "session-of-the-test"
QUERY = "query-of-the-test"
#: What follows a pattern that ends in a slash, and what is sent, where it matters.
TAILS = {
    "/v1/kv/": "secret/a",
    "/v1/session/destroy/": SESSION,
    "/v1/session/renew/": SESSION,
    "/v1/agent/service/": "web",
    "/v1/agent/service/deregister/": "web",
    "/v1/agent/service/maintenance/": "web?enable=true",
    "/v1/agent/health/service/id/": "web",
    "/v1/agent/health/service/name/": "web",
    "/v1/agent/check/deregister/": "service:web",
    "/v1/agent/check/pass/": "service:web",
    "/v1/agent/check/warn/": "service:web",
    "/v1/agent/check/fail/": "service:web",
    "/v1/agent/check/update/": "service:web",
    "/v1/agent/token/": "agent",
    "/v1/agent/join/": "127.0.0.1",
    "/v1/coordinate/node/": "n1",
    "/v1/query/": QUERY,
    "/v1/query/*/execute": "app",
    "/v1/query/*/explain": "app",
    "/v1/acl/token/*/clone": ANONYMOUS_ID,
    "/v1/acl/templated-policy/name/": "builtin/dns",
    "/v1/acl/templated-policy/preview/": "builtin/dns",
    "/v1/health/state/": "any",
    "/v1/health/service/": "web",
    "/v1/catalog/service/": "web",
    "/v1/pyconsul/part/": "service/web?once",
    "/v1/pyconsul/dns-query/": "app",
}
NODE = {"ID": "", "Node": "n1", "Address": "127.0.0.1", "Datacenter": "dc1", "TaggedAddresses": None, "Meta": None}
WEB = {
    "ID": "web", "Service": "web", "Tags": [], "Address": "", "Meta": None, "Weights": {}, "EnableTagOverride": False,
    "CreateIndex": 0, "ModifyIndex": 0,
}  # fmt: skip
QUERIES = {"/v1/agent/maintenance": "?enable=true", "/v1/acl/explain": "?permission=acl:read"}
POINT = {"Vec": [0.0] * 8, "Error": 1.5, "Adjustment": 0.0, "Height": 1e-5}
BODIES: dict[str, Any] = {
    "/v1/txn": [{"KV": {"Verb": "set", "Key": "secret/t", "Value": "eA=="}}],
    "/v1/catalog/register": {"Node": "x1", "Address": "10.0.0.1"},
    "/v1/catalog/deregister": {"Node": "x1"},
    "/v1/pyconsul/registrations": {"node": {**NODE, "CreateIndex": 0, "ModifyIndex": 0}, "services": [WEB]},
    "/v1/session/create": {"NodeChecks": []},
    "/v1/agent/service/register": {"Name": "web"},
    "/v1/agent/check/register": {"Name": "disk", "TTL": "5m"},
    "/v1/agent/check/update/": {"Status": "passing"},
    "/v1/coordinate/update": {"Node": "n1", "Coord": POINT},
    "/v1/query": {"Name": "other", "Service": {"Service": "web"}},
    "/v1/acl/policy": {"Name": "made", "Rules": ""},
    "/v1/acl/role": {"Name": "made"},
    "/v1/acl/auth-method": {"Name": "made", "Type": "jwt"},
    "/v1/acl/binding-rule": {"AuthMethod": "none", "BindType": "service", "BindName": "x"},
}
#: These end the agent, or what the test needs.
NOT_AS_MANAGER = {"/v1/agent/leave", "/v1/snapshot", "/v1/agent/token/"}


class Caller:
    """Somebody with a token, or with none."""

    def __init__(self, agent: AgentProcess, secret: str) -> None:
        self.agent, self.secret = agent, secret

    def ask(self, method: str, path: str, body: Any) -> tuple[int, dict[str, str], str]:
        """Status, headers in lower case, and the first part of the body: some answers never end."""
        connection = http.client.HTTPConnection("127.0.0.1", self.agent.http_port, timeout=15)
        headers = {"X-Consul-Token": self.secret} if self.secret else {}
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            text = "" if found.get("transfer-encoding") == "chunked" else response.read().decode()
            return response.status, found, text
        finally:
            connection.close()

    def may(self, method: str, path: str, body: Any) -> bool:
        """Return whether a request is not refused for want of rights."""
        status, _, text = self.ask(method, path, body)
        return status != 403 and "Permission denied" not in text


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    acl = {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": ROOT}}
    with running_agent(acl=acl) as running:
        manager = Caller(running, ROOT)
        names = ("agent", "event", "key", "node", "query", "service", "session")
        elsewhere = "\n".join(f'{name}_prefix "elsewhere/" {{ policy = "write" }}' for name in names)
        assert manager.ask("PUT", "/v1/acl/policy", {"Name": "elsewhere", "Rules": elsewhere})[0] == 200
        yield running


@pytest.fixture(scope="module")
def callers(agent: AgentProcess) -> dict[str, Caller]:
    manager = Caller(agent, ROOT)
    found = {"nobody": Caller(agent, ""), "manager": manager}
    for who, policy in (("reader", "builtin/global-read-only"), ("elsewhere", "elsewhere")):
        status, _, text = manager.ask("PUT", "/v1/acl/token", {"Policies": [{"Name": policy}]})
        assert status == 200, text
        found[who] = Caller(agent, json.loads(text)["SecretID"])
    return found


@pytest.fixture
def ids(callers: dict[str, Caller]) -> dict[str, str]:
    """Create the rows that the routes below work on, where they are gone; return the IDs that stand for placeholders."""
    manager = callers["manager"]
    service = {"Name": "web", "Check": {"TTL": "10m"}}
    for method, path, body in (
        ("PUT", "/v1/agent/service/register", service),
        ("PUT", "/v1/kv/secret/a", "x"),
        ("POST", "/v1/query", {"Name": "app", "Service": {"Service": "web"}}),
    ):
        manager.ask(method, path, body)
    made = json.loads(manager.ask("PUT", "/v1/session/create", {"NodeChecks": []})[2])["ID"]
    query = next(row["ID"] for row in json.loads(manager.ask("GET", "/v1/query", None)[2]) if row["Name"] == "app")
    return {SESSION: made, QUERY: query}


def path_of(route: Route, tail: str) -> str:
    return route.pattern.replace("*", tail) + (tail if route.pattern.endswith("/") else "")


def cases() -> list[tuple[Route, str]]:
    return [(route, method) for route in ROUTES for method in route.methods]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.pattern)
def test_every_route_declares_what_its_callers_need(route: Route) -> None:
    assert all(endpoint.permission for endpoint in route.endpoints.values()), f"{route.pattern} declares no permission"


@pytest.mark.parametrize(("route", "method"), cases(), ids=lambda value: getattr(value, "pattern", value))
def test_every_route_does_what_it_declares(
    route: Route, method: str, callers: dict[str, Caller], ids: dict[str, str]
) -> None:
    declared = route.endpoints[method].permission
    tail = TAILS.get(route.pattern, "elsewhere-not")
    path = path_of(route, ids.get(tail, tail)) + QUERIES.get(route.pattern, "")
    body = BODIES.get(route.pattern, {} if method in ("PUT", "POST") else None)
    word, _, rest = declared.partition(" ")
    if word in ("open", "self"):
        for who in callers:
            status, _, text = callers[who].ask(method, path, body)
            assert "lacks permission" not in text, f"{who}: {status} {text}"
        return
    if word == "filter":
        _check_filtered(callers, method, path)
    else:
        _, level = parse_permission(rest or declared)
        assert not callers["nobody"].may(method, path, body), "nobody may"
        assert not callers["elsewhere"].may(method, path, body), "somebody with rights elsewhere may"
        assert callers["reader"].may(method, path, body) == (level < WRITE), f"a reader, for {declared}"
    if route.pattern not in NOT_AS_MANAGER:
        assert callers["manager"].may(method, path, body), "the manager may not"


@pytest.mark.parametrize(("route", "method"), cases(), ids=lambda value: getattr(value, "pattern", value))
def test_naming_another_datacenter_grants_nothing(route: Route, method: str, callers: dict[str, Caller]) -> None:
    declared = route.endpoints[method].permission
    if ":" not in declared:
        return
    path = path_of(route, "x") + "?dc=elsewhere"
    status, _, text = callers["nobody"].ask(method, path, {} if method in ("PUT", "POST") else None)
    assert status >= 400, f"{status} {text}"


def shows_nothing(text: str) -> bool:
    return text in ("", "[]", "{}", "null", '{"full":true}', '{"Node":null,"Services":null}') or '"Nodes":[]' in text


def _check_filtered(callers: dict[str, Caller], method: str, path: str) -> None:
    everything = callers["manager"].ask(method, path, None)
    seen = callers["elsewhere"].ask(method, path, None)
    nothing = callers["nobody"].ask(method, path, None)
    for status, _, text in (seen, nothing):
        assert status in (200, 404)
        assert shows_nothing(text), f"shown: {text}"
    assert "x-consul-results-filtered-by-acls" not in nothing[1]
    assert "x-consul-results-filtered-by-acls" not in everything[1]
    hidden = not shows_nothing(everything[2])
    assert ("x-consul-results-filtered-by-acls" in seen[1]) == hidden

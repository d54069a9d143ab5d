"""Every route, method and form of the path with 14 kinds of token that have no rights here: nothing is shown, nothing changes.

What is in the agent has names and values that occur nowhere else, so a leak is a text in a response.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from pyconsul.agent.httpapi.routes import ROUTES
from tests.support.acl_agent import ROOT, Manager, acl_agent
from tests.support.pipeline import Asked, Response, request, responses

#: Names: they may come back only where the request itself said them.
NAMES = ("hidden-node", "hidden-svc", "hidden-local", "hidden-query", "hidden-event", "hidden-session", "hidden-policy",
         "hidden-role", "hidden-method", "hidden-key", ROOT)  # fmt: skip
#: Data: never.
DATA = ("SECRET-VALUE", base64.b64encode(b"SECRET-VALUE").decode(), "SECRET-OUTPUT", "SECRET-SERVICE",
        "SECRET-TAG", "SECRET-META", "10.66.66.",
        "SECRET-PAYLOAD", base64.b64encode(b"SECRET-PAYLOAD").decode(), "SECRET-NOTE")  # fmt: skip
#: As in Consul, who knows the ID of a query can execute it, and the response names its service.
SHOWN = {"/v1/query/": " hidden-svc", "/v1/query/*/execute": " hidden-svc", "/v1/query/*/explain": " hidden-svc"}
#: As in Consul, a refusal names what a right is missing on: a request that gave an ID learns the name.
REFUSAL = re.compile(r"lacks permission '\w+:\w+' on \\?\"[^\"\\]*\\?\"")
METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH")
ENDLESS = {"/v1/pyconsul/watch"}  # a stream for everybody, whose answers are those of the routes below
#: What follows a pattern that ends in a slash.
TAILS = {
    "/v1/kv/": "hidden-key/a",
    "/v1/pyconsul/kv-history/": "hidden-key/a",
    "/v1/session/node/": "hidden-node",
    "/v1/session/info/": "{session}",
    "/v1/session/destroy/": "{session}",
    "/v1/session/renew/": "{session}",
    "/v1/agent/check/deregister/": "service:hidden-local",
    "/v1/agent/check/pass/": "service:hidden-local",
    "/v1/agent/check/warn/": "service:hidden-local",
    "/v1/agent/check/fail/": "service:hidden-local",
    "/v1/agent/check/update/": "service:hidden-local",
    "/v1/agent/token/": "default",
    "/v1/agent/join/": "127.0.0.1",
    "/v1/agent/force-leave/": "hidden-node",
    "/v1/event/fire/": "hidden-event",
    "/v1/coordinate/node/": "hidden-node",
    "/v1/query/": "{query}",
    "/v1/query/*/execute": "{query}",
    "/v1/query/*/explain": "{query}",
    "/v1/health/state/": "any",
    "/v1/health/node/": "hidden-node",
    "/v1/catalog/node/": "hidden-node",
    "/v1/catalog/node-services/": "hidden-node",
    "/v1/internal/ui/node/": "hidden-node",
    "/v1/acl/token/": "{accessor}",
    "/v1/acl/token/*/clone": "{accessor}",
    "/v1/acl/policy/": "{policy}",
    "/v1/acl/policy/name/": "hidden-policy",
    "/v1/acl/role/": "{role}",
    "/v1/acl/role/name/": "hidden-role",
    "/v1/acl/auth-method/": "hidden-method",
    "/v1/acl/binding-rule/": "{rule}",
}
LOCAL = ("/v1/agent/service/", "/v1/agent/health/service/")  # their services are the agent's
POINT = {"Vec": [0.0] * 8, "Error": 1.5, "Adjustment": 0.0, "Height": 1e-5}
EVIL_CHECK = {"CheckID": "serfHealth", "Name": "x", "Status": "critical"}
#: Bodies of writes, for each route some.
BODIES: dict[str, list[Any]] = {
    "/v1/kv/": ["x"],
    "/v1/txn": [
        [{"KV": {"Verb": verb, "Key": "hidden-key/a", "Value": "eA=="}}]
        for verb in ("set", "get", "get-tree", "delete", "delete-tree", "cas", "check-index", "check-not-exists", "lock")
    ] + [
        [{"Node": {"Verb": verb, "Node": {"Node": "hidden-node", "Address": "6.6.6.6"}}}] for verb in ("get", "set", "delete")
    ] + [
        [{"Service": {"Verb": verb, "Node": "hidden-node", "Service": {"ID": "hidden-svc", "Service": "own-svc"}}}]
        for verb in ("get", "set", "delete")
    ] + [
        [{"Check": {"Verb": verb, "Check": {"Node": "hidden-node", "CheckID": "c", "Status": "critical"}}}]
        for verb in ("get", "set", "delete")
    ],
    "/v1/catalog/register": [
        {"Node": "hidden-node", "Address": "6.6.6.6"},
        {"Node": "HIDDEN-NODE", "Address": "6.6.6.6"},
        {"Node": "own-node", "ID": "40e4a748-2192-161a-0510-9bf59fe950b5", "Address": "6.6.6.6"},
        {"Node": "hidden-node", "SkipNodeUpdate": True, "Service": {"ID": "hidden-svc", "Service": "own-svc"}},
        {"Node": "hidden-node", "SkipNodeUpdate": True, "Check": {"CheckID": "c", "Name": "c", "Status": "critical"}},
        {"Node": "n1", "SkipNodeUpdate": True, "Check": EVIL_CHECK},
    ],
    "/v1/catalog/deregister": [
        {"Node": "hidden-node"}, {"Node": "hidden-node", "ServiceID": "hidden-svc"}, {"Node": "hidden-node", "CheckID": "c"},
    ],
    "/v1/session/create": [{"Node": "hidden-node", "NodeChecks": []}, {}],
    "/v1/agent/service/register": [
        {"Name": "hidden-local"}, {"Name": "own-svc", "ID": "hidden-local"}, {"service": {"name": "hidden-local"}},
        {"Name": "own-svc", "Check": {"CheckID": "service:hidden-local", "TTL": "1m"}},
    ],
    "/v1/agent/check/register": [
        {"Name": "disk", "TTL": "5m"}, {"ID": "service:hidden-local", "Name": "x", "TTL": "5m", "ServiceID": "hidden-local"},
    ],
    "/v1/agent/check/update/": [{"Status": "critical", "Output": "x"}],
    "/v1/coordinate/update": [{"Node": "hidden-node", "Coord": POINT}],
    "/v1/query": [{"Name": "other", "Service": {"Service": "hidden-svc"}}],
    "/v1/acl/token": [{"Policies": [{"Name": "global-management"}]}],
    "/v1/acl/policy": [{"Name": "made", "Rules": ""}],
    "/v1/acl/role": [{"Name": "made"}],
    "/v1/acl/auth-method": [{"Name": "made", "Type": "jwt", "Config": {}}],
    "/v1/acl/binding-rule": [{"AuthMethod": "hidden-method", "BindType": "service", "BindName": "x"}],
    "/v1/acl/login": [{"AuthMethod": "hidden-method", "BearerToken": "x"}],
    "/v1/agent/token/": [{"Token": "x"}],
    "/v1/internal/acl/authorize": [[{"Resource": "key", "Access": "read", "Segment": "hidden-key/a"}]],
}  # fmt: skip
QUERIES = {"/v1/agent/maintenance": "enable=true", "/v1/agent/service/maintenance/": "enable=true"}


class Form(NamedTuple):
    """A way to write a path: how the tail is changed, what is asked besides, and header lines."""

    tail: str = "{}"
    query: str = ""
    headers: tuple[str, ...] = ()


FORMS = (
    Form(), Form(query="recurse"), Form(query="keys&separator=/"), Form(query="raw"), Form(query="stale&pretty"),
    Form(query="cached"), Form(query="index=1&wait=1ms"), Form(query="dc=dc1&near=_agent"), Form(query="filter=Node!=x"),
    Form("{}/"), Form("%68idden-{}"), Form("../{}"), Form("{}/execute"), Form("{}/explain"),
    Form(headers=("X-HTTP-Method-Override: GET",)), Form(headers=("X-HTTP-Method-Override: DELETE",)),
)  # fmt: skip
PLAIN = FORMS[:1]


class Bearer(NamedTuple):
    """A way to be somebody without rights."""

    name: str
    headers: tuple[str, ...] = ()
    query: str = ""


@pytest.fixture(scope="module")
def manager() -> Iterator[Manager]:
    with acl_agent(acl={"enable_token_persistence": False}) as found:
        yield found


@pytest.fixture(scope="module")
def ids(manager: Manager) -> dict[str, str]:
    """Everything that is hidden; the IDs that were given to it."""
    manager.put("/v1/kv/hidden-key/a", b"SECRET-VALUE")
    node = {"Node": "hidden-node", "ID": "40e4a748-2192-161a-0510-9bf59fe950b5", "Address": "10.66.66.1"}
    service = {"Service": "hidden-svc", "Address": "10.66.66.2", "Tags": ["SECRET-TAG"], "Meta": {"a": "SECRET-META"}}
    check = {"CheckID": "c", "Name": "c", "Status": "passing", "Output": "SECRET-OUTPUT", "Notes": "SECRET-NOTE"}
    manager.write("/v1/catalog/register", {**node, "Service": service, "Check": check})
    local = {
        "Name": "hidden-local",
        "Address": "10.66.66.3",
        "Tags": ["SECRET-TAG"],
        "Check": {"TTL": "10h", "Notes": "SECRET-NOTE"},
    }
    manager.write("/v1/agent/service/register", local)
    manager.write("/v1/agent/check/update/service:hidden-local", {"Status": "passing", "Output": "SECRET-SERVICE"})
    manager.write("/v1/coordinate/update", {"Node": "hidden-node", "Coord": POINT})
    manager.write("/v1/event/fire/hidden-event", b"SECRET-PAYLOAD")
    session = manager.write("/v1/session/create", {"Name": "hidden-session", "Node": "hidden-node", "NodeChecks": []})[
        "ID"
    ]
    status, query = manager.ask("POST", "/v1/query", {"Name": "hidden-query", "Service": {"Service": "hidden-svc"}})
    assert status == 200, query
    policy = manager.write("/v1/acl/policy", {"Name": "hidden-policy", "Rules": ""})["ID"]
    role = manager.write("/v1/acl/role", {"Name": "hidden-role", "Policies": [{"Name": "hidden-policy"}]})["ID"]
    token = manager.write("/v1/acl/token", {"Roles": [{"Name": "hidden-role"}], "Description": "SECRET-NOTE"})
    keys = {"JWKSURL": "file:///nonexistent"}
    manager.write(
        "/v1/acl/auth-method", {"Name": "hidden-method", "Type": "jwt", "Config": keys, "Description": "SECRET-NOTE"}
    )
    rule = manager.write(
        "/v1/acl/binding-rule", {"AuthMethod": "hidden-method", "BindType": "service", "BindName": "hidden-svc"}
    )
    return {
        "session": session,
        "query": json.loads(query)["ID"],
        "policy": policy,
        "role": role,
        "accessor": token["AccessorID"],
        "secret": token["SecretID"],
        "rule": rule["ID"],
    }


@pytest.fixture(scope="module")
def bearers(manager: Manager, ids: dict[str, str]) -> list[Bearer]:
    """14 ways to present a token, none of which has rights to what is hidden."""
    kinds = ("agent", "event", "key", "node", "query", "service", "session")
    weak = manager.caller("\n".join(f'{kind}_prefix "own-" {{ policy = "write" }}' for kind in kinds)).secret
    deleted = manager.write("/v1/acl/token", {"Policies": [{"Name": "global-management"}]})
    assert manager.ask("DELETE", f"/v1/acl/token/{deleted['AccessorID']}")[0] == 200
    basic = base64.b64encode(f":{ROOT}".encode()).decode()
    return [
        Bearer("none"),
        Bearer("empty", ("X-Consul-Token:",)),
        Bearer("garbage", ("X-Consul-Token: \xff\xfe'\"",)),
        Bearer("unknown", ("X-Consul-Token: 11111111-2222-4333-8444-555555555555",)),
        Bearer("deleted", (f"X-Consul-Token: {deleted['SecretID']}",)),
        Bearer("weak", (f"X-Consul-Token: {weak}",)),
        Bearer("weak in the query", query=f"token={weak}"),
        Bearer("weak in the query before root", (f"X-Consul-Token: {ROOT}",), f"token={weak}"),
        Bearer("weak as bearer", (f"Authorization: Bearer {weak}",)),
        Bearer("root as basic", (f"Authorization: Basic {basic}",)),
        Bearer("root in another case", query=f"TOKEN={ROOT}"),
        Bearer("root with more", (f"X-Consul-Token: {ROOT}x",)),
        Bearer("accessor", (f"X-Consul-Token: {ids['accessor']}",)),
        Bearer("anonymous", ("X-Consul-Token: anonymous",)),
    ]


class Case(NamedTuple):
    """One request, in words for a failure, and the texts of its own that may come back."""

    words: str
    said: str
    asked: Asked


def _path(pattern: str, tail: str) -> str:
    return pattern.replace("*", tail) if "*" in pattern else pattern + tail


def cases(ids: dict[str, str], bearers: Sequence[Bearer]) -> Iterator[Case]:
    """Yield all requests of the sweep."""
    for route in ROUTES:
        if route.pattern in ENDLESS:
            continue
        tail = ""
        if route.pattern.endswith("/") or "*" in route.pattern:
            default = "hidden-local" if route.pattern.startswith(LOCAL) else "hidden-svc"
            tail = TAILS.get(route.pattern, default).format(**ids)
        for method in METHODS:
            handled = method in route.methods
            bodies = BODIES.get(route.pattern, [{}]) if method in ("PUT", "POST") else [None]
            for form in FORMS if handled else (*PLAIN, *FORMS[-2:]):
                for body in bodies if form is FORMS[0] else bodies[:1]:
                    data = b"" if body is None else json.dumps(body).encode()
                    for bearer in bearers:
                        extra = (QUERIES.get(route.pattern, ""), form.query, bearer.query)
                        query = "&".join(one for one in extra if one)
                        target = _path(route.pattern, form.tail.format(tail)) + (f"?{query}" if query else "")
                        said = f"{target} {data.decode()}".lower() + SHOWN.get(route.pattern, "")
                        words = f"{method} {target} {data.decode()} {form.headers} as {bearer.name}"
                        yield Case(words, said, request(method, target, (*form.headers, *bearer.headers), data))


def fault(case: Case, response: Response, secrets: Sequence[str]) -> str:
    """What is wrong with a response; empty when nothing is."""
    text = response.head.decode("latin-1").lower() + REFUSAL.sub("", response.body.decode("latin-1")).lower()
    if "internal error" in text:
        return "an internal error"
    if response.status >= 501:
        return f"status {response.status}"
    for secret in secrets:
        if secret.lower() in text:
            return f"shows {secret}"
    return next((f"shows {name}" for name in NAMES if name in text and name not in case.said), "")


def everything(manager: Manager) -> dict[str, Any]:
    """Return all that could be changed, as the manager sees it."""
    paths = ("kv/?recurse", "catalog/nodes", "catalog/services", "health/state/any", "session/list", "query", "event/list",
             "coordinate/node/hidden-node", "agent/services", "agent/checks", "acl/tokens", "acl/policies", "acl/roles",
             "acl/auth-methods", "acl/binding-rules", "operator/autopilot/configuration", "catalog/node/hidden-node",
             "pyconsul/kv-history/hidden-key/a")  # fmt: skip
    return {path: manager.read(f"/v1/{path}") for path in paths}


def test_nothing_is_shown_and_nothing_changes(manager: Manager, ids: dict[str, str], bearers: list[Bearer]) -> None:
    assert len(bearers) == 14
    before, began = everything(manager), time.monotonic()
    secrets = [*DATA, ids["secret"]]
    swept = list(cases(ids, bearers))
    assert len(swept) > 50_000
    answered = responses(manager.agent.http_port, [case.asked for case in swept])
    faults = [
        f"{case.words}: {found}: {response.status} {response.body[:200]!r}"
        for case, response in zip(swept, answered, strict=True)
        if (found := fault(case, response, secrets))
    ]
    assert not faults, f"{len(faults)} of {len(swept)} in {time.monotonic() - began:.0f} s:\n" + "\n".join(faults[:40])
    assert everything(manager) == before


#: Rights to one half of the catalog, and what they do not show.
HALVES = (
    ('node_prefix "" { policy = "read" }',
     ("hidden-svc", "hidden-local", "SECRET-SERVICE", "SECRET-TAG", "SECRET-META", "10.66.66.2", "10.66.66.3")),
    ('service_prefix "" { policy = "read" }', ("hidden-node", "10.66.66.1", "10.66.66.2", "SECRET-META")),
    ('session_prefix "" { policy = "read" }\nkey_prefix "other" { policy = "write" }', ("hidden-svc", "hidden-local", *DATA)),
    ('operator = "write"\nagent_prefix "" { policy = "read" }\nkeyring = "write"',
     ("hidden-query", "hidden-key", *DATA)),  # it may see the overview, with names
)  # fmt: skip


@pytest.mark.parametrize(("rules", "hidden"), HALVES, ids=range(len(HALVES)))
def test_rights_to_a_part_show_that_part(
    manager: Manager, ids: dict[str, str], rules: str, hidden: tuple[str, ...]
) -> None:
    bearer = Bearer("half", (f"X-Consul-Token: {manager.caller(rules).secret}",))
    streams = ("/v1/agent/monitor", "/v1/snapshot")
    swept = [
        case for case in cases(ids, [bearer]) if case.words.startswith("GET ") and not case.words.startswith(streams, 4)
    ]
    faults = []
    answered = responses(manager.agent.http_port, [case.asked for case in swept])
    for case, response in zip(swept, answered, strict=True):
        text = REFUSAL.sub("", response.body.decode("latin-1")).lower()
        shown = [one for one in hidden if one.lower() in text and one.lower() not in case.said]
        if shown or "internal error" in text:
            faults.append(f"{case.words}: shows {shown}: {response.status} {response.body[:300]!r}")
    assert not faults, "\n".join(faults[:20])


def test_the_manager_is_shown_all_of_it(manager: Manager, ids: dict[str, str]) -> None:
    """The texts that the sweep looks for do occur in responses to somebody with rights."""
    paths = ("kv/hidden-key/a", "catalog/node/hidden-node", "health/node/hidden-node", "agent/services", "agent/checks",
             "event/list", "session/list", "query", f"acl/token/{ids['accessor']}", "acl/roles", "acl/policies",
             "acl/auth-method/hidden-method", "kv/hidden-key/a?raw")  # fmt: skip
    shown = "".join(manager.ask("GET", f"/v1/{path}")[1] for path in paths)
    assert [
        text for text in (*NAMES, *DATA, ids["secret"]) if text not in shown and text not in (ROOT, "SECRET-PAYLOAD")
    ] == []

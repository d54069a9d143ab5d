"""Routes: paths, methods, scopes, and declarations of permissions."""

from __future__ import annotations

import pytest

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import TRUE, Response
from pyconsul.agent.httpapi.core.router import Local, Read, Route, Router, Write
from pyconsul.agent.httpapi.routes import ROUTES


def handler(context: Context, request: Request) -> Response:
    return TRUE


def route(pattern: str) -> Route:
    return Route(pattern, {"GET": Read(handler, "open")})


QUERY, EXECUTE, EXACT = route("/v1/query/"), route("/v1/query/*/execute"), route("/v1/query")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v1/query", (EXACT, "")),
        ("/v1/query/a", (QUERY, "a")),
        ("/v1/query/a%2Fb", (QUERY, "a/b")),
        ("/v1/query/a/execute", (EXECUTE, "a")),
        ("/v1/query/execute", (QUERY, "execute")),
        ("/v1/query/a/b/execute", (EXECUTE, "a/b")),
        ("/v1/quer", None),
    ],
)
def test_a_path_finds_its_route(path: str, found: tuple[Route, str] | None) -> None:
    assert Router([EXECUTE, QUERY, EXACT]).find(path) == found


def test_a_path_has_one_route() -> None:
    with pytest.raises(ValueError, match="two routes"):
        Router([route("/v1/query"), route("/v1/query")])


def test_the_order_of_methods_is_that_of_the_allow_header() -> None:
    one = Route("/v1/x", {"PUT": Write(handler, "open"), "GET": Read(handler, "open")})
    assert one.methods == ("PUT", "GET")


@pytest.mark.parametrize("permission", ["", "nothing", "operator:fly", "handler", "filter nothing", "handler open"])
def test_a_declaration_that_means_nothing_is_refused(permission: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Local(handler, permission)


def test_only_permissions_without_a_word_are_checked_before_the_handler() -> None:
    assert Read(handler, "operator:read").gate is not None
    assert Read(handler, "handler key:read").gate is None
    assert Read(handler, "open").gate is None


def test_routes_of_the_agent_are_local_and_a_get_never_writes() -> None:
    for one in ROUTES:
        for method, endpoint in one.endpoints.items():
            assert method != "GET" or endpoint.scope != "write", one.pattern
    scopes = {one.pattern: {method: end.scope for method, end in one.endpoints.items()} for one in ROUTES}
    assert scopes["/v1/kv/"] == {"GET": "read", "PUT": "write", "DELETE": "write"}
    assert scopes["/v1/agent/service/register"] == {"PUT": "local"}

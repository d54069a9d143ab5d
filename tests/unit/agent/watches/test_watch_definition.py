"""Watches of configuration files: what they ask, what runs, and what is refused in Consul's words."""

from __future__ import annotations

from typing import Any

import pytest

from pyconsul.agent.watches.definition import Request, Script, WatchError, definition


@pytest.mark.parametrize(
    ("params", "path", "query"),
    [
        ({"type": "key", "key": "/a b/c"}, "/v1/kv/a%20b/c", {}),
        ({"type": "keyprefix", "prefix": "a/"}, "/v1/kv/a/", {"recurse": ""}),
        ({"type": "services", "filter": "x"}, "/v1/catalog/services", {"filter": "x"}),
        ({"type": "nodes", "datacenter": "dc9"}, "/v1/catalog/nodes", {"dc": "dc9"}),
        (
            {"type": "service", "service": "w/b", "tag": ["v2"], "passingonly": True},
            "/v1/health/service/w%2Fb",
            {"tag": "v2", "passing": "1"},
        ),
        ({"type": "checks"}, "/v1/health/state/any", {}),
        ({"type": "checks", "state": "critical"}, "/v1/health/state/critical", {}),
        ({"type": "checks", "service": "web"}, "/v1/health/checks/web", {}),
        ({"type": "event", "name": "deploy"}, "/v1/event/list", {"name": "deploy"}),
    ],
)
def test_the_query_of_a_watch(params: dict[str, Any], path: str, query: dict[str, str]) -> None:
    made = definition({**params, "args": ["true"], "token": "t"})
    assert (made.path, dict(made.query), made.token) == (path, query, "t")
    assert "t" not in repr(made).split()


@pytest.mark.parametrize(
    ("params", "handler"),
    [
        ({"args": ["sh", "x"]}, Script(("sh", "x"))),
        ({"args": "cat"}, Script(("cat",))),
        ({"args": []}, Script(())),
        ({"handler": "cat >x"}, Script(("/bin/sh", "-c", "cat >x"))),
        (
            {
                "handler_type": "http",
                "http_handler_config": {"path": "http://h/", "method": "put", "header": {"X": ["1", "2"]}, "timeout": "2s"},
            },
            Request("http://h/", "PUT", (("X", "1"), ("X", "2")), 2.0),
        ),
        ({"handler_type": "http", "http_handler_config": {"path": "http://h/"}}, Request("http://h/", "POST", (), 10.0)),
    ],
)  # fmt: skip
def test_the_handler_of_a_watch(params: dict[str, Any], handler: Script | Request) -> None:
    assert definition({"type": "key", "key": "a", **params}).handler == handler


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"args": ["x"]}, "Watch type must be specified"),
        ({"type": "nonsense", "args": ["x"]}, "Unsupported watch type: nonsense"),
        ({"type": "key", "args": ["x"]}, "Must specify a single key to watch"),
        ({"type": "service", "args": ["x"]}, "Must specify a single service to watch"),
        ({"type": "checks", "service": "a", "state": "b", "args": ["x"]}, "Cannot specify service and state"),
        ({"type": "key", "key": "a", "args": ["x"], "extra": 1, "more": 2}, "Invalid parameters: [extra more]"),
        ({"type": "key", "key": "a"}, "Must define a watch handler"),
        ({"type": "key", "key": "a", "args": ["x"], "handler": "y"}, "Only one watch handler allowed"),
        ({"type": "key", "key": "a", "args": [1]}, "Watch args must be a list of strings"),
        ({"type": "key", "key": "a", "handler": 1}, "Watch handler must be a string"),
        ({"type": "key", "key": "a", "handler_type": "smoke"}, "Handler type 'smoke' not recognized"),
        ({"type": "key", "key": "a", "handler_type": "http"}, "requires 'http_handler_config' to be set"),
        ({"type": "key", "key": "a", "handler_type": "http", "http_handler_config": {"method": "GET"}}, "Requires 'path'"),
        (
            {"type": "key", "key": "a", "handler_type": "http", "http_handler_config": {"path": "http://h", "timeout": 5}},
            "'timeout' must be a duration",
        ),
        ({"type": "connect_leaf", "args": ["x"]}, "Watch type connect_leaf is not allowed in agent config"),
    ],
)  # fmt: skip
def test_what_is_refused(params: dict[str, Any], words: str) -> None:
    with pytest.raises(WatchError) as caught:
        definition({**params, "token": "a-secret-token"})
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)

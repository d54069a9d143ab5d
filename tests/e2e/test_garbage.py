"""A megabyte of garbage costs the agent no more than a small multiple of what msgspec needs to read as many bytes."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from support.agent_process import AgentProcess, running_agent

from pyconsul.agent.httpapi.core.router import Route
from pyconsul.agent.httpapi.routes import ROUTES

TOKEN = "8c5b1a3e-0000-4000-8000-000000000001"
MULTIPLE = 40  # the dearest one measured: 15
SIZE = (1 << 20) - 8  # bytes that every route takes, but for those with limits of their own
SMALL = (512 << 10) - 8
TARGET = 16_000
ENDS_THE_AGENT = ("/v1/agent/leave", "/v1/agent/force-leave", "/v1/snapshot", "/v1/agent/reload")
ENDLESS = ("/v1/agent/monitor", "/v1/pyconsul/watch")


def fill(size: int, unit: bytes, start: bytes = b"", end: bytes = b"") -> bytes:
    return start + unit * ((size - len(start) - len(end)) // len(unit)) + end


def _keys(size: int) -> bytes:
    return b"{" + b",".join(b'"%06d":1' % number for number in range(size // 11)) + b"}"


BODIES: dict[str, Callable[[int], bytes]] = {
    "truncated": lambda size: fill(size, b"1,", b"["),
    "deep nesting": lambda size: fill(size, b'{"a":'),
    "blanks": lambda size: fill(size, b" "),
    "object keys": lambda size: _keys(size - 10),
    "numbers": lambda size: fill(size, b"1e5,", b"[", b"1]"),
    "digits": lambda size: fill(size, b"1"),
    "surrogates": lambda size: fill(size, b'"\\ud800",', b"[", b"1]"),
    "bytes that are no UTF-8": lambda size: fill(size, b"\xff", b'{"Name":"', b'"}'),
    "objects": lambda size: fill(size, b"{},", b"[", b"{}]"),
    "checks": lambda size: fill(size, b"{},", b'{"Checks":[', b"{}]}"),
    "tags": lambda size: fill(size, b'"a",', b'{"Name":"x","Tags":[', b'"b"]}'),
    "rules": lambda size: fill(size, b"key ", b'{"Name":"x","Rules":"', b'"}'),
}
IN_SHORT = {"truncated": 1, "checks": 1, "rules": 1, "surrogates": 6}  # and of how many routes one is asked

QUERIES = {
    "parameters": "a&" * 8000,
    "escapes": "a=" + "%41" * 5000,
    "one name": "token=&" * 2000,
    "parentheses": "filter=" + "%28" * 5000,
    "filter": "filter=" + "Node==a+or+" * 1400 + "Node==a",
    "digits": "index=" + "9" * TARGET,
    "a long target": "a" * (1 << 20),
}
PATHS = (
    "/" * TARGET,
    "/v1/kv" + "/" * TARGET,
    "/v1/kv/" + "a/" * (TARGET // 2),
    "/v1/" + "../" * 5000,
    "/v1/kv/" + "%2f" * 5000,
)


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    acl = {"enabled": True, "default_policy": "allow", "tokens": {"initial_management": TOKEN}}
    with running_agent(limits={"http_max_conns_per_client": 0}, acl=acl) as agent:
        yield agent


def cpu_seconds(agent: AgentProcess) -> float:
    """What all threads of the agent have used."""
    assert agent.process is not None
    tasks = Path(f"/proc/{agent.process.pid}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in tasks) / 1e9


def msgspec_seconds(body: bytes) -> float:
    started = time.process_time()
    msgspec.json.decode(body)
    return time.process_time() - started


@pytest.fixture(scope="module")
def allowed() -> float:
    """CPU seconds that one request may cost."""
    return MULTIPLE * min(msgspec_seconds(fill(SIZE, b"1,", b"[", b"1]")) for _ in range(5))


def cost(agent: AgentProcess, method: str, target: str, body: bytes | None = None, **headers: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", agent.http_port, timeout=60)
    before = cpu_seconds(agent)
    try:
        connection.request(method, target, body, {"X-Consul-Token": TOKEN, **headers})
        response = connection.getresponse()
        assert b"internal error" not in response.read()
    finally:
        connection.close()
    return cpu_seconds(agent) - before


def path_of(route: Route) -> str:
    return route.pattern.replace("*", "x") + "x" * route.pattern.endswith("/")


def _is_asked(route: Route) -> bool:
    return not route.pattern.startswith((*ENDS_THE_AGENT, *ENDLESS))


def write_all(agent: AgentProcess, allowed: float, kind: str, every: int = 1) -> None:
    large, small = BODIES[kind](SIZE), BODIES[kind](SMALL)
    for route in list(filter(_is_asked, ROUTES))[::every]:
        for method in set(route.methods) & {"PUT", "POST"}:
            path = path_of(route)
            body = small if path.startswith(("/v1/kv/", "/v1/txn")) else large
            # A second try tells a cost from a disturbance: a first use that imports, a collection of garbage.
            used = cost(agent, method, path, body)
            assert used < allowed or cost(agent, method, path, body) < allowed, (
                f"{method} {path} with {kind}: {used:.3f} s"
            )


@pytest.mark.parametrize("kind", IN_SHORT)
def test_bodies(agent: AgentProcess, allowed: float, kind: str) -> None:
    write_all(agent, allowed, kind, IN_SHORT[kind])


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in BODIES if IN_SHORT.get(kind) != 1])
def test_more_bodies(agent: AgentProcess, allowed: float, kind: str) -> None:
    write_all(agent, allowed, kind)


@pytest.mark.parametrize("kind", QUERIES)
def test_queries(agent: AgentProcess, allowed: float, kind: str) -> None:
    routes = list(filter(_is_asked, ROUTES))
    for route in routes if kind == "filter" else routes[::3]:
        if "GET" in route.methods:
            target = f"{path_of(route)}?{QUERIES[kind]}"
            target = target if len(target) > 2 * TARGET else target[:TARGET]
            used = cost(agent, "GET", target)
            assert used < allowed or cost(agent, "GET", target) < allowed, f"{target[:60]}: {used:.3f} s"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:12])
def test_paths(agent: AgentProcess, allowed: float, path: str) -> None:
    assert cost(agent, "GET", path[:TARGET]) < allowed
    assert cost(agent, "PUT", path[:TARGET], b"x") < allowed
    assert cost(agent, "GET", path * (SIZE // len(path))) < allowed


def test_headers(agent: AgentProcess, allowed: float) -> None:
    assert cost(agent, "GET", "/v1/kv/a", **{f"X-{number}": "y" * 2000 for number in range(100)}) < allowed
    assert cost(agent, "GET", "/v1/kv/a", **{f"X-{number}": "y" for number in range(5000)}) < allowed


def test_no_request_waited_long(agent: AgentProcess) -> None:
    """The agent is as quick as before, and nothing was logged as a fault of its own."""
    assert agent.request("GET", "/v1/status/leader", headers={"X-Consul-Token": TOKEN})[0] == 200
    assert "Traceback" not in agent.log()

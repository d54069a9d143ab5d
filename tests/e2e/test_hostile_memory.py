"""Whoever has no token cannot make the agent's memory grow: not with questions, names, filters, bodies or connections."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from support.agent_process import AgentProcess, running_agent
from support.raw_http import Raw

TOKEN = "8c5b1a3e-0000-4000-8000-000000000001"
CACHES = 64 << 20  # bytes that may be kept of what strangers ask
CONNECTION = 256 << 10  # bytes that a connection may take
SHORT, FULL = 10_000, 1_000_000
BATCH = 50  # requests that are sent before their answers are read


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    acl = {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": TOKEN}}
    with running_agent(limits={"http_max_conns_per_client": 0}, acl=acl) as agent:
        body = b'{"Node": "n2", "Address": "10.0.0.2", "Service": {"Service": "web"}}'
        for _ in range(50):  # what is loaded and allocated once
            agent.request("PUT", "/v1/catalog/register", body, {"X-Consul-Token": TOKEN})
            for path in ("/v1/catalog/nodes", "/v1/kv/a", "/v1/health/service/web?filter=Node.Node==a"):
                agent.request("GET", path)
        yield agent
        assert "Traceback" not in agent.log()


def resident(agent: AgentProcess) -> int:
    assert agent.process is not None
    pages = int(Path(f"/proc/{agent.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def targets(number: int) -> Iterator[str]:
    """Questions that nobody asked before: short, and of many bytes."""
    yield f"/v1/catalog/nodes?x={number}"
    yield f"/v1/catalog/nodes?x={number:01900d}"
    yield f"/v1/health/service/s{number}?filter=Service.ID=={number}"
    yield "/v1/catalog/service/web?filter=" + "+or+".join(["ServiceID==a"] * 50) + f"+or+ServiceID==b{number}"
    yield f"/v1/kv/{number:0250d}"
    yield f"/v1/kv/{number:08000d}"
    yield f"/v1/catalog/service/{number}?filter=ServiceName+matches+%22(a*)*{number}%22"
    yield f"/v1/nothing/{number}"


def ask(agent: AgentProcess, count: int) -> None:
    """Send requests without a token over one connection, some at a time."""
    asked = (target for number in range(count) for target in targets(number))
    with Raw(agent.http_port) as connection:
        for _ in range(count // BATCH):
            batch = [next(asked) for _ in range(BATCH)]
            connection.send(*(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for target in batch))
            for _ in batch:
                connection.answer()


def test_questions(agent: AgentProcess) -> None:
    before = resident(agent)
    ask(agent, SHORT)
    assert resident(agent) - before < CACHES


@pytest.mark.slow
def test_a_million_questions(agent: AgentProcess) -> None:
    before = resident(agent)
    ask(agent, FULL)
    assert resident(agent) - before < CACHES


def half_a_body(raw: Raw, agent: AgentProcess) -> None:
    raw.send(b"PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n", bytes(200_000))


def a_chunked_body(raw: Raw, agent: AgentProcess) -> None:
    raw.send(b"PUT /v1/session/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    raw.send(b"30000\r\n", bytes(0x30000), b"\r\n")


def half_a_head(raw: Raw, agent: AgentProcess) -> None:
    raw.send(b"GET /v1/kv/a HTTP/1.1\r\nHost: x\r\n", b"a: b\r\n" * 900, b"X: " + b"y" * 200_000)


def requests_behind_a_sleeper(raw: Raw, agent: AgentProcess) -> None:
    raw.send(b"GET /v1/catalog/nodes?index=999999&wait=60s HTTP/1.1\r\nHost: x\r\n\r\n")
    raw.socket.settimeout(0.05)
    with suppress(TimeoutError):
        for _ in range(20):
            raw.send(b"GET /v1/kv/a HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)


def bodies_behind_a_sleeper(raw: Raw, agent: AgentProcess) -> None:
    raw.send(b"GET /v1/catalog/nodes?index=999999&wait=60s HTTP/1.1\r\nHost: x\r\n\r\n")
    raw.socket.settimeout(0.05)
    with suppress(TimeoutError):
        for _ in range(20):
            raw.send(b"PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n", bytes(400_000))


@pytest.mark.parametrize(
    "start", [half_a_body, a_chunked_body, half_a_head, requests_behind_a_sleeper, bodies_behind_a_sleeper]
)
def test_connections(agent: AgentProcess, start: Callable[[Raw, AgentProcess], None]) -> None:
    count = 40
    before = resident(agent)
    with ExitStack() as stack:
        for _ in range(count):
            raw = stack.enter_context(Raw(agent.http_port))
            with suppress(ConnectionError):
                start(raw, agent)
        assert agent.request("GET", "/v1/status/leader")[0] == 200
        grown = resident(agent) - before
    assert grown < count * CONNECTION, f"{grown / count / 1024:.0f} KB a connection"

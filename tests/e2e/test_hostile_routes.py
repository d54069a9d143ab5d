"""Every endpoint with methods, parameters and bodies that make no sense: an answer each time, and never an unhandled error."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from support.agent_process import AgentProcess, running_agent
from support.raw_http import Raw

from pyconsul.agent.httpapi.routes import ROUTES

METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH")
ENDS_OR_STREAMS = ("/v1/agent/leave", "/v1/agent/monitor", "/v1/agent/metrics/stream")
NAMES = tuple(
    word
    for line in (
        "index wait dc stale consistent cached pretty filter near node-meta tag passing recurse keys separator raw cas flags ",
        "acquire release token ns partition peer format service node name type limit id reason enable note max_stale hash ",
        "local wan segment connect merge-central-config replace-existing-checks ui explain secret prune force status",
    )
    for word in line.split()
)
STRINGS = (
    "",
    "0",
    "-1",
    "1",
    "k",
    "web",
    "n1",
    "é",
    "\0",
    "../..",
    "%",
    "a b",
    "1ms",
    "10x",
    "9" * 30,
    "9" * 5000,
    "()",
    "x" * 3000,
)
FILTERS = (
    'Service == "web"',
    "(" * 300,
    "not " * 2000 + "A == 1",
    'Meta["',
    "x in",
    'Node matches "(((("',
    'Node matches "(a+)+$"',
)
KEYS = tuple(
    word
    for line in (
        "ID Name Node Address Service Services Check Checks Port Tags Meta TTL Interval HTTP Status CheckID Key Value KV Verb Op ",
        "Definition Rules Policies Roles Template Datacenter Behavior LockDelay NodeMeta Weights TaggedAddresses Token Type ",
        "Config Failover OnlyPassing RegExp Coord Vec DeregisterCriticalServiceAfter Args TCP GRPC SecretID",
        "AccessorID ExpirationTTL",
    )
    for word in line.split()
)


def value(rng: random.Random, depth: int = 3) -> object:
    """Some JSON."""
    kind = rng.randrange(10 if depth else 6)
    if kind < 6:
        return (None, rng.random() < 0.5, rng.choice((0, -1, 1 << 70, 8080)), 1.5e300, rng.choice(STRINGS), "10s")[kind]
    if kind < 8:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {rng.choice(KEYS): value(rng, depth - 1) for _ in range(rng.randrange(6))}


def body(rng: random.Random) -> bytes:
    kind = rng.randrange(6)
    if kind == 0:
        return b""
    if kind == 1:
        return rng.randbytes(rng.randrange(200))
    if kind == 2:
        return rng.choice(
            (b"[" * 20_000, b'{"a":' * 5000, b"\xff\xfe{}", b'{"Name": "x"', b"null", b"[null]", b'"x"', b"1e999")
        )
    return json.dumps(value(rng)).encode()


def target(rng: random.Random, pattern: str) -> str:
    path = pattern
    if pattern.endswith("/"):
        path += "/".join(quote(rng.choice(STRINGS), safe="") for _ in range(rng.randrange(3)))
    query = ["wait=1ms"]
    for name in rng.sample(NAMES, rng.randrange(5)):
        text = rng.choice(FILTERS) if name == "filter" else rng.choice(STRINGS)
        query.append(f"{name}={quote(text)}" if rng.random() < 0.8 else name)
    return f"{path}?{'&'.join(query)}"


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent() as agent:
        agent.put("/v1/kv/k", b"v")
        agent.put("/v1/agent/service/register", {"Name": "web", "Port": 80})
        yield agent


@pytest.mark.parametrize("seed", range(4))
def test_every_route_answers_whatever_it_is_asked(agent: AgentProcess, seed: int) -> None:
    rng = random.Random(seed)
    problems: list[object] = []
    for route in ROUTES:
        if route.pattern in ENDS_OR_STREAMS:
            continue
        for method in METHODS:
            line = f"{method} {target(rng, route.pattern)}"
            sent = body(rng)
            try:
                with Raw(agent.http_port) as connection:
                    answer = connection.ask(line, f"Content-Length: {len(sent)}", body=sent)
            except (AssertionError, EOFError, OSError) as error:
                problems.append((line[:300], sent[:300], repr(error)))
                continue
            if b"internal error" in answer.body or b"Traceback" in answer.body:
                problems.append((line[:300], sent[:300], unhandled(agent)))
    assert not problems, problems
    assert agent.get("/v1/status/leader")
    assert "Traceback" not in agent.log(), unhandled(agent)


def unhandled(agent: AgentProcess) -> str:
    """Return the last unhandled error in the log."""
    log = agent.log()
    return log[log.rfind("Traceback") :][-1500:]

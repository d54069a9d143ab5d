"""Streams of answers with real agents: rights, restarts, slow readers, and a Consul that has none."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from support.agent_process import STOPPED, AgentProcess, running_agent
from support.eventually import PATIENCE, eventually_async
from werkzeug.wrappers import Request, Response

from pyconsul.tools.consul.client import Connection, ConsulClient, RetryPolicy
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.feed.watcher import Watcher

ROOT = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
AGAIN = RetryPolicy(attempts=0, backoff=0.05, max_backoff=0.2)


class Reader:
    """The lines of one stream."""

    def __init__(self, agent: AgentProcess, *paths: str, token: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", agent.http_port, timeout=PATIENCE)
        queries = [{"ID": number, "Path": path} for number, path in enumerate(paths, 1)]
        headers = {"X-Consul-Token": token} if token else {}
        self._connection.request("POST", "/v1/pyconsul/watch", json.dumps({"Queries": queries}), headers)
        self._response = self._connection.getresponse()
        assert self._response.status == 200

    def line(self) -> dict[str, Any]:
        text = self._response.readline()
        assert text, "the stream has ended"
        return dict(json.loads(text))

    def rest(self) -> bytes:
        return self._response.read()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent() as running:
        yield running


def test_a_stream_sends_the_responses_of_the_requests(agent: AgentProcess) -> None:
    agent.put("/v1/agent/service/register", {"Name": "web", "Port": 80})
    paths = ("/v1/health/service/web", "/v1/catalog/services", "/v1/kv/none", "/v1/agent/self")
    with closing(Reader(agent, *paths)) as reader:
        first, second, third, fourth, all_told = (reader.line() for _ in range(5))
        assert first["Body"] == agent.get(paths[0])
        assert second["Body"] == agent.get(paths[1])
        assert third == {"ID": 3, "Index": third["Index"], "Status": 404}
        assert (fourth["ID"], fourth["Status"]) == (4, 400)
        assert all_told == {}
        agent.put("/v1/kv/none", b"now")
        assert reader.line()["Body"] == agent.get(paths[2])
        agent.put("/v1/agent/service/register", {"Name": "web", "Port": 81})
        assert reader.line()["Body"][0]["Service"]["Port"] == 81


def test_rights_are_those_of_each_moment() -> None:
    acl = {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": ROOT}}
    root = {"X-Consul-Token": ROOT}
    with running_agent(acl=acl) as agent:

        def manage(method: str, path: str, body: Any = None) -> Any:
            status, _, text = agent.request(method, path, body, root)
            assert status == 200, text
            return json.loads(text)

        manage("PUT", "/v1/acl/policy", {"Name": "app", "Rules": 'key_prefix "app/" { policy = "read" }'})
        token = manage("PUT", "/v1/acl/token", {"Policies": [{"Name": "app"}]})
        manage("PUT", "/v1/kv/app/a", b"1")
        manage("PUT", "/v1/kv/other", b"1")
        with closing(Reader(agent, "/v1/kv/app/a", "/v1/kv/other", token=token["SecretID"])) as reader:
            allowed, denied, all_told = (reader.line() for _ in range(3))
            assert allowed["Status"] == 200
            assert denied["Status"] == 403
            assert "lacks permission" in denied["Text"]
            assert all_told == {}
            manage("DELETE", f"/v1/acl/token/{token['AccessorID']}")
            assert reader.line()["Status"] == 403
            reader.rest()  # It ends: there is nothing left to tell.
        with closing(Reader(agent, "/v1/kv/app/a")) as reader:
            assert reader.line()["Status"] == 403


def test_a_slow_reader_costs_no_memory_and_gets_the_latest(agent: AgentProcess) -> None:
    size, count = 256 << 10, 200
    agent.put("/v1/kv/big", b"0" * size)
    body = json.dumps({"Queries": [{"ID": 1, "Path": "/v1/kv/big"}]}).encode()
    head = b"POST /v1/pyconsul/watch HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection(("127.0.0.1", agent.http_port), timeout=PATIENCE) as slow:
        slow.sendall(head + body)
        before = _megabytes(agent)
        for number in range(count):
            agent.put("/v1/kv/big", b"%d" % (number % 10) * size)
        agent.put("/v1/kv/big", b"the last one")
        assert _megabytes(agent) - before < count * size / (1 << 20) / 2
        received = b""
        while b"dGhlIGxhc3Qgb25l" not in received[-4096:]:
            part = slow.recv(1 << 20)
            assert part
            received += part
    assert received.count(b'"Status":200') < count
    assert agent.get("/v1/status/leader")


def test_a_stream_ends_with_its_agent() -> None:
    with running_agent() as agent:
        agent.put("/v1/kv/a", b"1")
        with closing(Reader(agent, "/v1/kv/a")) as reader:
            reader.line()
            assert reader.line() == {}
            assert agent.stop() == STOPPED
            assert reader.rest() == b""


@contextlib.asynccontextmanager
async def watching(address: str, *keys: str) -> AsyncIterator[tuple[Watcher, Callable[[str], Any]]]:
    client = ConsulClient(Connection(address=address), rng=random.Random(1), retry=RetryPolicy(enabled=False))
    answers, news = Answers(), asyncio.Event()
    watcher = Watcher(client, AGAIN, answers, news, rng=random.Random(1))
    watcher.watch([lookups.key(key) for key in keys])

    def value(key: str) -> Any:
        lookup = lookups.key(key)
        return answers.found(lookup) and answers.found(lookup).Value

    try:
        yield watcher, value
    finally:
        await watcher.close()
        await client.close()


async def test_a_restart_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path, tmp_path / "data")
    await asyncio.to_thread(agent.start)
    try:
        agent.put("/v1/kv/a", b"1")
        agent.put("/v1/kv/b", b"1")
        async with watching(agent.address, "a", "b") as (watcher, value):
            await eventually_async(lambda: (value("a"), value("b")) == ("1", "1"))
            agent.kill()
            await eventually_async(lambda: not watcher.reachable)
            age = watcher.data_age(asyncio.get_running_loop().time())
            assert age is not None
            assert age >= 0.0
            assert (value("a"), value("b")) == ("1", "1")
            await asyncio.to_thread(agent.start)
            agent.put("/v1/kv/b", b"2")
            await eventually_async(lambda: watcher.reachable and value("b") == "2")
            agent.put("/v1/kv/a", b"3")
            await eventually_async(lambda: value("a") == "3")
    finally:
        agent.stop()


async def test_a_consul_without_streams(httpserver: HTTPServer) -> None:
    def answer(request: Request) -> Response:
        index = int(request.args.get("index", 0))
        body = [{"Key": "a", "Value": "Mg==" if index else "MQ=="}]
        return Response(json.dumps(body), headers={"X-Consul-Index": str(index + 7)})

    httpserver.expect_request("/v1/pyconsul/watch").respond_with_data("Invalid URL path", 404)
    httpserver.expect_request("/v1/kv/a", method="GET").respond_with_handler(answer)
    async with watching(f"127.0.0.1:{httpserver.port}", "a") as (_, value):
        await eventually_async(lambda: value("a") == "2")


def _megabytes(agent: AgentProcess) -> float:
    assert agent.process is not None
    for line in Path(f"/proc/{agent.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no memory")

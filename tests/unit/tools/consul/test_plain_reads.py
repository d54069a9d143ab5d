"""Reads without httpx: they ask and fail as those with it, and only what waits for changes loads it."""

from __future__ import annotations

import asyncio
import re

import pytest
from support.scripted import Script, asking, json_answer, read_request

from pyconsul.tools.consul import client as consul_client
from pyconsul.tools.consul.client import Connection, ConsulError

SECRETS = Connection(token="a-token", auth="user:word")


async def asked(connection: Connection, *, plain_reads: bool) -> list[bytes]:
    """The lines of one request."""
    script = Script(json_answer())
    async with asking(script, connection, plain_reads=plain_reads) as client:
        await client.request("/v1/kv/a b//c", {"recurse": "", "dc": "two"})
    return re.sub(rb"127.0.0.1:\d+", b"HOST", script.requests[0]).split(b"\r\n")


@pytest.mark.parametrize("connection", [Connection(), SECRETS], ids=["bare", "with secrets"])
async def test_a_request_is_the_same_as_with_httpx(connection: Connection) -> None:
    plain = await asked(connection, plain_reads=True)
    assert plain[0] == b"GET /v1/kv/a%20b//c?recurse=&dc=two HTTP/1.1"
    assert sorted(plain) == sorted(await asked(connection, plain_reads=False))


async def test_requests_share_a_connection() -> None:
    script = Script(json_answer(b'{"a": 1}'))
    async with asking(script, plain_reads=True) as client:
        for _ in range(3):
            assert (await client.request("/v1/x", {}))[0] == {"a": 1}
    assert (script.connections, len(script.requests)) == (1, 3)


@pytest.mark.parametrize(
    "connection", [Connection(keep_alives=False), Connection(max_idle_connections=0)], ids=["not kept", "none idle"]
)
async def test_settings_forbid_kept_connections(connection: Connection) -> None:
    script = Script(json_answer())
    async with asking(script, connection, plain_reads=True) as client:
        for _ in range(2):
            await client.request("/v1/x", {})
    assert script.connections == 2


async def test_a_kept_connection_that_the_server_has_closed_is_replaced() -> None:
    script = Script(json_answer(), ends=True)
    async with asking(script, plain_reads=True) as client:
        for _ in range(3):
            assert (await client.request("/v1/x", {}))[0] == 1
    assert script.connections == 3


async def test_not_found_is_none() -> None:
    async with asking(Script(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"), plain_reads=True) as client:
        assert (await client.request("/v1/x", {}))[0] is None


async def test_the_index_comes_with_the_data() -> None:
    async with asking(Script(json_answer(b"[]", b"X-Consul-Index: 17")), plain_reads=True) as client:
        assert await client.blocking("/v1/x", {}, 0) == ([], 17)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 403 X\r\nContent-Length: 17\r\n\r\nPermission denied", "GET /v1/x: 403: Permission denied"),
        (b"HTTP/1.1 301 X\r\nLocation: http://other/\r\nContent-Length: 0\r\n\r\n", "redirects to another host"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n1", "closed the connection"),
        (b"nonsense\r\n\r\n", "does not speak HTTP"),
        (json_answer(b"{"), "the answer is no JSON"),
    ],
)
async def test_errors(answer: bytes, message: str) -> None:
    script = Script(answer, ends=True)
    async with asking(script, SECRETS, plain_reads=True) as client:
        with pytest.raises(ConsulError, match=message) as caught:
            await client.request("/v1/x", {})
    assert "a-token" not in str(caught.value)


async def test_silence_is_an_error_and_the_end_of_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consul_client, "PATIENCE", 0.05)
    script = Script(b"")
    async with asking(script, plain_reads=True) as client:
        for _ in range(2):
            with pytest.raises(ConsulError, match=r"no answer within 0\.05s") as caught:
                await client.request("/v1/x", {})
            assert (caught.value.status, caught.value.silent) == (0, 0.05)
    assert script.connections == 2


async def test_a_cancelled_request_leaves_no_connection_behind() -> None:
    ended = asyncio.Event()
    came = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        came.set()
        assert await reader.read() == b""
        ended.set()

    async with asking(serve, plain_reads=True) as client:
        task = asyncio.create_task(client.request("/v1/x", {}))
        await came.wait()
        task.cancel()
        async with asyncio.timeout(10):
            await ended.wait()


@pytest.mark.parametrize(
    ("status", "lacks"), [(404, True), (403, True), (405, False), (200, False), (429, False), (500, False)]
)
async def test_which_endpoints_an_agent_lacks(status: int, lacks: bool) -> None:
    script = Script(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
    async with asking(script, plain_reads=True) as client:
        assert await client.lacks("/v1/pyconsul/watch") is lacks


async def test_an_agent_that_cannot_be_reached_may_have_each_endpoint() -> None:
    async with asking(Script(b""), plain_reads=True) as client:
        pass
    assert await client.lacks("/v1/pyconsul/watch") is False

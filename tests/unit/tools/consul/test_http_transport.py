"""Questions over HTTP, against servers that do what servers do."""

from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path

import pytest
from support.eventually import one_turn
from support.scripted import Script, asking, client_of, json_answer, read_request

from pyconsul.tools.consul import client as consul_client
from pyconsul.tools.consul.client import Connection, ConsulError

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_connection_is_reused_and_requests_have_few_headers() -> None:
    script = Script(json_answer(b"true", b"X-Consul-Index: 7"))
    async with asking(script, Connection(token="t")) as client:
        for _ in range(3):
            data, headers = await client.request("/v1/x", {"a": "b"})
            assert (data, headers["x-consul-index"]) == (True, "7")
        await client.send("PUT", "/v1/kv/a", {}, b"value")
        await client.send("DELETE", "/v1/kv/a", {})
        host = client.connection.address.removeprefix("http://").encode()
    assert script.connections == 1
    ours = b"Host: %b\r\nUser-Agent: pyconsul\r\nAccept: application/json\r\nX-Consul-Token: t\r\n" % host
    assert script.requests == [
        *[b"GET /v1/x?a=b HTTP/1.1\r\n" + ours + b"\r\n"] * 3,
        b"PUT /v1/kv/a HTTP/1.1\r\n" + ours + b"Content-Length: 5\r\n\r\nvalue",
        b"DELETE /v1/kv/a HTTP/1.1\r\n" + ours + b"Content-Length: 0\r\n\r\n",
    ]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v1/kv/a b", b"/v1/kv/a%20b"),
        ("/v1/kv/100%", b"/v1/kv/100%25"),
        ("/v1/kv/%2e%2F%41", b"/v1/kv/%252e%252F%2541"),
        ("/v1/kv/a?b#c", b"/v1/kv/a%3Fb%23c"),
        ("/v1/kv//a///b/", b"/v1/kv//a///b/"),
        ("/v1/kv/../a/./..", b"/v1/kv/../a/./.."),
        ("/v1/kv/ä\u20ac", b"/v1/kv/%C3%A4%E2%82%AC"),
        ("/v1/kv/a\r\nb\\{}", b"/v1/kv/a%0D%0Ab%5C%7B%7D"),
    ],
)
async def test_paths_arrive_as_they_are(path: str, target: bytes) -> None:
    script = Script(json_answer())
    async with asking(script) as client:
        await client.request(path, {"filter": 'a == "b/c" and ü', "stale": ""})
    assert script.requests[0].split(b" ")[1] == target + b"?filter=a+%3D%3D+%22b%2Fc%22+and+%C3%BC&stale="


async def test_an_address_with_a_path() -> None:
    script = Script(json_answer())
    async with asking(script) as plain:
        client = client_of(Connection(address=plain.connection.address + "/consul/"))
        await client.request("/v1/x", {})
        await client.close()
    assert script.requests[0].startswith(b"GET /consul/v1/x HTTP/1.1\r\n")


async def test_requests_at_the_same_time_have_connections_of_their_own() -> None:
    script = Script(json_answer())
    async with asking(script) as client:
        answers = await asyncio.gather(*(client.request("/v1/x", {}) for _ in range(5)))
    assert [data for data, _ in answers] == [1] * 5
    assert script.connections == 5


async def test_without_keep_alives_each_request_connects() -> None:
    script = Script(json_answer())
    async with asking(script, Connection(keep_alives=False)) as client:
        for _ in range(3):
            await client.request("/v1/x", {})
    assert script.connections == 3


async def test_a_client_that_was_closed_connects_anew() -> None:
    script = Script(json_answer())
    async with asking(script) as client:
        for _ in range(2):
            await client.request("/v1/x", {})
            await client.close()
    assert script.connections == 2


@pytest.mark.parametrize(
    ("answer", "ends", "data"),
    [
        (CHUNKED + b'3\r\n"ab\r\n2\r\ncd\r\n1\r\n"\r\n0\r\n\r\n', False, "abcd"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", False, None),
        (b'HTTP/1.0 200 OK\r\n\r\n"to the end"', True, "to the end"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1", True, 1),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + json_answer(), False, 1),
    ],
)
async def test_bodies_of_all_kinds(answer: bytes, ends: bool, data: object) -> None:
    async with asking(Script(answer, ends=ends)) as client:
        for _ in range(2):
            assert (await client.request("/v1/x", {}))[0] == data


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "no whole answer"),
        (b"HTTP/1.1 200 O", "no whole answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345", "no whole answer"),
        (CHUNKED + b"3\r\nabc\r\n", "no whole answer"),
        (b"password=hunter2\r\n\r\n", "no whole answer: illegal status line"),
        (CHUNKED + b"hunter2\r\n", "no whole answer: illegal chunk header"),
    ],
)
async def test_no_answer(answer: bytes, error: str) -> None:
    async with asking(Script(answer, ends=True)) as client:
        with pytest.raises(ConsulError, match=f"GET /v1/x from {client.connection.address}: {error}") as caught:
            await client.request("/v1/x", {})
    assert (caught.value.status, caught.value.silent) == (0, 0.0)
    assert "hunter2" not in str(caught.value)


async def test_a_connection_that_is_reset() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with asking(serve) as client:
        with pytest.raises(ConsulError, match="connection reset by peer"):
            await client.request("/v1/x", {"index": "7"})


async def test_an_answer_without_content_is_an_error() -> None:
    async with asking(Script(b"HTTP/1.1 204 No Content\r\n\r\n")) as client:
        with pytest.raises(ConsulError, match="204") as caught:
            await client.request("/v1/x", {})
    assert caught.value.status == 204


async def test_a_kept_connection_that_the_server_has_closed_is_replaced() -> None:
    script = Script(json_answer(), ends=True)
    async with asking(script) as client:
        for _ in range(4):
            assert (await client.request("/v1/x", {}))[0] == 1
    assert script.connections >= 4


class Stale:
    """Answers one request of each connection, and closes when there is another."""

    def __init__(self) -> None:
        self.requests = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        self.requests += 1
        writer.write(json_answer())
        await reader.readexactly(1)
        self.requests += 1


async def test_a_request_on_a_connection_that_the_server_closes_is_repeated() -> None:
    stale = Stale()
    async with asking(stale) as client:
        await client.request("/v1/x", {})
        assert (await client.request("/v1/x", {}))[0] == 1
    assert stale.requests == 3


async def test_a_write_and_a_query_that_waits_are_not_sent_again() -> None:
    stale = Stale()
    async with asking(stale) as client:
        await client.request("/v1/x", {})
        with pytest.raises(ConsulError, match="no whole answer"):
            await client.send("PUT", "/v1/x", {}, b"1")
        await client.request("/v1/x", {})
        with pytest.raises(ConsulError, match="no whole answer"):
            await client.request("/v1/x", {"index": "7"})
    assert stale.requests == 4


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"])
async def test_silence_is_an_error_and_the_end_of_the_connection(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consul_client, "PATIENCE", 0.05)
    script = Script(answer)
    async with asking(script) as client:
        for _ in range(2):
            with pytest.raises(ConsulError, match=r"no answer within 0\.05s") as caught:
                await client.request("/v1/x", {})
            assert (caught.value.status, caught.value.silent) == (0, 0.05)
    assert script.connections == 2


async def test_an_answer_that_never_comes_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED)
        while not writer.is_closing():
            writer.write(b"1\r\n \r\n")
            await one_turn()

    monkeypatch.setattr(consul_client, "PATIENCE", 0.2)
    async with asking(serve, Connection(dial_timeout=0.2)) as client:
        with pytest.raises(ConsulError, match=r"no answer within 0\.2s"):
            await client.request("/v1/x", {})


async def test_no_connection_in_time() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # and says nothing about TLS

    async with asking(serve) as plain:
        address = plain.connection.address.replace("http:", "https:")
        client = client_of(Connection(address=address, dial_timeout=0.05))
        with pytest.raises(ConsulError, match=r"no connection within 0\.05s") as caught:
            await client.request("/v1/x", {})
        assert caught.value.silent == 0.05
        await client.close()


async def test_a_request_that_is_given_up_leaves_no_connection_behind() -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        asked.set()
        assert await reader.read() == b""
        gone.set()

    async with asking(serve) as client:
        task = asyncio.create_task(client.request("/v1/x", {}))
        await asked.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.wait_for(gone.wait(), 30)


async def test_a_request_may_be_given_up_at_any_moment() -> None:
    """Whatever it leaves behind, the next one must not wait for it."""
    async with asking(Script(json_answer(), piece=1000)) as client:
        for turns in range(60):
            request = asyncio.create_task(client.send("PUT", "/v1/kv/a", {}, b"x"))
            for _ in range(turns):
                await one_turn()
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)
            async with asyncio.timeout(20):
                assert (await client.request("/v1/kv/a", {}))[0] == 1


async def test_a_unix_socket(tmp_path: Path) -> None:
    script = Script(json_answer())
    async with asking(script, socket=tmp_path / "s") as client:
        assert (await client.request("/v1/x", {}))[0] == 1
    assert b"\r\nHost: localhost\r\n" in script.requests[0]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "localhost:1", "unix:///none/s"])
async def test_no_server(address: str) -> None:
    client = client_of(Connection(address=address))
    with pytest.raises(ConsulError, match=r"(connection refused|no such file or directory)$"):
        await client.request("/v1/x", {})
    await client.close()


@pytest.mark.parametrize("token", ["hunter2\r\nX-Other: b", "hunter2\n", "hunter2\0", "hunter2\u20ac"])
async def test_a_token_that_is_no_header(token: str) -> None:
    script = Script(json_answer())
    async with asking(script, Connection(token=token)) as client:
        with pytest.raises(ConsulError, match="X-Consul-Token") as caught:
            await client.request("/v1/x", {})
        with pytest.raises(ConsulError, match="X-Consul-Token"):
            await anext(client.lines("/v1/x", b"", 10))
    assert script.requests == []
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


async def test_spaces_around_a_token_are_no_part_of_it() -> None:
    script = Script(json_answer())
    async with asking(script, Connection(token=" t ")) as client:
        await client.request("/v1/x", {})
    assert b"\r\nX-Consul-Token: t\r\n" in script.requests[0]


@pytest.mark.parametrize("address", ["h:x", "h:70000", "http://256.1.1.1:1"])
async def test_addresses_that_make_no_sense(address: str) -> None:
    with pytest.raises(ConsulError, match=r"(invalid|wrong port in the) address"):
        await client_of(Connection(address=address)).request("/v1/x", {})


async def test_a_redirect_to_another_path_is_followed() -> None:
    script = Script(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /v1/kv/a/z?raw\r\nContent-Length: 0\r\n\r\n")
    async with asking(script) as client:
        with pytest.raises(ConsulError, match="307"):  # once, not in circles
            await client.request("/v1/kv/a//z", {})
    assert len(script.requests) == 2
    assert script.requests[1].startswith(b"GET /v1/kv/a/z?raw HTTP/1.1\r\n")


async def test_proxies_redirects_and_cookies_do_not_concern_us(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    headers = b"Location: http://127.0.0.1:1/\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n"
    script = Script(b"HTTP/1.1 301 Moved\r\n" + headers + b"\r\n")
    async with asking(script) as client:
        for _ in range(2):
            with pytest.raises(ConsulError, match="301") as caught:
                await client.request("/v1/x", {})
            assert caught.value.status == 301
    assert len(script.requests) == 2
    assert b"Cookie" not in script.requests[1]

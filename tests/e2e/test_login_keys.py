"""Hostile and odd key servers: every fetch ends soon, with an error that says why, and costs little memory."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from pyconsul.agent.acl.methods.jwtkeys import KeySetError, VerifyingKey
from pyconsul.agent.acl.methods.methodconfig import read_jwt
from pyconsul.agent.httpapi.handlers.acl import login_keys
from pyconsul.agent.httpapi.handlers.acl.login_keys import MAX_BYTES, LoginKeys

KEY = rsa.generate_private_key(65537, 2048)
JWK = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
SET = json.dumps({"keys": [{**JWK, "kid": "good"}]}).encode()
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""))
    return head.encode() + body


def says(*parts: bytes, again: bytes = b"", stays: bool = False) -> Serve:
    """Return a server that sends parts, then one part again and again, or keeps the connection open."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.writelines(parts)
            while again:
                writer.write(again)
                await writer.drain()
            if stays:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return serve


async def fetched(serve: Serve, path: str = "/keys", setting: str = "JWKSURL") -> list[VerifyingKey]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        return await LoginKeys().get(read_jwt({setting: f"http://127.0.0.1:{port}{path}"}))
    finally:
        server.close()


async def test_a_good_server() -> None:
    assert [key.kid for key in await fetched(says(response(SET)))] == ["good"]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (SET[:10], SET[10:]))
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    assert [key.kid for key in await fetched(says(chunked, stays=True))] == ["good"]


async def test_discovery() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        host = head.split(b"Host: ")[1].split(b"\r\n")[0].decode()
        found = SET if b" /keys " in head else json.dumps({"jwks_uri": f"http://{host}/keys"}).encode()
        writer.write(response(found))
        writer.close()

    assert [key.kid for key in await fetched(serve, "/", "OIDCDiscoveryURL")] == ["good"]


HEAD = b"HTTP/1.1 200 OK\r\n"
ENDLESS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
HOSTILE = {
    "nothing": says(),
    "silence": says(stays=True),
    "no HTTP": says(b"\0" * 1000),
    "half a head": says(HEAD, stays=True),
    "endless head": says(HEAD, again=b"X: " + b"x" * 60_000),
    "endless names": says(HEAD, again=b"x" * 60_000),
    "endless reason": says(b"HTTP/1.1 200 ", again=b"x" * 60_000),
    "endless interim responses": says(again=b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "endless body": says(ENDLESS, again=b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "endless small chunks": says(ENDLESS, again=b"1\r\nx\r\n" * 10_000),
    "endless chunk extension": says(ENDLESS, b"1;", again=b"x" * 60_000),
    "body without an end": says(HEAD + b"\r\n", again=b"[" * 60_000),
    "body that stops": says(HEAD + b"Content-Length: 1000\r\n\r\n{", stays=True),
    "body that breaks off": says(HEAD + b"Content-Length: 1000\r\n\r\n{"),
    "huge length": says(HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", again=b"x" * 60_000),
    "compressed": says(response(b"\x1f\x8b\x08\0", "Content-Encoding: gzip")),
    "redirect to itself": says(response(b"", "Location: /keys", status="302 Found")),
    "error": says(response(SET, status="500 Internal Server Error")),
    "deep JSON": says(response(b"[" * 500_000)),
    "long number": says(response(b'{"keys":' + b"9" * 500_000 + b"}")),
    "many keys": says(response(json.dumps({"keys": [JWK] * 1000}).encode())),
    "no keys": says(response(b'{"keys":[]}')),
    "wrong keys": says(response(b'{"keys":[{"kty":"RSA","n":7}]}')),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_server_costs_little_and_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_keys, "TIMEOUT_S", 0.5)
    tracemalloc.start()
    try:
        with pytest.raises(KeySetError) as caught:
            await fetched(HOSTILE[name])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 500
    assert peak < 24 * MAX_BYTES


@pytest.mark.parametrize(
    "url", ["http://", "http://127.0.0.1:99999/", "http://127.0.0.1:1/a b", "http://a\r\nX: y/", "http://[::1/"]
)
async def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(KeySetError):
        await LoginKeys().get(read_jwt({"JWKSURL": url}))


async def test_discovery_does_not_read_files() -> None:
    with pytest.raises(KeySetError, match="not an address"):
        await fetched(says(response(b'{"jwks_uri": "file:///etc/passwd"}')), "/", "OIDCDiscoveryURL")


async def test_files(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(SET)
    assert [key.kid for key in await LoginKeys().get(read_jwt({"JWKSURL": f"file://{path}"}))] == ["good"]
    path.write_bytes(b"x" * (MAX_BYTES + 1))
    for name in (path, tmp_path / "missing", tmp_path):
        with pytest.raises(KeySetError, match="cannot be read"):
            await LoginKeys().get(read_jwt({"JWKSURL": f"file://{name}"}))

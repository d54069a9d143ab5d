"""Questions over TLS: whom we trust, and who we are."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
from support.certificate import write_certificate
from support.scripted import Script, asking, json_answer, read_request

from pyconsul.tools.consul.client import Connection, ConsulError, Tls


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_certificate(tmp_path_factory.mktemp("server") / "both.pem", ["server.dc1.consul"], ["127.0.0.1"]))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_certificate(tmp_path_factory.mktemp("client") / "both.pem", ["client.test"]))


def context_of(server: str, client: str = "") -> ssl.SSLContext:
    """The server's end; `client`: the certificate that it wants to see."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    if client:
        context.load_verify_locations(client)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.mark.parametrize(
    "parts", [{"ca_file": ...}, {"ca_file": ..., "server_name": "server.dc1.consul"}, {"verify": False}]
)
async def test_a_server_that_is_trusted(server: str, parts: dict[str, Any]) -> None:
    tls = Tls(**{key: server if value is ... else value for key, value in parts.items()})
    script = Script(json_answer())
    async with asking(script, Connection(tls=tls), tls=context_of(server)) as consul:
        for _ in range(2):
            assert (await consul.request("/v1/x", {}))[0] == 1
        with pytest.raises(ConsulError, match="has ended"):
            await anext(consul.lines("/v1/x", b"", 30))
    assert script.connections == 1


@pytest.mark.parametrize("parts", [{}, {"ca_file": ..., "server_name": "other.consul"}])
async def test_a_server_that_is_not(server: str, parts: dict[str, Any]) -> None:
    tls = Tls(**{key: server if value is ... else value for key, value in parts.items()})
    script = Script(json_answer())
    async with asking(script, Connection(tls=tls, token="hunter2"), tls=context_of(server)) as consul:
        with pytest.raises(ConsulError, match="certificate verify failed"):
            await consul.request("/v1/x", {})
    assert script.requests == []


async def test_the_name_that_is_asked_for(server: str) -> None:
    asked: list[str | None] = []
    context = context_of(server)
    context.sni_callback = lambda _, name, __: asked.append(name)
    tls = Tls(ca_file=server, server_name="server.dc1.consul")
    async with asking(Script(json_answer()), Connection(tls=tls), tls=context) as consul:
        await consul.request("/v1/x", {})
    assert asked == ["server.dc1.consul"]


async def test_a_client_certificate(server: str, client: str) -> None:
    shown: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        shown.append(writer.get_extra_info("peercert")["subject"])
        writer.write(json_answer())
        await reader.read()

    tls = Tls(ca_file=server, cert=client)
    async with asking(serve, Connection(tls=tls), tls=context_of(server, client)) as consul:
        await consul.request("/v1/x", {})
    assert shown == [((("commonName", "client.test"),),)]


async def test_without_a_client_certificate_there_is_no_answer(server: str, client: str) -> None:
    tls = Tls(ca_file=server)
    script = Script(json_answer())
    async with asking(script, Connection(tls=tls), tls=context_of(server, client)) as consul:
        with pytest.raises(ConsulError, match="GET /v1/x from") as caught:
            await consul.request("/v1/x", {})
    assert caught.value.status == 0
    assert script.requests == []


def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    for tls in (Tls(ca_file=str(tmp_path / "none")), Tls(cert=str(tmp_path / "none"))):
        with pytest.raises(ConsulError, match="cannot read the certificates for HTTPS"):
            Connection("https://h", tls=tls).tls_context()

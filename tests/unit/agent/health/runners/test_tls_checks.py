"""Checks over TLS, against a server whose certificate nobody has signed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.health.runners.http import run_http
from pyconsul.agent.health.runners.result import Result
from pyconsul.agent.health.runners.tcp import run_tcp
from pyconsul.agent.health.runners.tls import TLSContexts

UNTRUSTED = "tls: failed to verify certificate: x509: certificate signed by unknown authority"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate for web.test and 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web.test")])
    now = datetime.now(UTC)
    names = [x509.DNSName("web.test"), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
async def address(certificate: Path) -> AsyncIterator[str]:
    """A web server that speaks TLS."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    host, port = server.sockets[0].getsockname()
    yield f"{host}:{port}"
    server.close()


def trusting(certificate: Path) -> TLSContexts:
    return TLSContexts(lambda skip_verify: ssl.create_default_context(cafile=certificate))


async def test_untrusted(address: str) -> None:
    found = await run_http(CheckDefinition(http=f"https://{address}/"), TLSContexts())
    assert found == Result("critical", f'Get "https://{address}/": {UNTRUSTED}')
    found = await run_tcp(CheckDefinition(tcp=address, tcp_use_tls=True), TLSContexts())
    assert found == Result("critical", UNTRUSTED)


async def test_verification_can_be_skipped(address: str) -> None:
    found = await run_http(CheckDefinition(http=f"https://{address}/", tls_skip_verify=True), TLSContexts())
    assert found == Result("passing", f"HTTP GET https://{address}/: 200 OK Output: safe")
    definition = CheckDefinition(tcp=address, tcp_use_tls=True, tls_skip_verify=True)
    assert await run_tcp(definition, TLSContexts()) == Result("passing", f"TCP+TLS connect {address}: Success")


@pytest.mark.parametrize(("name", "status"), [("", "passing"), ("web.test", "passing"), ("other.test", "critical")])
async def test_the_name_that_is_verified(address: str, certificate: Path, name: str, status: str) -> None:
    definition = CheckDefinition(http=f"https://{address}/", tls_server_name=name)
    assert (await run_http(definition, trusting(certificate))).status == status


async def test_a_server_without_tls() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    found = await run_http(CheckDefinition(http=f"https://127.0.0.1:{port}/"), TLSContexts())
    server.close()
    assert found.output == f'Get "https://127.0.0.1:{port}/": http: server gave HTTP response to HTTPS client'

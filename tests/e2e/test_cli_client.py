"""The one-shot HTTP client over TCP, unix sockets and TLS, with answers cut into every kind of pieces."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pyconsul.agent.common.options import parse
from pyconsul.cli.errors import ApiError, CliError, Unreachable
from pyconsul.cli.http.client import Client
from pyconsul.cli.http.flags import HTTP_FLAGS

Serve = Callable[..., tuple[str, list[bytes]]]


def client(address: str, *words: str, **environ: str) -> Client:
    return Client.from_environ(parse(HTTP_FLAGS, words), {"CONSUL_HTTP_ADDR": address, **environ})


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that answers each request with the next of `answers`, a list of pieces, and then hangs up
    if the answer ends with None; gives its address and the requests it gets."""
    sockets: list[socket.socket] = []

    def start(*answers: list[bytes | None], listener: socket.socket | None = None) -> tuple[str, list[bytes]]:
        server = listener or socket.create_server(("127.0.0.1", 0))
        sockets.append(server)
        requests: list[bytes] = []
        threading.Thread(target=answer_all, args=(server, list(answers), requests), daemon=True).start()
        return f"127.0.0.1:{server.getsockname()[1]}" if listener is None else "", requests

    yield start
    for sock in sockets:
        sock.close()


def answer_all(server: socket.socket, answers: list[list[bytes | None]], requests: list[bytes]) -> None:
    while answers:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with closing(connection):
            while answers:
                data = b""
                while b"\r\n\r\n" not in data:
                    piece = connection.recv(65536)
                    if not piece:
                        break
                    data += piece
                if not data:
                    break
                requests.append(data)
                pieces = answers.pop(0)
                for part in pieces:
                    if part is not None:
                        connection.sendall(part)
                if pieces[-1] is None:
                    break


OK = b"HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nContent-Length: 2\r\n\r\n{}"


def test_a_request_is_what_it_should_be(serve: Serve) -> None:
    address, requests = serve([OK], [OK])
    asking = client(address, "-token=secret", "-datacenter=dc2", "-stale", CONSUL_HTTP_AUTH="user:pass")
    response = asking.request("PUT", "/v1/kv/a", {"cas": "0", "node-meta": ["a:b", "c:d"]}, b"value")
    assert (response.status, response.index, response.json()) == (200, 7, {})
    asking.get("/v1/status/leader")
    head, _, body = requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"PUT /v1/kv/a?dc=dc2&stale&cas=0&node-meta=a%3Ab&node-meta=c%3Ad HTTP/1.1"
    assert b"X-Consul-Token: secret" in lines
    assert b"Authorization: Basic dXNlcjpwYXNz" in lines
    assert b"Content-Length: 5" in lines
    assert body == b"value"
    assert requests[1].startswith(b"GET /v1/status/leader?dc=dc2&stale HTTP/1.1\r\n")
    assert b"Content-Length" not in requests[1]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"
CONTINUED = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello world"


@pytest.mark.parametrize("answer", [CHUNKED, CONTINUED, UNTIL_CLOSED], ids=["chunked", "continued", "until closed"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_answers_in_pieces(serve: Serve, answer: bytes, size: int) -> None:
    address, _ = serve([*(answer[i : i + size] for i in range(0, len(answer), size)), None])
    assert client(address).request("GET", "/").body == b"hello world"


def test_a_kept_connection_that_was_dropped_is_opened_again(serve: Serve) -> None:
    address, requests = serve([OK, None], [OK])
    asking = client(address)
    assert asking.get("/one") == {}
    assert asking.get("/two") == {}
    assert len(requests) == 2


def test_redirects_are_followed_with_the_body(serve: Serve) -> None:
    moved = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /v1/kv/a/b\r\nContent-Length: 0\r\n\r\n"
    address, requests = serve([moved], [OK])
    client(address).request("PUT", "/v1/kv/a//b", body=b"x").checked()
    assert requests[1].startswith(b"PUT /v1/kv/a/b HTTP/1.1")
    assert requests[1].endswith(b"x")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([None], "no answer from the agent"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", None], "broke off"),
        ([b"SSH-2.0-OpenSSH_9.6\r\n\r\n", None], "does not speak HTTP"),
    ],
)
def test_bad_answers(serve: Serve, answer: list[bytes | None], message: str) -> None:
    address, _ = serve(answer)
    with pytest.raises(Unreachable, match=message):
        client(address).request("GET", "/")


def test_errors_carry_what_the_agent_said(serve: Serve) -> None:
    address, _ = serve([b"HTTP/1.1 403 Forbidden\r\nContent-Length: 18\r\n\r\nPermission denied\n"])
    with pytest.raises(ApiError) as caught:
        client(address).get("/v1/kv/a")
    assert str(caught.value) == "Unexpected response code: 403 (Permission denied)"


def test_a_token_cannot_smuggle_a_header() -> None:
    with pytest.raises(CliError, match="line break"):
        client("127.0.0.1:1", "-token=a\r\nX: y").request("GET", "/")


def test_a_unix_socket(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    serve([OK], listener=listener)
    assert client(f"unix://{path}").get("/v1/status/leader") == {}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 and `server.dc1.consul`, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server.dc1.consul")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("server.dc1.consul"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def tls_address(serve: Serve, certificate: Path) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    plain = socket.create_server(("127.0.0.1", 0))
    port = plain.getsockname()[1]
    serve([OK], listener=context.wrap_socket(plain, server_side=True))
    return f"127.0.0.1:{port}"


@pytest.mark.parametrize("words", [[], ["-tls-server-name=server.dc1.consul"]])
def test_tls_with_the_right_ca(tls_address: str, certificate: Path, words: list[str]) -> None:
    assert client(f"https://{tls_address}", f"-ca-file={certificate}", *words).get("/") == {}


def test_tls_by_variables_and_without_verification(tls_address: str) -> None:
    assert client(tls_address, CONSUL_HTTP_SSL="true", CONSUL_HTTP_SSL_VERIFY="false").get("/") == {}


@pytest.mark.parametrize("words", [[], ["-ca-file={}", "-tls-server-name=other.consul"]])
def test_tls_that_cannot_be_trusted(tls_address: str, certificate: Path, words: list[str]) -> None:
    with pytest.raises(Unreachable, match=r"no TLS connection.*(does not speak TLS|certificate verify failed)"):
        client(f"https://{tls_address}", *(word.format(certificate) for word in words)).get("/")


def test_a_certificate_that_cannot_be_read(tls_address: str) -> None:
    with pytest.raises(CliError, match="cannot read the certificates"):
        client(f"https://{tls_address}", "-ca-file=/nothing/here.pem").get("/")

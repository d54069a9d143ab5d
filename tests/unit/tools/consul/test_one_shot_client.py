"""The blocking client of one-shot runs, with a server that says what it is told."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from pyconsul.tools.consul.connection import Connection, ConsulError
from pyconsul.tools.consul.one_shot_client import OneShotClient
from pyconsul.tools.consul.retry import RetryPolicy


class Server:
    """Gives its answers one after the other, then repeats the last; `ends` closes the connection after each."""

    def __init__(self, *answers: bytes, ends: bool = False) -> None:
        self.answers = list(answers)
        self.ends = ends
        self.connections = 0
        self.requests: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                with connection:
                    self.answer(connection)

    def answer(self, connection: socket.socket) -> None:
        while head := connection.recv(65536):
            self.requests.append(head.decode())
            connection.sendall(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            if self.ends:
                return

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join((*lines, "", "")).encode() + body


@contextlib.contextmanager
def client_of(
    server: Server, *, attempts: int = 1, max_stale: float = 0.0, connection: Connection | None = None
) -> Iterator[OneShotClient]:
    retry = RetryPolicy(attempts=attempts, backoff=0.001)
    client = OneShotClient(connection or Connection(address=server.address), retry=retry, max_stale=max_stale)
    try:
        yield client
    finally:
        client.close()
        server.close()


def test_it_reads_json_over_one_connection() -> None:
    server = Server(http(200, b'{"a": 1}'), http(404))
    with client_of(server) as client:
        assert client.read("/v1/kv/a b", {"dc": "x y", "recurse": ""}) == {"a": 1}
        assert client.read("/v1/kv/none", {}) is None
        assert server.connections == 1
        assert server.requests[0].startswith("GET /v1/kv/a%20b?dc=x%20y&recurse= HTTP/1.1\r\n")


def test_a_failure_is_tried_again_then_raised() -> None:
    server = Server(http(500, b"No cluster leader"), http(200, b"1"))
    with client_of(server) as client:
        assert client.read("/v1/kv/a", {}) == 1
        assert len(server.requests) == 2
    server = Server(http(403, b"Permission\ndenied"))
    with client_of(server, attempts=2) as client:
        with pytest.raises(ConsulError, match=r"^GET /v1/kv/a: 403: Permission denied$") as caught:
            client.read("/v1/kv/a", {})
        assert caught.value.status == 403
        assert len(server.requests) == 3


def test_a_kept_connection_that_was_closed_is_no_failure() -> None:
    server = Server(http(200, b"1"), ends=True)
    with client_of(server) as client:
        assert [client.read("/v1/kv/a", {}), client.read("/v1/kv/a", {})] == [1, 1]
        assert server.connections == 2


def test_a_clean_path_is_followed_and_another_host_is_not() -> None:
    server = Server(http(301, b"", "Location: /v1/kv/b"), http(200, b"2"))
    with client_of(server) as client:
        assert client.read("/v1/kv//b", {}) == 2
        assert server.requests[1].startswith("GET /v1/kv/b HTTP/1.1\r\n")
    server = Server(http(301, b"", "Location: http://other/"))
    with client_of(server) as client, pytest.raises(ConsulError, match="another host"):
        client.read("/v1/kv/a", {})


def test_a_stale_answer_of_a_lost_server_is_asked_of_the_leader() -> None:
    server = Server(http(200, b"1", "X-Consul-LastContact: 5000"), http(200, b"2"))
    with client_of(server, max_stale=2.0) as client:
        assert client.read("/v1/kv/a", {}) == 2
        assert ["stale" in request for request in server.requests] == [True, False]


@pytest.mark.parametrize("answer", [b"SSH-2.0-secret\r\n\r\n", http(200, b"secret{"), b"HTTP/1.1 200 OK\r\nContent-"])
def test_received_data_is_not_in_errors(answer: bytes) -> None:
    server = Server(answer, ends=True)
    with client_of(server) as client:
        with pytest.raises(ConsulError) as caught:
            client.read("/v1/kv/a", {})
        assert "secret" not in str(caught.value)


def test_a_token_that_is_no_header_is_refused_and_not_shown() -> None:
    server = Server(http(200, b"1"))
    connection = Connection(address=server.address, token="secret\r\nX: y")
    with client_of(server, connection=connection) as client:
        with pytest.raises(ConsulError, match="X-Consul-Token") as caught:
            client.read("/v1/kv/a", {})
        assert "secret" not in str(caught.value)
        assert server.requests == []

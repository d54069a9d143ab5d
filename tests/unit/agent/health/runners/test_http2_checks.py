"""H2PING and gRPC checks against a small HTTP/2 server."""

from __future__ import annotations

import asyncio

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.health.runners.h2.grpc import framed, health_request, run_grpc, serving_status
from pyconsul.agent.health.runners.h2.ping import run_h2ping
from pyconsul.agent.health.runners.result import Result
from pyconsul.agent.health.runners.tls import TLSContexts


class Health:
    """A gRPC health service: `statuses` by service; others get NotFound."""

    def __init__(self, statuses: dict[bytes, int]) -> None:
        self.statuses = statuses

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = H2Connection(H2Configuration(client_side=False))
        link.initiate_connection()
        body = b""
        while True:
            writer.write(link.data_to_send())
            data = await reader.read(65536)
            if not data:
                return
            for event in link.receive_data(data):
                if isinstance(event, RequestReceived):
                    body = b""
                elif isinstance(event, DataReceived):
                    body += event.data
                elif isinstance(event, StreamEnded):
                    self.answer(link, event.stream_id, body)

    def answer(self, link: H2Connection, stream: int, body: bytes) -> None:
        status = self.statuses.get(body[7:])
        head = [(":status", "200"), ("content-type", "application/grpc")]
        if status is None:
            link.send_headers(
                stream, [*head, ("grpc-status", "5"), ("grpc-message", "unknown%20service")], end_stream=True
            )
            return
        link.send_headers(stream, head)
        link.send_data(stream, framed(bytes([8, status])))
        link.send_headers(stream, [("grpc-status", "0")], end_stream=True)


async def test_ping(serve, closed_port: str) -> None:
    address = await serve(Health({}))
    assert await run_h2ping(CheckDefinition(h2ping=address), TLSContexts()) == Result(
        "passing", "HTTP2 ping was successful"
    )
    assert await run_h2ping(CheckDefinition(h2ping=closed_port), TLSContexts()) == Result(
        "critical", f"Failed to dial to {closed_port}: dial tcp {closed_port}: connect: connection refused"
    )


async def test_ping_of_something_else(serve) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    found = await run_h2ping(CheckDefinition(h2ping=await serve(greet)), TLSContexts())
    assert found.status == "critical"
    assert found.output.startswith("HTTP2 ping failed: ")


@pytest.mark.parametrize(
    ("suffix", "status", "output"),
    [
        ("", "passing", "gRPC check {t}: success"),
        ("/web", "passing", "gRPC check {t}: success"),
        ("/db", "critical", "gRPC {t} serving status: NOT_SERVING"),
        ("/nosuch", "critical", "rpc error: code = NotFound desc = unknown service"),
    ],
)
async def test_grpc(serve, suffix: str, status: str, output: str) -> None:
    target = await serve(Health({b"": 1, b"web": 1, b"db": 2})) + suffix
    found = await run_grpc(CheckDefinition(grpc=target), TLSContexts())
    assert found == Result(status, output.format(t=target))


async def test_grpc_without_a_server(closed_port: str) -> None:
    found = await run_grpc(CheckDefinition(grpc=closed_port), TLSContexts())
    assert found.output == (
        'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: '
        f'dial tcp {closed_port}: connect: connection refused"'
    )


async def test_timeouts(serve) -> None:
    stop = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stop.wait()

    address = await serve(silent)
    short = SECOND_NS // 50
    found = await run_grpc(CheckDefinition(grpc=address, timeout=short), TLSContexts())
    assert found.output == "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
    found = await run_h2ping(CheckDefinition(h2ping=address, timeout=short), TLSContexts())
    assert found.output == "HTTP2 ping failed: context deadline exceeded"
    stop.set()


def test_messages() -> None:
    assert health_request("") == b""
    assert health_request("web") == b"\x0a\x03web"
    assert health_request("x" * 300)[:3] == b"\x0a\xac\x02"
    assert serving_status(framed(b"\x08\x01")) == 1
    assert serving_status(framed(b"")) == 0

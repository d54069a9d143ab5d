"""The status pages on real sockets."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.pages.server import StatusServer
from pyconsul.tools.template.report.counters import Counters
from pyconsul.tools.template.report.run_report import RunReport
from pyconsul.tools.template.status.pages import Pages


@asynccontextmanager
async def serving(address: str, report: Callable[[], RunReport]) -> AsyncIterator[StatusServer]:
    pages = Pages(report, Counters(), lambda service, destination: 2 if destination else 0)
    server = StatusServer("-http-addr-status", address, pages)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def client_of(server: StatusServer) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.ports[0]}", trust_env=False)


async def test_pages_over_tcp(well: RunReport) -> None:
    async with serving("127.0.0.1:0", lambda: well) as server, client_of(server) as client:
        answer = await client.get("/health")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert answer.headers["cache-control"] == "no-store"
        assert (await client.get("/ready")).status_code == 200
        assert "pyconsul_template_ready 1.0" in (await client.get("/metrics")).text
        assert (await client.get("/explain", headers={"Accept": "text/plain"})).text.startswith("1 template current")
        head = await client.head("/health")
        assert (head.status_code, head.content) == (200, b"")
        put = await client.put("/release", params={"service": "web", "template": "/etc/web.conf"})
        assert (put.status_code, put.json()) == (200, {"released": 2})
        wrong = await client.post("/release")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "PUT")
        assert (await client.get("/%2e%2e/nothing?%zz=%ff")).status_code == 404


async def test_nonsense_gets_an_answer(well: RunReport) -> None:
    async with serving("127.0.0.1:0", lambda: well) as server, client_of(server) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.ports[0])
        writer.write(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert b"400" in await reader.readline()
        writer.close()
        assert (await client.get("/health")).status_code == 200


async def test_idle_clients_are_disconnected(well: RunReport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyconsul.tools.pages.server._LIFE", 0.01)
    async with serving("127.0.0.1:0", lambda: well) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.ports[0])
        assert await reader.read() == b""
        writer.close()


async def test_a_page_that_fails_ends_nothing() -> None:
    def broken() -> RunReport:
        raise RuntimeError("hunter2")

    async with serving("127.0.0.1:0", broken) as server, client_of(server) as client:
        answer = await client.get("/health")
        assert answer.status_code == 500
        assert "hunter2" not in answer.text


async def test_signals_stay_with_the_program(well: RunReport) -> None:
    before = [signal.getsignal(sig) for sig in (signal.SIGINT, signal.SIGTERM)]
    async with serving("127.0.0.1:0", lambda: well):
        assert [signal.getsignal(sig) for sig in (signal.SIGINT, signal.SIGTERM)] == before


async def test_an_address_in_use_is_reported_with_the_flag(well: RunReport) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"-http-addr-status: cannot listen at {address}: address already in use"):
            async with serving(address, lambda: well):
                pass


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:99999", "unix:///proc/none/socket"])
async def test_addresses_that_cannot_be(well: RunReport, address: str) -> None:
    with pytest.raises(ConfigError, match="-http-addr-status: "):
        async with serving(address, lambda: well):
            pass


async def test_it_stops_with_connections_open(well: RunReport) -> None:
    async with serving("127.0.0.1:0", lambda: well) as server:
        port = server.ports[0]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in await reader.readline()
    await reader.read()
    assert reader.at_eof()
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await server.stop()
    async with serving(f"127.0.0.1:{port}", lambda: well):
        pass


async def test_a_unix_socket(well: RunReport, tmp_path: Path) -> None:
    path = tmp_path / "status"
    for _ in range(2):
        async with serving(f"unix://{path}", lambda: well):
            transport = httpx.AsyncHTTPTransport(uds=str(path))
            async with httpx.AsyncClient(transport=transport, base_url="http://status") as client:
                assert (await client.get("/health")).json()["status"] == "ok"
            with pytest.raises(ConfigError, match="already in use"):
                async with serving(f"unix://{path}", lambda: well):
                    pass
        assert not path.exists()


async def test_a_socket_that_was_left_behind_is_replaced(well: RunReport, tmp_path: Path) -> None:
    path = tmp_path / "status"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with serving(f"unix://{path}", lambda: well):
        assert path.is_socket()


async def test_a_file_is_not_replaced(well: RunReport, tmp_path: Path) -> None:
    path = tmp_path / "status"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="file exists"):
        async with serving(f"unix://{path}", lambda: well):
            pass
    assert path.read_text() == "precious"

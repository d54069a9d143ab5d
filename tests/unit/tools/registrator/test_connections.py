"""The connections to engine and agent on real sockets: TLS, their end, and their return."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from support.certificate import write_certificate
from support.containers import container_id, described
from support.eventually import eventually_async
from support.ports import free_ports
from support.scripted_engine import ScriptedEngine

from pyconsul.tools.consul.connection import Connection
from pyconsul.tools.registrator.connections import Backoff, Link, agent_connection, events_of
from pyconsul.tools.registrator.engine import Engine, EngineAddress, EngineError, engine_address


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[ScriptedEngine]:
    engine = ScriptedEngine(tmp_path)
    yield engine
    engine.stop()


@asynccontextmanager
async def running(link: Link) -> AsyncIterator[None]:
    task = asyncio.create_task(link.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_engine_over_tls(scripted: ScriptedEngine, tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path / "both.pem", ["localhost"], ["127.0.0.1"])
    for name in ("ca.pem", "cert.pem", "key.pem"):
        shutil.copy(certificate, tmp_path / name)
    port = scripted.start_tls(certificate)
    scripted.run(described("web"))
    environ = {"DOCKER_HOST": f"tcp://127.0.0.1:{port}", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    engine = Engine(engine_address(environ))
    assert await engine.list_ids() == [container_id("web")]
    await engine.close()
    (tmp_path / "cert.pem").unlink()  # clients without a certificate are refused
    stranger = Engine(engine_address(environ))
    with pytest.raises(EngineError, match=r"GET /containers/json at https://127\.0\.0\.1"):
        await stranger.list_ids()
    await stranger.close()
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(EngineError, match=r"cannot read the certificates in .* .DOCKER_CERT_PATH."):
        Engine(engine_address(environ))


async def test_an_engine_that_is_not_there(tmp_path: Path) -> None:
    engine = Engine(EngineAddress(str(tmp_path / "none")))
    with pytest.raises(EngineError, match=r"GET /info at unix:.*none: no such file or directory"):
        await engine.identity()
    await engine.close()


async def test_a_port_that_refuses_is_named_so() -> None:
    (port,) = free_ports(1)
    engine = Engine(EngineAddress(url=f"http://127.0.0.1:{port}"))
    with pytest.raises(EngineError, match=rf"GET /info at http://127.0.0.1:{port}: connection refused"):
        await engine.identity()
    await engine.close()


async def test_the_identity_of_an_engine(scripted: ScriptedEngine) -> None:
    scripted.start()
    engine = Engine(EngineAddress(str(scripted.path)))
    assert await engine.identity() == "SCRIPTED:ENGINE /var/lib/docker"
    scripted.component = "Podman Engine"  # its ID is another one each time
    assert await engine.identity() == "podman scripted /var/lib/docker"
    await engine.close()


async def test_podman_lists_a_container_that_is_being_stopped(scripted: ScriptedEngine) -> None:
    scripted.start()
    for name, status in (("api", "running"), ("old", "exited"), ("web", "stopping")):
        scripted.run(described(name, state={"Running": status == "running", "Status": status}))
    scripted.component = "Podman Engine"
    engine = Engine(EngineAddress(str(scripted.path)))
    await engine.identity()
    assert await engine.list_ids() == [container_id("api"), container_id("web")]
    assert await engine.list_stopping() == {container_id("web")}
    assert len(await engine.list_ids(ended=True)) == 3
    await engine.close()


async def test_a_container_that_is_not_understood_keeps_no_other_from_being_read(scripted: ScriptedEngine) -> None:
    scripted.start()
    for name in ("odd", "web"):
        scripted.run(described(name))
    scripted.containers[container_id("odd")]["Config"]["ExposedPorts"] = {"eighty/tcp": {}}
    engine = Engine(EngineAddress(str(scripted.path)))
    found = await engine.inspect_all(await engine.list_ids())
    assert [one.name for one in found] == ["web"]
    await engine.close()


async def test_events_go_on_after_an_outage(scripted: ScriptedEngine) -> None:
    scripted.start()
    engine = Engine(EngineAddress(str(scripted.path)))
    events: list[str] = []
    ups: list[None] = []
    link = Link(
        "the engine", events_of(engine, lambda event: events.append(str(event["Action"]))), lambda: ups.append(None)
    )
    async with running(link):
        await eventually_async(lambda: link.up)
        scripted.run(described("web"))
        await eventually_async(lambda: events == ["start"])
        scripted.stop()
        scripted.path.unlink()
        await eventually_async(lambda: not link.up)
        assert link.trouble
        scripted.start()
        await eventually_async(lambda: link.up)
        assert (len(ups), link.outages, link.trouble) == (2, 1, "")
        scripted.run(described("api"))
        await eventually_async(lambda: events == ["start", "start"])
    await engine.close()


async def test_the_end_of_the_agent_is_noticed() -> None:
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"GET /v1/status/leader HTTP/1.1\r\n"
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n""')
        connections.append(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ups: list[None] = []
    link = Link("the agent", agent_connection(Connection(f"127.0.0.1:{port}")), lambda: ups.append(None))
    async with running(link):
        await eventually_async(lambda: len(ups) == 1)
        connections[0].close()
        await eventually_async(lambda: len(ups) == 2)
        assert link.outages == 1
    server.close()
    for one in connections:
        one.close()
        with suppress(OSError):
            await one.wait_closed()


def test_backoff_doubles_up_to_its_limit() -> None:
    backoff = Backoff(1.0, 5.0)
    assert [backoff.delay() for _ in range(4)] == [1.0, 2.0, 4.0, 5.0]
    backoff.reset()
    assert backoff.delay() == 1.0

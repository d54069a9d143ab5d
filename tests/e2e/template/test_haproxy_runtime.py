"""A real HAProxy whose files change: when it is reloaded, when it is not, and what becomes of connections."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from support.eventually import eventually_async
from support.ports import free_port
from support.proxy import HEAD, Proxy

from pyconsul.tools.template.deploy.contract import LoadError

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")

Reply = Callable[[bytes, bytes], bytes]
Start = Callable[..., Awaitable[Proxy]]
Echo = Callable[..., Awaitable[str]]


def line_reply(name: bytes, line: bytes) -> bytes:
    return name + b" " + line


def http_reply(name: bytes, line: bytes) -> bytes:
    """One answer for each head, at the empty line that ends it."""
    return b"" if line.strip() else b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts HAProxy with servers; `runtime` as the consumer's, `head`: the file without the servers."""
    proxies: list[tuple[Proxy, asyncio.Task[int]]] = []

    async def begin(*servers: str, runtime: bool = True, head: str = HEAD) -> Proxy:
        proxy = Proxy(tmp_path, runtime=runtime)
        proxy.head = head
        (tmp_path / "map.txt").write_text("one\n")
        proxy.write(*servers)
        await proxy.consumer.load()
        proxies.append((proxy, asyncio.create_task(proxy.consumer.run())))
        proxy.consumer.files_ready()
        await eventually_async(lambda: proxy.running)
        await proxy.consumer.load()
        return proxy

    yield begin
    for proxy, task in proxies:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await proxy.consumer.stop()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    """Starts a server that answers each line with its name and the line; its address. `tls`: what it speaks TLS with.
    `reply`: another answer."""
    servers: list[asyncio.Server] = []

    async def begin(name: str, tls: ssl.SSLContext | None = None, reply: Reply = line_reply) -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while line := await reader.readline():
                    writer.write(reply(name.encode(), line))
                writer.close()

        servers.append(await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls))
        return f"127.0.0.1:{servers[-1].sockets[0].getsockname()[1]}"

    yield begin
    for server in servers:
        server.close()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


async def test_traffic_follows_the_servers_without_a_reload(start: Start, echo: Echo) -> None:
    one, two = await echo("one"), await echo("two")
    proxy = await start(f"a {one}")
    worker = await proxy.worker()
    assert await proxy.answer() == "one"
    await proxy.change(f"a {one}", f"b {two}")
    assert {await proxy.answer() for _ in range(4)} == {"one", "two"}
    await proxy.change(f"b {two}")
    assert {await proxy.answer() for _ in range(4)} == {"two"}
    await proxy.change(f"b {one}")
    assert {await proxy.answer() for _ in range(4)} == {"one"}
    await proxy.change()
    assert await proxy.answer() == ""
    await proxy.change(f"c {two} check inter 100ms")
    assert await proxy.answer() == "two"
    assert await proxy.worker() == worker
    assert proxy.counts() == (5, 0, 0)


async def test_haproxy_takes_all_settings_that_are_given_at_runtime(start: Start) -> None:
    proxy = await start("a 127.0.0.1:1 check weight 3 maxconn 5", "z 127.0.0.1:9 disabled check")
    worker = await proxy.worker()
    every = (
        "check inter 1s fastinter 1s downinter 2s rise 1 fall 1 port 9 addr 127.0.0.1 weight 7 minconn 2 maxconn 5 "
        "maxqueue 3 backup slowstart 1s error-limit 3 observe layer4 on-error mark-down "
        "on-marked-up shutdown-backup-sessions pool-max-conn 1 pool-low-conn 1 pool-purge-delay 3s"
    )
    await proxy.change("a 127.0.0.2:2 check weight 4 maxconn 6", "z 127.0.0.1:9 check", f"b [::1]:3 {every}", "c ::1:4")
    assert await proxy.servers() == {
        "a": ("127.0.0.2:2", 4, True),
        "z": ("127.0.0.1:9", 1, True),
        "b": ("::1:3", 7, True),
        "c": ("::1:4", 1, True),
    }
    assert (await proxy.worker(), *proxy.counts()) == (worker, 1, 0, 0)


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "2", "-keyout"]
    subprocess.run([*command, str(key), "-out", str(cert)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


async def test_a_server_that_speaks_tls_is_added_and_checked(start: Start, echo: Echo, tls: ssl.SSLContext) -> None:
    one, two = await echo("one"), await echo("two", tls)
    proxy = await start(f"a {one}")
    await proxy.change(f"b {two} ssl verify none check inter 50ms rise 1 fall 1")

    async def checked() -> bool:
        return "L6OK" in await proxy.ask("@1 show stat b 4 -1 typed") and await proxy.answer() == "two"

    await eventually_async(checked)
    assert proxy.counts() == (1, 0, 0)


async def test_after_many_changes_haproxy_agrees_with_the_file(start: Start) -> None:
    proxy, rng = await start(), random.Random(7)
    worker = await proxy.worker()
    for _ in range(25):
        names = rng.sample(["w1", "w2", "w3", "w4", "w5", "w6"], rng.randint(0, 6))
        wanted = {
            name: (f"127.0.0.{rng.randint(1, 3)}:{rng.randint(1, 3)}", rng.choice([1, 5]), rng.random() < 0.8)
            for name in names
        }
        await proxy.change(
            *(f"{n} {address} weight {w}{'' if used else ' disabled'}" for n, (address, w, used) in wanted.items())
        )
        assert await proxy.servers() == wanted
    assert await proxy.worker() == worker
    assert proxy.counts()[1:] == (0, 0)


async def test_everything_else_is_reloaded(start: Start, echo: Echo) -> None:
    server = await echo("one")
    proxy = await start(f"a {server}")
    workers = [await proxy.worker()]
    proxy.port = free_port()
    await proxy.change(f"a {server}")
    await eventually_async(proxy.answer)
    workers.append(await proxy.worker())
    await proxy.change(f"a {server}", "b localhost:80")
    workers.append(await proxy.worker())
    (proxy.folder / "map.txt").write_text("two\n")
    await proxy.consumer.load()
    workers.append(await proxy.worker())
    assert len(set(workers)) == 4
    await proxy.consumer.load()
    proxy.head = "# a comment\n" + proxy.head
    await proxy.change(f"a {server}", "b localhost:80")
    assert await proxy.worker() == workers[-1]
    assert proxy.counts() == (0, 3, 0)
    await proxy.change(f"a {server}", "c 127.0.0.1:9", "b localhost:80")
    assert await proxy.names() == {"a", "b", "c"}
    assert proxy.counts() == (1, 3, 0)


async def test_changes_that_haproxy_refuses_at_runtime_are_reloaded(start: Start) -> None:
    proxy = await start("a 127.0.0.1:1")
    assert await proxy.ask("@1 add server b/x 127.0.0.1:5") == "New server registered."
    await proxy.change("a 127.0.0.1:1", "x 127.0.0.1:2")
    assert proxy.counts() == (0, 1, 0)
    assert (await proxy.servers())["x"] == ("127.0.0.1:2", 1, True)


async def test_without_the_runtime_api_every_change_is_a_reload(start: Start) -> None:
    proxy = await start("a 127.0.0.1:1", runtime=False)
    worker = await proxy.worker()
    await proxy.change("a 127.0.0.1:2")
    assert proxy.counts() == (0, 1, 0)
    assert await proxy.worker() != worker


async def test_connections_of_a_removed_server_go_on(start: Start, echo: Echo) -> None:
    one, two = await echo("one"), await echo("two")
    proxy = await start(f"a {one}")
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)

    async def talk() -> bytes:
        writer.write(b"hello\n")
        return await reader.readline()

    assert await talk() == b"one hello\n"
    await proxy.change(f"b {two}")
    assert await proxy.answer() == "two"
    assert await talk() == b"one hello\n"
    assert await proxy.names() == {"a", "b"}  # It cannot be deleted yet.
    await proxy.change(f"b {two}", f"a {two} weight 5")
    assert await proxy.servers() == {"a": (two, 5, True), "b": (two, 1, True)}
    await proxy.change(f"b {two}")
    assert await talk() == b"one hello\n"
    writer.close()

    async def deleted() -> bool:
        return await proxy.names() == {"b"}

    await eventually_async(deleted)
    assert proxy.counts() == (3, 0, 0)


async def test_a_client_that_keeps_its_connection_is_moved_on(start: Start, echo: Echo) -> None:
    one, two = await echo("one", reply=http_reply), await echo("two", reply=http_reply)
    proxy = await start(f"a {one}", head=HEAD.replace("mode tcp", "mode http"))
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)

    async def talk() -> bytes:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        return await reader.readexactly(3)

    assert await talk() == b"one"
    await proxy.change(f"b {two}")
    assert await talk() == b"two"

    async def deleted() -> bool:
        return await proxy.names() == {"b"}

    await eventually_async(deleted)
    assert await talk() == b"two"
    writer.close()
    assert proxy.counts() == (1, 0, 0)


async def test_a_killed_master_is_started_again(start: Start, echo: Echo) -> None:
    one, two = await echo("one"), await echo("two")
    proxy = await start(f"a {one}")
    await proxy.change(f"a {one}", f"b {two}")
    proxy.consumer.signal(signal.SIGKILL)
    proxy.write(f"b {two}")
    await eventually_async(lambda: not proxy.running)
    await proxy.consumer.load()  # It starts at once, with the new file.
    assert {await proxy.answer() for _ in range(4)} == {"two"}
    assert proxy.counts() == (1, 0, 0)
    worker = await proxy.worker()
    await proxy.change(f"a {one}")
    assert {await proxy.answer() for _ in range(4)} == {"one"}
    assert (await proxy.worker(), *proxy.counts()) == (worker, 2, 0, 0)


async def test_a_refused_reload_is_reported_and_the_old_worker_serves(start: Start, echo: Echo, taken: int) -> None:
    one, two = await echo("one"), await echo("two")
    proxy = await start(f"a {one}")
    worker, port, proxy.port = await proxy.worker(), proxy.port, taken
    with pytest.raises(LoadError, match=r"cannot bind socket \(Address already in use\) for \[127.0.0.1:"):
        await proxy.change(f"a {two}")
    proxy.port = port

    async def served() -> bool:
        return await proxy.answer() == "one"

    await eventually_async(served)
    assert await proxy.worker() == worker
    await proxy.change(f"a {one}")
    assert proxy.counts() == (0, 1, 1)
    assert await proxy.answer() == "one"
    await proxy.change(f"a {two}")
    assert await proxy.answer() == "two"
    assert proxy.counts() == (1, 1, 1)


async def test_files_with_which_haproxy_does_not_start_are_not_loaded(start: Start, echo: Echo, taken: int) -> None:
    one = await echo("one")
    proxy = await start(f"a {one}")
    port, proxy.port = proxy.port, taken
    proxy.consumer.signal(signal.SIGKILL)
    await eventually_async(lambda: not proxy.running)
    with pytest.raises(LoadError, match="Address already in use"):
        await proxy.change(f"a {one}")
    proxy.port = port
    await proxy.change(f"a {one}")
    assert await proxy.answer() == "one"
    assert proxy.counts() == (0, 0, 1)

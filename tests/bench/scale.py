"""What idle watchers and large catalogs cost: memory, processor time, and how long a write takes among many rows."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import resource
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from support.agent_process import AgentProcess

IDLE = 10.0  # seconds for which sleepers are looked at
INSTANCES = 5  # of each service
AT_ONCE = 100  # connections that are opened together


def megabytes(agent: AgentProcess) -> float:
    """What an agent has in memory now."""
    assert agent.process is not None
    pages = int(Path(f"/proc/{agent.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def processor_seconds(agent: AgentProcess) -> float:
    """Return the processor time that an agent has had."""
    assert agent.process is not None
    fields = Path(f"/proc/{agent.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def room_for_files(count: int) -> None:
    """Let this process, and those it starts from now on, have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard) if hard >= 0 else count, hard))


async def sleepers(agent: AgentProcess, count: int) -> tuple[float, float, float]:
    """MB that `count` blocked queries take, the percentage of a core while nothing happens, and ms of a write among them."""
    agent.put("/v1/kv/watched", b"0")
    index = agent.get("/v1/kv/watched")[0]["ModifyIndex"]
    request = f"GET /v1/kv/watched?index={index}&wait=10m HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    before = megabytes(agent)
    writers = []
    for _ in range(count // AT_ONCE):
        streams = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", agent.http_port) for _ in range(AT_ONCE)))
        for _, writer in streams:
            writer.write(request)
            writers.append(writer)
    await asyncio.sleep(3)  # until all of them are asleep
    used, started = processor_seconds(agent), time.perf_counter()
    await asyncio.sleep(IDLE)
    share = 100 * (processor_seconds(agent) - used) / (time.perf_counter() - started)
    took = await asyncio.to_thread(write_time, agent, "/v1/kv/unrelated", 200)
    grown = megabytes(agent) - before
    for writer in writers:
        writer.transport.abort()
    return grown, share, took * 1000


def write_time(agent: AgentProcess, path: str, count: int) -> float:
    """Return the median time of a KV write on one connection, in seconds."""
    times = []
    with closing(http.client.HTTPConnection("127.0.0.1", agent.http_port)) as connection:
        for number in range(count):
            started = time.perf_counter()
            connection.request("PUT", path, b"%d" % number)
            connection.getresponse().read()
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def grow(agent: AgentProcess, empty: AgentProcess, sizes: tuple[int, ...]) -> Iterator[tuple[int, float, float, float]]:
    """For each number of services: it, MB of the agent, ms of a registration that changes something, and ms in an empty one."""
    there = 0
    for size in sizes:
        with closing(http.client.HTTPConnection("127.0.0.1", agent.http_port)) as connection:
            for number in range(there, size):
                for instance in range(INSTANCES):
                    _register(connection, f"node-{instance}-{number % 100}", f"service-{number}", 8000 + number % 1000)
        there = size
        alone, among = [], []
        for _ in range(5):  # in turns, so that both had the same machine
            alone.append(registration_time(empty))
            among.append(registration_time(agent))
        yield size, megabytes(agent), min(among) * 1000, min(alone) * 1000


def registration_time(agent: AgentProcess, count: int = 100) -> float:
    """Return the median time of a registration that changes something, in seconds."""
    times = []
    with closing(http.client.HTTPConnection("127.0.0.1", agent.http_port)) as connection:
        for number in range(count):
            started = time.perf_counter()
            _register(connection, "probe", "probe", 1000 + number)
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def _register(connection: http.client.HTTPConnection, node: str, service: str, port: int) -> None:
    check = {"CheckID": f"alive-{service}", "Name": "alive", "Status": "passing", "ServiceID": service}
    body = {"Node": node, "Address": "10.0.0.1", "Service": {"Service": service, "Port": port}, "Check": check}
    connection.request("PUT", "/v1/catalog/register", json.dumps(body))
    response = connection.getresponse()
    if (response.status, response.read()) != (200, b"true"):
        raise RuntimeError(f"registration failed: {response.status}")

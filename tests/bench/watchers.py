"""Many clients that wait for one key, and how long it takes until the last has its answer."""

from __future__ import annotations

import asyncio
import time

from support.agent_process import AgentProcess


def wake_watchers(agent: AgentProcess, count: int) -> float:
    """Seconds from a write to the moment when every one of `count` blocked queries was answered; the best of three."""
    agent.put("/v1/kv/watched", b"0")
    return min(asyncio.run(_wake(agent, count, number)) for number in range(3))


async def _wake(agent: AgentProcess, count: int, number: int) -> float:
    index = agent.get("/v1/kv/watched")[0]["ModifyIndex"]
    request = f"GET /v1/kv/watched?index={index}&wait=60s HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    streams = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", agent.http_port)
        writer.write(request)
        streams.append((reader, writer))
    await asyncio.sleep(1)  # until all of them are asleep
    woken = [asyncio.ensure_future(reader.readuntil(b"\r\n\r\n")) for reader, _ in streams]
    started = time.perf_counter()
    await asyncio.to_thread(agent.put, "/v1/kv/watched", b"%d" % (number + 1))
    heads = await asyncio.gather(*woken)
    took = time.perf_counter() - started
    assert all(head.startswith(b"HTTP/1.1 200") for head in heads)
    for _, writer in streams:
        writer.close()
    return took

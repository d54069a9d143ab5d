"""Requests in a cluster leave nothing for the garbage collector: its work would cost more than the requests."""

from __future__ import annotations

import gc

import pytest
from support.joined_agents import JoinedAgents

REQUESTS = 20


@pytest.mark.parametrize(
    ("method", "target"),
    [("PUT", "/v1/kv/a"), ("GET", "/v1/kv/none?raw"), ("GET", "/v1/kv/a?index=1&wait=1ms")],
)
async def test_a_request_leaves_no_cycles(method: str, target: str) -> None:
    agent = JoinedAgents()["s1"]
    await agent.request("PUT", "/v1/kv/a", b"1")
    await agent.request(method, target, b"1")
    gc.collect()
    gc.disable()
    try:
        for _ in range(REQUESTS):
            await agent.request(method, target, b"1")
        assert gc.collect() < REQUESTS
    finally:
        gc.enable()

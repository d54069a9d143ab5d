"""`?cached` reads of a client agent."""

from __future__ import annotations

import asyncio
import random

import pytest
from support.scripted_reads import ScriptedReads, question, turns

from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.rpc.contract import NotSent
from pyconsul.agent.rpc.forwarding import follow
from pyconsul.agent.rpc.forwarding.agent_cache import AgentCache, CacheControl, cache_control

NOTHING = CacheControl()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "RETRY_S", (0.0, 0.0))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def made(limit: int = 1 << 20) -> tuple[ScriptedReads, AgentCache, Clock]:
    servers, clock = ScriptedReads(), Clock()
    return servers, AgentCache(servers, random.Random(1), limit, clock), clock


def cache_headers(response: Response) -> tuple[bytes | None, bytes | None]:
    headers = dict(response.headers)
    return headers.get(b"X-Cache"), headers.get(b"Age")


async def test_the_second_read_is_a_hit_without_a_question_to_the_servers() -> None:
    servers, cache, _ = made()
    assert cache_headers(await cache.read(question(), NOTHING, follows=True)) == (b"MISS", None)
    await turns()
    asked = len(servers.asked)
    assert cache_headers(await cache.read(question(), NOTHING, follows=True)) == (b"HIT", b"0")
    assert len(servers.asked) == asked
    cache.close()


async def test_a_kept_response_follows_the_servers() -> None:
    servers, cache, _ = made()
    await cache.read(question(), NOTHING, follows=True)
    await turns()
    await servers.publish(b"second")
    response = await cache.read(question(), NOTHING, follows=True)
    assert (response.body, cache_headers(response)) == (b"second", (b"HIT", b"0"))
    cache.close()


async def test_without_servers_kept_responses_age_until_a_server_answers_again() -> None:
    servers, cache, clock = made()
    await cache.read(question(), NOTHING, follows=True)
    await turns()
    await servers.break_off(NotSent("gone"))
    clock.now += 42
    assert cache_headers(await cache.read(question(), NOTHING, follows=True)) == (b"HIT", b"42")
    servers.error = None
    while not servers.waiting:
        await turns()
    assert cache_headers(await cache.read(question(), NOTHING, follows=True)) == (b"HIT", b"0")
    cache.close()


async def test_blocking_reads_wait_for_the_kept_response() -> None:
    servers, cache, _ = made()
    await cache.read(question(), NOTHING, follows=True)
    tasks = [asyncio.ensure_future(cache.wait(question(), 1, 60)) for _ in range(3)]
    await turns()
    assert len(servers.waiting) == 1
    await servers.publish(b"second")
    assert [(await task).body for task in tasks] == [b"second"] * 3
    assert (await cache.wait(question(), 2, 0.001)).body == b"second"
    cache.close()


async def test_a_read_that_cannot_be_waited_for_ages() -> None:
    servers, cache, clock = made()
    await cache.read(question(), NOTHING, follows=False)
    clock.now += 10
    for control, expected in (
        (NOTHING, (b"HIT", b"10")),
        (CacheControl(max_age=30), (b"HIT", b"10")),
        (CacheControl(max_age=5), (b"MISS", None)),
    ):
        assert cache_headers(await cache.read(question(), control, follows=False)) == expected
    clock.now += 10
    servers.error = NotSent("gone")
    with pytest.raises(NotSent):
        await cache.read(question(), CacheControl(max_age=5), follows=False)
    with pytest.raises(NotSent):
        await cache.read(question(), CacheControl(max_age=0, stale_if_error=9), follows=False)
    response = await cache.read(question(), CacheControl(max_age=5, stale_if_error=60), follows=False)
    assert cache_headers(response) == (b"HIT", b"10")


async def test_errors_are_not_kept_and_take_the_place_of_a_kept_response() -> None:
    servers, cache, _ = made()
    await cache.read(question(), NOTHING, follows=True)
    await turns()
    servers.status = 403
    await servers.publish(b"Permission denied")
    response = await cache.read(question(), NOTHING, follows=True)
    assert (response.status, cache_headers(response)) == (403, (b"MISS", None))
    assert cache_headers(await cache.read(question(), NOTHING, follows=True)) == (b"MISS", None)


async def test_what_is_not_used_for_three_days_is_dropped() -> None:
    servers, cache, clock = made()
    await cache.read(question(), NOTHING, follows=True)
    await turns()
    assert servers.waiting
    clock.now += 3 * 86400 + 1
    await cache.read(question("/v1/kv/b"), NOTHING, follows=False)
    await turns()
    assert not servers.waiting


async def test_the_least_recently_used_responses_make_room() -> None:
    servers, cache, _ = made(limit=3 * 5000)
    for name in "abc":
        await cache.read(question(f"/v1/kv/{name}"), NOTHING, follows=False)
    await cache.read(question("/v1/kv/a"), NOTHING, follows=False)
    await cache.read(question("/v1/kv/d"), NOTHING, follows=False)
    servers.asked.clear()
    await cache.read(question("/v1/kv/a"), NOTHING, follows=False)
    await cache.read(question("/v1/kv/b"), NOTHING, follows=False)
    assert servers.asked == ["/v1/kv/b"]


async def test_reads_of_the_same_at_the_same_time_are_asked_once() -> None:
    servers, cache, _ = made()
    await asyncio.gather(*(cache.read(question(), NOTHING, follows=False) for _ in range(5)))
    assert servers.asked == ["/v1/kv/a"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"", CacheControl()),
        (b"max-age=30", CacheControl(30)),
        (b"Max-Age=30, stale-if-error=3600", CacheControl(30, 3600)),
        (b"must-revalidate, stale-if-error=60", CacheControl(0, 60)),
        (b"no-store", CacheControl()),
        (b"max-age, stale-if-error", CacheControl()),
    ],
)
def test_directives(header: bytes, expected: CacheControl) -> None:
    assert cache_control(header) == expected

"""Blocking queries of a client agent: identical ones are asked once, and each client gets what its own query would have got."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable

import pytest
from support.scripted_reads import ScriptedReads, question, turns

from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.rpc.contract import Lost, NotSent
from pyconsul.agent.rpc.forwarding import follow
from pyconsul.agent.rpc.forwarding.shared_queries import SharedQueries

LONG_S = 60.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "RETRY_S", (0.0, 0.0))


def made() -> tuple[ScriptedReads, SharedQueries]:
    servers = ScriptedReads()
    return servers, SharedQueries(servers, random.Random(1))


async def begun(*waiting: Awaitable[Response]) -> list[asyncio.Future[Response]]:
    tasks = [asyncio.ensure_future(one) for one in waiting]
    await turns()
    return tasks


async def test_identical_queries_are_asked_once_and_all_get_the_news() -> None:
    servers, shared = made()
    tasks = await begun(*(shared.wait(question(), 1, LONG_S) for _ in range(5)))
    assert servers.asked == ["/v1/kv/a?index=1&wait=600000ms"]
    await servers.publish(b"second")
    assert [(await task).body for task in tasks] == [b"second"] * 5
    assert not servers.waiting


async def test_queries_with_other_targets_and_tokens_are_asked_apart() -> None:
    servers, shared = made()
    tasks = await begun(
        shared.wait(question(), 1, LONG_S),
        shared.wait(question(token="x"), 1, LONG_S),
        shared.wait(question("/v1/kv/a?stale"), 1, LONG_S),
    )
    assert len(servers.waiting) == 3
    await servers.publish(b"second")
    await asyncio.gather(*tasks)


async def test_a_client_that_is_behind_asks_itself_and_does_not_get_an_old_response() -> None:
    servers, shared = made()
    servers.index = 5
    (waiting,) = await begun(shared.wait(question(), 5, LONG_S))
    servers.body = b"written since"
    assert (await shared.wait(question(), 3, LONG_S)).body == b"written since"
    waiting.cancel()


async def test_a_client_that_is_ahead_waits_for_its_own_index() -> None:
    servers, shared = made()
    behind, ahead = await begun(shared.wait(question(), 1, LONG_S), shared.wait(question(), 2, LONG_S))
    await servers.publish(b"2")
    assert (await behind).body == b"2"
    assert not ahead.done()
    await servers.publish(b"3")
    assert (await ahead).body == b"3"


async def test_at_the_end_of_its_time_a_client_gets_what_a_plain_read_returns() -> None:
    servers, shared = made()
    (other,) = await begun(shared.wait(question(), 1, LONG_S))
    response = await shared.wait(question(), 1, 0.001)
    assert (response.status, response.body) == (200, b"first")
    assert servers.asked[-1] == "/v1/kv/a"
    assert not other.done()
    other.cancel()
    await turns()
    assert not servers.waiting


async def test_a_stale_read_of_a_server_that_is_behind_is_asked_again_as_a_default_one() -> None:
    servers, shared = made()
    servers.index = 3
    (task,) = await begun(shared.wait(question("/v1/kv/a?stale&raw"), 3, 0.3))
    servers.index = 2
    await task
    assert servers.asked[1:] == ["/v1/kv/a?stale&raw", "/v1/kv/a?raw"]


async def test_clients_notice_nothing_of_a_server_that_goes_away() -> None:
    servers, shared = made()
    (task,) = await begun(shared.wait(question(), 1, LONG_S))
    await servers.break_off(Lost("connection reset"))
    servers.error = NotSent("no server")
    await turns()
    assert not task.done()
    servers.error = None
    while not servers.waiting:
        await turns()
    await servers.publish(b"second")
    assert (await task).body == b"second"


async def test_a_server_that_stops_ends_its_queries_without_news_and_clients_go_on_waiting() -> None:
    servers, shared = made()
    (task,) = await begun(shared.wait(question(), 1, LONG_S))
    for news in list(servers.waiting):
        news.set_result(None)
    await turns()
    while not servers.waiting:
        await turns()
    assert not task.done()
    await servers.publish(b"second")
    assert (await task).body == b"second"


async def test_an_error_is_given_to_all() -> None:
    servers, shared = made()
    tasks = await begun(*(shared.wait(question(), 1, LONG_S) for _ in range(2)))
    servers.status = 403
    await servers.publish(b"Permission denied")
    assert [(await task).status for task in tasks] == [403, 403]


async def test_a_response_without_an_index_is_given_at_once() -> None:
    servers, shared = made()
    servers.has_index = False
    assert (await shared.wait(question("/v1/query/x/execute"), 1, LONG_S)).body == b"first"


async def test_the_query_ends_with_its_last_client() -> None:
    servers, shared = made()
    first, second = await begun(shared.wait(question(), 1, LONG_S), shared.wait(question(), 1, LONG_S))
    first.cancel()
    await turns()
    assert len(servers.waiting) == 1
    second.cancel()
    await turns()
    assert not servers.waiting


async def test_waiting_clients_are_answered_when_the_agent_stops() -> None:
    _, shared = made()
    (task,) = await begun(shared.wait(question(), 1, LONG_S))
    shared.close()
    assert (await task).body == b"first"

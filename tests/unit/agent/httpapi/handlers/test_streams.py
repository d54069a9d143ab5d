"""Streams of answers: what is sent, what is not, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, get_type_hints

import pytest
from support.eventually import one_turn

from pyconsul.agent.httpapi.core.context import StreamBudget
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import JSON, TEXT, HTTPError, Query, Response, Seen
from pyconsul.agent.httpapi.handlers import streams
from pyconsul.agent.httpapi.handlers.streams import ALIVE, open_stream
from pyconsul.agent.httpapi.routes import ROUTES
from pyconsul.agent.state.acl.tables import TOPIC
from pyconsul.agent.state.watches import Watches


class Source:
    """Answers by path; a path that is not there is refused."""

    def __init__(self) -> None:
        self.watches = Watches()
        self.values: dict[str, tuple[int, Any]] = {"/a": (3, 1), "/b": (3, 1)}
        self.looks = 0
        self.permissions: object = "all"
        self.stream_budget = StreamBudget()

    def rights(self, request: Request) -> object:
        return self.permissions

    def look(self, request: Request) -> Seen:
        self.looks += 1
        if request.path not in self.values or self.permissions is None:
            return Seen(Response(403, b"Permission denied", TEXT))
        index, value = self.values[request.path]
        return Seen(Response(200, json.dumps(value).encode(), JSON), index, (request.path,))

    def change(self, path: str, value: Any) -> None:
        self.values[path] = self.values[path][0] + 1, value
        self.watches.fire((path,))

    def open(self, *queries: dict[str, Any]) -> AsyncIterator[bytes]:
        body = json.dumps({"Queries": list(queries)}).encode()
        stream = self.post(body).stream
        assert stream is not None
        return stream

    def post(self, body: bytes) -> Response:
        context: Any = self
        return open_stream(context, Request("POST", b"/v1/pyconsul/watch", {}, body)).open(self)


def ask(path: str, index: int = 0) -> dict[str, Any]:
    return {"ID": 1 if path == "/a" else 2, "Path": path, "Index": index}


async def take(stream: AsyncIterator[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await anext(stream)).splitlines()]


def line(id: int, index: int, body: Any) -> dict[str, Any]:
    return {"ID": id, "Index": index, "Status": 200, "Body": body}


async def test_answers_come_at_once_and_when_they_change() -> None:
    source = Source()
    stream = source.open(ask("/a"), ask("/b"))
    assert await take(stream) == [line(1, 3, 1), line(2, 3, 1)]
    assert await anext(stream) == ALIVE
    source.change("/b", 2)
    assert await take(stream) == [line(2, 4, 2)]


async def test_unchanged_values_are_not_sent_again() -> None:
    source = Source()
    stream = source.open(ask("/a", 3), ask("/b", 2))
    assert await take(stream) == [line(2, 3, 1)]
    assert await anext(stream) == ALIVE
    source.change("/a", 1)  # a higher index, the same answer: the reader knows it only by index
    source.change("/b", 5)
    assert await take(stream) == [line(2, 4, 5)]


async def test_a_slow_reader_gets_the_latest_only() -> None:
    source = Source()
    stream = source.open(ask("/a"))
    await anext(stream)
    for number in range(100):
        source.change("/a", number)
    parts = [await anext(stream), await anext(stream)]
    assert [part for part in parts if part != ALIVE] == [b'{"ID":1,"Index":103,"Status":200,"Body":99}\n']
    assert source.looks == 2


async def test_idle_queries_are_not_looked_at() -> None:
    source = Source()
    stream = source.open(ask("/a"), ask("/b"))
    await anext(stream)
    await anext(stream)
    waiting = asyncio.ensure_future(anext(stream))
    for _ in range(5):
        await one_turn()
    assert source.looks == 2
    source.change("/a", 7)
    await waiting
    assert source.looks == 3


async def test_silence_is_broken_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "KEEPALIVE_S", 0.0)
    stream = Source().open(ask("/a"))
    await anext(stream)
    assert [await anext(stream) for _ in range(3)] == [ALIVE] * 3


async def test_a_refusal_is_the_last_of_its_query_alone() -> None:
    source = Source()
    stream = source.open(ask("/a"), ask("/nothing"))
    refused = {"ID": 2, "Index": 0, "Status": 403, "Text": "Permission denied"}
    assert await take(stream) == [line(1, 3, 1), refused]
    await anext(stream)
    source.change("/a", 2)
    assert await take(stream) == [line(1, 4, 2)]


async def test_a_stream_of_refusals_ends() -> None:
    source = Source()
    parts = [part async for part in source.open(ask("/nothing"))]
    assert [json.loads(part).get("Status") for part in parts][:1] == [403]
    assert (source.stream_budget.used, len(source.watches)) == (0, 0)


async def test_lost_rights_end_access_at_once() -> None:
    source = Source()
    stream = source.open(ask("/a"))
    await anext(stream)
    await anext(stream)
    source.watches.fire((TOPIC,))  # somebody else's rights: nothing to look at
    await one_turn()
    assert source.looks == 1
    source.permissions = None
    source.watches.fire((TOPIC,))
    assert (await take(stream))[0]["Status"] == 403


async def test_a_refusal_is_sent_once() -> None:
    source = Source()
    stream = source.open(ask("/a"), ask("/nothing"))
    assert [response["ID"] for response in await take(stream)] == [1, 2]
    await anext(stream)
    source.permissions = None
    source.watches.fire((TOPIC,))
    assert [response["ID"] for response in await take(stream)] == [1]
    assert [part async for part in stream] == []


async def test_a_change_and_a_refusal_in_one_round() -> None:
    source = Source()
    source.values |= {f"/{number}": (1, "x" * streams.PART_BYTES) for number in range(3)}
    stream = source.open(*({"ID": number + 1, "Path": f"/{number}"} for number in range(3)))
    assert [response["ID"] for response in await take(stream)] == [1]
    source.permissions = None
    source.watches.fire(("/0", TOPIC))
    found = [json.loads(line) async for part in stream for line in part.splitlines()]
    assert [response["ID"] for response in found if response] == [2, 3, 1]


async def test_nothing_stays_behind() -> None:
    source = Source()
    stream = source.open(ask("/a"), ask("/b"))
    await anext(stream)
    assert (source.stream_budget.used, len(source.watches)) == (2, 3)
    await stream.aclose()  # type: ignore[attr-defined]
    assert (source.stream_budget.used, len(source.watches)) == (0, 0)


async def test_the_agents_end_is_the_streams() -> None:
    source = Source()
    stream = source.open(ask("/a"))
    await anext(stream)
    await anext(stream)
    rest = asyncio.ensure_future(anext(stream))
    await one_turn()
    source.watches.close()
    with pytest.raises(StopAsyncIteration):
        await rest


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "decode failed"),
        (b'{"Queries":[{"ID":1,"Path":5}]}', 400, "Queries[0].Path"),
        (b'{"Queries":[{"ID":1,"Path":"/a","Wait":"1s"}]}', 400, "unknown field"),
        (b'{"Queries":[]}', 400, "from 1 to 10,000"),
        (b'{"Queries":[{"ID":1,"Path":"/a"},{"ID":1,"Path":"/b"}]}', 400, "same ID"),
        (json.dumps({"Queries": [{"ID": n, "Path": "/a"} for n in range(10_001)]}).encode(), 400, "10001 queries"),
    ],
)
def test_queries_that_are_refused(body: bytes, status: int, words: str) -> None:
    with pytest.raises(HTTPError) as caught:
        Source().post(body)
    assert caught.value.status == status
    assert words in caught.value.text


def test_all_streams_together_are_bounded() -> None:
    source = Source()
    source.stream_budget = StreamBudget(1)
    with pytest.raises(HTTPError) as caught:
        source.open(ask("/a"), ask("/b"))
    assert caught.value.status == 429


@pytest.mark.parametrize("route", [route for route in ROUTES if route.watched], ids=lambda route: route.pattern)
def test_watched_routes_are_reads_that_can_be_waited_for(route: Any) -> None:
    assert "GET" in route.methods
    assert Query in _parts(get_type_hints(route.endpoints["GET"].handler)["return"])


def _parts(hint: Any) -> tuple[Any, ...]:
    return (hint, *getattr(hint, "__args__", ()))


async def test_queries_that_take_long_give_way_after_each(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += streams.SLICE_S
        return now

    monkeypatch.setattr(streams, "monotonic", clock)
    stream = Source().open(ask("/a"), ask("/b"))
    assert await take(stream) == [line(1, 3, 1)]
    assert await take(stream) == [line(2, 3, 1)]

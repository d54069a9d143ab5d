"""Bodies that are handed on while they arrive."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest
from support.eventually import one_turn

from pyconsul.agent.httpapi.server.body_stream import HIGH_WATER, BodyStream
from pyconsul.agent.httpapi.server.contract import BodyLost


async def test_chunks_of_one_byte_are_one_part_and_take_no_more_memory_than_their_bytes() -> None:
    resumed: list[bool] = []
    stream = BodyStream(lambda: resumed.append(True))
    tracemalloc.start()
    for _ in range(HIGH_WATER):
        assert not stream.full
        stream.feed(bytes(memoryview(b"x")))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 2 * HIGH_WATER
    assert stream.full
    stream.end()
    assert [part async for part in stream] == [b"x" * HIGH_WATER]
    assert resumed == [True]


async def test_a_reader_waits_for_the_next_part_and_hears_of_a_client_that_is_gone() -> None:
    stream = BodyStream(lambda: None)
    reading = asyncio.ensure_future(anext(stream))
    await one_turn()
    stream.feed(b"a")
    assert await reading == b"a"
    stream.lose()
    with pytest.raises(BodyLost):
        await anext(stream)

"""The lines of an answer, however their bytes are cut."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.httpstream import LineStream
from pyconsul.tools.httpwire import WireError

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = self.paused = False

    def write(self, data: Any) -> None:
        pass

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def opened() -> tuple[LineStream, Wire]:
    stream, wire = LineStream(), Wire()
    stream.connection_made(wire)
    return stream, wire


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line), min_size=1), st.data())
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    body = b"".join(line + b"\n" for line in lines)
    middle = data.draw(st.integers(0, len(body)))
    sent = HEAD + chunk(body[:middle]) + chunk(body[middle:])
    cut = data.draw(st.integers(1, 9))

    async def read() -> list[bytes]:
        stream, _ = opened()
        for start in range(0, len(sent), cut):
            stream.data_received(sent[start : start + cut])
        return await stream.take(10)

    assert asyncio.run(read()) == lines


async def test_what_came_before_the_end_is_not_lost() -> None:
    stream, wire = opened()
    stream.data_received(HEAD + chunk(b"one\ntwo\nha") + b"0\r\n\r\n")
    assert await stream.take(10) == [b"one", b"two"]
    with pytest.raises(WireError, match="has ended"):
        await stream.take(10)
    assert wire.closed


async def test_silence_is_the_end_and_says_how_long() -> None:
    stream, _ = opened()
    with pytest.raises(WireError) as caught:
        await stream.ask(b"", 0.001)
    assert caught.value.silent == 0.001


async def test_an_error_has_its_text() -> None:
    stream, _ = opened()
    stream.data_received(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot\nhere\n")
    await stream.ask(b"", 10)
    assert stream.status == 404
    assert await stream.text(10) == "not\nhere\n"


async def test_no_http() -> None:
    stream, _ = opened()
    stream.data_received(b"SSH-2.0\r\n")
    with pytest.raises(WireError, match="no HTTP"):
        await stream.take(10)


async def test_who_reads_slowly_is_not_overrun() -> None:
    stream, wire = opened()
    stream.data_received(HEAD)
    for _ in range(5):
        stream.data_received(chunk(b"x" * (1 << 20) + b"\n"))
    assert wire.paused
    assert len(await stream.take(10)) == 5
    assert not wire.paused

"""Answers that come line by line, however their bytes are cut."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.eventually import one_turn
from support.scripted import Script, asking, read_request

from pyconsul.tools.consul.client import Connection, ConsulClient, ConsulError

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
LONG = 30.0  # seconds


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


async def read(client: ConsulClient, patience: float = LONG) -> tuple[list[bytes], ConsulError]:
    """All lines, and what ended them."""
    lines: list[bytes] = []
    try:
        async for some in client.lines("/v1/x", b"question", patience):
            assert some
            lines += some
    except ConsulError as error:
        return lines, error
    raise AssertionError("an end is an error")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line), min_size=1), st.data())
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    body = b"".join(line + b"\n" for line in lines)
    middle = data.draw(st.integers(0, len(body)))
    script = Script(HEAD + chunk(body[:middle]) + chunk(body[middle:]) + END, piece=data.draw(st.integers(1, 9)))

    async def run() -> list[bytes]:
        async with asking(script) as client:
            return (await read(client))[0]

    assert asyncio.run(run()) == lines


async def test_the_request() -> None:
    script = Script(HEAD + END)
    async with asking(script, Connection(token="t")) as client:
        await read(client)
    head, _, body = script.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/x HTTP/1.1\r\nHost: 127.0.0.1:")
    assert head.endswith(b"\r\nX-Consul-Token: t\r\nContent-Length: 8")
    assert body == b"question"


@pytest.mark.parametrize(
    ("end", "error"), [(END, "has ended"), (b"", "no whole answer"), (b"hunter2\r\n", "no whole answer")]
)
async def test_lines_before_the_end_are_not_lost(end: bytes, error: str) -> None:
    async with asking(Script(HEAD + chunk(b"one\ntwo\nha") + end, ends=True)) as client:
        lines, ended = await read(client)
    assert lines == [b"one", b"two"]
    assert ended.status == 0
    assert error in str(ended)
    assert "hunter2" not in str(ended)


@pytest.mark.parametrize("answer", [b"", HEAD, HEAD + chunk(b"one\ntwo")])
async def test_silence_ends_the_stream_and_its_length_is_reported(answer: bytes) -> None:
    async with asking(Script(answer)) as client:
        _, error = await read(client, 0.2)
    assert (error.status, error.silent) == (0, 0.2)
    assert "no answer within 0.2s" in str(error)


async def test_an_error_has_its_text() -> None:
    async with asking(Script(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot\nhere\n")) as client:
        lines, error = await read(client)
    assert (lines, error.status, str(error)) == ([], 404, "POST /v1/x: 404: not here")


async def test_an_error_is_not_listened_to_for_ever() -> None:
    async with asking(Script(b"HTTP/1.1 500 No\r\n\r\n" + b"words " * 1000, piece=6000)) as client:
        _, error = await read(client)
    assert (error.status, str(error)) == (500, "POST /v1/x: 500: " + ("words " * 34)[:200].rstrip())


async def test_an_error_without_all_of_its_text() -> None:
    async with asking(Script(b"HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\nbecause", ends=True)) as client:
        _, error = await read(client)
    assert (error.status, str(error)) == (500, "POST /v1/x: 500: because")


async def test_no_http() -> None:
    async with asking(Script(b"SSH-2.0\r\n\r\n")) as client:
        lines, error = await read(client)
    assert (lines, error.status) == ([], 0)
    assert "no whole answer: illegal status line" in str(error)


@pytest.mark.parametrize("how", ["cancelled", "left"])
async def test_a_reader_that_stops_leaves_no_connection_behind(how: str) -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD + chunk(b"line\n"))
        assert await reader.read() == b""
        gone.set()

    async with asking(serve) as client:
        got = asyncio.Event()

        async def listen() -> None:
            async with aclosing(client.lines("/v1/x", b"", LONG)) as parts:
                async for _ in parts:
                    got.set()
                    if how == "left":
                        break

        task = asyncio.create_task(listen())
        await asyncio.wait_for(got.wait(), LONG)
        if how == "cancelled":
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.wait_for(gone.wait(), LONG)


async def test_a_slow_reader_is_not_overrun() -> None:
    sent, total = 0, 64
    line = chunk(b"x" * ((1 << 20) - 1) + b"\n")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(HEAD)
        for _ in range(total):
            writer.write(line)
            await writer.drain()
            sent += 1
        writer.write(END)

    async with asking(serve) as client:
        first, count = True, 0
        async with aclosing(client.lines("/v1/x", b"", LONG)) as parts:
            while count < total:
                count += len(await anext(parts))
                if first:
                    for _ in range(1000):
                        await one_turn()
                    assert sent < total
                first = False

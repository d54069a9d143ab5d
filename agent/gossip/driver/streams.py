"""Streams that this agent opens: one message there and one back, within one deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import TypeVar

from pyconsul.agent.common.go.network_errors import dial_error, join_address, phrase
from pyconsul.agent.gossip.driver.frames import Frames
from pyconsul.agent.gossip.driver.sockets import SocketAddress, ip_text
from pyconsul.agent.gossip.wire.errors import DecodeError, Incomplete
from pyconsul.agent.gossip.wire.messages import Address, ErrorMessage, PushPull, StreamMessage
from pyconsul.agent.gossip.wire.stream import StreamDecoder, encode_stream

T = TypeVar("T")

#: Bytes of a stream from which on it is decoded in a thread, so that the event loop does not stand still.
LARGE_STREAM = 16 << 10
#: Members of a push/pull from which on it is encoded in a thread.
MANY_MEMBERS = 100
_CHUNK = 1 << 16  # bytes read at once


class StreamError(Exception):
    """A stream that failed, in Go's words: "dial tcp 10.0.0.3:8301: connect: connection refused"."""


class StreamCodec:
    """Encodes and decodes streams with the present keys, large ones in a thread."""

    def __init__(self, frames: Frames, executor: Executor) -> None:
        self._frames = frames
        self._executor = executor

    def decoder(self, *, is_answer: bool) -> StreamDecoder:
        """Return a decoder for one stream."""
        return StreamDecoder(self._frames.present, is_answer=is_answer)

    async def encode(self, message: StreamMessage, *, is_answer: bool) -> bytes:
        """Return the bytes of a message."""
        if not isinstance(message, PushPull) or len(message.nodes) < MANY_MEMBERS:
            return encode_stream(message, self._frames.present, is_answer=is_answer)
        return await self._in_thread(lambda: encode_stream(message, self._frames.present, is_answer=is_answer))

    async def read(
        self, reader: asyncio.StreamReader, decoder: StreamDecoder, received: Callable[[int], None] = lambda size: None
    ) -> StreamMessage:
        """Return the message of a stream. Raises DecodeError, OSError, and what `received(size)` raises for a chunk."""
        total = 0
        while chunk := await reader.read(_CHUNK):
            received(len(chunk))
            total += len(chunk)
            if total < LARGE_STREAM:
                message = decoder.feed(chunk)
            else:
                message = await self._in_thread(lambda data=chunk: decoder.feed(data))  # type: ignore[misc]
            if message is not None:
                return message
        return decoder.finish()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


class StreamClient:
    """Opens streams to other members."""

    def __init__(self, codec: StreamCodec) -> None:
        self._codec = codec

    async def ask(
        self,
        address: Address,
        message: Callable[[], StreamMessage],
        timeout_s: float,
        *,
        opened: Callable[[SocketAddress], Awaitable[None]] | None = None,
    ) -> StreamMessage:
        """Send a message and return the answer. Raises StreamError, also for a peer's error and a timeout.

        `opened(own address)` and then `message` are called once the connection is there.
        """
        host = ip_text(address.ip)
        where, is_open = join_address(host, address.port), False
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(host, address.port, limit=_CHUNK)
                is_open = True
                try:
                    if opened is not None:
                        await opened(writer.get_extra_info("sockname")[:2])
                    writer.write(await self._codec.encode(message(), is_answer=False))
                    await writer.drain()
                    answer = await self._codec.read(reader, self._codec.decoder(is_answer=True))
                finally:
                    writer.close()
        except Incomplete:
            raise StreamError("EOF") from None
        except DecodeError as error:
            raise StreamError(str(error)) from error
        except OSError as error:
            raise StreamError(
                _read_error(where, error) if is_open else dial_error("tcp", host, address.port, error)
            ) from error
        if isinstance(answer, ErrorMessage):
            raise StreamError(f"remote error: {answer.error}")
        return answer


def _read_error(where: str, error: OSError) -> str:
    is_timeout = isinstance(error, TimeoutError) and error.errno is None
    return f"read tcp {where}: {'i/o timeout' if is_timeout else phrase(error)}"

"""Streams that others open: bounded in number, size and time."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pyconsul.agent.common.go.network_errors import join_address, phrase
from pyconsul.agent.gossip.driver.pool_log import PoolLog
from pyconsul.agent.gossip.driver.sockets import BACKLOG, SocketAddress
from pyconsul.agent.gossip.driver.streams import StreamCodec
from pyconsul.agent.gossip.wire.errors import DecodeError, FramingError
from pyconsul.agent.gossip.wire.messages import ErrorMessage, StreamMessage

#: Streams at once. One more is refused, unless the oldest lasts for longer than `SLOW_S`: then that one is aborted.
MAX_STREAMS = 128
SLOW_S = 1.0
#: Received bytes of all streams together.
MAX_BYTES = 64 << 20
_CHUNK = 1 << 16
_LINGER_S = 1.0  # time for a peer to read an error before the connection is reset
_LINGER_BYTES = 1 << 20


class StreamHandler(Protocol):
    """The handlers of the streams."""

    def answer(self, message: StreamMessage, source: SocketAddress) -> StreamMessage | None:
        """Return the answer to a message; None: close without one."""

    async def take(self, message: StreamMessage, source: SocketAddress) -> None:
        """Take in a message, after it was answered."""


class _Refused(Exception):
    """A stream that is not read on."""


@dataclass(slots=True, eq=False)
class _Stream:
    """A stream that is being served."""

    writer: asyncio.StreamWriter
    started_at: float
    size: int = 0  # bytes received

    def grow(self, size: int) -> None:
        self.size += size


class StreamServer:
    """The listening side."""

    def __init__(
        self, codec: StreamCodec, handler: StreamHandler, timeout_s: float, log: PoolLog, clock: Callable[[], float]
    ) -> None:
        """`timeout_s`: for a whole stream."""
        self._codec, self._handler, self._timeout_s, self._log, self._clock = codec, handler, timeout_s, log, clock
        self._server: asyncio.Server | None = None
        self._streams: dict[asyncio.Task[None], _Stream] = {}  # in the order of their starts
        self._size = 0  # bytes of all streams

    async def start(self, tcp: socket.socket) -> None:
        """Serve the streams of a listening socket."""
        self._server = await asyncio.start_server(self._connected, sock=tcp, limit=_CHUNK, backlog=BACKLOG)

    async def close(self) -> None:
        """Accept no more streams, and abort those that are open."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._streams)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._streams) >= MAX_STREAMS and not self._abort_slowest():
            self._log.line("too many streams", f"refused a stream: limit={MAX_STREAMS}")
            writer.transport.abort()
            return
        stream = _Stream(writer, self._clock())
        task = asyncio.get_running_loop().create_task(self._serve(reader, stream))
        self._streams[task] = stream
        task.add_done_callback(self._finished)

    def _abort_slowest(self) -> bool:
        task, oldest = next(iter(self._streams.items()))
        if self._clock() - oldest.started_at < SLOW_S:
            return False
        oldest.writer.transport.abort()
        task.cancel()
        del self._streams[task]
        self._log.line("too many streams", f"aborted the oldest stream for a new one: limit={MAX_STREAMS}")
        return True

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._streams.pop(task, None)

    async def _serve(self, reader: asyncio.StreamReader, stream: _Stream) -> None:
        writer = stream.writer
        peer = writer.get_extra_info("peername")
        source: SocketAddress = peer[:2] if peer else ("?", 0)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._exchange(reader, stream, source)
        except FramingError as error:
            self._ignored(source, str(error))
            await self._answer_error(reader, writer, str(error))
        except (DecodeError, _Refused) as error:
            if stream.size:  # a stream without a byte is a port scan, or a TCP check
                self._ignored(source, str(error))
        except TimeoutError:
            self._ignored(source, f"it did not end within {self._timeout_s:g} s")
        except OSError as error:
            self._log.line("stream failed", f"stream failed: {_from(source)} error={phrase(error)!r}", logging.DEBUG)
        except Exception as error:
            self._log.failure("a stream could not be served", error)
        finally:
            self._size -= stream.size
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, stream: _Stream, source: SocketAddress) -> None:
        def received(size: int) -> None:
            stream.grow(size)
            self._size += size
            if self._size > MAX_BYTES:
                raise _Refused(f"the streams of all peers hold more than {MAX_BYTES} bytes")

        message = await self._codec.read(reader, self._codec.decoder(is_answer=False), received)
        answer = self._handler.answer(message, source)
        if answer is not None:
            stream.writer.write(await self._codec.encode(answer, is_answer=True))
            await stream.writer.drain()
        await self._handler.take(message, source)

    async def _answer_error(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: str) -> None:
        """Tell the peer what was wrong with its frame, and let it read that: unread data would reset the connection."""
        try:
            async with asyncio.timeout(_LINGER_S):
                writer.write(await self._codec.encode(ErrorMessage(text), is_answer=True))
                await writer.drain()
                if writer.can_write_eof():
                    writer.write_eof()
                read = 0
                while read < _LINGER_BYTES and (chunk := await reader.read(_CHUNK)):
                    read += len(chunk)
        except OSError:
            pass  # the peer has gone, or does not close: it has had its time

    def _ignored(self, source: SocketAddress, reason: str) -> None:
        self._log.line("stream", f"ignored a stream: {_from(source)} error={reason!r}")


def _from(source: SocketAddress) -> str:
    return f"source={join_address(*source)}"

"""The frames of a connection between two agents: requests, responses, parts of bodies and flow control, many at a time.

A frame is a length (4 bytes, big endian) and MessagePack: an array whose first element is the type.  The agent that has dialed
numbers its requests 1, 3, 5 …, the other one 2, 4, 6 …; all frames about a request carry its number, in both directions.

A body of at most `INLINE_BYTES` stands in its request or response.  A longer one, and a stream, follow as parts.  At most
`WINDOW_BYTES` of the parts of one body are under way; the receiver allows more by `Credit` as they are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, TypeAlias

import msgspec

HEAD_BYTES = 4
MAX_FRAME_BYTES = 1 << 20
INLINE_BYTES = 64 << 10
PART_BYTES = 64 << 10
WINDOW_BYTES = 256 << 10
#: Values of `more`: the body is whole; its rest follows and belongs to one body; it is a stream.
WHOLE, REST, STREAM = 0, 1, 2

Number: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]
More: TypeAlias = Annotated[int, msgspec.Meta(ge=WHOLE, le=STREAM)]


class FrameError(Exception):
    """The bytes are not the frames of this protocol; the text gives the reason."""


class Request(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """A request to the other agent; `target` and `headers` as in `HTTPRequest`."""

    id: Number
    method: str
    target: bytes
    headers: dict[bytes, bytes]
    body: bytes = b""
    more: More = WHOLE


class Response(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """The response to a request."""

    id: Number
    status: Annotated[int, msgspec.Meta(ge=100, le=999)]
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""
    more: More = WHOLE


class Part(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """A part of a body: of the request, if the asking agent sends it, else of the response."""

    id: Number
    data: bytes
    last: bool = False


class Credit(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4):
    """Allows the other agent to send that many bytes more of a body."""

    id: Number
    count: Annotated[int, msgspec.Meta(ge=1, le=1 << 30)]


class Cancel(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5):
    """Ends a request: nobody waits for the response, or there will be none."""

    id: Number


class Refusal(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=6):
    """The request was not begun, and will not be."""

    id: Number
    reason: str


class Ping(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=7):
    """Asks for a sign of life."""


class Pong(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=8):
    """Answers a ping."""


class Goodbye(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=9):
    """Announces the end of the connection: requests under way are answered, new ones are refused."""


Frame: TypeAlias = Request | Response | Part | Credit | Cancel | Refusal | Ping | Pong | Goodbye

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frame).decode


def encode(frame: Frame) -> bytes:
    """Return a frame with its length.  Raises FrameError for one that is too long."""
    data = _encode(frame)
    size = len(data)
    if size > MAX_FRAME_BYTES:
        raise FrameError(f"a frame of {size} bytes; allowed: {MAX_FRAME_BYTES}")
    return size.to_bytes(HEAD_BYTES, "big") + data


class FrameReader:
    """Cuts received bytes into frames."""

    def __init__(self) -> None:
        self._partial = bytearray()
        self._needed = 0  # bytes of `_partial` without which it holds no whole frame

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are whole with these bytes.  Use the iterator up before the next call.  Raises FrameError."""
        if self._partial:
            self._partial += data
            if len(self._partial) < self._needed:
                return
            data = bytes(self._partial)
            self._partial.clear()
        view, at, end = memoryview(data), 0, len(data)
        while end - at >= HEAD_BYTES:
            size = int.from_bytes(view[at : at + HEAD_BYTES], "big")
            if not 0 < size <= MAX_FRAME_BYTES:
                raise FrameError(f"a frame of {size} bytes; allowed: 1 to {MAX_FRAME_BYTES}")
            after = at + HEAD_BYTES + size
            if after > end:
                self._keep(view[at:], HEAD_BYTES + size)
                return
            try:
                frame = _decode(view[at + HEAD_BYTES : after])
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise FrameError(f"not a frame: {error}") from None
            at = after
            yield frame
        if at < end:
            self._keep(view[at:], HEAD_BYTES)

    def _keep(self, rest: memoryview, needed: int) -> None:
        self._partial += rest
        self._needed = needed

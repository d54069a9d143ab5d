"""Streams (TCP): `[label] | encryption | compression | message`; one message each way, the answer without the label header.

Only encrypted streams announce their length, so the decoder takes the bytes as they arrive and returns the message once it is
complete. It never holds more than `MAX_STREAM_SIZE` bytes, and reads each member of a push/pull once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator
from typing import TypeVar

from pyconsul.agent.gossip.wire.dialect import MAX_FIELDS, Reader, read_i64
from pyconsul.agent.gossip.wire.encryption import OVERHEAD, encrypted_size
from pyconsul.agent.gossip.wire.errors import DecodeError, FramingError, Incomplete
from pyconsul.agent.gossip.wire.lzw import decompress
from pyconsul.agent.gossip.wire.messages import (
    CODECS,
    COMPRESSED,
    ENCRYPTED,
    LABEL,
    PUSH_PULL,
    PUSH_PULL_HEADER,
    PUSH_PULL_NODE,
    USER,
    USER_HEADER,
    PushPull,
    PushPullHeader,
    StreamMessage,
    UserHeader,
    UserMessage,
    encode_message,
)
from pyconsul.agent.gossip.wire.packet import Framing, compressed

MAX_STREAM_SIZE = 20 << 20  # bytes of a frame, and of what it expands to (memberlist's limit for encrypted ones)
MAX_NODES = 1 << 18  # members of one push/pull
MAX_STRUCT_SIZE = 1 << 16  # bytes of one header, member or message in a stream
_ENCRYPTED_HEAD = struct.Struct(">BI")

T = TypeVar("T")
#: A part of the decoder: yields while bytes are missing, returns what it has read.
Steps = Generator[None, None, T]


def encode_stream(message: StreamMessage, framing: Framing, *, is_answer: bool) -> bytes:
    """Return the bytes of one half of a connection: the caller's, or the answer to it."""
    data = encode_stream_message(message)
    if framing.compression:
        data = compressed(data)
    if framing.keyring is not None and framing.verify_outgoing:
        head = _ENCRYPTED_HEAD.pack(ENCRYPTED, encrypted_size(len(data), framing.encryption_version))
        data = head + framing.keyring.encrypt(
            data, framing.new_nonce(), head + framing.label, version=framing.encryption_version
        )
    return data if is_answer else framing.label_header + data


def encode_stream_message(message: StreamMessage) -> bytes:
    """Return a message as it stands in a stream, without frames."""
    if type(message) is UserMessage:
        return bytes((USER,)) + USER_HEADER.encode(UserHeader(len(message.payload))) + message.payload
    if type(message) is PushPull:
        header = PushPullHeader(len(message.nodes), len(message.user_state), message.join)
        nodes = map(PUSH_PULL_NODE.encode, message.nodes)
        return b"".join((bytes((PUSH_PULL,)), PUSH_PULL_HEADER.encode(header), *nodes, message.user_state))
    return encode_message(message)  # type: ignore[arg-type]


class StreamDecoder:
    """Decodes the one message of a stream from the bytes as they arrive."""

    def __init__(self, framing: Framing, *, is_answer: bool) -> None:
        """`is_answer`: the bytes come from the accepting side, which sends no label header."""
        self._framing = framing
        self._is_answer = is_answer
        self._data = bytearray()
        self._position = 0  # of the first byte that has not been read
        self._is_whole = False  # no more bytes will come
        self._window: Reader | None = None  # over a part of the data
        self._window_start = 0
        self._message: StreamMessage | None = None
        self._steps = self._decode()

    def feed(self, data: bytes) -> StreamMessage | None:
        """Take bytes; return the message once it is complete. Raises DecodeError (FramingError: answer with `err`)."""
        if self._message is None:
            self._data += data
            next(self._steps, None)
            if self._message is None and len(self._data) > MAX_STREAM_SIZE + MAX_STRUCT_SIZE:
                raise DecodeError(f"the stream holds more than {MAX_STREAM_SIZE} bytes")
        return self._message

    def finish(self) -> StreamMessage:
        """Return the message of a stream that has ended. Raises DecodeError if it is incomplete."""
        self._is_whole = True
        message = self.feed(b"")
        if message is None:
            raise Incomplete("the stream ended before its message")
        return message

    def _decode(self) -> Steps[None]:
        if not self._is_answer:
            yield from self._read_label()
        if (yield from self._peek()) == ENCRYPTED:
            yield from self._decrypt()
        elif self._framing.keyring is not None and self._framing.verify_incoming:
            raise FramingError("Encryption is configured but remote state is not encrypted")
        if (yield from self._peek()) == COMPRESSED:
            yield from self._decompress()
        self._message = yield from self._read_message()

    def _wait(self, size: int) -> Steps[None]:
        """Wait until `size` unread bytes are there."""
        while len(self._data) - self._position < size:
            if self._is_whole:
                raise Incomplete("the stream ended before its message")
            yield

    def _peek(self) -> Steps[int]:
        yield from self._wait(1)
        return self._data[self._position]

    def _take(self, size: int) -> Steps[bytes]:
        yield from self._wait(size)
        start, self._position, self._window = self._position, self._position + size, None
        return bytes(self._data[start : self._position])

    def _replace(self, data: bytes) -> None:
        """Go on with the content of a frame, which is there as a whole."""
        self._data, self._position, self._is_whole, self._window = bytearray(data), 0, True, None

    def _read_label(self) -> Steps[None]:
        label = b""
        if (yield from self._peek()) == LABEL:
            size = (yield from self._take(2))[1]
            if not size:
                raise DecodeError("the label is empty")
            label = yield from self._take(size)
        if label != self._framing.label:
            raise DecodeError("the label differs from the label of this pool" if label else "the label is missing")

    def _decrypt(self) -> Steps[None]:
        keyring = self._framing.keyring
        if keyring is None:
            raise FramingError("Remote state is encrypted and encryption is not configured")
        head = yield from self._take(_ENCRYPTED_HEAD.size)
        size = _ENCRYPTED_HEAD.unpack(head)[1]
        if not OVERHEAD[1] <= size <= MAX_STREAM_SIZE:
            raise FramingError(f"the encrypted stream announces {size} bytes, outside {OVERHEAD[1]}..{MAX_STREAM_SIZE}")
        ciphertext = yield from self._take(size)
        try:
            self._replace(keyring.decrypt(ciphertext, head + self._framing.label))
        except DecodeError as error:
            raise FramingError(str(error)) from None

    def _decompress(self) -> Steps[None]:
        """Read {Algo, Buf} and expand it; unlike other values, Buf may be larger than `MAX_STRUCT_SIZE`."""
        yield from self._take(1)
        algorithm, buffer = 0, b""
        field_count = yield from self._read(Reader.map_size)
        if field_count > MAX_FIELDS:
            raise FramingError(f"the compressed message has more than {MAX_FIELDS} fields")
        for _ in range(field_count):
            name = yield from self._read(Reader.scalar)
            if name == b"Buf":
                buffer = yield from self._take((yield from self._read_raw_size()))
            elif name == b"Algo":
                algorithm = yield from self._read(read_i64)
            else:
                yield from self._read(Reader.skip)
        if algorithm != 0:
            raise FramingError(f"unsupported compression algorithm {algorithm}")
        try:
            self._replace(decompress(buffer, MAX_STREAM_SIZE))
        except DecodeError as error:
            raise FramingError(str(error)) from None

    def _read_raw_size(self) -> Steps[int]:
        """Read the head of a byte string; nil is an empty one."""
        first = (yield from self._take(1))[0]
        if 0xA0 <= first <= 0xBF:
            return first & 31
        width = {0xC0: 0, 0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}.get(first)
        if width is None:
            raise FramingError("the compressed message holds no bytes")
        size = int.from_bytes((yield from self._take(width)), "big")
        if size > MAX_STREAM_SIZE:
            raise FramingError(f"the compressed stream announces {size} bytes, more than {MAX_STREAM_SIZE}")
        return size

    def _read_message(self) -> Steps[StreamMessage]:
        kind = (yield from self._take(1))[0]
        if kind == PUSH_PULL:
            return (yield from self._read_push_pull())
        if kind == USER:
            header = yield from self._read(USER_HEADER.read)
            _check_size(header.size)
            return UserMessage((yield from self._take(header.size)))
        if kind not in CODECS:
            raise DecodeError(f"unsupported message type {kind} in a stream")
        message: StreamMessage = yield from self._read(CODECS[kind].read)
        return message

    def _read_push_pull(self) -> Steps[PushPull]:
        header = yield from self._read(PUSH_PULL_HEADER.read)
        if not 0 <= header.nodes <= MAX_NODES:
            raise DecodeError(f"the push/pull announces {header.nodes} members, outside 0..{MAX_NODES}")
        _check_size(header.user_state_size)
        nodes = []
        for _ in range(header.nodes):
            nodes.append((yield from self._read(PUSH_PULL_NODE.read)))
        return PushPull(header.join, tuple(nodes), (yield from self._take(header.user_state_size)))

    def _read(self, read: Callable[[Reader], T]) -> Steps[T]:
        """Read one value of at most `MAX_STRUCT_SIZE` bytes, again from its start whenever bytes were missing."""
        while True:
            if self._window is None:
                self._window = Reader(bytes(self._data[self._position : self._position + MAX_STRUCT_SIZE]))
                self._window_start = self._position
            window = self._window
            try:
                value = read(window)
            except Incomplete:
                self._window = None
                if self._window_start == self._position:
                    size = len(window)
                    if size >= MAX_STRUCT_SIZE:
                        raise DecodeError(f"a value has more than {MAX_STRUCT_SIZE} bytes") from None
                    yield from self._wait(size + 1)
                continue
            self._position = self._window_start + window.position()
            return value


def _check_size(size: int) -> None:
    if not 0 <= size <= MAX_STREAM_SIZE:
        raise DecodeError(f"the stream announces {size} bytes, outside 0..{MAX_STREAM_SIZE}")

"""Packets: `label | encryption | crc | compression | compound | message`, each part but the message optional."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence

import msgspec

from pyconsul.agent.gossip.wire.dialect import Field, StructCodec, pack, read_bytes, read_i64
from pyconsul.agent.gossip.wire.encryption import NONCE_SIZE, OVERHEAD, Keyring
from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.lzw import compress, decompress
from pyconsul.agent.gossip.wire.messages import (
    COMPOUND,
    COMPRESSED,
    CRC,
    LABEL,
    PacketMessage,
    decode_message,
)

MAX_PACKET_SIZE = 1 << 16  # bytes, also of everything that a packet expands to
MAX_NESTING = 4  # levels of compound and compression
MAX_PARTS = 255  # of one compound
MAX_ERRORS = 16  # bad parts of one packet, after which the rest is dropped
_CRC_HEAD = struct.Struct(">BI")


class Framing(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the frames around packets and streams; all members of a pool share label and keys."""

    random_bytes: Callable[[int], bytes]  # source of nonces
    label: bytes = b""  # at most 255 bytes
    keyring: Keyring | None = None
    compression: bool = True
    verify_incoming: bool = True  # refuse what is not encrypted
    verify_outgoing: bool = True  # encrypt what is sent
    encryption_version: int = 1

    @property
    def sends_encrypted(self) -> bool:
        return self.keyring is not None and self.verify_outgoing

    @property
    def label_header(self) -> bytes:
        return bytes((LABEL, len(self.label))) + self.label if self.label else b""

    @property
    def packet_overhead(self) -> int:
        """Bytes that label and encryption add to a packet; the crc is not counted, as in memberlist."""
        return len(self.label_header) + (OVERHEAD[self.encryption_version] if self.sends_encrypted else 0)

    def new_nonce(self) -> bytes:
        return self.random_bytes(NONCE_SIZE)


class Compressed(msgspec.Struct, frozen=True, gc=False):
    """A message compressed with LZW, the only algorithm there is (0)."""

    algorithm: int
    buffer: bytes


COMPRESSED_CODEC = StructCodec(
    Compressed, (Field("algorithm", "Algo", read_i64, 0), Field("buffer", "Buf", read_bytes, b""))
)


class Packet(msgspec.Struct, frozen=True):
    """The content of a packet: its messages in order, and what was wrong with the other parts."""

    messages: tuple[PacketMessage, ...]
    errors: tuple[str, ...] = ()


def decode_packet(data: bytes, framing: Framing) -> Packet:
    """Decode a datagram. Raises DecodeError if nothing of it can be read; otherwise bad parts are only listed."""
    if len(data) > MAX_PACKET_SIZE:
        raise DecodeError(f"the packet has more than {MAX_PACKET_SIZE} bytes")
    data = strip_label(data, framing.label)
    if framing.keyring is not None:
        try:
            data = framing.keyring.decrypt(data, framing.label)
        except DecodeError:
            if framing.verify_incoming:
                raise
    if len(data) >= _CRC_HEAD.size and data[0] == CRC:
        if zlib.crc32(data[_CRC_HEAD.size :]) != _CRC_HEAD.unpack_from(data)[1]:
            raise DecodeError("the checksum of the packet is wrong")
        data = data[_CRC_HEAD.size :]
    content = _Content()
    content.add(data, 0)
    if content.errors and not content.messages:
        raise DecodeError(content.errors[0])
    return Packet(tuple(content.messages), tuple(content.errors))


class _Content:
    """Messages collected from the nested parts of one packet."""

    __slots__ = ("_expandable", "errors", "messages")

    def __init__(self) -> None:
        self.messages: list[PacketMessage] = []
        self.errors: list[str] = []
        self._expandable = MAX_PACKET_SIZE  # bytes that decompression may still produce

    def add(self, data: bytes, depth: int) -> None:
        """Add a message or what a compound or compressed message holds."""
        if len(self.errors) >= MAX_ERRORS:
            return
        try:
            if depth > MAX_NESTING:
                raise DecodeError(f"messages are nested more than {MAX_NESTING} deep")
            if data[:1] == bytes((COMPRESSED,)):
                self.add(self._expand(data[1:]), depth + 1)
            elif data[:1] == bytes((COMPOUND,)):
                self._add_parts(data, depth)
            else:
                self.messages.append(decode_message(data))
        except DecodeError as error:
            self.errors.append(str(error))

    def _add_parts(self, data: bytes, depth: int) -> None:
        count = data[1] if len(data) > 1 else 0
        start = 2 + 2 * count
        if not count or len(data) < start:
            raise DecodeError("the head of the compound message is truncated")
        for index, size in enumerate(struct.unpack_from(f">{count}H", data, 2)):
            if len(data) < start + size:
                raise DecodeError(f"the compound message lacks its last {count - index} of {count} parts")
            self.add(data[start : start + size], depth + 1)
            start += size

    def _expand(self, data: bytes) -> bytes:
        text = expand(data, self._expandable)
        self._expandable -= len(text)
        return text


def encode_packet(parts: Sequence[bytes], framing: Framing, *, crc: bool) -> bytes:
    """Return the datagram of 1 to 255 encoded messages; `crc` only where the receiver understands it (version 5)."""
    data = parts[0] if len(parts) == 1 else compound(parts)
    if framing.compression:
        shorter = compressed(data)
        if len(shorter) < len(data):
            data = shorter
    if crc:
        data = _CRC_HEAD.pack(CRC, zlib.crc32(data)) + data
    if framing.keyring is not None and framing.verify_outgoing:
        data = framing.keyring.encrypt(data, framing.new_nonce(), framing.label, version=framing.encryption_version)
    return framing.label_header + data


def compound(parts: Sequence[bytes]) -> bytes:
    """Return several encoded messages as one. Raises ValueError for more than 255."""
    if len(parts) > MAX_PARTS:
        raise ValueError(f"a compound message holds at most {MAX_PARTS} parts, not {len(parts)}")
    head = struct.pack(f">BB{len(parts)}H", COMPOUND, len(parts), *map(len, parts))
    return head + b"".join(parts)


def compressed(data: bytes) -> bytes:
    """Return an encoded message compressed, which may be longer."""
    return bytes((COMPRESSED,)) + pack({"Algo": 0, "Buf": compress(data)})


def expand(data: bytes, limit: int) -> bytes:
    """Return the content of a compressed message (without its type byte), at most `limit` bytes. Raises DecodeError."""
    message = COMPRESSED_CODEC.decode(data)
    if message.algorithm != 0:
        raise DecodeError(f"unsupported compression algorithm {message.algorithm}")
    return decompress(message.buffer, limit)


def strip_label(data: bytes, label: bytes) -> bytes:
    """Return the data without its label header, which must hold this label. Raises DecodeError."""
    found = b""
    if data[:1] == bytes((LABEL,)):
        size = data[1] if len(data) > 1 else 0
        if not size or len(data) < 2 + size:
            raise DecodeError("the label is empty or truncated")
        found, data = data[2 : 2 + size], data[2 + size :]
    if found != label:
        raise DecodeError("the label differs from the label of this pool" if found else "the label is missing")
    return data

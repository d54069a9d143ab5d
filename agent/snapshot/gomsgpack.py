"""The MessagePack dialect of hashicorp/go-msgpack with Consul's settings.

Text and bytes share one raw type (the format before 2013: no `bin`, no `str 8`), struct fields are sorted by name, and a time
is the output of Go's `time.Time.MarshalBinary` in a raw value: version 1, 8 bytes of seconds since the year 1, 4 bytes of
nanoseconds, 2 bytes of the zone's offset in minutes (-1: UTC); all big-endian.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import msgpack

from pyconsul.agent.common.go.durations import SECOND_NS

LARGEST_VALUE = 64 << 20  # bytes of one record
MOST_ITEMS = 1 << 20  # of one list or map
ERRORS = "surrogateescape"  # keeps bytes that are not UTF-8 within a str, reversibly

_TIME = struct.Struct(">BqIh")
_LONG_TIME = struct.Struct(">BqIhb")  # version 2: the offset has seconds, too
_YEAR_ONE = -62_135_596_800  # 0001-01-01T00:00:00Z in Unix seconds
_UTC = -1
ZERO_TIME_NS = _YEAR_ONE * SECOND_NS  # Go's zero time

#: Exceptions of an unpacker for bytes that are not MessagePack, or too large.
UNPACK_ERRORS = (ValueError, TypeError, OverflowError, MemoryError, msgpack.exceptions.UnpackException)


def unpacker(file: BinaryIO) -> msgpack.Unpacker:
    """Reads one value after the other; the sizes that a hostile file claims are bounded."""
    return msgpack.Unpacker(
        file,
        read_size=256 << 10,
        max_buffer_size=LARGEST_VALUE,
        max_str_len=LARGEST_VALUE,
        max_bin_len=LARGEST_VALUE,
        max_ext_len=LARGEST_VALUE,
        max_array_len=MOST_ITEMS,
        max_map_len=MOST_ITEMS,
        unicode_errors=ERRORS,
    )


def packer() -> msgpack.Packer:
    """Encodes values as Go's decoder takes them."""
    return msgpack.Packer(use_bin_type=False, unicode_errors=ERRORS)


def raw(value: str | bytes) -> bytes:
    """Return the bytes of a raw value."""
    return value if isinstance(value, bytes) else value.encode("utf-8", ERRORS)


def encode_time(unix_ns: int) -> bytes:
    """Return a time (Unix nanoseconds) in UTC."""
    seconds, nanoseconds = divmod(unix_ns, SECOND_NS)
    return _TIME.pack(1, seconds - _YEAR_ONE, nanoseconds, _UTC)


def decode_time(value: Any) -> int:
    """Return the Unix nanoseconds of a time.  Raises ValueError."""
    if isinstance(value, msgpack.Timestamp):
        return int(value.to_unix_nano())
    if not isinstance(value, str | bytes):
        raise ValueError("must be a time")
    data = raw(value)
    layout = {1: _TIME, 2: _LONG_TIME}.get(data[0] if data else 0)
    if layout is None or len(data) != layout.size:
        raise ValueError("must be a time")
    _, seconds, nanoseconds, *_ = layout.unpack(data)
    if nanoseconds >= SECOND_NS:
        raise ValueError("must be a time")
    return int((seconds + _YEAR_ONE) * SECOND_NS + nanoseconds)


def unpack_all(data: bytes) -> list[Any]:
    """Several values, one after the other.  Raises one of UNPACK_ERRORS."""
    found = msgpack.Unpacker(max_buffer_size=LARGEST_VALUE, unicode_errors=ERRORS)
    found.feed(data)
    return list(found)

"""Checksums of what the data file holds.  CRC-32 finds every flipped bit and every burst of up to 32 bits; it is no signature."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from zlib import crc32

_CHAIN = struct.Struct("<qq")
_CHANGE = struct.Struct("<qdqd")
_CHAIN_BYTES = 8


def row_sum(table: bytes, key: bytes, data: bytes) -> int:
    """The checksum of a row, which covers where it is stored."""
    return crc32(data, crc32(b"%b\0%b" % (table, key)))


def number_sum(name: str, value: int) -> int:
    """The checksum of a named number."""
    return crc32(b"%b\0%d" % (name.encode("utf-8", "surrogateescape"), value))


def change_sum(key: str, index: int, time: float, since: int | None = None, since_time: float | None = None) -> int:
    """The checksum of a change in the history, but for its row: that has the one it had in `rows`."""
    bounds = _CHANGE.pack(index, time, -1 if since is None else since, -1.0 if since_time is None else since_time)
    return crc32(key.encode(), crc32(bounds))


def next_chain(chain: int, index: int, sums: Iterable[int]) -> int:
    """The value that stands for every commit up to this one: from the value before, the index, and the rows' checksums."""
    rows = b"".join([number.to_bytes(4, "little") for number in sums])
    digest = hashlib.blake2b(_CHAIN.pack(chain, index) + rows, digest_size=_CHAIN_BYTES).digest()
    return int.from_bytes(digest, "little", signed=True)

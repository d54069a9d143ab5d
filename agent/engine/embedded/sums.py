"""Checksums of what the data file holds.  CRC-32 finds every flipped bit and every burst of up to 32 bits; it is no signature."""

from __future__ import annotations

import struct
from collections.abc import Collection
from functools import cache
from zlib import crc32

_CHANGE = struct.Struct("<qdqd")


@cache
def _table_sum(table: bytes) -> int:
    return crc32(table + b"\0")


def row_sum(table: bytes, key: bytes, data: bytes) -> int:
    """The checksum of a row, which covers where it is stored."""
    return crc32(data, crc32(key, _table_sum(table)))


def number_sum(name: str, value: int) -> int:
    """The checksum of a named number."""
    return crc32(b"%b\0%d" % (name.encode("utf-8", "surrogateescape"), value))


def change_sum(key: str, index: int, time: float, since: int | None = None, since_time: float | None = None) -> int:
    """The checksum of a change in the history, but for its row: that has the one it had in `rows`."""
    bounds = _CHANGE.pack(index, time, -1 if since is None else since, -1.0 if since_time is None else since_time)
    return crc32(key.encode(), crc32(bounds))


def next_chain(chain: int, index: int, sums: Collection[int]) -> int:
    """The value that stands for every commit up to this one: from the value before, the index, and the rows' checksums."""
    return crc32(struct.pack(f"<q{len(sums)}I", index, *sums), chain)

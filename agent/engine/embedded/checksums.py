"""Checksums in the data file: CRC-32, which finds every burst of up to 32 changed bits, but protects from no attacker."""

from __future__ import annotations

import struct
from collections.abc import Collection
from functools import lru_cache
from zlib import crc32

_CHANGE = struct.Struct("<qdqd")


@lru_cache(1024)
def _name_sum(name: str) -> int:
    return crc32(name.encode("utf-8", "surrogateescape") + b"\0")


def row_sum(table: str, key: str, data: bytes) -> int:
    """Return the checksum of a row, which covers its table and key."""
    return crc32(data, crc32(key.encode(), _name_sum(table)))


def stored_row_sum(table: bytes, key: bytes, data: bytes) -> int:
    """Return the checksum of a row as read from the file, whose table and key may be damaged text."""
    return crc32(data, crc32(key, crc32(table + b"\0")))


def number_sum(name: str, value: int) -> int:
    """Return the checksum of a named number."""
    return crc32(b"%d" % value, _name_sum(name))


def change_sum(key: str, index: int, time: float, since: int | None = None, since_time: float | None = None) -> int:
    """Return the checksum of a change in the history without its row, which keeps the checksum it had in `rows`."""
    bounds = _CHANGE.pack(index, time, -1 if since is None else since, -1.0 if since_time is None else since_time)
    return crc32(key.encode(), crc32(bounds))


def next_chain(chain: int, index: int, sums: Collection[int]) -> int:
    """Return a value that depends on every commit up to this one: on the value before, the index, and the rows' checksums."""
    return crc32(struct.pack(f"<q{len(sums)}I", index, *sums), chain)

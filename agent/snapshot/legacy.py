"""`state.bin` of pyconsul's snapshots before they had Consul's format; only read.

Frames follow each other, each a length (4 bytes, big-endian) and that many bytes of MessagePack:

    {"format": 1, "index": 812}         the head
    {"table": "kvs", "rows": 2}         a table, then each of its rows
    …
    {"table": "", "rows": 0}            the end
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, TypeVar

import msgspec

from pyconsul.agent.snapshot.errors import SnapshotError
from pyconsul.agent.state.contract import Schema

FORMAT = 1
LARGEST_FRAME = 64 << 20  # bytes
_LENGTH = struct.Struct(">I")
T = TypeVar("T")


class Head(msgspec.Struct, frozen=True):
    """The first frame."""

    format: int
    index: int


class TableHead(msgspec.Struct, frozen=True):
    """The frame before a table's rows."""

    table: str
    rows: int


class LegacyReader:
    """Reads a head and the rows after it, (table name, row, bytes) each.  Raises SnapshotError."""

    def __init__(self, file: BinaryIO, schemas: Iterable[Schema[Any]]) -> None:
        self._file = file
        self._known = {schema.name: schema for schema in schemas if schema.in_snapshots}
        head, _ = self._take(msgspec.msgpack.Decoder(Head), "the head")
        if head.format > FORMAT:
            raise SnapshotError(f"it has format {head.format}; this pyconsul reads formats up to {FORMAT}")
        self.last_index = head.index

    def __iter__(self) -> Iterator[tuple[str, Any, int]]:
        heads = msgspec.msgpack.Decoder(TableHead)
        while (head := self._take(heads, "a table's head")[0]).table:
            schema = self._known.get(head.table)
            if schema is None:
                raise SnapshotError(f"it holds rows of an unknown table {head.table!r}")
            decoder = msgspec.msgpack.Decoder(schema.row_type)
            for _ in range(head.rows):
                yield head.table, *self._take(decoder, f"a row of {head.table}")
        if self._file.read(1):
            raise SnapshotError("something follows the end of the state")

    def _take(self, decoder: msgspec.msgpack.Decoder[T], what: str) -> tuple[T, int]:
        length = _LENGTH.unpack(self._exactly(_LENGTH.size, what))[0]
        if length > LARGEST_FRAME:
            raise SnapshotError(f"the length of {what} is impossible: {length} bytes")
        try:
            return decoder.decode(self._exactly(length, what)), length
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise SnapshotError(f"{what} cannot be read; was the snapshot written by pyconsul?") from None

    def _exactly(self, size: int, what: str) -> bytes:
        data = self._file.read(size)
        if len(data) != size:
            raise SnapshotError(f"it ends in the middle of {what}")
        return data

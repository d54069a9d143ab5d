"""The state as one stream of bytes: what a snapshot's `state.bin` holds.

Frames follow each other, each a length (4 bytes, big-endian) and that many bytes of MessagePack:

    {"format": 1, "index": 812}         the head
    {"table": "kvs", "rows": 2}         a table, then each of its rows
    …
    {"table": "", "rows": 0}            the end
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple, TypeVar

import msgspec

from pyconsul.agent.state.draft import View
from pyconsul.agent.state.table import Schema

FORMAT = 1
LARGEST_FRAME = 256 << 20  # bytes: no row is that large, so that a longer one must be damage
_LENGTH = struct.Struct(">I")
T = TypeVar("T")

_encode = msgspec.msgpack.Encoder().encode


class SnapshotError(Exception):
    """A snapshot that cannot be used; nothing was changed.  The text says what is wrong with it."""


class Head(msgspec.Struct, frozen=True):
    """The first frame."""

    format: int
    index: int


class TableHead(msgspec.Struct, frozen=True):
    """The frame before a table's rows."""

    table: str
    rows: int


@dataclass(frozen=True, slots=True)
class Image:
    """A state as it stood at one moment: the rows of every durable table."""

    tables: Sequence[tuple[str, Sequence[Any]]]
    index: int


class Written(NamedTuple):
    """What one table takes: rows, and bytes."""

    table: str
    rows: int
    size: int


def image(view: View, schemas: Iterable[Schema[Any]]) -> Image:
    """The rows of this moment; rows never change, so that they can be written while the state goes on."""
    return Image([(schema.name, list(view[schema])) for schema in schemas if schema.durable], view.index)


def write(file: BinaryIO, state: Image) -> list[Written]:
    """Write a state, and say what it takes."""
    _put(file, Head(FORMAT, state.index))
    found = []
    for table, rows in state.tables:
        size = _put(file, TableHead(table, len(rows)))
        size += sum(_put(file, row) for row in rows)
        found.append(Written(table, len(rows), size))
    _put(file, TableHead("", 0))
    return found


def _put(file: BinaryIO, value: Any) -> int:
    data = _encode(value)
    return file.write(_LENGTH.pack(len(data))) + file.write(data)


def read(file: BinaryIO, schemas: Iterable[Schema[Any]]) -> tuple[list[tuple[str, Any]], int]:
    """The rows, (table name, row) each, and the index they were written up to.  Raises SnapshotError."""
    known = {schema.name: schema for schema in schemas if schema.durable}
    head = _take(file, msgspec.msgpack.Decoder(Head), "the head")
    if head.format > FORMAT:
        raise SnapshotError(
            f"it was written by a newer pyconsul (format {head.format}; this one reads up to format {FORMAT})"
        )
    rows: list[tuple[str, Any]] = []
    heads = msgspec.msgpack.Decoder(TableHead)
    while (table := _take(file, heads, "a table's head")).table:
        rows.extend(_rows(file, table, known))
    if file.read(1):
        raise SnapshotError("something follows the end of the state")
    return rows, head.index


def _rows(file: BinaryIO, head: TableHead, known: Mapping[str, Schema[Any]]) -> Iterator[tuple[str, Any]]:
    schema = known.get(head.table)
    if schema is None:
        raise SnapshotError(f"it holds rows of an unknown table {head.table!r}")
    decoder = msgspec.msgpack.Decoder(schema.row_type)
    for _ in range(head.rows):
        yield head.table, _take(file, decoder, f"a row of {head.table}")


def _take(file: BinaryIO, decoder: msgspec.msgpack.Decoder[T], what: str) -> T:
    """The next frame.  What it holds stays out of the error's text: it may be a secret."""
    length = _LENGTH.unpack(_exactly(file, _LENGTH.size, what))[0]
    if length > LARGEST_FRAME:
        raise SnapshotError(f"the length of {what} is impossible: {length} bytes")
    try:
        return decoder.decode(_exactly(file, length, what))
    except msgspec.MsgspecError:
        raise SnapshotError(f"{what} cannot be read; was the snapshot written by pyconsul?") from None


def _exactly(file: BinaryIO, size: int, what: str) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise SnapshotError(f"it ends in the middle of {what}")
    return data

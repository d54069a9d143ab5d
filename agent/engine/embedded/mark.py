"""The high-water mark: a small file beside the data file with the index of the last acknowledged commit.

SQLite drops the end of a damaged write-ahead log silently.  The mark is written after each commit is on disk and before it is
acknowledged, so a data file that ends below the mark has lost acknowledged commits.  It costs no fsync: it survives the end of
the process; after a power cut it may be older than the data file, never newer, and then detects less.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from zlib import crc32

_LAYOUT = struct.Struct("<8sqqq")  # magic, then the fields of Point
_SUM = struct.Struct("<I")
_MAGIC = b"pyconsu1"
SIZE = _LAYOUT.size + _SUM.size


@dataclass(slots=True)
class Point:
    """A commit: the ID of its data file, its index, and the chain up to it (see `checksums.next_chain`)."""

    file_id: int
    index: int
    chain: int


class Unreadable(Enum):
    """The reason why there is no mark to compare with."""

    MISSING = "is missing"
    DAMAGED = "is damaged"


class Mark:
    """The mark file at `path`.  Methods raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def read(self) -> Point | Unreadable:
        """Return the mark of the last run."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return Unreadable.MISSING
        if len(data) != SIZE or _SUM.unpack(data[-_SUM.size :])[0] != crc32(data[: -_SUM.size]):
            return Unreadable.DAMAGED
        magic, *fields = _LAYOUT.unpack(data[: -_SUM.size])
        return Point(*fields) if magic == _MAGIC else Unreadable.DAMAGED

    def write(self, point: Point) -> None:
        """Set the mark, in place: one page, so that it is never half written."""
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        data = _LAYOUT.pack(_MAGIC, point.file_id, point.index, point.chain)
        os.pwrite(self._file, data + _SUM.pack(crc32(data)), 0)

    def close(self) -> None:
        """Sync the mark to disk, and close it."""
        if self._file is not None:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None

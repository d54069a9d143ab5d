"""The result of one run of a check, and the stored part of its output."""

from __future__ import annotations

from typing import NamedTuple


class Result(NamedTuple):
    """One run: `passing`, `warning` or `critical`, and what to show for it."""

    status: str
    output: str


class LocalFault(Exception):
    """This machine lacks resources for a run, such as file descriptors; the state of the checked service is unknown."""


class Tail:
    """The last `limit` bytes written, and the number of all bytes."""

    __slots__ = ("_data", "limit", "total")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.total = 0
        self._data = bytearray()

    def write(self, data: bytes) -> None:
        """Add data, and drop the oldest beyond the limit."""
        self.total += len(data)
        self._data += data[-self.limit :]
        if len(self._data) > self.limit:
            del self._data[: -self.limit]

    def clear(self) -> None:
        """Forget everything."""
        self.total = 0
        self._data.clear()

    def text(self) -> str:
        """Return the kept bytes as text."""
        return self._data.decode(errors="replace")

    def captured(self) -> str:
        """Return the kept bytes, after a note if some are missing."""
        if self.total <= self.limit:
            return self.text()
        return f"Captured {self.limit} of {self.total} bytes\n...\n{self.text()}"

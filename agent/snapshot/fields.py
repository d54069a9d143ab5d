"""Typed access to the fields of a record: a wrong type or a number out of bounds is an error that names record and field.

As Go's decoder does, a missing field or nil counts as the type's zero value, and unknown fields are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyconsul.agent.snapshot.errors import SnapshotError
from pyconsul.agent.snapshot.gomsgpack import ERRORS, decode_time, raw

MAX_INDEX = 1 << 53  # far beyond any index of Consul's, and exact in every JSON reader
INT64 = 1 << 63


class Fields:
    """The fields of one record, or of a structure within it; `path` leads to that (`Service: `)."""

    __slots__ = ("_values", "path")

    def __init__(self, values: Any, path: str = "") -> None:
        if not isinstance(values, dict):
            raise SnapshotError(f"{path}must be a map")
        self._values, self.path = values, path

    def fail(self, name: str, problem: str) -> SnapshotError:
        return SnapshotError(f"{self.path}{name} {problem}")

    def get(self, name: str) -> Any:
        return self._values.get(name)

    def text(self, name: str) -> str:
        value = self._values.get(name)
        return "" if value is None else self._text(name, value)

    def _text(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise self.fail(name, "must be text")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise self.fail(name, "must be UTF-8") from None
        return value

    def data(self, name: str) -> bytes:
        value = self._values.get(name)
        if value is None:
            return b""
        if not isinstance(value, str | bytes):
            raise self.fail(name, "must be bytes")
        try:
            return raw(value)
        except UnicodeEncodeError:
            raise self.fail(name, "must be bytes") from None

    def integer(self, name: str, least: int = -INT64, most: int = INT64 - 1) -> int:
        value = self._values.get(name)
        if value is None:
            return 0
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.fail(name, "must be an integer")
        if not least <= value <= most:
            raise self.fail(name, f"must be from {least} to {most}")
        return value

    def index(self, name: str) -> int:
        return self.integer(name, 0, MAX_INDEX)

    def number(self, name: str) -> float:
        value = self._values.get(name)
        if value is None:
            return 0.0
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.fail(name, "must be a number")
        return float(value)

    def flag(self, name: str) -> bool:
        value = self._values.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.fail(name, "must be true or false")
        return bool(value)

    def time(self, name: str) -> int | None:
        """Unix nanoseconds."""
        value = self._values.get(name)
        if value is None:
            return None
        try:
            return decode_time(value)
        except ValueError as error:
            raise self.fail(name, str(error)) from None

    def items(self, name: str) -> list[Any] | None:
        value = self._values.get(name)
        if value is not None and not isinstance(value, list):
            raise self.fail(name, "must be a list")
        return value

    def texts(self, name: str) -> list[str] | None:
        values = self.items(name)
        return None if values is None else [self._text(name, value) for value in values]

    def mapping(self, name: str) -> dict[str, Any] | None:
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.fail(name, "must be a map")
        return {self._text(name, key): item for key, item in value.items()}

    def text_map(self, name: str) -> dict[str, str] | None:
        found = self.mapping(name)
        return None if found is None else {key: self._text(name, value) for key, value in found.items()}

    def part(self, name: str) -> Fields | None:
        """Return a structure within this one."""
        value = self._values.get(name)
        return None if value is None else Fields(value, f"{self.path}{name}: ")

    def parts(self, name: str) -> Iterator[Fields]:
        for value in self.items(name) or ():
            yield Fields(value, f"{self.path}{name}: ")


def plain(value: Any, where: str, depth: int = 32) -> Any:
    """Return a free-form value (an auth method's configuration) with all its text checked."""
    if depth == 0:
        raise SnapshotError(f"{where} is nested too deeply")
    if isinstance(value, dict):
        return {plain(key, where, depth - 1): plain(item, where, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, where, depth - 1) for item in value]
    if isinstance(value, bytes):
        value = value.decode("utf-8", ERRORS)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise SnapshotError(f"{where} must be UTF-8") from None
    elif value is not None and not isinstance(value, bool | int | float):
        raise SnapshotError(f"{where} holds a value of an unknown type")
    return value

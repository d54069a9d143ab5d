"""Scalar values of request bodies as Go's decoder reads them: their bounds, and the error texts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from pyconsul.agent.common.go.base64_text import decode_go_base64
from pyconsul.agent.common.go.durations import parse_go_duration_ns

Reader: TypeAlias = Callable[[Any, "Path"], Any]
ENTERPRISE = {"namespace": "Namespaces", "partition": "Partitions"}  # keys of Consul Enterprise, lower case -> feature
ABSENT: Any = object()  # a reader's result for null: the default stays
NUMERIC = ("int", "uint", "float", "time.Duration")
DURATION = "time.Duration"
MAX_INTEGER = (1 << 63) - 1


class DecodeError(ValueError):
    """An error in a body, in Go's words and without the prefix."""


class Path(NamedTuple):
    """Where a value stands: the innermost structure's Go name, and the field names down to the value."""

    struct: str
    fields: tuple[str, ...]


ROOT = Path("", ())


def json_kind(value: Any, wanted: str = "") -> str:
    """Return Go's word for a JSON value in error texts; a number that does not fit an integer is shown."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return f"number {value}" if wanted.rstrip("0123456789") in NUMERIC else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def mismatch(value: Any, path: Path, wanted: str) -> DecodeError:
    """Return the refusal of a value whose type is wrong."""
    what = json_kind(value, wanted)
    if not path.fields:
        return DecodeError(f"json: cannot unmarshal {what} into Go value of type {wanted}")
    where = f"{path.struct}.{'.'.join(path.fields)}"
    return DecodeError(f"json: cannot unmarshal {what} into Go struct field {where} of type {wanted}")


def is_enterprise(key: str) -> bool:
    """Return whether a key of a body belongs to Consul Enterprise."""
    return key.lower() in ENTERPRISE


def unknown_field(key: str) -> DecodeError:
    """Return the refusal of a key that a body must not have."""
    quoted = '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
    feature = ENTERPRISE.get(key.lower())
    return DecodeError(
        f"json: unknown field {quoted}" + (f" - {feature} are a Consul Enterprise feature" if feature else "")
    )


def plain(value: Any, path: Path = ROOT) -> Any:
    """Return a value of a free-form field: numbers are 64-bit integers or floats.  Raises DecodeError for 1e400."""
    if isinstance(value, dict):
        return {key: plain(item, path) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, path) for item in value]
    if isinstance(value, float) or (type(value) is int and not -MAX_INTEGER <= value <= MAX_INTEGER):
        return _read_float(value, path)
    return value


def nanoseconds(value: Any) -> Any:
    """Return a duration given as a text (`90s`) or as a number of nanoseconds; other JSON counts as not given.

    Raises ValueError with Go's text for an invalid duration, or a number that is out of range.
    """
    if isinstance(value, str):
        return parse_go_duration_ns(value, go_error=True)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise mismatch(value, ROOT, DURATION)
        return int(value)
    return ABSENT


def scalar_reader(kind: type, name: str) -> Reader:
    def read(value: Any, path: Path) -> Any:
        if type(value) is kind:
            return value
        if value is None:
            return ABSENT
        raise mismatch(value, path, name)

    return read


def integer_reader(name: str, low: int, high: int) -> Reader:
    def read(value: Any, path: Path) -> Any:
        if type(value) is int and low <= value <= high:
            return value
        if value is None:
            return ABSENT
        raise mismatch(value, path, name)

    return read


def _read_float(value: Any, path: Path) -> Any:
    if value is None:
        return ABSENT
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and -sys.float_info.max <= value <= sys.float_info.max
    ):
        return float(value)
    raise mismatch(value, path, "float64")


def _read_bytes(value: Any, path: Path) -> Any:
    if value is None:
        return ABSENT
    if not isinstance(value, str):
        raise mismatch(value, path, "[]uint8")
    try:
        return decode_go_base64(value)
    except ValueError as error:
        raise DecodeError(str(error)) from None


INTEGERS = {
    f"{sign}int{bits or ''}": (0, (1 << (bits or 64)) - 1)
    if sign
    else (-(1 << ((bits or 64) - 1)), (1 << ((bits or 64) - 1)) - 1)
    for sign in ("", "u")
    for bits in (0, 8, 16, 32, 64)
}
SCALARS: dict[Any, Reader] = {
    str: scalar_reader(str, "string"),
    bool: scalar_reader(bool, "bool"),
    int: integer_reader("int", *INTEGERS["int"]),
    float: _read_float,
    bytes: _read_bytes,
}

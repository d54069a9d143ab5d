"""Go's values as Python's: which Python value stands for which Go type, and what a type's name is.

Go                        Python
bool, int, float64        bool, int, float
int64, uint64, uint8      Int64, Uint64, Uint8 (subclasses of int)
string                    str; bytes that are no UTF-8 are surrogate escapes (PEP 383)
[]interface {}            list
[]string, []T             Slice with its Go type: strings([...]), Slice("[]*dependency.KeyPair", [...])
map[string]interface {}   dict
map[string]T …            Map with its Go type
<-chan int64              Channel: can be ranged over, once
nil                       None; a nil pointer of a type: NilPointer
structs                   any object whose class declares what GoStruct asks for
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable


class Int64(int):
    """A Go int64."""

    go_type: ClassVar[str] = "int64"


class Uint64(int):
    """A Go uint64."""

    go_type: ClassVar[str] = "uint64"


class Uint8(int):
    """A Go uint8: what indexing a string gives."""

    go_type: ClassVar[str] = "uint8"


def int64(value: int) -> Int64:
    """Return the value as int64; it wraps around as Go's does."""
    return Int64((value + 2**63) % 2**64 - 2**63)


def uint64(value: int) -> Uint64:
    """Return the value as uint64; it wraps around as Go's does."""
    return Uint64(value % 2**64)


class Slice(list[Any]):
    """A Go slice whose elements are not `interface {}`.

    `underlying` differs from `go_type` for a named type (`dependency.ServiceTags` is a `[]string`).
    """

    __slots__ = ("go_type", "underlying")

    def __init__(self, go_type: str, items: Iterable[Any] = (), underlying: str = "") -> None:
        super().__init__(items)
        self.go_type = go_type
        self.underlying = underlying or go_type


class Map(dict[Any, Any]):
    """A Go map that is not `map[string]interface {}`. `zero` is what a key that is not there gives."""

    __slots__ = ("go_type", "zero")

    def __init__(
        self, go_type: str, items: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (), zero: Any = None
    ) -> None:
        super().__init__(items)
        self.go_type = go_type
        self.zero = zero if zero is not None else zero_value(map_types(go_type)[1])


class AnyMap(Map):
    """A map whose keys may be of several types: `true`, `1` and `1.0` are three keys, though equal in Python."""

    __slots__ = ()

    def __init__(self, go_type: str, items: Iterable[tuple[Any, Any]] = ()) -> None:
        super().__init__(go_type, [(_coded(key), value) for key, value in items])

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(_coded(key))

    def __contains__(self, key: object) -> bool:
        return super().__contains__(_coded(key))

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_coded(key), default)

    def __iter__(self) -> Iterator[Any]:
        return (_decoded(key) for key in super().__iter__())

    def items(self) -> Any:
        return [(_decoded(key), value) for key, value in super().items()]

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) if isinstance(other, AnyMap) else dict(self.items()) == other

    __hash__ = None  # type: ignore[assignment]


class _TypedKey(tuple[str, Any]):
    """A boolean or a float as a key: its type and its value."""

    __slots__ = ()


def _coded(key: Any) -> Any:
    return _TypedKey((type(key).__name__, key)) if isinstance(key, (bool, float)) else key


def _decoded(key: Any) -> Any:
    return key[1] if isinstance(key, _TypedKey) else key


class Channel:
    """A Go channel of int64: a source of values that can be ranged over once."""

    go_type: ClassVar[str] = "<-chan int64"

    def __init__(self, values: Iterable[int]) -> None:
        self.values: Iterator[int] = iter(values)


class NilPointer:
    """A nil pointer of a struct type: it is false, and asking for its fields is an error."""

    __slots__ = ("go_type",)

    def __init__(self, go_type: str) -> None:
        self.go_type = go_type  # with its star


@runtime_checkable
class GoStruct(Protocol):
    """What a class declares so that its objects are Go structs.

    `go_type`: the name of the type, as `dependency.HealthService`. `go_fields`: the exported fields in Go's order;
    each is an attribute of the object. A class may also declare `go_methods` (by name, signature.Functions that take
    the object first; or just the names of methods, whose arguments may then be of any type), `go_pointer = False` (the objects are
    values, not pointers: `{{ . }}` is the same, `%T` has no star) and `__go_string__() -> str` (a Stringer).
    """

    go_type: ClassVar[str]
    go_fields: ClassVar[tuple[str, ...]]


def printed_fields(value: Any) -> tuple[str, ...]:
    """Return the fields of a struct that formats such as JSON and `%v` show: all but those that the original's type lacks."""
    kind = type(value)
    unprinted: frozenset[str] = getattr(kind, "go_unprinted", frozenset())
    fields: tuple[str, ...] = kind.go_fields
    return tuple(name for name in fields if name not in unprinted) if unprinted else fields


def strings(items: Iterable[str]) -> Slice:
    """Return a `[]string`."""
    return Slice("[]string", items)


def is_struct(value: object) -> bool:
    """Return whether the value stands for a Go struct."""
    return hasattr(type(value), "go_fields")


_NAMES: dict[type, str] = {
    bool: "bool",
    int: "int",
    float: "float64",
    complex: "complex128",
    str: "string",
    list: "[]interface {}",
    dict: "map[string]interface {}",
}


def type_name(value: object) -> str:
    """Return the name of the value's Go type, as `%T` prints it; `<nil>` for nil."""
    kind = type(value)
    if kind in _NAMES:
        return _NAMES[kind]
    if value is None:
        return "<nil>"
    name = getattr(value, "go_type", None)
    if name is None:
        return f"func(...) {kind.__name__}" if callable(value) else kind.__name__
    return f"*{name}" if is_struct(value) and getattr(value, "go_pointer", True) else str(name)


def map_types(go_type: str) -> tuple[str, str]:
    """Return the types of a map's keys and elements, from the map's type."""
    depth = 0
    for index in range(4, len(go_type)):
        depth += {"[": 1, "]": -1}.get(go_type[index], 0)
        if depth < 0:
            return go_type[4:index], go_type[index + 1 :]
    return "string", "interface {}"


def key_type(mapping: Mapping[Any, Any]) -> str:
    """Return the Go type of a map's keys."""
    return map_types(mapping.go_type)[0] if isinstance(mapping, Map) else "string"


def element_type(value: object) -> str:
    """Return the Go type of the elements of a list or map."""
    if isinstance(value, Slice):
        return value.underlying.removeprefix("[]")
    return map_types(value.go_type)[1] if isinstance(value, Map) else "interface {}"


_ZEROES: dict[str, Callable[[], Any]] = {
    "string": str,
    "bool": bool,
    "int": int,
    "int64": Int64,
    "uint64": Uint64,
    "float64": float,
}


def zero_value(go_type: str) -> Any:
    """Return the zero value of a type."""
    if go_type in _ZEROES:
        return _ZEROES[go_type]()
    if go_type.startswith("[]"):
        return [] if go_type == "[]interface {}" else Slice(go_type)
    if go_type.startswith("map["):
        return {} if go_type == "map[string]interface {}" else Map(go_type)
    return NilPointer(go_type) if go_type.startswith("*") else None


def truth(value: object) -> bool:
    """Return whether `if` takes the value for true: not the zero value, not empty; structs always are."""
    if isinstance(value, (bool, int, float, complex, str, list, dict)):
        return bool(value)
    return value is not None and not isinstance(value, NilPointer)


def byte_length(text: str) -> int:
    """Return the length in bytes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def to_bytes(text: str) -> bytes:
    """Return the bytes of a Go string."""
    return text.encode("utf-8", "surrogateescape")


def to_text(data: bytes) -> str:
    """Return a Go string of these bytes."""
    return data.decode("utf-8", "surrogateescape")


def sorted_keys(mapping: Mapping[Any, Any]) -> list[Any]:
    """Return the keys in the order in which Go prints and ranges over a map."""
    try:
        return sorted(mapping)
    except TypeError:
        return sorted(mapping, key=_mixed_key)


def _mixed_key(key: Any) -> tuple[int, Any]:
    """Keys of several types (`map[interface {}]…`): nil, booleans, numbers, strings, others."""
    if key is None:
        return 0, 0
    if isinstance(key, bool):
        return 1, key
    if isinstance(key, int):
        return 2, key
    if isinstance(key, float):
        return 3, key
    return (4, key) if isinstance(key, str) else (5, str(key))

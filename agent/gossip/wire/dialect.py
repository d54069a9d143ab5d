"""The MessagePack dialect of go-msgpack 0.5, as memberlist and serf use it.

A message is a map from field names, sorted by byte order, to values. Text and bytes share the `raw` type: `str 8` and `bin` are
never sent, since old decoders refuse them, but are accepted. Unknown fields are skipped, missing ones keep their zero value, as
does nil. The msgpack library decodes scalars only; containers are walked here, so that no announced size is ever allocated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import msgpack

from pyconsul.agent.gossip.wire.errors import DecodeError, Incomplete

MAX_NESTING = 64  # levels of containers within an unknown field
MAX_FIELDS = 64  # entries of one message's map, known or unknown
MAX_ITEMS = 1 << 18  # of one list or map
MAX_SKIPPED_VALUES = 1 << 16  # values within one unknown field

T = TypeVar("T")
#: Reads the value of one field.
Read = Callable[["Reader"], Any]

_SCALAR, _MAP, _LIST, _EXTENSION = range(4)


def _kind(first_byte: int) -> int:
    if 0x80 <= first_byte <= 0x8F or first_byte in (0xDE, 0xDF):
        return _MAP
    if 0x90 <= first_byte <= 0x9F or first_byte in (0xDC, 0xDD):
        return _LIST
    if 0xC7 <= first_byte <= 0xC9 or 0xD4 <= first_byte <= 0xD8:
        return _EXTENSION
    return _SCALAR


_KINDS = bytes(_kind(byte) for byte in range(256))

_pack = msgpack.Packer(use_bin_type=False).pack


def pack(value: object) -> bytes:
    """Encode a value: positive integers in the shortest unsigned form, floats in 64 bits, text and bytes as `raw`."""
    return bytes(_pack(value))


class Reader:
    """Values of one byte string, read one after the other."""

    __slots__ = ("_data", "_unpacker")

    def __init__(self, data: bytes) -> None:
        size = max(len(data), 1)
        self._data = data
        self._unpacker = msgpack.Unpacker(
            raw=True, strict_map_key=False, max_buffer_size=size, max_str_len=size, max_bin_len=size
        )
        self._unpacker.feed(data)

    def __len__(self) -> int:
        return len(self._data)

    def position(self) -> int:
        """Return the number of bytes read so far."""
        return int(self._unpacker.tell())

    def scalar(self) -> object:
        """Read a plain value: None, bool, int, float or bytes."""
        position = self._unpacker.tell()
        if position >= len(self._data):
            raise Incomplete("the message is truncated")
        if _KINDS[self._data[position]] != _SCALAR:
            raise DecodeError("a container or extension stands where a plain value belongs")
        return self._call(self._unpacker.unpack)

    def map_size(self) -> int:
        """Read the head of a map; nil is an empty map."""
        return self._container_size(_MAP, "map")

    def list_size(self) -> int | None:
        """Read the head of a list; None stands for nil."""
        return None if self.is_nil() else self._container_size(_LIST, "list")

    def is_nil(self) -> bool:
        """Return whether the next value is nil, and skip it if so."""
        position = self._unpacker.tell()
        if self._data[position : position + 1] != b"\xc0":
            return False
        self._unpacker.skip()
        return True

    def skip(self) -> None:
        """Skip a value of any type."""
        pending = [1]  # values still to be skipped at each level of nesting
        for _ in range(MAX_SKIPPED_VALUES):
            while pending and not pending[-1]:
                pending.pop()
            if not pending:
                return
            pending[-1] -= 1
            position = self._unpacker.tell()
            if position >= len(self._data):
                raise Incomplete("the message is truncated")
            kind = _KINDS[self._data[position]]
            if kind == _MAP:
                pending.append(2 * self.map_size())
            elif kind == _LIST:
                pending.append(self._container_size(_LIST, "list"))
            else:
                self._call(self._unpacker.skip)
            if len(pending) > MAX_NESTING:
                raise DecodeError(f"values are nested more than {MAX_NESTING} deep")
        if any(pending):
            raise DecodeError(f"an unknown field holds more than {MAX_SKIPPED_VALUES} values")

    def _container_size(self, kind: int, name: str) -> int:
        position = self._unpacker.tell()
        if position >= len(self._data):
            raise Incomplete("the message is truncated")
        if kind == _MAP and self.is_nil():
            return 0
        if _KINDS[self._data[position]] != kind:
            raise DecodeError(f"a {name} was expected")
        head = self._unpacker.read_map_header if kind == _MAP else self._unpacker.read_array_header
        return int(self._call(head))

    def _call(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except msgpack.OutOfData:
            raise Incomplete("the message is truncated") from None
        except Exception as error:  # reserved bytes, lengths beyond the data: the library raises many types
            raise DecodeError(f"invalid MessagePack: {error or type(error).__name__}") from None


def read_text(reader: Reader) -> str:
    value = reader.scalar()
    if value is None:
        return ""
    if not isinstance(value, bytes):
        raise DecodeError(f"text was expected, not {type(value).__name__}")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise DecodeError("the text is not UTF-8") from None


def read_optional_bytes(reader: Reader) -> bytes | None:
    value = reader.scalar()
    if value is None or isinstance(value, bytes):
        return value
    raise DecodeError(f"bytes were expected, not {type(value).__name__}")


def read_bytes(reader: Reader) -> bytes:
    return read_optional_bytes(reader) or b""


def read_bool(reader: Reader) -> bool:
    value = reader.scalar()
    if value is None or isinstance(value, bool):
        return bool(value)
    raise DecodeError(f"a boolean was expected, not {type(value).__name__}")


def read_float(reader: Reader) -> float:
    value = reader.scalar()
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError(f"a number was expected, not {type(value).__name__}")
    return float(value)


def _integer(low: int, high: int) -> Callable[[Reader], int]:
    def read(reader: Reader) -> int:
        value = reader.scalar()
        if value is None:
            return 0
        if type(value) is not int:
            raise DecodeError(f"an integer was expected, not {type(value).__name__}")
        if not low <= value <= high:
            raise DecodeError(f"the integer {value} is outside {low}..{high}")
        return value

    return read


read_u8 = _integer(0, (1 << 8) - 1)
read_u16 = _integer(0, (1 << 16) - 1)
read_u32 = _integer(0, (1 << 32) - 1)
read_u64 = _integer(0, (1 << 64) - 1)
read_i64 = _integer(-(1 << 63), (1 << 63) - 1)


def read_list(reader: Reader, item: Callable[[Reader], T]) -> tuple[T, ...] | None:
    """Read a list, item by item; None for nil."""
    size = reader.list_size()
    if size is None:
        return None
    _check_items(size)
    return tuple([item(reader) for _ in range(size)])


def read_map(reader: Reader, value: Callable[[Reader], T]) -> dict[str, T]:
    """Read a map with text keys."""
    found = {}
    size = reader.map_size()
    _check_items(size)
    for _ in range(size):
        key = read_text(reader)
        found[key] = value(reader)
    return found


def _check_items(size: int) -> None:
    if size > MAX_ITEMS:
        raise DecodeError(f"a container announces {size} items, more than {MAX_ITEMS}")


class Field:
    """A field of a message: attribute in Python, name on the wire, reader, and zero value."""

    __slots__ = ("attribute", "dump", "name", "omit_empty", "read", "zero")

    def __init__(
        self,
        attribute: str,
        name: str,
        read: Read,
        zero: object,
        *,
        omit_empty: bool = False,
        dump: Callable[[Any], object] | None = None,
    ) -> None:
        self.attribute, self.name, self.read, self.zero = attribute, name, read, zero
        self.omit_empty = omit_empty
        self.dump = dump  # turns the attribute into plain values; None: it is one


class StructCodec(Generic[T]):
    """Reads and writes one kind of message from its table of fields."""

    __slots__ = ("_fields", "_readers", "_type", "_zeros")

    def __init__(self, struct_type: Callable[..., T], fields: Sequence[Field]) -> None:
        """Take the fields in the order of the constructor's parameters."""
        self._type = struct_type
        self._zeros = [field.zero for field in fields]
        self._readers = {field.name.encode(): (index, field.read) for index, field in enumerate(fields)}
        self._fields = sorted(fields, key=lambda field: field.name.encode())

    def read(self, reader: Reader) -> T:
        """Read the struct. Raises DecodeError, which names the field."""
        size = reader.map_size()
        if size > MAX_FIELDS:
            raise DecodeError(f"the message has more than {MAX_FIELDS} fields")
        values = self._zeros.copy()
        for _ in range(size):
            name = reader.scalar()
            known = self._readers.get(name) if type(name) is bytes else None
            if known is None:
                reader.skip()
                continue
            try:
                values[known[0]] = known[1](reader)
            except Incomplete:
                raise
            except DecodeError as error:
                raise DecodeError(f"{name.decode() if isinstance(name, bytes) else name}: {error}") from None
        return self._type(*values)

    def decode(self, data: bytes) -> T:
        """Decode a struct; bytes after it are ignored, as memberlist does."""
        return self.read(Reader(data))

    def dump(self, value: T) -> dict[str, object]:
        """Return the struct as a map of plain values, in the order of the wire."""
        fields: dict[str, object] = {}
        for field in self._fields:
            found = getattr(value, field.attribute)
            if field.omit_empty and not found:
                continue
            fields[field.name] = found if field.dump is None or found is None else field.dump(found)
        return fields

    def encode(self, value: T) -> bytes:
        return bytes(_pack(self.dump(value)))


def dump_list(items: Iterable[Any], dump: Callable[[Any], object]) -> list[object]:
    """Return the plain values of a list of structs or nils."""
    return [None if item is None else dump(item) for item in items]

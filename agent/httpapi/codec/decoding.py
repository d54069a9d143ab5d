"""Decodes request bodies: JSON to a Struct, with the rules and error texts of Go's decoder.

    class CheckUpdate(msgspec.Struct, rename=camel):
        status: str = ""
        output: str = ""

    update = decode(request.body, CheckUpdate)

A body type is a msgspec Struct; a field without a default gets Go's zero value.  Its fields may be `str`, `int`, `float`,
`bool`, `bytes` (base64 on the wire), `Any` (taken as it is), other Structs, `list[…]`, `dict[str, …]`, and any of them
`| None`; in `Annotated[…, Convert(function)]` the function makes the value, in `Annotated[int, GoType("uint64")]` the texts
say that type.  Class variables, all optional, say what Go knows of the type:

    go_name: ClassVar[str]         Go's name of the structure ("structs.RegisterRequest"); the class's name without it
    go_embedded: ClassVar[str]     stands before a field's name in error texts ("Alias": `.Alias.Port`), without go_name
    aliases: ClassVar[dict]        further keys -> attribute ("enable_tag_override": "enable_tag_override"); None: ignored
    lenient: ClassVar[bool]        unknown keys are ignored instead of refused, apart from those of Consul Enterprise

Keys are compared without case, as Go does; null leaves the default of a scalar and empties the rest; of a key given twice the
last counts; integers are bounded by their Go type; what follows the first JSON value is not looked at.  The first thing that
is wrong, in the body's order, ends it with a 400:

    Request decode failed: EOF                                       (nothing there)
    Request decode failed: unexpected EOF                            (cut off)
    Request decode failed: invalid character 'x' looking for beginning of value
    Request decode failed: json: unknown field "Surprise"
    Request decode failed: json: cannot unmarshal string into Go struct field RegisterRequest.Service.Port of type int
    Request decode failed: json: cannot unmarshal array into Go value of type structs.RegisterRequest
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from pyconsul.agent.httpapi.codec.go_values import (
    ABSENT,
    INTEGERS,
    ROOT,
    SCALARS,
    DecodeError,
    Path,
    Reader,
    integer_reader,
    is_enterprise,
    json_kind,
    mismatch,
    plain,
    scalar_reader,
    unknown_field,
)
from pyconsul.agent.httpapi.codec.gojson import JSONError, parse
from pyconsul.agent.httpapi.core.response import HTTPError, bad_request

S = TypeVar("S", bound=msgspec.Struct)
PREFIX = "Request decode failed: "
MAX_OBJECTS = 10_000  # of one list: reading an object takes a hundred times what its bytes cost msgspec
TOO_DEEP = "exceeded max depth"


class Convert(NamedTuple):
    """Makes a field's value from its JSON; the function raises DecodeError (or ValueError) with Go's text."""

    function: Callable[[Any], Any]


class GoType(NamedTuple):
    """How Go names a field's type in error texts; "uint64" and the like also bound the number."""

    name: str


def decode(body: bytes, kind: type[S], prefix: str = PREFIX) -> S:
    """Return a request's body as a Struct.  Raises HTTPError 400, whose text is `prefix` and what is wrong."""
    try:
        return convert(parse(body), kind)
    except (JSONError, DecodeError) as error:
        raise bad_request(f"{prefix}{error}") from None
    except RecursionError:
        raise bad_request(f"{prefix}{TOO_DEEP}") from None


def decode_list(
    body: bytes, kind: type[S], go_name: str, prefix: str = PREFIX, most: tuple[int, str] | None = None
) -> list[S]:
    """Return a request's body as a list of Structs; null is an empty list.  Raises HTTPError 400; `go_name` names the list.

    most: how many there may be, and the text that refuses more before they are looked at.
    """
    try:
        found = parse(body)
        if not isinstance(found, list | None):
            raise DecodeError(f"json: cannot unmarshal {json_kind(found)} into Go value of type {go_name}")
        if found and most is not None and len(found) > most[0]:
            raise bad_request(most[1])
        return [convert(one, kind) for one in found or ()]
    except (JSONError, DecodeError) as error:
        raise bad_request(f"{prefix}{error}") from None
    except RecursionError:
        raise bad_request(f"{prefix}{TOO_DEEP}") from None


def decode_any(body: bytes, prefix: str = PREFIX) -> Any:
    """Return a request's body as plain Python values, for handlers that look closer themselves.  Raises HTTPError 400.

    Their handlers want an object; anything else is given back as it is, since a list may be very long.
    """
    try:
        found = parse(body)
        return plain(found) if isinstance(found, dict) else found
    except (JSONError, DecodeError) as error:
        raise bad_request(f"{prefix}{error}") from None
    except RecursionError:
        raise bad_request(f"{prefix}{TOO_DEEP}") from None


def refusal(error: ValueError, prefix: str = PREFIX) -> HTTPError:
    """Return the HTTP response to a DecodeError."""
    return bad_request(f"{prefix}{error}")


def convert(value: Any, kind: type[S]) -> S:
    """Parsed JSON as a Struct, by the rules above.  Raises DecodeError."""
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise DecodeError(f"json: cannot unmarshal {json_kind(value)} into Go value of type {_plan(kind).name}")
    made: S = _plan(kind).read(value, ROOT)
    return made


class _Plan:
    """How one Struct is read: its keys in lower case, each with the attribute, the name in error texts and the reader."""

    def __init__(self, kind: type[msgspec.Struct]) -> None:
        self.kind = kind
        self.name: str = getattr(kind, "go_name", kind.__name__)
        embedded: str | None = getattr(kind, "go_embedded", None)
        self.struct = "" if embedded else self.name.rpartition(".")[2]
        self.inside = (embedded,) if embedded else ()
        self.lenient: bool = getattr(kind, "lenient", False)
        self.exact: dict[str, tuple[str, str, Reader] | None] = {}
        hints = get_type_hints(kind, include_extras=True)
        by_attribute = {}
        self.zeros: dict[str, Any] = {}  # of the fields without a default
        for field in msgspec.structs.fields(kind):
            entry = (field.name, field.encode_name, _reader(hints[field.name]))
            by_attribute[field.name] = self.exact[field.encode_name.lower()] = entry
            if field.required:
                self.zeros[field.name] = _zero(hints[field.name])
        aliases: Mapping[str, str | None] = getattr(kind, "aliases", {})
        for key, attribute in aliases.items():
            self.exact[key.lower()] = by_attribute[attribute] if attribute else None

    def read(self, value: Mapping[str, Any], outer: Path) -> Any:
        attributes: dict[str, Any] = {}
        struct = outer.struct if self.inside else self.struct
        for key, item in value.items():
            try:
                entry = self.exact[key.lower()]
            except KeyError:
                if self.lenient and not (item and is_enterprise(key)):
                    continue
                raise unknown_field(key) from None
            if entry is not None:
                attribute, name, reader = entry
                made = reader(item, Path(struct, (*outer.fields, *self.inside, name)))
                if made is not ABSENT:
                    attributes[attribute] = made
        return self.kind(**{**self.zeros, **attributes}) if self.zeros else self.kind(**attributes)


@lru_cache(maxsize=256)
def _plan(kind: type[msgspec.Struct]) -> _Plan:
    return _Plan(kind)


def _reader(kind: Any) -> Reader:
    """Return a function that reads a value of a type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _annotated(arguments)
    if origin in (Union, types.UnionType):
        return _optional_reader(arguments)
    if origin is list:
        return _list_reader(arguments[0])
    if origin is dict:
        return _dict_reader(arguments[1])
    if kind in SCALARS:
        return SCALARS[kind]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct_reader(kind)
    return plain


def _optional_reader(arguments: tuple[Any, ...]) -> Reader:
    """Of a field that may be None: null makes it that, whatever its default is."""
    inner = _reader(arguments[0])
    null = None if type(None) in arguments else ABSENT

    def read(value: Any, path: Path) -> Any:
        made = inner(value, path)
        return null if made is ABSENT else made

    return read


def _annotated(arguments: tuple[Any, ...]) -> Reader:
    for note in arguments[1:]:
        if isinstance(note, Convert):
            return _converter(note.function)
        if isinstance(note, GoType):
            known = INTEGERS.get(note.name)
            return integer_reader(note.name, *known) if known else scalar_reader(arguments[0], note.name)
    return _reader(arguments[0])


def _converter(function: Callable[[Any], Any]) -> Reader:
    def read(value: Any, path: Path) -> Any:
        try:
            return function(value)
        except ValueError as error:
            raise DecodeError(str(error)) from None

    return read


def _list_reader(kind: Any) -> Reader:
    item, name = _reader(kind), f"[]{_go_name(kind)}"
    most = sys.maxsize if kind in SCALARS else MAX_OBJECTS

    def read(value: Any, path: Path) -> Any:
        if value is None:
            return ABSENT
        if not isinstance(value, list):
            raise mismatch(value, path, name)
        if len(value) > most:
            where = ".".join((path.struct, *path.fields))
            raise DecodeError(f"json: {len(value)} elements in {where} of type {name}; at most {most} are allowed")
        made = [item(one, path) for one in value]
        return [_zero(kind) if one is ABSENT else one for one in made]

    return read


def _dict_reader(kind: Any) -> Reader:
    item, name = _reader(kind), f"map[string]{_go_name(kind)}"

    def read(value: Any, path: Path) -> Any:
        if value is None:
            return ABSENT
        if not isinstance(value, dict):
            raise mismatch(value, path, name)
        made = {key: item(one, path) for key, one in value.items()}
        return {key: _zero(kind) if one is ABSENT else one for key, one in made.items()}

    return read


def _struct_reader(kind: type[msgspec.Struct]) -> Reader:
    def read(value: Any, path: Path) -> Any:
        if value is None:
            return ABSENT
        plan = _plan(kind)
        if not isinstance(value, dict):
            raise mismatch(value, path, plan.name)
        return plan.read(value, path)

    return read


def _zero(kind: Any) -> Any:
    """Return the value of null inside a list or map, and of an absent field without a default."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _zero(get_args(kind)[0])
    if origin in (Union, types.UnionType) or kind is Any:
        return None
    zero = origin or kind
    return _plan(zero).read({}, ROOT) if issubclass(zero, msgspec.Struct) else zero()


def _go_name(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return next((note.name for note in arguments[1:] if isinstance(note, GoType)), _go_name(arguments[0]))
    if origin in (Union, types.UnionType):
        return "*" + _go_name(next(argument for argument in arguments if argument is not type(None)))
    if origin is list:
        return f"[]{_go_name(arguments[0])}"
    if origin is dict:
        return f"map[string]{_go_name(arguments[1])}"
    known: dict[Any, str] = {
        Any: "interface {}",
        str: "string",
        int: "int",
        bool: "bool",
        float: "float64",
        bytes: "[]uint8",
    }
    return known.get(kind) or str(getattr(kind, "go_name", getattr(kind, "__name__", "interface {}")))

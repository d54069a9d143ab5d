"""Fields: `.Name` of a map, a struct, or nothing; and which names of a struct are methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.signature import Function, as_function
from pyconsul.tools.gotemplate.runtime.values import Map, NilPointer, element_type, key_type, type_name

MissingKey = Literal["default", "zero", "error"]


class KeyIsMissing(Exception):
    """A map has no such key and the option `missingkey=default` makes the whole chain `<no value>`."""


_plain_fields: dict[type, frozenset[str]] = {}
_methods: dict[type, Mapping[str, Function]] = {}
_struct_fields: dict[type, frozenset[str]] = {}


def struct_fields(kind: type) -> frozenset[str]:
    """Return the names of a struct's fields."""
    if kind not in _struct_fields:
        _struct_fields[kind] = frozenset(getattr(kind, "go_fields", ()))
    return _struct_fields[kind]


def plain_fields(kind: type) -> frozenset[str]:
    """Return the names of a struct's fields, without those that are also methods."""
    found = _plain_fields.get(kind)
    if found is None:
        found = _plain_fields[kind] = struct_fields(kind).difference(methods(kind))
    return found


def methods(kind: type) -> Mapping[str, Function]:
    """Return the methods of a value's class; each takes the object first."""
    found = _methods.get(kind)
    if found is None:
        declared = getattr(kind, "go_methods", ())
        if isinstance(declared, Mapping):
            found = {name: as_function(call) for name, call in declared.items()}
        else:
            found = {name: _without_self(as_function(getattr(kind, name))) for name in declared}
        _methods[kind] = found
    return found


def _without_self(method: Function) -> Function:
    least = None if method.least is None else method.least - 1
    return Function(method.call, method.parameters[1:], method.variadic, least)


def read(value: Any, name: str, missing: MissingKey, container: Any = None) -> Any:
    """Return the field of a value that is not None. Raises GoError when it does not exist."""
    kind = type(value)
    if name in struct_fields(kind):
        return getattr(value, name)
    if isinstance(value, dict):
        return _map_field(value, name, missing)
    if isinstance(value, NilPointer):
        raise GoError(f"nil pointer evaluating {value.go_type}.{name}")
    held_as = element_type(container) if isinstance(container, dict) else type_name(value)
    raise GoError(f"can't evaluate field {name} in type {held_as}")


def _map_field(value: dict[Any, Any], name: str, missing: MissingKey) -> Any:
    if name in value:
        return value[name]
    if key_type(value) not in ("string", "interface {}"):
        raise GoError(f"can't evaluate field {name} in type {type_name(value)}")
    if missing == "error":
        raise GoError(f'map has no entry for key "{name}"')
    if missing == "default":
        raise KeyIsMissing
    return value.zero if isinstance(value, Map) else None


def require_value(name: str, missing: MissingKey) -> None:
    """Raise GoError when a field of no data at all is an error."""
    if missing == "error":
        raise GoError(f'nil data; no entry for key "{name}"')


def nil_receiver(name: str) -> GoError:
    """Return the error for a field of a nil that a field before it gave."""
    return GoError(f"nil pointer evaluating interface {{}}.{name}")

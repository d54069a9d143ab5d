"""Go's comparisons in templates: which values can be compared, and how."""

from __future__ import annotations

from typing import Any

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.values import NilPointer, is_struct, type_name
from pyconsul.tools.gotemplate.text.verbs import display

# The order matters: bool is an int.
_KINDS: dict[type, str] = {bool: "bool", str: "string", int: "int", float: "float", complex: "complex"}
_BAD_TYPE = "invalid type for comparison"


def basic_kind(value: Any) -> str:
    """Return `bool`, `int`, `float`, `complex` or `string`; "" for other values. Signed and unsigned integers compare."""
    found = _KINDS.get(type(value))
    if found is None:
        found = next((name for kind, name in _KINDS.items() if isinstance(value, kind)), "")
    return found


def eq(first: Any, *others: Any) -> bool:
    """Return whether the first equals one of the others; GoError for types that cannot be compared."""
    if not others:
        raise GoError("missing argument for comparison")
    kind = basic_kind(first)
    return any(_equal(first, kind, other) for other in others)


def _equal(first: Any, kind: str, other: Any) -> bool:
    other_kind = basic_kind(other)
    if kind and kind == other_kind:
        return bool(first == other)
    if kind != other_kind:
        if first is None or other is None:
            return False
        raise GoError(f"incompatible types for comparison: {type_name(first)} and {type_name(other)}")
    return _equal_composite(first, other)


def _equal_composite(first: Any, other: Any) -> bool:
    if first is None or other is None or isinstance(first, NilPointer) or isinstance(other, NilPointer):
        return _is_nil(first) == _is_nil(other) and (_is_nil(first) or first is other)
    if _shape(first) != _shape(other):
        raise GoError(
            f"non-comparable types {display(first)}: {type_name(first)}, {type_name(other)}: {display(other)}"
        )
    if isinstance(other, (list, dict)):
        raise GoError(f"non-comparable type {display(other)}: {type_name(other)}")
    return first is other


def _is_nil(value: Any) -> bool:
    return value is None or isinstance(value, NilPointer)


def _shape(value: Any) -> str:
    if isinstance(value, list):
        return "slice"
    return "map" if isinstance(value, dict) else "struct" if is_struct(value) else type_name(value)


def ne(first: Any, second: Any) -> bool:
    """Return the opposite of eq."""
    return not eq(first, second)


def lt(first: Any, second: Any) -> bool:
    """Return whether the first is smaller; numbers of one kind and strings have an order."""
    kind, other_kind = basic_kind(first), basic_kind(second)
    if not kind or not other_kind:
        raise GoError(_BAD_TYPE)
    if kind != other_kind:
        raise GoError(f"incompatible types for comparison: {type_name(first)} and {type_name(second)}")
    if kind in ("bool", "complex"):
        raise GoError(_BAD_TYPE)
    return bool(first < second)


def le(first: Any, second: Any) -> bool:
    """Smaller or equal."""
    return lt(first, second) or eq(first, second)


def gt(first: Any, second: Any) -> bool:
    """Greater."""
    return not le(first, second)


def ge(first: Any, second: Any) -> bool:
    """Greater or equal."""
    return not lt(first, second)

"""Sprig's functions for lists. Source: https://masterminds.github.io/sprig/lists.html"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.functions.sprig.values import integer_of, is_empty, items_of
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, function
from pyconsul.tools.gotemplate.runtime.values import Slice, type_name

_ANYS = "..." + ANY


def deep_equal(a: Any, b: Any) -> bool:
    """Return whether two values are the same, of the same types, all the way down."""
    if type_name(a) != type_name(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(deep_equal, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(deep_equal(a[key], b[key]) for key in a)
    return bool(a == b)


def is_in(item: Any, items: list[Any]) -> bool:
    """Return whether the list has an equal item."""
    return any(deep_equal(item, other) for other in items)


def first(items: Any) -> Any:
    """Return the first item, or nil."""
    found = items_of(items, "find first")
    return found[0] if found else None


def last(items: Any) -> Any:
    """Return the last item, or nil."""
    found = items_of(items, "find last")
    return found[-1] if found else None


def uniq(items: Any) -> list[Any]:
    """Return each different item once."""
    found: list[Any] = []
    for item in items_of(items, "find uniq"):
        if not is_in(item, found):
            found.append(item)
    return found


def has(item: Any, items: Any) -> bool:
    """Return whether the list has the item."""
    return items is not None and is_in(item, items_of(items, "find has"))


def part(items: Any, *bounds: Any) -> Any:
    """Items from the first bound up to and without the second; the list's type stays."""
    found = items_of(items, "find slice")
    if not found:
        return None
    start = integer_of(bounds[0]) if bounds else 0
    end = integer_of(bounds[1]) if len(bounds) > 1 else len(found)
    if not 0 <= start <= end <= len(found):
        raise GoError("reflect.Value.Slice: slice index out of bounds")
    chosen = found[start:end]
    return Slice(items.go_type, chosen, items.underlying) if isinstance(items, Slice) else chosen


def concat(*lists: Any) -> list[Any]:
    """Return all items of the lists."""
    return [item for items in lists for item in items_of(items, "concat")]


def chunk(size: int, items: Any) -> Slice:
    """Lists of at most `size` items."""
    found = items_of(items, "chunk")
    if size <= 0:
        raise GoError("runtime error: integer divide by zero")
    chunks = [found[i : i + size] for i in range(0, len(found), size)]
    return Slice("[][]interface {}", chunks)


def pairwise_prepend(items: Any, item: Any) -> list[Any]:
    """Return the item and then the list's."""
    return [item, *items_of(items, "prepend")]


_PLAIN: Mapping[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "append": (lambda items, item: [*items_of(items, "push"), item], (ANY, ANY)),
    "chunk": (chunk, ("int", ANY)),
    "compact": (lambda items: [item for item in items_of(items, "compact") if not is_empty(item)], (ANY,)),
    "first": (first, (ANY,)),
    "has": (has, (ANY, ANY)),
    "initial": (lambda items: items_of(items, "find initial")[:-1], (ANY,)),
    "last": (last, (ANY,)),
    "prepend": (pairwise_prepend, (ANY, ANY)),
    "push": (lambda items, item: [*items_of(items, "push"), item], (ANY, ANY)),
    "rest": (lambda items: items_of(items, "find rest")[1:], (ANY,)),
    "reverse": (lambda items: items_of(items, "find reverse")[::-1], (ANY,)),
    "slice": (part, (ANY, _ANYS)),
    "uniq": (uniq, (ANY,)),
    "without": (
        lambda items, *out: [item for item in items_of(items, "find without") if not is_in(item, [*out])],
        (ANY, _ANYS),
    ),
}

FUNCTIONS: Mapping[str, Function] = {
    "concat": function(concat, _ANYS),
    "deepEqual": function(deep_equal, ANY, ANY),
    "list": function(lambda *items: [*items], _ANYS),
    "tuple": function(lambda *items: [*items], _ANYS),
    **{name: function(call, *types) for name, (call, types) in _PLAIN.items()},
    # `must…`: the same with an error instead of a panic, which a template does not tell apart.
    **{f"must{name[0].upper()}{name[1:]}": function(call, *types) for name, (call, types) in _PLAIN.items()},
}

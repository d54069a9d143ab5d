"""The functions every Go template has: comparisons, printing, indexing, escaping. `and` and `or` are the evaluator's.

Source: https://pkg.go.dev/text/template#hdr-Functions
"""

from __future__ import annotations

import itertools
import urllib.parse
from collections.abc import Mapping
from typing import Any

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime import compare
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, as_function, fit, function
from pyconsul.tools.gotemplate.runtime.values import (
    Channel,
    Map,
    NilPointer,
    Slice,
    Uint8,
    byte_length,
    key_type,
    to_bytes,
    to_text,
    truth,
    type_name,
)
from pyconsul.tools.gotemplate.syntax.quote import quote
from pyconsul.tools.gotemplate.text.fmt import go_print, go_printf, go_println, joined
from pyconsul.tools.gotemplate.text.verbs import display_pointed


def length(item: Any) -> int:
    """Return the bytes of a string or the elements of a list or map: `len`."""
    if isinstance(item, str):
        return byte_length(item)
    if isinstance(item, (list, dict)):
        return len(item)
    if isinstance(item, Channel):
        return 0
    if isinstance(item, NilPointer):
        raise GoError("len of nil pointer")
    if item is None:
        raise GoError("reflect: call of reflect.Value.Type on zero Value")
    raise GoError(f"len of type {_pointed_type(item)}")


def _pointed_type(item: Any) -> str:
    return type_name(item).removeprefix("*")


def index(item: Any, *indexes: Any) -> Any:
    """Return x[1][2] for `index x 1 2`, of lists, strings (bytes) and maps; a missing key gives the zero value."""
    if item is None:
        raise GoError("index of untyped nil")
    for key in indexes:
        if item is None or isinstance(item, NilPointer):
            raise GoError("index of nil pointer")
        if isinstance(item, dict):
            item = _lookup(item, key)
        elif isinstance(item, (list, str)):
            sequence = to_bytes(item) if isinstance(item, str) else item
            position = _position(key, len(sequence))
            if position == len(sequence):
                raise GoError(f"reflect: {'string' if isinstance(item, str) else 'slice'} index out of range")
            element = sequence[position]
            item = Uint8(element) if isinstance(item, str) else element
        else:
            raise GoError(f"can't index item of type {_pointed_type(item)}")
    return item


def _lookup(mapping: dict[Any, Any], key: Any) -> Any:
    wanted = key_type(mapping)
    if wanted == "string" and not isinstance(key, str):
        if key is None:
            raise GoError("value is nil; should be of type string")
        raise GoError(f"value has type {type_name(key)}; should be string")
    if wanted == "int" and (isinstance(key, bool) or not isinstance(key, int)):
        raise GoError(f"value has type {type_name(key)}; should be {wanted}")
    if isinstance(key, (list, dict)):
        raise GoError(f"hash of unhashable type {type_name(key)}")
    return mapping.get(key, mapping.zero if isinstance(mapping, Map) else None)


def _position(key: Any, limit: int) -> int:
    if key is None:
        raise GoError("cannot index slice/array with nil")
    if isinstance(key, bool) or not isinstance(key, int):
        raise GoError(f"cannot index slice/array with type {type_name(key)}")
    if key < 0 or key > limit:
        raise GoError(f"index out of range: {int(key)}")
    return int(key)


def go_slice(item: Any, *indexes: Any) -> Any:
    """Return x[1:3] for `slice x 1 3`, of a list or of the bytes of a string."""
    if item is None:
        raise GoError("slice of untyped nil")
    if len(indexes) > 3:
        raise GoError(f"too many slice indexes: {len(indexes)}")
    if isinstance(item, str) and len(indexes) == 3:
        raise GoError("cannot 3-index slice a string")
    if not isinstance(item, (str, list)):
        raise GoError(
            "slice of nil pointer"
            if isinstance(item, NilPointer)
            else f"can't slice item of type {_pointed_type(item)}"
        )
    sequence: Any = to_bytes(item) if isinstance(item, str) else item
    bounds = [0, len(sequence), len(sequence)]
    bounds[: len(indexes)] = [_position(key, len(sequence)) for key in indexes]
    for low, high in itertools.pairwise(bounds):
        if low > high:
            raise GoError(f"invalid slice index: {low} > {high}")
    part = sequence[bounds[0] : bounds[1]]
    if isinstance(item, str):
        return to_text(part)
    return Slice(item.go_type, part, item.underlying) if isinstance(item, Slice) else part


def call(target: Any, *arguments: Any) -> Any:
    """Call a function that is a value, not a name: `call f x`."""
    if target is None:
        raise GoError("call of nil")
    if not isinstance(target, Function) and not callable(target):
        shown = quote(target) if isinstance(target, str) else display_pointed(target)
        raise GoError(f"non-function {shown} of type {type_name(target)}")
    called = as_function(target)
    called.check_count("call", len(arguments))
    return called.call(*(fit(value, called.parameter(i)) for i, value in enumerate(arguments)))


_HTML = str.maketrans({"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"})


def html(*values: Any) -> str:
    """Return the text of the values, safe in HTML."""
    return _text(values).translate(_HTML)


def js(*values: Any) -> str:
    """Return the text of the values, safe in a JavaScript string."""
    return "".join(map(_js_character, _text(values)))


def _js_character(character: str) -> str:
    if character in "\\'\"":
        return "\\" + character
    if character in "<>&=" or character < " " or (character > "\x7e" and not character.isprintable()):
        return f"\\u{ord(character):04X}" if character != "\x7f" else character
    return character


def urlquery(*values: Any) -> str:
    """Return the text of the values, escaped for a query of a URL."""
    return urllib.parse.quote_plus(to_bytes(_text(values)), safe="")


def _text(values: tuple[Any, ...]) -> str:
    return joined(["<no value>" if value is None else value for value in values], display_pointed)


BUILTINS: Mapping[str, Function] = {
    "call": function(call, ANY, "..." + ANY),
    "eq": function(compare.eq, ANY, "..." + ANY),
    "ge": function(compare.ge, ANY, ANY),
    "gt": function(compare.gt, ANY, ANY),
    "html": function(html, "..." + ANY),
    "index": function(index, ANY, "..." + ANY),
    "js": function(js, "..." + ANY),
    "le": function(compare.le, ANY, ANY),
    "len": function(length, ANY),
    "lt": function(compare.lt, ANY, ANY),
    "ne": function(compare.ne, ANY, ANY),
    "not": function(lambda value: not truth(value), ANY),
    "print": function(go_print, "..." + ANY),
    "printf": function(go_printf, "string", "..." + ANY),
    "println": function(go_println, "..." + ANY),
    "slice": function(go_slice, ANY, "..." + ANY),
    "urlquery": function(urlquery, "..." + ANY),
}
SHORT_CIRCUIT = frozenset(("and", "or"))

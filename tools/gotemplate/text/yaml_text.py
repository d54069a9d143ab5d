"""YAML as Go's yaml.v2 reads and writes it, on top of PyYAML's scanner and emitter.

Reading: YAML 1.1's booleans (`y`, `on` …), integers in Go's notations, dates stay strings, maps have keys of any
type. Writing: keys in natural order (`a2` before `a10`), lists not indented, long lines folded at 80 columns.
"""

from __future__ import annotations

import base64
import math
import re
from functools import cmp_to_key
from typing import Any

import yaml

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.values import (
    AnyMap,
    Map,
    NilPointer,
    Uint64,
    is_struct,
    printed_fields,
    to_bytes,
    to_text,
    type_name,
)
from pyconsul.tools.gotemplate.syntax.literals import MAX_INT, MAX_UINT, parse_integer
from pyconsul.tools.gotemplate.text import floats

_MAP_TYPE = "map[interface {}]interface {}"
_TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
_FALSE = frozenset(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_INFINITE = {
    f"{sign}{word}": number
    for sign, number in (("", math.inf), ("+", math.inf), ("-", -math.inf))
    for word in (".inf", ".Inf", ".INF")
}
_NAN = frozenset((".nan", ".NaN", ".NAN"))
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt][0-9:.]{5,}(?:Z|[+-][0-9]{2}:[0-9]{2})| [0-9]{1,2}:[0-9]{1,2}:[0-9.]+)?"
)
_YAML = "tag:yaml.org,2002:"
_SCALAR_TAG = _YAML + "str"
_MERGE_TAG = _YAML + "merge"
_PLAIN_TAG = "!plain-scalar"


def resolve(text: str) -> Any:
    """Return the value of a plain scalar: None, bool, int, float, or its text.

    >>> resolve("on"), resolve("0x10"), resolve("1.5"), resolve("2020-01-01")
    (True, 16, 1.5, '2020-01-01')
    """
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text in _INFINITE or text in _NAN:
        return _INFINITE.get(text, math.nan)
    if text[0] not in "0123456789+-.":
        return text
    return _number(text)


def _number(text: str) -> Any:
    plain = text.replace("_", "")
    integer = parse_integer(plain) if plain else None
    if integer is not None and -MAX_INT - 1 <= integer <= MAX_UINT:
        return integer if integer <= MAX_INT else Uint64(integer)
    return float(plain) if _FLOAT.fullmatch(plain) else text


class _Loader(yaml.SafeLoader):
    """PyYAML's loader with Go's meanings of scalars and maps."""

    def resolve(self, kind: type, value: Any, implicit: Any) -> str:
        """Return the tag of a node without one; plain scalars get their own tag."""
        if kind is yaml.ScalarNode and implicit[0]:
            return _MERGE_TAG if value == "<<" else _PLAIN_TAG
        if kind is yaml.ScalarNode:
            return _SCALAR_TAG
        return _YAML + ("seq" if kind is yaml.SequenceNode else "map")


def _construct_plain(loader: _Loader, node: yaml.ScalarNode) -> Any:
    return resolve(str(node.value))


def _construct_text(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(node.value)


def _construct_map(loader: _Loader, node: yaml.MappingNode) -> Map:
    loader.flatten_mapping(node)
    pairs = [(loader.construct_object(k, deep=True), loader.construct_object(v, deep=True)) for k, v in node.value]
    for key, _ in pairs:
        if isinstance(key, (dict, list)):
            raise GoError(f"yaml: invalid map key: {type_name(key)}")
    return AnyMap(_MAP_TYPE, pairs)


def _construct_binary(loader: _Loader, node: yaml.ScalarNode) -> str:
    try:
        return to_text(base64.b64decode(node.value, validate=False))
    except ValueError:
        raise GoError("yaml: !!binary value contains invalid base64 data") from None


for _tag in (_PLAIN_TAG, "bool", "int", "float", "null"):
    _Loader.add_constructor(_YAML + _tag if _tag != _PLAIN_TAG else _tag, _construct_plain)
for _tag in ("str", "timestamp"):
    _Loader.add_constructor(_YAML + _tag, _construct_text)
_Loader.add_constructor(_MERGE_TAG, _construct_text)
_Loader.add_constructor(_YAML + "map", _construct_map)
_Loader.add_constructor(_YAML + "binary", _construct_binary)


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML text (its first document). Raises GoError."""
    try:
        return next(yaml.load_all(to_bytes(text).decode("utf-8"), _Loader), None)
    except yaml.YAMLError as error:
        raise GoError(f"yaml: {' '.join(str(error).split())}") from None
    except (UnicodeDecodeError, RecursionError, ValueError, TypeError) as error:
        raise GoError(f"yaml: {error}") from None


class _Dumper(yaml.SafeDumper):
    """PyYAML's emitter for nodes that say themselves how they look."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def check_simple_key(self) -> bool:
        """Return whether a key fits before its colon; PyYAML writes an empty one as "? ", Go does not."""
        event = self.event
        return (isinstance(event, yaml.ScalarEvent) and event.value == "") or bool(super().check_simple_key())


def to_yaml(value: Any) -> str:
    """Return the value as YAML, without a newline at the end. GoError for what YAML cannot hold."""
    try:
        node = _node(value)
    except RecursionError:
        raise GoError("yaml: the value contains itself") from None
    text = yaml.serialize(node, Dumper=_Dumper, allow_unicode=True, width=80)
    return str(text).removesuffix("...\n").strip(" \t\r\n")


def _node(value: Any) -> yaml.Node:
    if isinstance(value, str):
        return _string_node(value)
    if isinstance(value, list):
        return yaml.SequenceNode(_YAML + "seq", [_node(item) for item in value], flow_style=not value)
    if isinstance(value, dict):
        pairs = [(_node(key), _node(value[key])) for key in sorted(value, key=cmp_to_key(natural_order))]
        return yaml.MappingNode(_YAML + "map", pairs, flow_style=not pairs)
    if is_struct(value):
        fields = [(_node(name.lower()), _node(getattr(value, name))) for name in printed_fields(value)]
        return yaml.MappingNode(_YAML + "map", fields, flow_style=not fields)
    return yaml.ScalarNode(_SCALAR_TAG, _scalar(value), style=None)


def _scalar(value: Any) -> str:
    if value is None or isinstance(value, NilPointer):
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        if math.isfinite(value):
            return floats.shortest(value)
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    raise GoError(f"cannot marshal type: {type_name(value)}")


def _string_node(text: str) -> yaml.ScalarNode:
    """Return a string as it is read back: quoted when it would be something else."""
    if any("\ud800" <= c <= "\udfff" for c in text):
        return yaml.ScalarNode(_YAML + "binary", base64.b64encode(to_bytes(text)).decode())
    if "\n" in text:
        return yaml.ScalarNode(_SCALAR_TAG, text, style="|")
    is_other = not isinstance(resolve(text), str) or _BASE_60.fullmatch(text) or _DATE.fullmatch(text)
    return yaml.ScalarNode(_SCALAR_TAG, text, style='"' if is_other else None)


def natural_order(a: Any, b: Any) -> int:
    """Compare two keys: negative when the first comes first. Numbers by value, digits in texts as numbers."""
    if isinstance(a, (bool, int, float)) and isinstance(b, (bool, int, float)):
        return (float(a) > float(b)) - (float(a) < float(b)) or _rank(a) - _rank(b)
    if not isinstance(a, str) or not isinstance(b, str):
        return _rank(a) - _rank(b)
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
    if at is None:
        return len(a) - len(b)
    x, y = a[at], b[at]
    if x.isalpha() or y.isalpha():
        return (1 if x > y else -1) if x.isalpha() and y.isalpha() else x.isalpha() - y.isalpha()
    if (
        "0" in (x, y)
        and a[:at].rstrip("0123456789") != a[:at]
        and a[:at][len(a[:at].rstrip("0123456789")) :].strip("0")
    ):
        # Within a number: the zero is one of its digits.
        first, second = "1" + _digits(a, at), "1" + _digits(b, at)
    else:
        first, second = _digits(a, at), _digits(b, at)
    return int(first or 0) - int(second or 0) or len(first) - len(second) or (1 if x > y else -1)


def _digits(text: str, start: int) -> str:
    match = re.compile(r"[0-9]*").match(text, start)
    return match.group() if match else ""


def _rank(key: Any) -> int:
    for rank, kind in enumerate((bool, int, float, str), 1):
        if isinstance(key, kind):
            return rank
    return 0

"""TOML as consul-template writes it: sorted keys, tables after values, each level indented by two blanks.

No TOML library writes this layout, so it is put together here; it reads back with any of them.
"""

from __future__ import annotations

import math
import re
from typing import Any

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.values import NilPointer, is_struct, key_type, printed_fields, type_name
from pyconsul.tools.gotemplate.text import floats

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {"\t": r"\t", "\n": r"\n", "\r": r"\r", '"': r"\"", "\\": r"\\", "\b": r"\b", "\f": r"\f"}
_TO_ESCAPE = re.compile(r'[\x00-\x1f"\\\x7f]')
_INDENT = "  "


def to_toml(value: Any) -> str:
    """Return a map (or struct) as TOML, another value as it stands behind a key. GoError for what TOML cannot hold."""
    if value is None or _is_table_list(value):
        raise GoError("toml: top-level values must be Go maps or structs")
    if not _is_table(value):
        return _inline(value)
    lines: list[str] = []
    _table(value, [], lines)
    return "\n".join(lines)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or is_struct(value)


def _items(value: Any) -> list[tuple[str, Any]]:
    """Return the keys and values that are not nil: of a map by key, of a struct in its order."""
    if is_struct(value):
        pairs = [(name, getattr(value, name)) for name in printed_fields(value)]
    else:
        if key_type(value) != "string":
            raise GoError(f"toml: cannot encode a map with non-string key type: {type_name(value)}")
        pairs = sorted(value.items())
    return [(key, item) for key, item in pairs if item is not None and not isinstance(item, NilPointer)]


def _is_table_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_table, value))


def _table(value: Any, path: list[str], lines: list[str]) -> None:
    """Return the lines of a table: its simple values, then its tables."""
    margin = _INDENT * len(path)
    items = _items(value)
    for key, item in items:
        if not _is_table(item) and not _is_table_list(item):
            lines.append(f"{margin}{_key(key)} = {_inline(item)}")
    for key, item in items:
        inner = [*path, _key(key)]
        if _is_table(item):
            if lines and not path:
                lines.append("")
            lines.append(f"{margin}[{'.'.join(inner)}]")
            _table(item, inner, lines)
        elif _is_table_list(item):
            for element in item:
                if lines:
                    lines.append("")
                lines.append(f"{margin}[[{'.'.join(inner)}]]")
                _table(element, inner, lines)


def _inline(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list):
        if any(item is None for item in value):
            raise GoError("toml: cannot encode array with nil element")
        return f"[{', '.join(map(_inline, value))}]"
    if _is_table(value):
        return "{" + ", ".join(f"{_key(key)} = {_inline(item)}" for key, item in _items(value)) + "}"
    raise GoError(f"toml: unsupported type: {type_name(value)}")


def _float(value: float) -> str:
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "+inf" if value > 0 else "-inf"
    text = floats.shortest(value, largest=21)
    return text if "." in text or "e" in text else text + ".0"


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _quoted(text: str) -> str:
    return '"' + _TO_ESCAPE.sub(lambda m: _ESCAPES.get(m.group(), f"\\u{ord(m.group()):04x}"), text) + '"'

"""`spew_…`: values with their types, for looking at data while writing a template."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, function
from pyconsul.tools.gotemplate.runtime.values import byte_length, is_struct, printed_fields, sorted_keys, type_name
from pyconsul.tools.gotemplate.syntax.quote import quote
from pyconsul.tools.gotemplate.text.fmt import go_printf
from pyconsul.tools.gotemplate.text.verbs import display


def dump(*values: Any) -> str:
    """Return each value with the types and lengths of its parts, one a line."""
    return "".join(_dump(value, "") + "\n" for value in values)


def _dump(value: Any, margin: str) -> str:
    if value is None:
        return "(interface {}) <nil>"
    kind = type_name(value)
    inner = margin + " "
    if isinstance(value, str):
        return f"({kind}) (len={byte_length(value)}) {quote(value)}"
    if isinstance(value, list):
        items = [inner + _dump(item, inner) for item in value]
        return _block(f"({kind}) (len={len(value)} cap={len(value)})", items, margin)
    if isinstance(value, dict):
        items = [f"{inner}{_dump(key, inner)}: {_dump(value[key], inner)}" for key in sorted_keys(value)]
        return _block(f"({kind}) (len={len(value)})", items, margin)
    if is_struct(value):
        items = [f"{inner}{name}: {_dump(getattr(value, name), inner)}" for name in printed_fields(value)]
        return _block(f"({kind})", items, margin)
    return f"({kind}) {display(value)}"


def _block(head: str, items: list[str], margin: str) -> str:
    if not items:
        return head + " {\n" + margin + "}"
    return head + " {\n" + ",\n".join(items) + "\n" + margin + "}"


def _to_stdout(text: str) -> str:
    sys.stdout.write(text)
    return ""


FUNCTIONS: Mapping[str, Function] = {
    "spew_dump": function(lambda *values: _to_stdout(dump(*values)), "..." + ANY),
    "spew_printf": function(lambda form, *values: _to_stdout(go_printf(form, *values)), "string", "..." + ANY),
    "spew_sdump": function(dump, "..." + ANY),
    "spew_sprintf": function(go_printf, "string", "..." + ANY),
}
